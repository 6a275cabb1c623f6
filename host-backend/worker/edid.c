// SPDX-License-Identifier: MIT
/* E-EDID 1.4 and DisplayID 1.3, byte by byte; see edid.h. */
#include "edid.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What the eighteen bytes of a base block's detailed timing can hold. */
#define DTD_MAX_PIXELS	4095u
#define DTD_MAX_CLOCK	655350u		/* kHz */

#define YEAR		2025		/* of the model */
#define MM_PER_INCH_TENTHS 254u
#define DOTS_PER_INCH	96u

struct timing {
	uint32_t clock;			/* kHz, a multiple of 10 */
	uint32_t hactive, hblank, hfront, hsync;
	uint32_t vactive, vblank, vfront, vsync;
};

/* VESA CVT 1.1 with reduced blanking: also for sizes that CVT's cells of
 * eight pixels do not divide, since nothing here is analogue. */
static struct timing cvt_reduced(uint32_t width, uint32_t height,
				 uint32_t refresh)
{
	struct timing t = {
		.hactive = width, .hblank = 160, .hfront = 48, .hsync = 32,
		.vactive = height, .vfront = 3, .vsync = 10,
	};
	uint64_t frame = 1000000000000000ull / refresh;		/* ps */
	uint64_t line = (frame - 460000000) / height;
	uint32_t least;
	uint64_t clock;

	if (height * 4 == width * 3)
		t.vsync = 4;
	else if (height * 16 == width * 9)
		t.vsync = 5;
	else if (height * 16 == width * 10)
		t.vsync = 6;
	else if (height * 5 == width * 4 || height * 15 == width * 9)
		t.vsync = 7;
	least = t.vfront + t.vsync + 6;
	t.vblank = (uint32_t)(460000000 / line) + 1;
	if (t.vblank < least)
		t.vblank = least;
	/* Rounded down, as CVT does, so that it never exceeds the refresh. */
	clock = (uint64_t)refresh * (width + t.hblank) * (height + t.vblank) /
		1000000;
	t.clock = (uint32_t)(clock / (clock < 25000 ? 10 : 250) *
			     (clock < 25000 ? 10 : 250));
	return t;
}

static uint32_t line_rate(const struct timing *t)		/* Hz */
{
	return (uint32_t)((uint64_t)t->clock * 1000 / (t->hactive + t->hblank));
}

/* The size of a picture with square dots; 0, not said, where a base block,
 * which counts up to 255 centimetres, cannot, or nobody would believe it. */
static uint32_t millimetres(uint32_t pixels)
{
	uint32_t mm = (pixels * MM_PER_INCH_TENTHS / DOTS_PER_INCH + 5) / 10;

	return mm > 2550 || mm < 100 ? 0 : mm;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)v;
	at[1] = (uint8_t)(v >> 8);
}

static void checksum(uint8_t *block, uint32_t size)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < size - 1; i++)
		sum += block[i];
	block[size - 1] = (uint8_t)-sum;
}

/* ---------------------------------------------------------- descriptors */

/* The image is as large as the preferred mode makes it, in millimetres. */
static void detailed(uint8_t *d, const struct timing *t, uint32_t w,
		     uint32_t h)
{
	put16(d, t->clock / 10);
	d[2] = (uint8_t)t->hactive;
	d[3] = (uint8_t)t->hblank;
	d[4] = (uint8_t)((t->hactive >> 8) << 4 | t->hblank >> 8);
	d[5] = (uint8_t)t->vactive;
	d[6] = (uint8_t)t->vblank;
	d[7] = (uint8_t)((t->vactive >> 8) << 4 | t->vblank >> 8);
	d[8] = (uint8_t)t->hfront;
	d[9] = (uint8_t)t->hsync;
	d[10] = (uint8_t)((t->vfront & 15) << 4 | (t->vsync & 15));
	d[11] = (uint8_t)((t->hfront >> 8) << 6 | (t->hsync >> 8) << 4 |
			  (t->vfront >> 4) << 2 | t->vsync >> 4);
	d[12] = (uint8_t)w;
	d[13] = (uint8_t)h;
	d[14] = (uint8_t)((w >> 8) << 4 | h >> 8);
	d[17] = 0x1a;	/* digital separate sync, horizontal positive: CVT-RB */
}

/* What any mode within the limits may need, blanking of CVT and DMT modes
 * included; the limits themselves are told elsewhere. */
