// SPDX-License-Identifier: MIT
/*
 * What a guest's programs ask of the driver, one subcommand a matter: pictures
 * for the host to be compared with, flips and their pace, limits, VRAM to the
 * last page, PRIME both ways. Exit status 0 and "ok", or 1 and the line that was not so.
 * igt-tests/tests/ runs them and looks at the heads from the host.
 */
#include "kms.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *driver = "pvgpu";

/* A pixel that depends on place and seed everywhere, so that no shifted,
 * torn or mixed-up picture can pass for it. 0xRRGGBB. */
static uint32_t pattern(uint32_t x, uint32_t y, uint32_t seed)
{
	uint32_t v = x * 0x9e3779b1u ^ y * 0x85ebca6bu ^ seed * 0xc2b2ae35u;

	v ^= v >> 15;
	v *= 0x2c1b3c6du;
	v ^= v >> 12;
	return v & 0xffffff;
}

static void put(struct kms_buffer *b, uint32_t x, uint32_t y, uint32_t rgb)
{
	char *row = (char *)b->pixels + (size_t)y * b->stride;
	uint32_t swapped = (rgb & 0xff) << 16 | (rgb & 0xff00) | rgb >> 16;

	switch (b->format) {
	case DRM_FORMAT_RGB565:
		((uint16_t *)row)[x] = (uint16_t)((rgb >> 8 & 0xf800) |
			(rgb >> 5 & 0x07e0) | (rgb >> 3 & 0x001f));
		break;
	case DRM_FORMAT_XBGR8888:
	case DRM_FORMAT_ABGR8888:
		((uint32_t *)row)[x] = 0xff000000u | swapped;
		break;
	default:
		((uint32_t *)row)[x] = 0xff000000u | rgb;
	}
}

static void fill(struct kms_buffer *b, uint32_t seed)
{
	for (uint32_t y = 0; y < b->height; y++)
		for (uint32_t x = 0; x < b->width; x++)
			put(b, x, y, pattern(x, y, seed));
}

/* What the format keeps of a colour, widened again as the host widens it. */
static uint32_t kept(uint32_t format, uint32_t rgb)
{
	uint32_t r = rgb >> 16 & 0xff, g = rgb >> 8 & 0xff, b = rgb & 0xff;

	if (format != DRM_FORMAT_RGB565)
		return rgb;
	r = (r & 0xf8) | r >> 5;
	g = (g & 0xfc) | g >> 6;
	b = (b & 0xf8) | b >> 5;
	return r << 16 | g << 8 | b;
}

/* A premultiplied cursor: a disc that fades out to its rim. */
static uint32_t cursor_pixel(uint32_t x, uint32_t y, uint32_t side)
{
	int dx = (int)(2 * x + 1 - side), dy = (int)(2 * y + 1 - side);
	uint32_t d2 = (uint32_t)(dx * dx + dy * dy), r2 = side * side, a;

	if (d2 >= r2)
		return 0;
	a = 255 - d2 * 255 / r2;
	return a << 24 | a << 16 | (a / 2) << 8 | (a / 4);
}

/* One channel: source over destination, premultiplied, rounded as x*a/255. */
static uint32_t over(uint32_t s, uint32_t d, uint32_t alpha)
{
	uint32_t t = d * (255 - alpha) + 128;
	uint32_t v = s + ((t + (t >> 8)) >> 8);

	return v > 255 ? 255 : v;
}

struct drawn {
	unsigned int head;
	uint32_t width, height, format, seed;
	bool cursor;
	int cx, cy;
	struct kms_buffer buffer, sprite;
};

static void write_expected(const char *directory, const struct drawn *d)
{
	char path[256];
	uint32_t *row = calloc(d->width, 4);
	FILE *out;

	snprintf(path, sizeof(path), "%s/head-%u.xrgb", directory, d->head);
	out = fopen(path, "we");
	need(out && row);
	for (uint32_t y = 0; y < d->height; y++) {
		for (uint32_t x = 0; x < d->width; x++) {
			uint32_t v = kept(d->format, pattern(x, y, d->seed));
			int64_t sx = (int64_t)x - d->cx, sy = (int64_t)y - d->cy;

			if (d->cursor && sx >= 0 && sy >= 0 &&
			    sx < (int64_t)d->sprite.width &&
			    sy < (int64_t)d->sprite.height) {
				uint32_t c = cursor_pixel((uint32_t)sx,
							  (uint32_t)sy,
							  d->sprite.width);
				uint32_t a = c >> 24;

				v = over(c >> 16 & 255, v >> 16, a) << 16 |
				    over(c >> 8 & 255, v >> 8 & 255, a) << 8 |
				    over(c & 255, v & 255, a);
			}
			row[x] = v;
		}
		need(fwrite(row, 4, d->width, out) == d->width);
	}
	need(!fclose(out));
	free(row);
}

