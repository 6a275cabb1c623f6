/* SPDX-License-Identifier: MIT */
/*
 * The wire: the layout of the shared window and every message in it. This
 * file is the protocol's C form; protocol/spec.md is its prose and decides
 * where the two differ.
 *
 * Laws (spec.md section 1):
 *  - Nothing of any operating system. Fixed-width little-endian fields,
 *    naturally aligned; no bit-fields, enums, pointers or unions.
 *  - Each side writes its own regions only, and believes nothing it reads:
 *    a word of the peer's is read once, into private memory, then checked,
 *    then used. The host never reads what it wrote.
 *  - Every message has a length, an opcode and, in answer, a status.
 *    Reserved fields are zero, and a non-zero one is refused.
 *  - Numbers are never reused, structs grow at their ends only, features are
 *    bits granted at attach.
 */
#ifndef PVGPU_WIRE_H
#define PVGPU_WIRE_H

#include "types.h"

#define PVGPU_VERSION_1		1u

/* "pvgpu\0\0\1" read as a little-endian 64-bit number. */
#define PVGPU_MAGIC		0x0100007570677670ull

/* Bounds of the protocol itself; a device announces its own, lower ones. */
#define PVGPU_MAX_HEADS		16u
#define PVGPU_MAX_PLANES	8u	/* a head */
#define PVGPU_MAX_CHANNELS	32u
#define PVGPU_MAX_VECTORS	16u
#define PVGPU_SLOT_SIZE		64u	/* bytes of one ring entry */
#define PVGPU_MESSAGE_MAX	8192u	/* bytes, header included */
#define PVGPU_REGION_ALIGN	65536u	/* of every region but VRAM */
#define PVGPU_VRAM_ALIGN	2097152u
#define PVGPU_EXTENT_ALIGN	4096u	/* offset and length of VRAM extents */

/* ------------------------------------------------------------ formats --- */

/* Pixel formats are named by four characters, least significant byte first,
 * and describe a little-endian pixel from its most significant bit down. */
#define PVGPU_FOURCC(a, b, c, d) \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | \
	 (uint32_t)(d) << 24)
#define PVGPU_FORMAT_XRGB8888	PVGPU_FOURCC('X', 'R', '2', '4')
#define PVGPU_FORMAT_ARGB8888	PVGPU_FOURCC('A', 'R', '2', '4')
#define PVGPU_FORMAT_XBGR8888	PVGPU_FOURCC('X', 'B', '2', '4')
#define PVGPU_FORMAT_ABGR8888	PVGPU_FOURCC('A', 'B', '2', '4')
#define PVGPU_FORMAT_RGB565	PVGPU_FOURCC('R', 'G', '1', '6')
/* With PVGPU_FEATURE_PLANES. */
#define PVGPU_FORMAT_XRGB2101010 PVGPU_FOURCC('X', 'R', '3', '0')
#define PVGPU_FORMAT_ARGB2101010 PVGPU_FOURCC('A', 'R', '3', '0')
#define PVGPU_FORMAT_NV12	PVGPU_FOURCC('N', 'V', '1', '2')

/* ----------------------------------------------------------- features --- */

#define PVGPU_FEATURE_COPY	(1ull << 0)	/* channels of class COPY */
#define PVGPU_FEATURE_CURSOR	(1ull << 1)	/* each head has a cursor plane */
#define PVGPU_FEATURE_VIRGL	(1ull << 2)	/* contexts, surfaces, channels of
						 * class VIRGL */
#define PVGPU_FEATURE_PRIORITY	(1ull << 3)	/* channels have priorities */
#define PVGPU_FEATURE_VBLANK	(1ull << 4)	/* commits tell of vblanks */
#define PVGPU_FEATURE_PLANES	(1ull << 5)	/* planes between primary and
						 * cursor; all may be scaled,
						 * turned, put in order */

/* ------------------------------------------------------ device information
 * At offset 0 of the window. Written by the host before a guest can see the
 * window, and again at every attach; it does not change between. The host
 * enforces its own copy of these numbers, whatever is written here. */