static void range_limits(uint8_t *d, const struct vgpu_limits *l,
			 const struct timing *preferred)
{
	uint32_t vmax = least((l->max_refresh + 999) / 1000 + 1, 510);
	uint32_t hmax = least((uint32_t)((uint64_t)l->max_height * vmax * 107 /
					 100000) + 1, 510);
	uint64_t clock = (uint64_t)(l->max_width + 160) * 135 / 100 * hmax /
			 1000;					/* MHz */
	uint32_t hmin = least(15, line_rate(preferred) / 1000);
	uint32_t vmin = least(24, (uint32_t)((uint64_t)preferred->clock *
		1000 / (preferred->hactive + preferred->hblank) /
		(preferred->vactive + preferred->vblank)));

	if (hmax < 40)
		hmax = 40;	/* 640x480 at 60 Hz is always there */
	if (clock < 30)
		clock = 30;
	d[3] = 0xfd;
	d[4] = (uint8_t)((vmax > 255 ? 2 : 0) | (hmax > 255 ? 8 : 0));
	d[5] = (uint8_t)(vmin ? vmin : 1);
	d[6] = (uint8_t)(vmax > 255 ? vmax - 255 : vmax);
	d[7] = (uint8_t)(hmin ? hmin : 1);
	d[8] = (uint8_t)(hmax > 255 ? hmax - 255 : hmax);
	d[9] = (uint8_t)(clock / 10 >= 255 ? 255 : clock / 10 + 1);
	d[10] = 0x01;	/* these limits and no secondary formula */
	d[11] = 0x0a;
	memset(d + 12, 0x20, 6);
}

static void name(uint8_t *d, uint32_t head)
{
	char text[14];
	int n = snprintf(text, sizeof(text), "pvgpu head %u", head);

	d[3] = 0xfc;
	memset(d + 5, 0x20, 13);
	memcpy(d + 5, text, (size_t)n);
	if (n < 13)
		d[5 + n] = 0x0a;
}

/* ---------------------------------------------------------- other modes */

static bool fits(const struct vgpu_limits *l, uint32_t width, uint32_t height)
{
	return width <= l->max_width && height <= l->max_height &&
	       (uint64_t)width * height <= l->max_pixels &&
	       l->max_refresh >= 60400;		/* what DMT calls 60 Hz */
}

static void common_modes(uint8_t *edid, const struct vgpu_limits *l)
{
	static const struct {
		uint16_t width, height;
		uint8_t aspect;		/* 0 16:10, 1 4:3, 2 5:4, 3 16:9 */
	} modes[] = {
		{ 1280, 720, 3 }, { 1280, 800, 0 }, { 1280, 1024, 2 },
		{ 1440, 900, 0 }, { 1600, 900, 3 }, { 1680, 1050, 0 },
		{ 1600, 1200, 1 }, { 1920, 1080, 3 },
	};
	uint8_t *at = edid + 38;

	if (fits(l, 640, 480))
		edid[35] |= 1 << 5;
	if (fits(l, 800, 600))
		edid[35] |= 1 << 0;
	if (fits(l, 1024, 768))
		edid[36] |= 1 << 3;
	memset(at, 0x01, 16);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!fits(l, modes[i].width, modes[i].height))
			continue;
		*at++ = (uint8_t)(modes[i].width / 8 - 31);
		*at++ = (uint8_t)(modes[i].aspect << 6);	/* 60 Hz */
	}
}

/* A DisplayID section: what a display must say of itself, and one type I
 * timing, which has room for any mode. */
