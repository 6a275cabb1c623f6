// SPDX-License-Identifier: MIT
/* Resources of clients; see resource.h. */
#include "resource.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "common/util.h"

#define BIND_CUSTOM (1u << 17)		/* as virgl numbers it */
#define FENCE_BYTES 4096u		/* what waits to be named at most */

static uint32_t at_least_one(uint32_t value)
{
	return value ? value : 1;
}

/* A memfd that nobody can make shorter; -errno. */
static int shared_memory(uint64_t size, uint8_t **ret_memory)
{
	cleanup_fd int fd = memfd_create("pvgpu-vtest", MFD_CLOEXEC |
					 MFD_ALLOW_SEALING);
	void *memory;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -errno;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret_memory = memory;
	return take_fd(&fd);
}

/* Its VRAM, and the memory that the client shares. */
static int back(struct vgpu *v, struct resource *r, bool share, int *ret_fd)
{
	int ret, fresh;

	if (!r->size)
		return 0;
	ret = space_take(&v->space, r->size, &r->vram, &fresh);
	if (ret)
		return PVGPU_STATUS_LIMIT_WINDOW;
	r->reused = !fresh;
	if (!share)
		return 0;
	ret = shared_memory(r->size, &r->memory);
	if (ret < 0) {
		space_give(&v->space, r->vram, r->size);
		return PVGPU_STATUS_NO_MEMORY;
	}
	*ret_fd = ret;
	return 0;
}

int resource_new(struct vgpu *v, const struct vtest_create *c, bool share,
		 uint32_t context, struct resource **ret, int *ret_fd)
{
	cleanup_free struct resource *r = calloc(1, sizeof(*r));
	cleanup_fd int fd = -1;
	int status;

	if (!r)
		return -ENOMEM;
	/* virgl takes zeroes for what a target does not have. */
	r->shape = (struct pvgpu_surface){
		.format = c->format,
		.width = c->width,
		.height = at_least_one(c->height),
		.depth = at_least_one(c->depth),
		.layers = at_least_one(c->array_size),
		.levels = c->last_level < 32 ? c->last_level + 1 : 0,
		.samples = at_least_one(c->samples),
		.target = c->target,
	};
	r->handle = c->handle;
	r->bind = c->bind;
	if (pvgpu_surface_check(&r->shape) != PVGPU_SURFACE_OK)
		return PVGPU_STATUS_INVALID;
	if (v->resources.count >= v->client.device.max_resources)
		return PVGPU_STATUS_LIMIT_RESOURCES;
	r->size = share ? c->size : r->shape.samples > 1 ? 0 :
		  box_level_bytes(&r->shape);
	if (r->size > v->client.device.vram_size)
		return PVGPU_STATUS_LIMIT_WINDOW;
	status = back(v, r, share, &fd);
	if (status)
		return status;
	r->name = vgpu_name(v);
	if (names_set(&v->resources, r->name, (uintptr_t)r)) {
		resource_free(v, take_ptr(r));
		return PVGPU_STATUS_NO_MEMORY;
	}
	if (r->bind != BIND_CUSTOM || r->size > FENCE_BYTES)
		status = resource_make(v, r, context);
	if (status) {
		resource_drop(v, take_ptr(r));
		return status;
	}
	*ret = take_ptr(r);
	*ret_fd = take_fd(&fd);
	return 0;
}

int resource_make(struct vgpu *v, struct resource *r, uint32_t context)
{
	struct pvgpu_resource_create create = {
		.resource = pvgpu_cpu_to_le32(r->name),
		.kind = pvgpu_cpu_to_le32(PVGPU_RESOURCE_SURFACE),
		.size = pvgpu_cpu_to_le64(r->size),
		.format = pvgpu_cpu_to_le32(r->shape.format),
		.width = pvgpu_cpu_to_le32(r->shape.width),
		.height = pvgpu_cpu_to_le32(r->shape.height),
		.depth = pvgpu_cpu_to_le32(r->shape.depth),
		.layers = pvgpu_cpu_to_le32(r->shape.layers),
		.levels = pvgpu_cpu_to_le32(r->shape.levels),
		.samples = pvgpu_cpu_to_le32(r->shape.samples),
		.bind = pvgpu_cpu_to_le32(r->bind),
		.target = pvgpu_cpu_to_le32(r->shape.target),
		.context = pvgpu_cpu_to_le32(context),
	};
	struct {
		struct pvgpu_resource_back back;
		struct pvgpu_extent extent;
	} backing = {
		.back.resource = pvgpu_cpu_to_le32(r->name),
		.back.count = pvgpu_cpu_to_le32(1),
		.extent.offset = pvgpu_cpu_to_le64(r->vram),
		.extent.length = pvgpu_cpu_to_le64(
			pvgpu_linear_extent(r->size)),
	};
	int ret;

	if (r->made)
		return 0;
	/* What another left in its VRAM is nobody's to read. */
	if (r->reused &&
	    fallocate(v->peer.memory, FALLOC_FL_PUNCH_HOLE |
		      FALLOC_FL_KEEP_SIZE,
		      (off_t)(v->client.device.vram_offset + r->vram),
		      (off_t)pvgpu_linear_extent(r->size)))
		return -errno;
	ret = vgpu_ask(v, PVGPU_OP_RESOURCE_CREATE, &create, sizeof(create));
	if (!ret && r->size)
		ret = vgpu_ask(v, PVGPU_OP_RESOURCE_BACK, &backing,
			       sizeof(backing));
	/* Where only half of it is there, that is to go too. */
	r->made = true;
	return ret ? ret : vgpu_settle(v);
}

void resource_free(struct vgpu *v, struct resource *r)
{
	names_remove(&v->resources, r->name);
	if (r->size)
		space_give(&v->space, r->vram, r->size);
	if (r->memory)
		munmap(r->memory, r->size);
	free(r);
}

void resource_drop(struct vgpu *v, struct resource *r)
{
	r->next = r->prev = NULL;
	if (!r->made || vgpu_destroy(v, r->name)) {
		resource_free(v, r);
		return;
	}
	if (r->memory)
		munmap(r->memory, r->size);
	r->memory = NULL;
}

bool resource_idle(const struct resource *r, uint64_t done, uint64_t from,
		   uint64_t to)
{
	return r->busy <= done || from >= r->busy_to || to <= r->busy_from;
}

void resource_use(struct resource *r, uint64_t done, uint64_t fence,
		  uint64_t from, uint64_t to)
{
	if (r->busy <= done) {
		r->busy_from = from;
		r->busy_to = to;
	}
	if (r->busy_from > from)
		r->busy_from = from;
	if (r->busy_to < to)
		r->busy_to = to;
	r->busy = fence;
}