struct pvgpu_info {
	pvgpu_le64 magic;		/*   0: PVGPU_MAGIC */
	pvgpu_le32 length;		/*   8: bytes of this struct that are set */
	pvgpu_le32 version_min;		/*  12 */
	pvgpu_le32 version_max;		/*  16 */
	pvgpu_le32 host_peer;		/*  20: Doorbell register, bits 31:16 */
	pvgpu_le64 features;		/*  24: offered, PVGPU_FEATURE_* */
	pvgpu_le64 window_size;		/*  32: bytes */
	pvgpu_le64 vram_offset;		/*  40: PVGPU_VRAM_ALIGN */
	pvgpu_le64 vram_size;		/*  48: bytes; the window budget */
	pvgpu_le64 device_budget;	/*  56: bytes the renderer may hold */
	pvgpu_le64 host_offset;		/*  64: the region that the host writes */
	pvgpu_le64 host_size;		/*  72 */
	pvgpu_le64 guest_offset;	/*  80: the region that the guest writes */
	pvgpu_le64 guest_size;		/*  88 */
	pvgpu_le64 fence_offset;	/*  96: written by the host */
	pvgpu_le64 fence_size;		/* 104 */
	pvgpu_le32 vectors;		/* 112: each way; 1..PVGPU_MAX_VECTORS */
	pvgpu_le32 queue_slots;		/* 116: of each ring; a power of two */
	pvgpu_le32 queue_stride;	/* 120: bytes from queue to queue */
	pvgpu_le32 message_max;		/* 124: bytes, <= PVGPU_MESSAGE_MAX */
	pvgpu_le32 heads;		/* 128 */
	pvgpu_le32 planes;		/* 132: a head; 0 primary, last cursor */
	pvgpu_le32 max_width;		/* 136: of a mode, pixels */
	pvgpu_le32 max_height;		/* 140 */
	pvgpu_le64 max_pixels;		/* 144: sum over all active heads */
	pvgpu_le32 cursor_max;		/* 152: width and height, pixels */
	pvgpu_le32 channels;		/* 156 */
	pvgpu_le32 channel_classes;	/* 160: bit (1 << class) */
	pvgpu_le32 max_resources;	/* 164 */
	pvgpu_le32 max_extents;		/* 168: of one resource */
	pvgpu_le32 max_refresh;		/* 172: mHz */
	uint8_t    type_name[32];	/* 176: NUL-padded */
	uint8_t    vgpu_uuid[16];	/* 208 */
	pvgpu_le32 capsets;		/* 224: bit (1 << id) for CAPSET */
	pvgpu_le32 max_contexts;	/* 228 */
	pvgpu_le32 max_commands;	/* 232: bytes of one command buffer */
	pvgpu_le32 reserved[5];		/* 236 */
};					/* 256 */

/* --------------------------------------------------------- attach blocks */

/* What the guest is, as far as it says so (a type may be for some only). */
#define PVGPU_GUEST_UNKNOWN	0u
#define PVGPU_GUEST_LINUX	1u
#define PVGPU_GUEST_WINDOWS	2u
#define PVGPU_GUEST_FIRMWARE	3u
#define PVGPU_GUEST_BSD		4u
#define PVGPU_GUEST_TEST	5u
#define PVGPU_GUEST_COUNT	6u

/* At guest_offset; written by the guest. The nonce is written last. */
struct pvgpu_guest_block {
	pvgpu_le64 nonce;		/*   0: see spec.md "Attach"; 0 detaches */
	pvgpu_le32 version;		/*   8: the one the guest will speak */
	pvgpu_le32 guest_os;		/*  12: PVGPU_GUEST_* */
	pvgpu_le64 features;		/*  16: wanted */
	pvgpu_le32 driver_version;	/*  24: major << 16 | minor */
	pvgpu_le32 reserved0;		/*  28 */
	uint8_t    driver_name[32];	/*  32: for logs; any bytes */
	uint8_t    os_name[64];		/*  64: for logs; any bytes */
	pvgpu_le32 reserved[32];	/* 128 */
};					/* 256 */

#define PVGPU_STATE_DETACHED	0u	/* no guest; heads dark */
#define PVGPU_STATE_ATTACHED	1u
#define PVGPU_STATE_LOST	2u	/* all guest state is gone: attach again */
#define PVGPU_STATE_BROKEN	3u	/* a ring made no sense: attach again */
#define PVGPU_STATE_REFUSED	4u	/* attach refused: see status */

/* At host_offset; written by the host. The nonce is written last. */
struct pvgpu_host_block {
	pvgpu_le64 nonce;		/*   0: the guest's, once it is answered */
	pvgpu_le32 generation;		/*   8: of this attachment; never 0 */
	pvgpu_le32 state;		/*  12: PVGPU_STATE_* */
	pvgpu_le32 status;		/*  16: of the last attach, PVGPU_STATUS_* */
	pvgpu_le32 version;		/*  20: granted */
	pvgpu_le64 features;		/*  24: granted */
	pvgpu_le32 broken_queue;	/*  32: with PVGPU_STATE_BROKEN */
	pvgpu_le32 reserved[55];	/*  36 */
};					/* 256 */

