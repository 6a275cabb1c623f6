/* SPDX-License-Identifier: MIT */
/*
 * A client's resource: a surface of the vGPU with VRAM behind it, and a memfd
 * of the same size that the client maps. The two are copies of one another
 * where a transfer needs them to be; no client ever sees VRAM.
 *
 * Mesa makes a small buffer for each fence and never uses it but to wait. Such
 * a one becomes a surface only when a stream names it.
 */
#ifndef PVGPU_VTEST_RESOURCE_H
#define PVGPU_VTEST_RESOURCE_H

#include "box.h"
#include "vgpu.h"
#include "vtest_wire.h"

struct resource {
	struct resource *next, *prev;	/* of the client; NULL: dying */
	uint32_t handle;		/* the client's */
	uint32_t name;			/* the vGPU's */
	uint32_t bind;
	struct pvgpu_surface shape;
	uint64_t size;			/* of VRAM and memory; 0: none */
	uint8_t *memory;		/* shared with the client; NULL: none */
	uint64_t vram;			/* offset */
	uint64_t born;			/* the client's last fence then */
	uint64_t busy;			/* until then batches use ... */
	uint64_t busy_from, busy_to;	/* ... this of its VRAM */
	bool made;			/* the vGPU has it */
	bool reused;			/* its VRAM was another's */
};

/*
 * With `share` its memory is made, of c->size bytes, and *ret_fd is to be sent
 * to the client; else it has VRAM for the largest level, and *ret_fd is -1.
 * 0; a PVGPU_STATUS_* for what a vGPU of this type cannot have; -errno.
 */
int resource_new(struct vgpu *vgpu, const struct vtest_create *c, bool share,
		 uint32_t context, struct resource **ret, int *ret_fd);
/* Makes it a surface of the vGPU, attached to the context, if it is none. */
int resource_make(struct vgpu *vgpu, struct resource *r, uint32_t context);
/* Its client has no use for it; it is freed when the vGPU has none either. */
void resource_drop(struct vgpu *vgpu, struct resource *r);
/* The vGPU has it no more, or is lost itself. */
void resource_free(struct vgpu *vgpu, struct resource *r);

/* Whether a transfer may now write the bytes of VRAM: no batch uses them.
 * `fence` is done. */
bool resource_idle(const struct resource *r, uint64_t done, uint64_t from,
		   uint64_t to);
/* A batch uses them until its fence. */
void resource_use(struct resource *r, uint64_t done, uint64_t fence,
		  uint64_t from, uint64_t to);

#endif
