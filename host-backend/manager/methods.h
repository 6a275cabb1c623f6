/* SPDX-License-Identifier: MIT */
/* What the files that hold methods of io.pvgpu.Manager share. */
#ifndef PVGPU_METHODS_H
#define PVGPU_METHODS_H

#include "varlink.h"

struct vgpu;
struct vgpu_type;

/* The vGPU that the call's "name" says, or NULL with the error sent. */
struct vgpu *method_vgpu(struct varlink_call *call);
/* The head that the call names, of this vGPU; -1 if it has none such, and the
 * caller has been told. */
int64_t method_head(struct varlink_call *call, const struct vgpu *v);

/* The type that the call's "type" says, or NULL with the error sent. */
const struct vgpu_type *method_type(struct varlink_call *call);

/* methods_figures.c */
void method_get_figures(struct varlink_call *call);
/* methods_gpu.c */
void method_get_gpu(struct varlink_call *call);
void method_set_gpu_mode(struct varlink_call *call);
void method_list_placements(struct varlink_call *call);
/* methods_head.c */
void method_list_heads(struct varlink_call *call);
void method_set_head(struct varlink_call *call);
/* methods_trace.c */
void method_trace(struct varlink_call *call);
/* methods_sched.c */
void method_get_gpu_scheduling(struct varlink_call *call);
void method_set_gpu_scheduling(struct varlink_call *call);
void method_get_scheduling(struct varlink_call *call);
void method_set_scheduling(struct varlink_call *call);
/* methods_libvirt.c */
void method_libvirt_xml(struct varlink_call *call);

#endif