/* ------------------------------------------------------------- queues ---
 * Queue 0 is control, 1..channels are the channels' submission queues, the
 * last (channels + 1) carries events. A queue is two rings: submission (the
 * guest produces) and completion (the host produces); the event queue has no
 * submissions. Queue q lies at host_offset and guest_offset plus
 * PVGPU_QUEUES_OFFSET plus q * queue_stride, in each region its own part. */
#define PVGPU_QUEUES_OFFSET	4096u
#define PVGPU_QUEUE_CONTROL	0u

/* One side's positions in the two rings of a queue. Positions count slots
 * since attach, modulo 2^32; each has a cache line to itself. */
struct pvgpu_ring_words {
	pvgpu_le32 produced;		/*   0: of the ring this side produces */
	pvgpu_le32 reserved0[15];
	pvgpu_le32 room_wake;		/*  64: tell me when consumed passes it */
	pvgpu_le32 reserved1[15];
	pvgpu_le32 consumed;		/* 128: of the ring this side consumes */
	pvgpu_le32 reserved2[15];
	pvgpu_le32 data_wake;		/* 192: tell me when produced passes it */
	pvgpu_le32 reserved3[15];
};					/* 256 */

/* A queue's part in the host's or in the guest's region: this side's words,
 * then the slots of the ring that this side produces. */
#define PVGPU_RING_SLOTS_OFFSET	256u

/* In the guest's part of a channel's queue, after the slots. */
#define PVGPU_FENCE_WAKE_OFFSET(queue_slots) \
	(PVGPU_RING_SLOTS_OFFSET + (queue_slots) * PVGPU_SLOT_SIZE)
struct pvgpu_fence_wake {
	pvgpu_le64 value;		/*   0: interrupt me when the fence gets here */
	pvgpu_le32 reserved[14];
};					/*  64 */

/* One per channel at fence_offset; channel n is entry n - 1. */
#define PVGPU_FENCE_FAILED	(1u << 0)	/* a batch was refused or lost */
struct pvgpu_fence {
	pvgpu_le64 value;		/*   0: all fences up to it are complete */
	pvgpu_le32 generation;		/*   8 */
	pvgpu_le32 flags;		/*  12: PVGPU_FENCE_* */
	pvgpu_le32 reserved[12];	/*  16 */
};					/*  64 */

/* ----------------------------------------------------------- messages --- */

#define PVGPU_STATUS_OK			0u
#define PVGPU_STATUS_UNSUPPORTED	1u	/* opcode, class or feature */
#define PVGPU_STATUS_INVALID		2u	/* detail: offset of the bad field */
#define PVGPU_STATUS_NOT_FOUND		3u	/* detail: offset of the name */
#define PVGPU_STATUS_EXISTS		4u
#define PVGPU_STATUS_BUSY		5u
#define PVGPU_STATUS_RANGE		6u	/* beyond VRAM, resource or plane */
#define PVGPU_STATUS_STALE		7u	/* another generation's */
#define PVGPU_STATUS_NO_MEMORY		8u	/* the host's own */
#define PVGPU_STATUS_LOST		9u	/* reset before it was done */
#define PVGPU_STATUS_GUEST_REFUSED	10u	/* the type is not for this guest */
#define PVGPU_STATUS_VERSION		11u
#define PVGPU_STATUS_CONTEXT_LOST	12u	/* by this batch or one before it */
/* Limits of the vGPU's type; detail says the limit, as a number. */
#define PVGPU_STATUS_LIMIT_HEADS	32u
#define PVGPU_STATUS_LIMIT_MODE		33u	/* width, height or refresh */
#define PVGPU_STATUS_LIMIT_PIXELS	34u	/* sum over the active heads */
#define PVGPU_STATUS_LIMIT_WINDOW	35u	/* VRAM */
#define PVGPU_STATUS_LIMIT_DEVICE	36u	/* device budget */
#define PVGPU_STATUS_LIMIT_RESOURCES	37u
#define PVGPU_STATUS_LIMIT_EXTENTS	38u
#define PVGPU_STATUS_LIMIT_CHANNELS	39u
#define PVGPU_STATUS_LIMIT_PLANES	40u
#define PVGPU_STATUS_LIMIT_CURSOR	41u
#define PVGPU_STATUS_LIMIT_CONTEXTS	42u
#define PVGPU_STATUS_LIMIT_COMMANDS	43u	/* bytes of a command buffer */