static void display_id(uint8_t *block, const uint8_t *base,
		       const struct timing *t, uint32_t mm_w, uint32_t mm_h)
{
	uint8_t *section = block + 1, *d = section + 4;
	uint32_t clock = t->clock / 10 - 1;

	block[0] = 0x70;
	section[0] = 0x13;
	section[1] = 4 * 3 + 12 + 12 + 10 + 20;	/* bytes of data blocks */
	section[2] = 3;			/* a stand-alone display */
	section[3] = 0;

	d[0] = 0x00;			/* product identification */
	d[1] = 0;
	d[2] = 12;
	memcpy(d + 3, "PVG", 3);
	memcpy(d + 6, base + 10, 6);	/* product and serial numbers */
	d[12] = 0xff;			/* of a model, */
	d[13] = YEAR - 2000;
	d[14] = 0;			/* its name is in the base block */

	d += 15;
	d[0] = 0x01;			/* display parameters */
	d[1] = 0;
	d[2] = 12;
	put16(d + 3, mm_w * 10);
	put16(d + 5, mm_h * 10);
	put16(d + 7, t->hactive);
	put16(d + 9, t->vactive);
	d[12] = base[23];		/* gamma, in the same unit */
	d[13] = t->hactive <= t->vactive ? 0 : (uint8_t)
		least(t->hactive * 100 / t->vactive - 100, 255);
	d[14] = 0x77;			/* 8 bits a colour, native and over all */

	d += 15;
	d[0] = 0x0f;			/* display interface */
	d[1] = 0;
	d[2] = 10;
	d[3] = 0x90 | 1;		/* like DisplayPort, one lane */
	d[4] = 0x10;
	d[5] = 0x02;			/* RGB with 8 bits a colour */

	d += 13;
	d[0] = 0x03;			/* type I detailed timings */
	d[1] = 0;
	d[2] = 20;
	put16(d + 3, clock);
	d[5] = (uint8_t)(clock >> 16);
	d[6] = 0x80 | 8;		/* preferred; aspect not given */
	put16(d + 7, t->hactive - 1);
	put16(d + 9, t->hblank - 1);
	put16(d + 11, (t->hfront - 1) | 0x8000);	/* positive */
	put16(d + 13, t->hsync - 1);
	put16(d + 15, t->vactive - 1);
	put16(d + 17, t->vblank - 1);
	put16(d + 19, t->vfront - 1);			/* negative */
	put16(d + 21, t->vsync - 1);
	checksum(section, 4 + section[1] + 1);
	checksum(block, EDID_BLOCK);
}

uint32_t edid_make(uint8_t edid[EDID_MAX], const struct vgpu_limits *l,
		   uint32_t head, uint32_t width, uint32_t height,
		   uint32_t refresh)
{
	static const uint8_t header[8] = {
		0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00
	};
	/* sRGB */
	static const uint8_t colours[10] = {
		0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54
	};
	struct timing preferred = cvt_reduced(width, height, refresh);
	struct timing base = preferred;
	bool beyond = width > DTD_MAX_PIXELS || height > DTD_MAX_PIXELS ||
		      preferred.clock > DTD_MAX_CLOCK;
	uint32_t mm_w = millimetres(width), mm_h = millimetres(height);

	if (!mm_w || !mm_h)
		mm_w = mm_h = 0;
	if (beyond)	/* for who reads only the base block */
		base = cvt_reduced(least(width, 1920), least(height, 1080),
				   least(refresh, 60000));

	memset(edid, 0, EDID_MAX);
	memcpy(edid, header, sizeof(header));
	edid[8] = ('P' - '@') << 2 | ('V' - '@') >> 3;
	edid[9] = (uint8_t)(('V' - '@') << 5 | ('G' - '@'));
	put16(edid + 10, 1);
	memcpy(edid + 12, l->uuid, 3);	/* tells vGPUs apart, and their heads */
	edid[15] = (uint8_t)(head + 1);
	edid[16] = 0xff;		/* of a model, */
	edid[17] = YEAR - 1990;
	edid[18] = 1;
	edid[19] = 4;
	edid[20] = 0xa0;		/* digital, 8 bits a colour */
	edid[21] = (uint8_t)((mm_w + 5) / 10);
	edid[22] = (uint8_t)((mm_h + 5) / 10);
	edid[23] = 120;			/* gamma 2.2 */
	edid[24] = 0x06;		/* sRGB, native preferred */
	memcpy(edid + 25, colours, sizeof(colours));
	common_modes(edid, l);
	detailed(edid + 54, &base, mm_w, mm_h);
	if (line_rate(&preferred) / 1000 < 510 && preferred.clock < 2550000) {
		range_limits(edid + 72, l, &preferred);
		edid[24] |= 1;		/* any frequency in the range */
	} else {
		edid[72 + 3] = 0x10;	/* beyond what a range can say */
	}
	name(edid + 90, head);
	edid[108 + 3] = 0x10;		/* unused */
	edid[126] = beyond;
	checksum(edid, EDID_BLOCK);
	if (beyond)
		display_id(edid + EDID_BLOCK, edid, &preferred, mm_w, mm_h);
	return beyond ? 2 * EDID_BLOCK : EDID_BLOCK;
}
