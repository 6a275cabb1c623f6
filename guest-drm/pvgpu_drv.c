// SPDX-License-Identifier: GPL-2.0 OR MIT
/**
 * DOC: pvgpu, a paravirtual vGPU
 *
 * The device is a window of the host's memory, shared with a worker process
 * there, and doorbells in both directions. protocol/spec.md says what lies in
 * the window. All our memory is VRAM in the window; the host never sees the
 * guest's own memory.
 *
 * One file a KMS object: pvgpu_crtc.c, _plane.c, _connector.c, and _vblank.c
 * for the timer. pvgpu_kms.c is about all heads: limits, order, and the one
 * message that an atomic commit is. pvgpu_link.c keeps the host attached, over
 * pvgpu_pci.c, the only file that knows the transport. pvgpu_vram.c, _gem.c
 * and _prime.c are memory; pvgpu_channel.c and _fence.c are what the host does
 * on its own time, which is to copy (pvgpu_ioctl.c) and to render: in contexts
 * (pvgpu_context.c), on surfaces (pvgpu_surface.c), by command buffers
 * (pvgpu_execbuf.c), all of it by the virtgpu uAPI (pvgpu_virtgpu.c, _capset.c),
 * so that a stock Mesa knows us. pvgpu_fdinfo.c and _debugfs.c tell about it.
 * pvgpu_compat.h has all there is about kernel versions.
 *
 * There is a render node only where the host renders: Mesa and others take each
 * one for a GPU that draws, and would find none.
 */
#include "pvgpu_drv.h"

#include "uapi/pvgpu_drm.h"

static char *drm_name;
module_param(drm_name, charp, 0444);
MODULE_PARM_DESC(drm_name, "Name of the DRM driver (default: pvgpu)");

static int release_file(struct inode *inode, struct file *filp)
{
	pvgpu_file_release(filp->private_data);
	return drm_release(inode, filp);
}

/* Not const: `release` is ours, filled in when we are loaded. */
static struct file_operations pvgpu_fops = {
	.owner = THIS_MODULE,
	DRM_GEM_FOPS,
	PVGPU_FOPS_FDINFO
};