/* Opens every message of every ring. length counts this header and is a
 * multiple of 8; the message takes ceil(length / 64) slots, and what is left
 * of the last slot means nothing. */
struct pvgpu_msg {
	pvgpu_le32 length;		/*   0: bytes */
	pvgpu_le16 opcode;		/*   4: PVGPU_OP_*, PVGPU_EVENT_* */
	pvgpu_le16 flags;		/*   6: PVGPU_MSG_* */
	pvgpu_le32 cookie;		/*   8: the guest's, given back */
	pvgpu_le32 generation;		/*  12 */
};					/*  16 */
#define PVGPU_MSG_NOTIFY	(1u << 0)	/* channel: complete also if OK */

/* Opens every completion; what the opcode answers with follows. */
struct pvgpu_completion {
	struct pvgpu_msg msg;		/*   0: opcode and cookie of the request */
	pvgpu_le32 status;		/*  16 */
	pvgpu_le32 detail;		/*  20: see the status */
	pvgpu_le64 value;		/*  24: fence of a batch; else 0 */
};					/*  32 */

/* Control opcodes. */
#define PVGPU_OP_PING			0x0001u
#define PVGPU_OP_HEAD_QUERY		0x0002u
#define PVGPU_OP_HEAD_EDID		0x0003u
#define PVGPU_OP_RESOURCE_CREATE	0x0010u
#define PVGPU_OP_RESOURCE_BACK		0x0011u
#define PVGPU_OP_RESOURCE_DESTROY	0x0012u
#define PVGPU_OP_CHANNEL_OPEN		0x0020u
#define PVGPU_OP_CHANNEL_CLOSE		0x0021u
#define PVGPU_OP_COMMIT			0x0030u
#define PVGPU_OP_CAPSET			0x0040u
#define PVGPU_OP_CONTEXT_CREATE		0x0041u
#define PVGPU_OP_CONTEXT_DESTROY	0x0042u
#define PVGPU_OP_CONTEXT_ATTACH		0x0043u
#define PVGPU_OP_CONTEXT_DETACH		0x0044u
#define PVGPU_OP_CONTEXT_QUERY		0x0045u
/* Submission opcodes of channels of class COPY. */
#define PVGPU_OP_COPY_NOP		0x0100u
#define PVGPU_OP_COPY_RECT		0x0101u
#define PVGPU_OP_COPY_FILL		0x0102u
/* Submission opcodes of channels of class VIRGL. */
#define PVGPU_OP_VIRGL_NOP		0x0200u
#define PVGPU_OP_VIRGL_SUBMIT		0x0201u
#define PVGPU_OP_VIRGL_TRANSFER_TO	0x0202u
#define PVGPU_OP_VIRGL_TRANSFER_FROM	0x0203u
/* Events. */
#define PVGPU_EVENT_HEAD		0x8001u

/* PING: answered with the same payload. */
struct pvgpu_ping {
	struct pvgpu_msg msg;		/*   0 */
	pvgpu_le64 payload;		/*  16 */
};					/*  24 */
struct pvgpu_ping_done {
	struct pvgpu_completion done;	/*   0 */
	pvgpu_le64 payload;		/*  32 */
};					/*  40 */

/* HEAD_QUERY: what is plugged into a head now. */
struct pvgpu_head_query {
	struct pvgpu_msg msg;		/*   0 */
	pvgpu_le32 head;		/*  16 */
	pvgpu_le32 reserved;		/*  20 */
};					/*  24 */
#define PVGPU_HEAD_CONNECTED	(1u << 0)
struct pvgpu_head_query_done {
	struct pvgpu_completion done;	/*   0 */
	pvgpu_le32 head;		/*  32 */
	pvgpu_le32 flags;		/*  36: PVGPU_HEAD_* */
	pvgpu_le32 edid_size;		/*  40: bytes, 0 if not connected */
	pvgpu_le32 serial;		/*  44: changes with every change here */
	pvgpu_le32 width;		/*  48: preferred mode */
	pvgpu_le32 height;		/*  52 */
	pvgpu_le32 refresh;		/*  56: mHz */
	pvgpu_le32 reserved;		/*  60 */
};					/*  64 */

/* HEAD_EDID: size bytes of the head's EDID (VESA E-EDID 1.4) from offset.
 * The answer is shorter where the EDID ends. */
