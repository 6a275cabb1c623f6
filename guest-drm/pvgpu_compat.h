/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Every difference between the kernels that this module builds for, and every
 * kernel header that it includes, so that a renamed type is renamed in one
 * place. probe.sh finds out what a kernel has.
 */
#ifndef PVGPU_COMPAT_H
#define PVGPU_COMPAT_H

#include <linux/aperture.h>
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/hrtimer.h>
#include <linux/idr.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>
#include <linux/utsname.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_atomic_state_helper.h>
#include <drm/drm_connector.h>
#include <drm/drm_crtc.h>
#include <drm/drm_damage_helper.h>
#include <drm/drm_debugfs.h>
#include <drm/drm_drv.h>
#include <drm/drm_edid.h>
#include <drm/drm_encoder.h>
#include <drm/drm_fb_helper.h>
#include <drm/drm_file.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_atomic_helper.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_managed.h>
#include <drm/drm_mm.h>
#include <drm/drm_modeset_helper.h>
#include <drm/drm_modeset_helper_vtables.h>
#include <drm/drm_plane.h>
#include <drm/drm_prime.h>
#include <drm/drm_print.h>
#include <drm/drm_probe_helper.h>
#include <drm/drm_syncobj.h>
#include <drm/drm_vblank.h>
#include <drm/drm_vma_manager.h>

/* What programs built with newer headers pass is longer than an old kernel's
 * struct: then ours has the name. The ioctl's number holds the size.
 */
#ifndef PVGPU_HAVE_EXECBUF_SYNCOBJ
#define drm_virtgpu_execbuffer pvgpu_old_execbuffer
#endif
#ifndef PVGPU_HAVE_BLOB_HINTS
#define drm_virtgpu_resource_create_blob pvgpu_old_resource_create_blob
#endif
#include <drm/virtgpu_drm.h>
#ifndef PVGPU_HAVE_EXECBUF_SYNCOBJ
#undef drm_virtgpu_execbuffer
#define VIRTGPU_EXECBUF_SYNCOBJ_RESET	0x01
#define VIRTGPU_EXECBUF_SYNCOBJ_FLAGS	VIRTGPU_EXECBUF_SYNCOBJ_RESET
struct drm_virtgpu_execbuffer_syncobj {
	__u32 handle;
	__u32 flags;
	__u64 point;
};

struct drm_virtgpu_execbuffer {
	__u32 flags;
	__u32 size;
	__u64 command;
	__u64 bo_handles;
	__u32 num_bo_handles;
	__s32 fence_fd;
	__u32 ring_idx;
	__u32 syncobj_stride;
	__u32 num_in_syncobjs;
	__u32 num_out_syncobjs;
	__u64 in_syncobjs;
	__u64 out_syncobjs;
};
#endif
#ifndef PVGPU_HAVE_BLOB_HINTS
#undef drm_virtgpu_resource_create_blob
struct drm_virtgpu_resource_create_blob {
	__u32 blob_mem;
	__u32 blob_flags;
	__u32 bo_handle;
	__u32 res_handle;
	__u64 size;
	__u32 pad;
	__u32 cmd_size;
	__u64 cmd;
	__u64 blob_id;
	__u32 blob_hints;
	__u32 pad2;
};
#endif
#ifndef VIRTGPU_PARAM_EXPLICIT_DEBUG_NAME
#define VIRTGPU_PARAM_EXPLICIT_DEBUG_NAME	8
#define VIRTGPU_CONTEXT_PARAM_DEBUG_NAME	0x0004
#endif
#ifndef VIRTGPU_PARAM_BLOB_ALIGNMENT
#define VIRTGPU_PARAM_BLOB_ALIGNMENT		9
#endif

#ifdef PVGPU_HAVE_CLIENTS_SETUP
#include <drm/clients/drm_client_setup.h>
#elif defined(PVGPU_HAVE_CLIENT_SETUP)
#include <drm/drm_client_setup.h>
#endif
#ifdef PVGPU_HAVE_FBDEV_GENERIC_H
#include <drm/drm_fbdev_generic.h>
#endif
#if defined(PVGPU_HAVE_DRIVER_FBDEV) || defined(PVGPU_HAVE_FBDEV_TTM_SETUP)
#include <drm/drm_fbdev_ttm.h>
#endif

#ifdef CONFIG_X86
#include <asm/pgtable_types.h>
#endif

/* The collection of states of one commit was called drm_atomic_state. */
#ifdef PVGPU_HAVE_ATOMIC_COMMIT
#define drm_atomic_state drm_atomic_commit
#endif

/* A private object's first state is made by the caller or by a callback. */
#ifdef PVGPU_HAVE_PRIVATE_CREATE
#define PVGPU_PRIVATE_CREATE(function) .atomic_create_state = (function),
static inline int
pvgpu_private_obj_init(struct drm_device *drm, struct drm_private_obj *obj,
		       const struct drm_private_state_funcs *funcs,
		       struct drm_private_state *(*create)(struct drm_private_obj *))
{
	return drm_atomic_private_obj_init(drm, obj, funcs);
}

static inline void pvgpu_private_state_init(struct drm_private_obj *obj,
					    struct drm_private_state *state)
{
	__drm_atomic_helper_private_obj_create_state(obj, state);
}
#else
#define PVGPU_PRIVATE_CREATE(function)
static inline int
pvgpu_private_obj_init(struct drm_device *drm, struct drm_private_obj *obj,
		       const struct drm_private_state_funcs *funcs,
		       struct drm_private_state *(*create)(struct drm_private_obj *))
{
	struct drm_private_state *state = create(obj);

	if (IS_ERR(state))
		return PTR_ERR(state);
	drm_atomic_private_obj_init(drm, obj, state, funcs);
	return 0;
}