/* Says that it is ready, and goes on when the caller has looked. */
static void hold(const char *directory)
{
	char ready[256], done[256];

	snprintf(ready, sizeof(ready), "%s/ready", directory);
	snprintf(done, sizeof(done), "%s/done", directory);
	close(open(ready, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	for (int i = 0; access(done, F_OK); i++) {
		if (i == 6000)
			die("nobody looked for 10 minutes");
		usleep(100000);
	}
	unlink(ready);
	unlink(done);
}

static uint32_t format_of(const char *name)
{
	uint32_t f = (uint32_t)name[0] | (uint32_t)name[1] << 8 |
		     (uint32_t)name[2] << 16 | (uint32_t)name[3] << 24;

	return f;
}

/* draw DIRECTORY HEAD:WxH:FOURCC:SEED[:CX:CY]...: lights these heads in one
 * commit and holds them; DIRECTORY/head-N.xrgb is what the host must show. */
static int draw(int argc, char **argv)
{
	int fd = kms_open_atomic(driver);
	struct kms_output outputs[KMS_MAX_OUTPUTS];
	unsigned int count = kms_outputs(fd, outputs);
	drmModeAtomicReq *request = drmModeAtomicAlloc();
	struct drawn all[KMS_MAX_OUTPUTS] = { 0 };

	need(argc > 1 && argc <= KMS_MAX_OUTPUTS);
	for (int i = 1; i < argc; i++) {
		struct drawn *d = &all[i];
		drmModeModeInfo made_up, *mode;
		char fourcc[5];
		int n = sscanf(argv[i], "%u:%ux%u:%4[^:]:%u:%d:%d", &d->head,
			       &d->width, &d->height, fourcc, &d->seed, &d->cx,
			       &d->cy);

		if ((n != 5 && n != 7) || d->head >= count)
			die("'%s' names no head of %u", argv[i], count);
		d->format = format_of(fourcc);
		d->cursor = n == 7;
		mode = kms_mode(&outputs[d->head], d->width, d->height);
		if (!mode) {
			made_up = kms_made_up_mode(d->width, d->height);
			mode = &made_up;
		}
		kms_buffer(fd, d->width, d->height, d->format, &d->buffer);
		fill(&d->buffer, d->seed);
		kms_add_light(fd, request, &outputs[d->head], mode,
			      &d->buffer);
		if (d->cursor) {
			kms_buffer(fd, 64, 64, DRM_FORMAT_ARGB8888,
				   &d->sprite);
			for (uint32_t p = 0; p < 64 * 64; p++)
				d->sprite.pixels[p / 64 * d->sprite.stride / 4 +
						 p % 64] =
					cursor_pixel(p % 64, p / 64, 64);
			kms_add_cursor(request, &outputs[d->head], &d->sprite,
				       d->cx, d->cy);
		}
		write_expected(argv[0], d);
	}
	if (drmModeAtomicCommit(fd, request, DRM_MODE_ATOMIC_ALLOW_MODESET,
				NULL))
		die("the commit of %d heads failed: %m", argc - 1);
	hold(argv[0]);
	return 0;
}

/* flips N: on every head at once, each frame a new buffer; events come one a
 * flip, with sequences and times that only grow. */
static int flips(int argc, char **argv)
{
	unsigned int frames = argc > 0 ? (unsigned int)atoi(argv[0]) : 60;
	int fd = kms_open_atomic(driver);
	struct kms_output outputs[KMS_MAX_OUTPUTS];
	unsigned int count = kms_outputs(fd, outputs);
	struct kms_buffer buffers[KMS_MAX_OUTPUTS][2];
	struct kms_flip flip[KMS_MAX_OUTPUTS] = { 0 };
	drmModeAtomicReq *request = drmModeAtomicAlloc();

	need(count);
	for (unsigned int i = 0; i < count; i++) {
		drmModeModeInfo *mode = kms_mode(&outputs[i], 640, 480);

		need(mode);
		for (int b = 0; b < 2; b++)
			kms_buffer(fd, 640, 480, DRM_FORMAT_XRGB8888,
				   &buffers[i][b]);
		kms_add_light(fd, request, &outputs[i], mode, &buffers[i][0]);
	}
	need(!drmModeAtomicCommit(fd, request, DRM_MODE_ATOMIC_ALLOW_MODESET,
				  NULL));
	for (unsigned int f = 1; f <= frames; f++) {
		for (unsigned int i = 0; i < count; i++) {
			struct kms_flip before = flip[i];

			flip[i].pending = 1;
			need(!drmModePageFlip(fd, outputs[i].crtc,
					      buffers[i][f & 1].fb,
					      DRM_MODE_PAGE_FLIP_EVENT,
					      &flip[i]));
			if (i & 1)	/* some overlap, some one by one */
				continue;
			kms_wait_flip(fd, &flip[i]);
			need(f == 1 || flip[i].sequence > before.sequence);
			need(flip[i].time_us > before.time_us);
		}
		for (unsigned int i = 1; i < count; i += 2)
			kms_wait_flip(fd, &flip[i]);
	}
	printf("%u flips on each of %u heads\n", frames, count);
	return 0;
}

/* Two heads at 640x480 and 60 Hz with two buffers each, and a cursor on the first. */
struct paced {
	int fd;
	struct kms_output outputs[KMS_MAX_OUTPUTS];
	struct kms_buffer buffers[2][2], cursor;
	struct kms_flip flip[2];
	unsigned int frame;
};

static void paced_light(struct paced *p)
{
	drmModeAtomicReq *request = drmModeAtomicAlloc();
	drmModeModeInfo mode = kms_made_up_mode(640, 480);

	p->fd = kms_open_atomic(driver);
	need(kms_outputs(p->fd, p->outputs) >= 2);
	for (unsigned int i = 0; i < 2; i++) {
		for (int b = 0; b < 2; b++)
			kms_buffer(p->fd, 640, 480, DRM_FORMAT_XRGB8888,
				   &p->buffers[i][b]);
		kms_add_light(p->fd, request, &p->outputs[i], &mode,
			      &p->buffers[i][0]);
	}
	need(!drmModeAtomicCommit(p->fd, request,
				  DRM_MODE_ATOMIC_ALLOW_MODESET, NULL));
	kms_buffer(p->fd, 64, 64, DRM_FORMAT_ARGB8888, &p->cursor);
	need(!drmModeSetCursor(p->fd, p->outputs[0].crtc, p->cursor.handle,
			       64, 64));
}

static void paced_flip(struct paced *p, unsigned int head)
{
	p->flip[head].pending = 1;
	need(!drmModePageFlip(p->fd, p->outputs[head].crtc,
			      p->buffers[head][++p->frame & 1].fb,
			      DRM_MODE_PAGE_FLIP_EVENT, &p->flip[head]));
}

/* paced FRAMES: on one head, as fast as they are shown, with a move of the
 * cursor behind each; says how many vblanks each took. */
static int paced(int argc, char **argv)
{
	unsigned int frames = argc > 0 ? (unsigned int)atoi(argv[0]) : 60;
	unsigned int last = 0;
	struct paced p = { 0 };
	double start = 0;

	paced_light(&p);
	printf("vblanks");
	for (unsigned int f = 0; f < frames + 2; f++) {
		paced_flip(&p, 0);
		need(!drmModeMoveCursor(p.fd, p.outputs[0].crtc, (int)f, 7));
		kms_wait_flip(p.fd, &p.flip[0]);
		if (f == 1)
			start = now_seconds();
		if (f > 1)
			printf(" %u", p.flip[0].sequence - last);
		last = p.flip[0].sequence;
	}
	printf("\nflips_per_s %.3f\n", frames / (now_seconds() - start));
	return 0;
}

/* overtaken: a flip that is held, by a limit of 1 Hz, is overtaken by cursor
 * moves on its head and by a flip on another. */
static int overtaken(int argc, char **argv)
{
	struct paced p = { 0 };

	(void)argc, (void)argv;
	paced_light(&p);
	paced_flip(&p, 0);
	kms_wait_flip(p.fd, &p.flip[0]);
	paced_flip(&p, 0);
	for (int i = 0; i < 20; i++)
		need(!drmModeMoveCursor(p.fd, p.outputs[0].crtc, i, i));
	paced_flip(&p, 1);
	kms_wait_flip(p.fd, &p.flip[1]);
	need(p.flip[0].pending);
	kms_wait_flip(p.fd, &p.flip[0]);
	return 0;
}

/* Heads `first` and on go dark: the console had lit them. */
static void others_off(drmModeAtomicReq *request,
		       const struct kms_output *outputs, unsigned int first,
		       unsigned int count)
{
	for (; first < count; first++)
		kms_add_off(request, &outputs[first]);
}

/* limits WIDTH HEIGHT PIXELS: of the type. A mode just within is taken, just
 * beyond refused, as is the sum; and afterwards everything still works. */
static int limits(int argc, char **argv)
{
	int fd = kms_open_atomic(driver);
	struct kms_output outputs[KMS_MAX_OUTPUTS];
	unsigned int count = kms_outputs(fd, outputs), w, h;
	const uint32_t flags = DRM_MODE_ATOMIC_ALLOW_MODESET |
			       DRM_MODE_ATOMIC_TEST_ONLY;
	uint64_t pixels, sum = 0;
	drmModeAtomicReq *request;
	drmModeModeInfo mode;
	struct kms_buffer b, all[KMS_MAX_OUTPUTS];

	need(argc == 3 && count);
	w = (unsigned int)atoi(argv[0]);
	h = (unsigned int)atoi(argv[1]);
	pixels = strtoull(argv[2], NULL, 10);

	for (int beyond = 0; beyond < 3; beyond++) {
		unsigned int mw = w, mh = (unsigned int)(pixels / w);
		int ret;

		if (mh > h)
			mh = h;
		if (beyond == 1) {
			mw = w + 8;
			mh = 480;
		} else if (beyond == 2) {
			mw = 640;
			mh = h + 8;
		}
		mode = kms_made_up_mode(mw, mh);
		mode.clock /= 4;	/* 15 Hz: the size is the matter here */
		kms_buffer(fd, mw, mh, DRM_FORMAT_XRGB8888, &b);
		request = drmModeAtomicAlloc();
		kms_add_light(fd, request, &outputs[0], &mode, &b);
		others_off(request, outputs, 1, count);
		ret = drmModeAtomicCommit(fd, request, flags, NULL);
		if (!beyond && ret)
			die("%ux%u is within the limits, and refused: %m", mw,
			    mh);
		if (beyond && (!ret || errno != EINVAL))
			die("%ux%u is beyond the limits: %d, %m", mw, mh, ret);
		drmModeAtomicFree(request);
		kms_buffer_free(fd, &b);
	}

	/* Heads one after the other at the largest square-ish mode that one
	 * may have, until the sum is beyond the budget. */
	for (unsigned int i = 0; i < count; i++) {
		unsigned int mh = (unsigned int)(pixels / 2 / w) + 8;
		int ret;

		request = drmModeAtomicAlloc();

		mh = mh > h ? h : mh;
		mode = kms_made_up_mode(w, mh);
		mode.clock /= 4;
		kms_buffer(fd, w, mh, DRM_FORMAT_XRGB8888, &all[i]);
		for (unsigned int j = 0; j <= i; j++)
			kms_add_light(fd, request, &outputs[j], &mode,
				      &all[j]);
		others_off(request, outputs, i + 1, count);
		sum += (uint64_t)w * mh;
		ret = drmModeAtomicCommit(fd, request, flags, NULL);
		if (!!ret != (sum > pixels))
			die("%u heads, %llu of %llu pixels: %d, %m", i + 1,
			    (unsigned long long)sum,
			    (unsigned long long)pixels, ret);
		drmModeAtomicFree(request);
	}
	if (count > 1)
		need(sum > pixels);

	request = drmModeAtomicAlloc();
	kms_buffer(fd, 640, 480, DRM_FORMAT_XRGB8888, &b);
	mode = *kms_mode(&outputs[0], 640, 480);
	kms_add_light(fd, request, &outputs[0], &mode, &b);
	need(!drmModeAtomicCommit(fd, request, DRM_MODE_ATOMIC_ALLOW_MODESET,
				  NULL));
	return 0;
}

/* vram MIB: all of it can be had, is clear, keeps what is written, and comes
 * back; beyond it there is a clean error and nothing else. */
static int vram(int argc, char **argv)
{
	unsigned int mib = argc ? (unsigned int)atoi(argv[0]) : 0, n;
	struct kms_buffer *all = calloc(mib, sizeof(*all)), b;
	int fd = kms_open(driver);

	need(fd >= 0 && mib && all);
	for (int round = 0; round < 2; round++) {
		int ret = 0;

		for (n = 0; n < mib / 16 + 1; n++) {
			ret = kms_try_buffer(fd, 2048, 2048, 0, &all[n]);
			if (ret)
				break;
			for (size_t p = 0; p < all[n].size / 4; p += 1021)
				if (all[n].pixels[p])
					die("buffer %u, word %zu: not clear",
					    n, p);
			for (size_t p = 0; p < all[n].size / 4; p += 1021)
				all[n].pixels[p] = pattern((uint32_t)p, n,
							   (uint32_t)round) | 1;
		}
		if (ret != -ENOMEM && ret != -ENOSPC)
			die("beyond VRAM: %s", strerror(-ret));
		/* The console and the cursor hold a little. */
		if (n * 16 + 48 < mib)
			die("only %u of %u MiB could be had", n * 16, mib);
		for (unsigned int i = 0; i < n; i++)
			for (size_t p = 0; p < all[i].size / 4; p += 1021)
				if (all[i].pixels[p] !=
				    (pattern((uint32_t)p, i,
					     (uint32_t)round) | 1))
					die("buffer %u, word %zu: changed", i,
					    p);
		/* Every second first: what follows must take fragments. */
		for (unsigned int i = 0; i < n; i += 2)
			kms_buffer_free(fd, &all[i]);
		kms_buffer(fd, 4096, 2048, 0, &b);
		kms_buffer_free(fd, &b);
		for (unsigned int i = 1; i < n; i += 2)
			kms_buffer_free(fd, &all[i]);
	}
	printf("%u of %u MiB\n", n * 16, mib);
	return 0;
}

/* mapped SECONDS_FILE: holds a touched mapping, for who wants to look at its
 * memory type from outside. */
static int mapped(int argc, char **argv)
{
	int fd = kms_open(driver);
	struct kms_buffer b;

	need(argc == 1 && fd >= 0);
	kms_buffer(fd, 2048, 2048, 0, &b);
	memset(b.pixels, 0x5a, b.size);
	hold(argv[0]);
	return 0;
}

/* A dumb buffer of another driver (vgem), as a dma-buf of ours to close. */
static int foreign_buffer(struct kms_buffer *buffer, uint32_t w, uint32_t h)
{
	int other = kms_open("vgem"), dmabuf;

	if (other < 0)
		die("no vgem: modprobe vgem");
	kms_buffer(other, w, h, 0, buffer);
	need(!drmPrimeHandleToFD(other, buffer->handle, DRM_CLOEXEC | DRM_RDWR,
				 &dmabuf));
	close(other);	/* the dma-buf keeps it */
	return dmabuf;
}

/* prime-import DIRECTORY: a foreign buffer on head 0, drawn twice, the second
 * time a damaged part only; holds after each. */
static int prime_import(int argc, char **argv)
{
	const uint32_t w = 640, h = 480;
	int fd = kms_open_atomic(driver), dmabuf;
	struct kms_output outputs[KMS_MAX_OUTPUTS];
	uint32_t handles[4] = { 0 }, strides[4] = { 0 }, offsets[4] = { 0 };
	struct kms_buffer b;
	struct drawn expected = { .width = w, .height = h, .seed = 7 };
	drmModeClip clip = { .x1 = 100, .y1 = 50, .x2 = 300, .y2 = 150 };
	drmModeAtomicReq *request = drmModeAtomicAlloc();
	char path[256];
	uint32_t *row;
	FILE *out;

	need(argc == 1 && kms_outputs(fd, outputs));
	dmabuf = foreign_buffer(&b, w, h);
	b.format = DRM_FORMAT_XRGB8888;
	strides[0] = b.stride;
	fill(&b, 7);
	if (drmPrimeFDToHandle(fd, dmabuf, &handles[0]))
		die("import: %m");
	need(!drmModeAddFB2(fd, w, h, b.format, handles, strides, offsets,
			    &b.fb, 0));
	kms_add_light(fd, request, &outputs[0], kms_mode(&outputs[0], w, h),
		      &b);
	if (drmModeAtomicCommit(fd, request, DRM_MODE_ATOMIC_ALLOW_MODESET,
				NULL))
		die("commit of an imported buffer: %m");
	write_expected(argv[0], &expected);
	hold(argv[0]);

	for (uint32_t y = clip.y1; y < clip.y2; y++)
		for (uint32_t x = clip.x1; x < clip.x2; x++)
			put(&b, x, y, pattern(x, y, 8));
	need(!drmModeDirtyFB(fd, b.fb, &clip, 1));
	snprintf(path, sizeof(path), "%s/head-0.xrgb", argv[0]);
	out = fopen(path, "we");
	row = calloc(w, 4);
	need(out && row);
	for (uint32_t y = 0; y < h; y++) {
		for (uint32_t x = 0; x < w; x++)
			row[x] = b.pixels[y * b.stride / 4 + x] & 0xffffff;
		need(fwrite(row, 4, w, out) == w);
	}
	need(!fclose(out));
	hold(argv[0]);
	close(dmabuf);
	return 0;
}

/* prime-export: our buffer as a dma-buf: mapped through it, synced, imported
 * again by another client of ours, and outliving its first handle. */
static int prime_export(int argc, char **argv)
{
	int fd = kms_open(driver), other = kms_open(driver), dmabuf;
	struct dma_buf_sync sync = { 0 };
	struct kms_buffer b;
	uint32_t handle = 0, *map, *again;
	struct drm_mode_map_dumb where = { 0 };

	(void)argc;
	(void)argv;
	need(fd >= 0 && other >= 0);
	kms_buffer(fd, 512, 512, 0, &b);
	for (uint32_t i = 0; i < 512 * 512; i++)
		b.pixels[i] = pattern(i, 1, 2);
	need(!drmPrimeHandleToFD(fd, b.handle, DRM_CLOEXEC | DRM_RDWR,
				 &dmabuf));
	map = mmap(NULL, b.size, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf,
		   0);
	need(map != MAP_FAILED);
	sync.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW;
	need(!ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync));
	need(!memcmp(map, b.pixels, b.size));
	map[4711] = 0x12345678;
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	need(!ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync));
	need(b.pixels[4711] == 0x12345678);
	need(!drmPrimeFDToHandle(other, dmabuf, &handle));
	kms_buffer_free(fd, &b);
	close(fd);
	close(dmabuf);
	where.handle = handle;
	need(!drmIoctl(other, DRM_IOCTL_MODE_MAP_DUMB, &where));
	again = mmap(NULL, 512 * 512 * 4, PROT_READ, MAP_SHARED, other,
		     (off_t)where.offset);
	need(again != MAP_FAILED);
	need(again[4711] == 0x12345678 && again[4712] == pattern(4712, 1, 2));
	need(map[4711] == 0x12345678);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "draw", draw },
	{ "flips", flips },
	{ "paced", paced },
	{ "overtaken", overtaken },
	{ "limits", limits },
	{ "vram", vram },
	{ "mapped", mapped },
	{ "prime-import", prime_import },
	{ "prime-export", prime_export },
};

int main(int argc, char **argv)
{
	if (argc > 1)
		for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]);
		     i++)
			if (!strcmp(argv[1], commands[i].name)) {
				int ret = commands[i].run(argc - 2, argv + 2);

				puts("ok");
				return ret;
			}
	fprintf(stderr, "usage: pvgpu-drmtest COMMAND ...; commands:");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stderr, " %s", commands[i].name);
	fputc('\n', stderr);
	return 2;
}