#define PVGPU_EDID_CHUNK_MAX	1024u
struct pvgpu_head_edid {
	struct pvgpu_msg msg;		/*   0 */
	pvgpu_le32 head;		/*  16 */
	pvgpu_le32 serial;		/*  20: of the HEAD_QUERY; else STALE */
	pvgpu_le32 offset;		/*  24 */
	pvgpu_le32 size;		/*  28: 1..PVGPU_EDID_CHUNK_MAX */
};					/*  32 */
struct pvgpu_head_edid_done {
	struct pvgpu_completion done;	/*   0 */
	pvgpu_le32 size;		/*  32: bytes that follow */
	pvgpu_le32 reserved;		/*  36 */
	/* uint8_t data[size], padded with zeroes to a multiple of 8 */
};					/*  40 */

/* RESOURCE_CREATE: gives the name `resource` (not 0, chosen by the guest) to
 * an object. LINEAR is size bytes that live in VRAM alone and cost the device
 * nothing. SURFACE lives with the renderer and is charged its footprint
 * (footprint.h); its size is that of the VRAM which it may be given for
 * transfers. */
#define PVGPU_RESOURCE_LINEAR	1u
#define PVGPU_RESOURCE_SURFACE	2u
/* Targets of a SURFACE, numbered as virgl's stream numbers them. */
#define PVGPU_TARGET_BUFFER		0u
#define PVGPU_TARGET_1D			1u
#define PVGPU_TARGET_2D			2u
#define PVGPU_TARGET_3D			3u
#define PVGPU_TARGET_CUBE		4u
#define PVGPU_TARGET_RECT		5u
#define PVGPU_TARGET_1D_ARRAY		6u
#define PVGPU_TARGET_2D_ARRAY		7u
#define PVGPU_TARGET_CUBE_ARRAY		8u
#define PVGPU_SURFACE_Y_0_TOP		(1u << 0)	/* row 0 is the top one */
struct pvgpu_resource_create {
	struct pvgpu_msg msg;		/*   0 */
	pvgpu_le32 resource;		/*  16 */
	pvgpu_le32 kind;		/*  20: PVGPU_RESOURCE_* */
	pvgpu_le64 size;		/*  24: bytes; SURFACE: 0 is never backed */
	pvgpu_le32 format;		/*  32: SURFACE only, else 0, as below */
	pvgpu_le32 width;		/*  36 */
	pvgpu_le32 height;		/*  40 */
	pvgpu_le32 depth;		/*  44 */
	pvgpu_le32 layers;		/*  48 */
	pvgpu_le32 levels;		/*  52 */
	pvgpu_le32 samples;		/*  56 */
	pvgpu_le32 bind;		/*  60: virgl's bits */
	pvgpu_le32 target;		/*  64: PVGPU_TARGET_* */
	pvgpu_le32 flags;		/*  68: PVGPU_SURFACE_* */
	pvgpu_le32 context;		/*  72: is attached to it; 0: to none */
	pvgpu_le32 reserved;		/*  76 */
};					/*  80 */

/* RESOURCE_BACK: the VRAM behind a resource, in order; may be sent in
 * parts, each going on where the last ended. Usable when the sum is size,
 * rounded up to PVGPU_EXTENT_ALIGN. */
struct pvgpu_extent {
	pvgpu_le64 offset;		/*   0: from the start of VRAM */
	pvgpu_le64 length;		/*   8: bytes, not 0 */
};					/*  16 */
struct pvgpu_resource_back {
	struct pvgpu_msg msg;		/*   0 */
	pvgpu_le32 resource;		/*  16 */
	pvgpu_le32 count;		/*  20: extents that follow */
	/* struct pvgpu_extent extents[count] */
};					/*  24 */

/* RESOURCE_DESTROY: BUSY while a plane shows it. Batches already submitted
 * that use it are done first. Its extents are the guest's again when the
 * completion comes. */
struct pvgpu_resource_destroy {
	struct pvgpu_msg msg;		/*   0 */
	pvgpu_le32 resource;		/*  16 */
	pvgpu_le32 reserved;		/*  20 */
};					/*  24 */

/* CHANNEL_OPEN / CLOSE: channel n (1..channels) is queue n. Opening empties
 * its rings and sets its fence to 0; closing completes what was taken and
 * drops the rest. */