static inline void pvgpu_private_state_init(struct drm_private_obj *obj,
					    struct drm_private_state *state)
{
}
#endif

/* The core looks a framebuffer's format up for the driver. */
#ifdef PVGPU_HAVE_FB_CREATE_INFO
#define PVGPU_FB_INFO_PARAM const struct drm_format_info *info,
#define PVGPU_FB_INFO info,
#else
#define PVGPU_FB_INFO_PARAM
#define PVGPU_FB_INFO
#endif

#ifdef PVGPU_HAVE_ASYNC_CHECK_FLIP
#define PVGPU_ASYNC_CHECK_FLIP , bool flip
#else
#define PVGPU_ASYNC_CHECK_FLIP
#endif

/* Parsing an EDID and adding its modes became two steps. */
static inline int pvgpu_edid_add_modes(struct drm_connector *connector,
				       const struct drm_edid *edid)
{
#ifdef PVGPU_HAVE_EDID_ADD_MODES
	drm_edid_connector_update(connector, edid);
	return drm_edid_connector_add_modes(connector);
#else
	return drm_edid_connector_update(connector, edid);
#endif
}

/* Members of struct drm_driver that came or went. */
#ifdef PVGPU_HAVE_PRIME_MMAP
#define PVGPU_DRIVER_PRIME \
	.prime_handle_to_fd = drm_gem_prime_handle_to_fd, \
	.prime_fd_to_handle = drm_gem_prime_fd_to_handle, \
	.gem_prime_mmap = drm_gem_prime_mmap,
#else
#define PVGPU_DRIVER_PRIME
#endif
#ifdef PVGPU_HAVE_DRIVER_DATE
#define PVGPU_DRIVER_DATE(text) .date = (text),
#else
#define PVGPU_DRIVER_DATE(text)
#endif
/* The console that draws into a shadow of its own and reports damage is the
 * generic one, then TTM's, in every kernel; neither needs TTM objects.
 */
#ifdef PVGPU_HAVE_DRIVER_FBDEV
#define PVGPU_DRIVER_FBDEV DRM_FBDEV_TTM_DRIVER_OPS,
#else
#define PVGPU_DRIVER_FBDEV
#endif

static inline void pvgpu_fbdev_setup(struct drm_device *drm)
{
#if defined(PVGPU_HAVE_DRIVER_FBDEV)
	drm_client_setup(drm, NULL);
#elif defined(PVGPU_HAVE_FBDEV_TTM_SETUP)
	drm_fbdev_ttm_setup(drm, 32);
#else
	drm_fbdev_generic_setup(drm, 32);
#endif
}

/* The core prints what all drivers have in common, or the driver does. */
void pvgpu_fdinfo(struct drm_printer *p, struct drm_file *file);
#ifdef PVGPU_HAVE_SHOW_FDINFO
#define PVGPU_FOPS_FDINFO .show_fdinfo = drm_show_fdinfo,
#define PVGPU_DRIVER_FDINFO .show_fdinfo = pvgpu_fdinfo,
static inline void pvgpu_fdinfo_head(struct drm_printer *p, struct drm_file *file, u64 client)
{
}
#else
#define PVGPU_FOPS_FDINFO .show_fdinfo = pvgpu_show_fdinfo,
#define PVGPU_DRIVER_FDINFO
static inline void pvgpu_fdinfo_head(struct drm_printer *p, struct drm_file *file, u64 client)
{
	struct drm_device *drm = file->minor->dev;

	drm_printf(p, "drm-driver:\t%s\n", drm->driver->name);
	drm_printf(p, "drm-client-id:\t%llu\n", client);
	if (dev_is_pci(drm->dev))
		drm_printf(p, "drm-pdev:\t%s\n", dev_name(drm->dev));
}

static inline void pvgpu_show_fdinfo(struct seq_file *m, struct file *f)
{
	struct drm_printer p = drm_seq_file_printer(m);

	pvgpu_fdinfo(&p, f->private_data);
}
#endif

static inline const struct dma_fence_ops *pvgpu_dma_fence_ops(struct dma_fence *fence)
{
#ifdef PVGPU_HAVE_FENCE_OPS_RCU
	return rcu_access_pointer(fence->ops);
#else
	return fence->ops;
#endif
}

#ifndef PVGPU_HAVE_HRTIMER_SETUP
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock, const enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

#ifndef PVGPU_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags |= flags;
}
#endif

/* Mapping a dma-buf took no lock, then got a variant that takes it itself. */
#ifndef PVGPU_HAVE_VMAP_UNLOCKED
#define dma_buf_vmap_unlocked dma_buf_vmap
#define dma_buf_vunmap_unlocked dma_buf_vunmap
#endif

#ifdef PVGPU_HAVE_IMPORT_NS_STRING
#define PVGPU_IMPORT_NS(name) MODULE_IMPORT_NS(#name)
#else
#define PVGPU_IMPORT_NS(name) MODULE_IMPORT_NS(name)
#endif

/* One address for pages without struct page; NULL where the kernel was built
 * without it, and then only objects in one extent can be mapped.
 */
static inline void *pvgpu_vmap_pfns(unsigned long *pfns, unsigned int count)
{
#ifdef PVGPU_HAVE_VMAP_PFN
	return vmap_pfn(pfns, count, PAGE_KERNEL);
#else
	return NULL;
#endif
}

/* Whether the processor caches what it maps here, as we asked; it does not
 * where an MTRR has the last word.
 */
static inline bool pvgpu_is_cached(void *address)
{
#ifdef CONFIG_X86
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)address, &level);

	return pte && !(pte_flags(*pte) & (_PAGE_PCD | _PAGE_PWT));
#else
	return true;
#endif
}

#endif
