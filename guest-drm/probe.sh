#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR MIT
# Looks at a kernel's headers and prints a -DPVGPU_HAVE_* for every interface
# that not all kernels have. pvgpu_compat.h is the only reader. A name says what
# is there, and the test is whether it is: distributions backport.
# Usage: probe.sh SRCTREE OBJTREE
include=$1/include
config=$2/include/generated/autoconf.h

# have NAME FILE REGEX: the regular expression occurs in the header.
have()
{
	if grep -Eqs "$3" "$include/$2"; then
		printf -- '-DPVGPU_HAVE_%s ' "$1"
	fi
}

# joined NAME FILE REGEX: the same, over line ends.
joined()
{
	if [ -e "$include/$2" ] && tr -s '\n\t ' ' ' < "$include/$2" | grep -Eq "$3"; then
		printf -- '-DPVGPU_HAVE_%s ' "$1"
	fi
}

# config NAME OPTION: built in or a module.
config()
{
	if grep -Eqs "^#define $2(_MODULE)? 1" "$config"; then
		printf -- '-DPVGPU_HAVE_%s ' "$1"
	fi
}

have ATOMIC_COMMIT	drm/drm_atomic.h	'^struct drm_atomic_commit \{'
have PRIVATE_CREATE	drm/drm_atomic.h	'\(\*atomic_create_state\)'
joined FB_CREATE_INFO	drm/drm_mode_config.h \
	'\(\*fb_create\)\([^)]*const struct drm_format_info'
joined ASYNC_CHECK_FLIP	drm/drm_modeset_helper_vtables.h \
	'\(\*atomic_async_check\)\([^)]*bool flip'
have EDID_ADD_MODES	drm/drm_edid.h		'drm_edid_connector_add_modes'
have PRIME_MMAP		drm/drm_drv.h		'\(\*gem_prime_mmap\)'
have DRIVER_DATE	drm/drm_drv.h		'char \*date;'
have DRIVER_FBDEV	drm/drm_drv.h		'\(\*fbdev_probe\)'
have CLIENT_SETUP	drm/drm_client_setup.h	'drm_client_setup'
have CLIENTS_SETUP	drm/clients/drm_client_setup.h	'drm_client_setup'
have FBDEV_GENERIC_H	drm/drm_fbdev_generic.h	'drm_fbdev_generic_setup'
have FBDEV_TTM_SETUP	drm/drm_fbdev_ttm.h	'drm_fbdev_ttm_setup'
have HRTIMER_SETUP	linux/hrtimer.h		'void hrtimer_setup\('
have VM_FLAGS_SET	linux/mm.h		'vm_flags_set\('
have VMAP_UNLOCKED	linux/dma-buf.h		'dma_buf_vmap_unlocked'
have IMPORT_NS_STRING	linux/module.h		'MODULE_INFO\(import_ns, ns\)'
have SHOW_FDINFO	drm/drm_drv.h		'\(\*show_fdinfo\)'
have EXECBUF_SYNCOBJ	uapi/drm/virtgpu_drm.h	'^struct drm_virtgpu_execbuffer_syncobj \{'
have BLOB_HINTS		uapi/drm/virtgpu_drm.h	'__u32 blob_hints;'
have FENCE_OPS_RCU	linux/dma-fence.h	'dma_fence_ops __rcu \*ops'
config VMAP_PFN		CONFIG_VMAP_PFN