#define PVGPU_CHANNEL_COPY	1u	/* class */
#define PVGPU_CHANNEL_VIRGL	2u
#define PVGPU_PRIORITY_MAX	3u	/* the last to be served; 0: the first */
struct pvgpu_channel_open {
	struct pvgpu_msg msg;		/*   0 */
	pvgpu_le32 channel;		/*  16 */
	pvgpu_le32 channel_class;	/*  20: PVGPU_CHANNEL_* */
	pvgpu_le32 priority;		/*  24: 0..PVGPU_PRIORITY_MAX */
	pvgpu_le32 reserved;		/*  28 */
};					/*  32 */
struct pvgpu_channel_close {
	struct pvgpu_msg msg;		/*   0 */
	pvgpu_le32 channel;		/*  16 */
	pvgpu_le32 reserved;		/*  20 */
};					/*  24 */

/* CAPSET: size bytes from offset of what the renderer says that it can, in
 * the form that virgl's capability sets have (virgl_hw.h of virglrenderer).
 * The answer is shorter where the set ends. */
#define PVGPU_CAPSET_VIRGL	1u
#define PVGPU_CAPSET_VIRGL2	2u
#define PVGPU_CAPSET_CHUNK_MAX	4096u
struct pvgpu_capset {
	struct pvgpu_msg msg;		/*   0 */
	pvgpu_le32 capset;		/*  16: PVGPU_CAPSET_* */
	pvgpu_le32 version;		/*  20 */
	pvgpu_le32 offset;		/*  24 */
	pvgpu_le32 size;		/*  28: 0..PVGPU_CAPSET_CHUNK_MAX */
};					/*  32 */
struct pvgpu_capset_done {
	struct pvgpu_completion done;	/*   0 */
	pvgpu_le32 max_version;		/*  32 */
	pvgpu_le32 total;		/*  36: bytes of the whole set */
	pvgpu_le32 size;		/*  40: bytes that follow */
	pvgpu_le32 reserved;		/*  44 */
	/* uint8_t data[size], padded with zeroes to a multiple of 8 */
};					/*  48 */

/* CONTEXT_CREATE / DESTROY: an island of the renderer's state. What one
 * does wrong is lost for it alone. The name is the guest's and not 0. */
struct pvgpu_context_create {
	struct pvgpu_msg msg;		/*   0 */
	pvgpu_le32 context;		/*  16 */
	pvgpu_le32 capset;		/*  20: PVGPU_CAPSET_* that it speaks */
	uint8_t    label[64];		/*  24: for logs; any bytes */
};					/*  88 */
struct pvgpu_context_destroy {
	struct pvgpu_msg msg;		/*   0 */
	pvgpu_le32 context;		/*  16 */
	pvgpu_le32 reserved;		/*  20 */
};					/*  24 */

/* CONTEXT_ATTACH / DETACH: which resources a context's batches may name. */
struct pvgpu_context_attach {
	struct pvgpu_msg msg;		/*   0 */
	pvgpu_le32 context;		/*  16 */
	pvgpu_le32 resource;		/*  20 */
};					/*  24 */

/* CONTEXT_QUERY: what it has used so far. */
struct pvgpu_context_query {
	struct pvgpu_msg msg;		/*   0 */
	pvgpu_le32 context;		/*  16 */
	pvgpu_le32 reserved;		/*  20 */
};					/*  24 */
#define PVGPU_CONTEXT_LOST	(1u << 0)
struct pvgpu_context_query_done {
	struct pvgpu_completion done;	/*   0 */
	pvgpu_le64 busy;		/*  32: of the renderer, ns */
	pvgpu_le64 batches;		/*  40: that are done */
	pvgpu_le64 charged;		/*  48: bytes, beside its surfaces */
	pvgpu_le32 flags;		/*  56: PVGPU_CONTEXT_* */
	pvgpu_le32 reserved;		/*  60 */
};					/*  64 */

/* COMMIT: new state for the heads in `heads`, all or nothing. Followed by
 * head_count pvgpu_commit_head, plane_count pvgpu_commit_plane, clip_count
 * pvgpu_rect, in this order, without gaps. Planes that are not named keep
 * their state; a head that goes inactive loses the state of its planes. */
#define PVGPU_COMMIT_TEST	(1u << 0)	/* check only */
struct pvgpu_commit {
	struct pvgpu_msg msg;		/*   0 */
	pvgpu_le32 heads;		/*  16: mask; others stay untouched */
	pvgpu_le32 flags;		/*  20: PVGPU_COMMIT_* */
	pvgpu_le32 head_count;		/*  24 */
	pvgpu_le32 plane_count;		/*  28 */
	pvgpu_le32 clip_count;		/*  32 */
	pvgpu_le32 reserved;		/*  36 */
};					/*  40 */

/* Timings as in VESA DMT: active, then front porch to sync start, sync end,
 * and the total, each counted from the start of active. */