#define PVGPU_VIRTGPU_IOCTL(name, function) \
	DRM_IOCTL_DEF_DRV(VIRTGPU_##name, function, DRM_RENDER_ALLOW)

static const struct drm_ioctl_desc pvgpu_ioctls[] = {
	PVGPU_VIRTGPU_IOCTL(MAP, pvgpu_ioctl_map),
	PVGPU_VIRTGPU_IOCTL(EXECBUFFER, pvgpu_ioctl_execbuffer),
	PVGPU_VIRTGPU_IOCTL(GETPARAM, pvgpu_ioctl_getparam),
	PVGPU_VIRTGPU_IOCTL(RESOURCE_CREATE, pvgpu_ioctl_resource_create),
	PVGPU_VIRTGPU_IOCTL(RESOURCE_INFO, pvgpu_ioctl_resource_info),
	PVGPU_VIRTGPU_IOCTL(TRANSFER_FROM_HOST, pvgpu_ioctl_transfer_from_host),
	PVGPU_VIRTGPU_IOCTL(TRANSFER_TO_HOST, pvgpu_ioctl_transfer_to_host),
	PVGPU_VIRTGPU_IOCTL(WAIT, pvgpu_ioctl_wait),
	PVGPU_VIRTGPU_IOCTL(GET_CAPS, pvgpu_ioctl_get_caps),
	PVGPU_VIRTGPU_IOCTL(RESOURCE_CREATE_BLOB, pvgpu_ioctl_create_blob),
	PVGPU_VIRTGPU_IOCTL(CONTEXT_INIT, pvgpu_ioctl_context_init),
	DRM_IOCTL_DEF_DRV(PVGPU_FILL, pvgpu_ioctl_fill, DRM_AUTH | DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(PVGPU_COPY, pvgpu_ioctl_copy, DRM_AUTH | DRM_RENDER_ALLOW),
};

/* Not const: its name is a module parameter. */
static struct drm_driver pvgpu_driver = {
	.driver_features = DRIVER_MODESET | DRIVER_ATOMIC | DRIVER_GEM | DRIVER_SYNCOBJ |
			   DRIVER_SYNCOBJ_TIMELINE,
	.name = PVGPU_NAME,
	.desc = PVGPU_DESC,
	PVGPU_DRIVER_DATE(PVGPU_DATE)
	.major = PVGPU_MAJOR,
	.minor = PVGPU_MINOR,
	.patchlevel = PVGPU_PATCH,
	.fops = &pvgpu_fops,
	.ioctls = pvgpu_ioctls,
	.num_ioctls = ARRAY_SIZE(pvgpu_ioctls),
	.open = pvgpu_file_open,
	.postclose = pvgpu_file_close,
	.dumb_create = pvgpu_gem_dumb_create,
	.gem_prime_import = pvgpu_prime_import,
	.debugfs_init = pvgpu_debugfs_init,
	PVGPU_DRIVER_PRIME
	PVGPU_DRIVER_FBDEV
	PVGPU_DRIVER_FDINFO
};

/* The same with a render node; filled in when we are loaded. */
static struct drm_driver pvgpu_render_driver;

static void names_fini(struct drm_device *drm, void *names)
{
	ida_destroy(names);
}

struct pvgpu_card *pvgpu_create(struct device *parent, bool render)
{
	struct drm_driver *driver = render ? &pvgpu_render_driver : &pvgpu_driver;
	struct pvgpu_card *pvgpu;
	int ret;

	pvgpu = devm_drm_dev_alloc(parent, driver, struct pvgpu_card, drm);
	if (IS_ERR(pvgpu))
		return pvgpu;
	ida_init(&pvgpu->names);
	ret = drmm_add_action_or_reset(&pvgpu->drm, names_fini, &pvgpu->names);
	return ret ? ERR_PTR(ret) : pvgpu;
}

int pvgpu_start(struct pvgpu_card *pvgpu)
{
	const struct pvgpu_device *device = &pvgpu->link.client.device;
	int ret;

	ret = pvgpu_vram_init(pvgpu);
	if (!ret)
		ret = pvgpu_virgl_init(pvgpu);
	if (!ret)
		ret = pvgpu_channel_init(pvgpu);
	if (!ret)
		ret = pvgpu_kms_init(pvgpu);
	if (ret)
		return ret;

	ret = pvgpu_link_start(pvgpu);
	if (ret == -EPERM || ret == -EOPNOTSUPP) {
		drm_err(&pvgpu->drm, "the host refuses this guest (%d)\n", ret);
		goto stop_link;
	}
	ret = drm_dev_register(&pvgpu->drm, 0);
	if (ret)
		goto stop_link;
	drm_info(&pvgpu->drm, "%s: %llu MiB, %u heads, generation %u\n", device->type_name,
		 device->vram_size >> 20, device->heads, pvgpu_link_generation(pvgpu));
	if (device->heads)
		pvgpu_fbdev_setup(&pvgpu->drm);
	return 0;

stop_link:
	pvgpu_link_stop(pvgpu, false);
	return ret;
}

void pvgpu_stop(struct pvgpu_card *pvgpu)
{
	drm_dev_unplug(&pvgpu->drm);
	drm_atomic_helper_shutdown(&pvgpu->drm);
	pvgpu_link_stop(pvgpu, false);
}

static int __init pvgpu_init(void)
{
	if (drm_name && *drm_name)
		pvgpu_driver.name = drm_name;
	pvgpu_fops.release = release_file;
	pvgpu_render_driver = pvgpu_driver;
	pvgpu_render_driver.driver_features |= DRIVER_RENDER;
	return pvgpu_pci_register();
}
module_init(pvgpu_init);

static void __exit pvgpu_exit(void)
{
	pvgpu_pci_unregister();
}
module_exit(pvgpu_exit);

MODULE_DESCRIPTION(PVGPU_DESC);
MODULE_AUTHOR("The pvgpu authors");
MODULE_VERSION("0.1.0");
MODULE_LICENSE("Dual MIT/GPL");
PVGPU_IMPORT_NS(DMA_BUF);
