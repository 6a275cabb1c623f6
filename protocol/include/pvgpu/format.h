/* SPDX-License-Identifier: MIT */
/*
 * Formats: bytes and texels of one block of each, for pixel formats of planes
 * (PVGPU_FORMAT_*) and for formats of surfaces, which are numbered as virgl
 * numbers them (VIRGL_FORMAT_* in virgl_hw.h of virglrenderer). spec.md
 * "Footprint" and "Surfaces on heads".
 */
#ifndef PVGPU_FORMAT_H
#define PVGPU_FORMAT_H

#include "barrier.h"
#include "wire.h"

/* The smallest unit of a format: width * height texels in `bytes` bytes. */
struct pvgpu_block {
	uint32_t bytes;			/* 0: no such format */
	uint32_t width;
	uint32_t height;
};

/* Whether a plane's format is there only with PVGPU_FEATURE_PLANES. */
PVGPU_INLINE bool pvgpu_format_of_planes(uint32_t format)
{
	return format == PVGPU_FORMAT_XRGB2101010 ||
	       format == PVGPU_FORMAT_ARGB2101010 ||
	       format == PVGPU_FORMAT_NV12;
}

/* Bytes a pixel of a plane's format, or 0 if it is not known; of NV12, in its
 * first part. */
PVGPU_INLINE uint32_t pvgpu_format_bytes(uint32_t format)
{
	switch (format) {
	case PVGPU_FORMAT_XRGB2101010:
	case PVGPU_FORMAT_ARGB2101010:
	case PVGPU_FORMAT_XRGB8888:
	case PVGPU_FORMAT_ARGB8888:
	case PVGPU_FORMAT_XBGR8888:
	case PVGPU_FORMAT_ABGR8888:
		return 4;
	case PVGPU_FORMAT_RGB565:
		return 2;
	case PVGPU_FORMAT_NV12:
		return 1;
	default:
		return 0;
	}
}

/* The block of a surface's format. Formats of several planes are not here. */
PVGPU_INLINE struct pvgpu_block pvgpu_surface_block(uint32_t format)
{
	/* A letter for each format: digits and small letters are single
	 * texels, capitals what is compressed. */
	static const char letters[] =
		/*   0 */ ".4444222411122pp244444418gow48cg"
		/*  32 */ "48cg48cg48cg48cg2468246824682468"
		/*  64 */ "123441234.1234....1234.48cg24681"
		/*  96 */ "234444444DDEEDDEEDDEEpp42424448."
		/* 128 */ "441442424481422DDEE1121224222424"
		/* 160 */ "484.....112244444123412342468246"
		/* 192 */ "848cg48cg11121112222422244448444"
		/* 224 */ "84Dpp4444488888ggg2444822448842E"
		/* 256 */ "EEE....224444DDDDEEDDEEEFGHIJKLM"
		/* 288 */ "NOPQREFGHIJKLMNOPQR.4..212...312"
		/* 320 */ "22.....p..222244442224444444";
	static const struct {
		char letter;
		uint8_t bytes, width, height;
	} blocks[] = {
		{ '1', 1, 1, 1 }, { '2', 2, 1, 1 }, { '3', 3, 1, 1 },
		{ '4', 4, 1, 1 }, { '6', 6, 1, 1 }, { '8', 8, 1, 1 },
		{ 'c', 12, 1, 1 }, { 'g', 16, 1, 1 }, { 'o', 24, 1, 1 },
		{ 'w', 32, 1, 1 }, { 'p', 4, 2, 1 },
		{ 'D', 8, 4, 4 }, { 'E', 16, 4, 4 },
		{ 'F', 16, 5, 4 }, { 'G', 16, 5, 5 }, { 'H', 16, 6, 5 },
		{ 'I', 16, 6, 6 }, { 'J', 16, 8, 5 }, { 'K', 16, 8, 6 },
		{ 'L', 16, 8, 8 }, { 'M', 16, 10, 5 }, { 'N', 16, 10, 6 },
		{ 'O', 16, 10, 8 }, { 'P', 16, 10, 10 }, { 'Q', 16, 12, 10 },
		{ 'R', 16, 12, 12 },
	};
	struct pvgpu_block none = { 0, 0, 0 }, block;
	uint32_t i;

	if (format >= sizeof(letters) - 1)
		return none;
	for (i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		if (blocks[i].letter != letters[format])
			continue;
		block.bytes = blocks[i].bytes;
		block.width = blocks[i].width;
		block.height = blocks[i].height;
		return block;
	}
	return none;
}

/* Whether a plane may show a surface of this format as that pixel format. */
PVGPU_INLINE bool pvgpu_surface_shows(uint32_t surface, uint32_t format)
{
	switch (surface) {
	case 1:		/* B8G8R8A8_UNORM */
	case 2:		/* B8G8R8X8_UNORM */
	case 100:	/* B8G8R8A8_SRGB */
	case 101:	/* B8G8R8X8_SRGB */
		return format == PVGPU_FORMAT_XRGB8888 ||
		       format == PVGPU_FORMAT_ARGB8888;
	case 67:	/* R8G8B8A8_UNORM */
	case 134:	/* R8G8B8X8_UNORM */
	case 104:	/* R8G8B8A8_SRGB */
		return format == PVGPU_FORMAT_XBGR8888 ||
		       format == PVGPU_FORMAT_ABGR8888;
	case 7:		/* B5G6R5_UNORM */
		return format == PVGPU_FORMAT_RGB565;
	default:
		return false;
	}
}

#endif