#define PVGPU_MODE_HSYNC_POSITIVE	(1u << 0)
#define PVGPU_MODE_VSYNC_POSITIVE	(1u << 1)
#define PVGPU_MODE_INTERLACED		(1u << 2)	/* refused; named for logs */
struct pvgpu_mode {
	pvgpu_le32 clock;		/*   0: kHz */
	pvgpu_le16 hdisplay;		/*   4 */
	pvgpu_le16 hsync_start;		/*   6 */
	pvgpu_le16 hsync_end;		/*   8 */
	pvgpu_le16 htotal;		/*  10 */
	pvgpu_le16 vdisplay;		/*  12 */
	pvgpu_le16 vsync_start;		/*  14 */
	pvgpu_le16 vsync_end;		/*  16 */
	pvgpu_le16 vtotal;		/*  18 */
	pvgpu_le32 flags;		/*  20: PVGPU_MODE_* */
};					/*  24 */

#define PVGPU_COMMIT_HEAD_ACTIVE	(1u << 0)
#define PVGPU_COMMIT_HEAD_MODE		(1u << 1)	/* mode is new */
struct pvgpu_commit_head {
	pvgpu_le32 head;		/*   0 */
	pvgpu_le32 flags;		/*   4: PVGPU_COMMIT_HEAD_* */
	pvgpu_le64 frame;		/*   8: the guest's number of this frame */
	struct pvgpu_mode mode;		/*  16: zero without HEAD_MODE */
	pvgpu_le32 vblank;		/*  40: ns until the next one; 0: unsaid */
	pvgpu_le32 reserved[5];		/*  44 */
};					/*  64 */

/* A plane's whole state; resource 0 switches it off and all else is 0. */
#define PVGPU_BLEND_NONE		0u	/* pixel alpha is ignored */
#define PVGPU_BLEND_PREMULTIPLIED	1u
/* What follows is with PVGPU_FEATURE_PLANES, else reserved. */
#define PVGPU_BLEND_COVERAGE		2u	/* colours are not multiplied yet */
/* First mirrored, then turned, counter-clockwise. */
#define PVGPU_TRANSFORM_TURN_90		1u
#define PVGPU_TRANSFORM_TURN_180	2u
#define PVGPU_TRANSFORM_TURN_270	3u
#define PVGPU_TRANSFORM_MIRROR_X	4u	/* left becomes right */
#define PVGPU_TRANSFORM_MIRROR_Y	8u	/* top becomes bottom */
/* What NV12 means. */
#define PVGPU_YCBCR_BT709		1u	/* else BT.601 */
#define PVGPU_YCBCR_FULL		2u	/* range; else 16..235, 16..240 */
/* How far a plane may be scaled, either way. */
#define PVGPU_SCALE_DOWN_MAX		4u
#define PVGPU_SCALE_UP_MAX		16u
#define PVGPU_SCALE_SOURCE_MAX		32767u	/* pixels, unless shown as it is */
struct pvgpu_commit_plane {
	pvgpu_le32 head;		/*   0 */
	pvgpu_le32 plane;		/*   4: 0 primary .. planes-1 cursor */
	pvgpu_le32 resource;		/*   8: 0 is off */
	pvgpu_le32 format;		/*  12: PVGPU_FORMAT_* */
	pvgpu_le64 offset;		/*  16: of pixel (0,0) in the resource */
	pvgpu_le32 stride;		/*  24: bytes a row */
	pvgpu_le32 width;		/*  28: of the framebuffer, pixels */
	pvgpu_le32 height;		/*  32 */
	pvgpu_le32 src_x;		/*  36: 16.16 fixed point */
	pvgpu_le32 src_y;		/*  40 */
	pvgpu_le32 src_w;		/*  44 */
	pvgpu_le32 src_h;		/*  48 */
	pvgpu_le32 dst_x;		/*  52: two's complement */
	pvgpu_le32 dst_y;		/*  56: two's complement */
	pvgpu_le32 dst_w;		/*  60: src_w, without FEATURE_PLANES */
	pvgpu_le32 dst_h;		/*  64 */
	pvgpu_le32 hot_x;		/*  68: cursor only, else 0 */
	pvgpu_le32 hot_y;		/*  72 */
	pvgpu_le16 alpha;		/*  76: 0xffff opaque */
	pvgpu_le16 blend;		/*  78: PVGPU_BLEND_* */
	pvgpu_le32 first_clip;		/*  80: this plane's damage among the clips */
	pvgpu_le32 clips;		/*  84: 0: all of it may have changed */
	pvgpu_le32 z;			/*  88: higher ones cover lower ones */
	pvgpu_le32 transform;		/*  92: PVGPU_TRANSFORM_* */
	pvgpu_le64 chroma_offset;	/*  96: NV12: of its second part */
	pvgpu_le32 chroma_stride;	/* 104: bytes a row */
	pvgpu_le32 ycbcr;		/* 108: NV12: PVGPU_YCBCR_* */
	pvgpu_le32 reserved[4];		/* 112 */
};					/* 128 */

/* In framebuffer pixels. */
struct pvgpu_rect {
	pvgpu_le32 x;			/*   0 */
	pvgpu_le32 y;			/*   4 */
	pvgpu_le32 width;		/*   8 */
	pvgpu_le32 height;		/*  12 */
};					/*  16 */

/* Submissions: a batch and the fence that its completion sets. Fences of a
 * channel grow from batch to batch, starting above 0. */
struct pvgpu_submit {
	struct pvgpu_msg msg;		/*   0 */
	pvgpu_le64 fence;		/*  16 */
};					/*  24 */

/* A rectangle of pixels inside a LINEAR resource, as the copy class sees it. */
struct pvgpu_copy_area {
	pvgpu_le32 resource;		/*   0 */
	pvgpu_le32 stride;		/*   4: bytes a row */
	pvgpu_le64 offset;		/*   8: of the rectangle's first pixel */
};					/*  16 */

/* COPY_RECT: height rows of row_bytes each. Areas that overlap in VRAM give
 * the bytes that copying through a buffer of its own would give. */
struct pvgpu_copy_rect {
	struct pvgpu_submit submit;	/*   0 */
	struct pvgpu_copy_area src;	/*  24 */
	struct pvgpu_copy_area dst;	/*  40 */
	pvgpu_le32 row_bytes;		/*  56 */
	pvgpu_le32 height;		/*  60: rows */
};					/*  64 */

/* COPY_FILL: repeats the low `unit` bytes of value over each row. */
struct pvgpu_copy_fill {
	struct pvgpu_submit submit;	/*   0 */
	struct pvgpu_copy_area dst;	/*  24 */
	pvgpu_le32 row_bytes;		/*  40: a multiple of unit */
	pvgpu_le32 height;		/*  44: rows */
	pvgpu_le32 unit;		/*  48: 1, 2, 4 */
	pvgpu_le32 value;		/*  52 */
};					/*  56 */

/* VIRGL_SUBMIT: a buffer of virgl commands (virgl_protocol.h of
 * virglrenderer) for a context. The host copies it before it looks at it. */
struct pvgpu_virgl_submit {
	struct pvgpu_submit submit;	/*   0 */
	pvgpu_le32 context;		/*  24 */
	pvgpu_le32 resource;		/*  28: LINEAR: where the commands are */
	pvgpu_le64 offset;		/*  32: in it, bytes */
	pvgpu_le32 size;		/*  40: bytes, a multiple of 4 */
	pvgpu_le32 reserved;		/*  44 */
};					/*  48 */

/* VIRGL_TRANSFER_TO / FROM: between a SURFACE and the VRAM behind it, to or
 * from the surface. */
struct pvgpu_virgl_transfer {
	struct pvgpu_submit submit;	/*   0 */
	pvgpu_le32 context;		/*  24 */
	pvgpu_le32 resource;		/*  28: a SURFACE, backed */
	pvgpu_le64 offset;		/*  32: in the VRAM behind it, bytes */
	pvgpu_le32 level;		/*  40 */
	pvgpu_le32 stride;		/*  44: bytes a row; 0: without gaps */
	pvgpu_le32 layer_stride;	/*  48: bytes a layer; 0: without gaps */
	pvgpu_le32 reserved;		/*  52 */
	pvgpu_le32 x;			/*  56: of the box, texels */
	pvgpu_le32 y;			/*  60 */
	pvgpu_le32 z;			/*  64: slice, layer or face */
	pvgpu_le32 width;		/*  68 */
	pvgpu_le32 height;		/*  72 */
	pvgpu_le32 depth;		/*  76: slices, layers or faces */
};					/*  80 */

/* EVENT_HEAD: ask HEAD_QUERY again for the heads in the mask. */
struct pvgpu_event_head {
	struct pvgpu_msg msg;		/*   0: cookie 0 */
	pvgpu_le32 heads;		/*  16: mask */
	pvgpu_le32 reserved;		/*  20 */
};					/*  24 */

#include "wire_asserts.h"

#endif
