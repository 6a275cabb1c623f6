/* SPDX-License-Identifier: MIT */
/*
 * The size of every wire struct and the offset of every field, asserted at
 * compile time by each compiler that includes wire.h (its last lines do).
 */
#ifndef PVGPU_WIRE_ASSERTS_H
#define PVGPU_WIRE_ASSERTS_H

#define PVGPU_SIZE(s, n) \
	PVGPU_ASSERT(sizeof(struct s) == (n), #s " has another size")
#define PVGPU_FIELD(s, f, n) \
	PVGPU_ASSERT(offsetof(struct s, f) == (n), #s "." #f " has moved")

PVGPU_SIZE(pvgpu_info, 256);
PVGPU_FIELD(pvgpu_info, magic, 0);
PVGPU_FIELD(pvgpu_info, length, 8);
PVGPU_FIELD(pvgpu_info, version_min, 12);
PVGPU_FIELD(pvgpu_info, version_max, 16);
PVGPU_FIELD(pvgpu_info, host_peer, 20);
PVGPU_FIELD(pvgpu_info, features, 24);
PVGPU_FIELD(pvgpu_info, window_size, 32);
PVGPU_FIELD(pvgpu_info, vram_offset, 40);
PVGPU_FIELD(pvgpu_info, vram_size, 48);
PVGPU_FIELD(pvgpu_info, device_budget, 56);
PVGPU_FIELD(pvgpu_info, host_offset, 64);
PVGPU_FIELD(pvgpu_info, host_size, 72);
PVGPU_FIELD(pvgpu_info, guest_offset, 80);
PVGPU_FIELD(pvgpu_info, guest_size, 88);
PVGPU_FIELD(pvgpu_info, fence_offset, 96);
PVGPU_FIELD(pvgpu_info, fence_size, 104);
PVGPU_FIELD(pvgpu_info, vectors, 112);
PVGPU_FIELD(pvgpu_info, queue_slots, 116);
PVGPU_FIELD(pvgpu_info, queue_stride, 120);
PVGPU_FIELD(pvgpu_info, message_max, 124);
PVGPU_FIELD(pvgpu_info, heads, 128);
PVGPU_FIELD(pvgpu_info, planes, 132);
PVGPU_FIELD(pvgpu_info, max_width, 136);
PVGPU_FIELD(pvgpu_info, max_height, 140);
PVGPU_FIELD(pvgpu_info, max_pixels, 144);
PVGPU_FIELD(pvgpu_info, cursor_max, 152);
PVGPU_FIELD(pvgpu_info, channels, 156);
PVGPU_FIELD(pvgpu_info, channel_classes, 160);
PVGPU_FIELD(pvgpu_info, max_resources, 164);
PVGPU_FIELD(pvgpu_info, max_extents, 168);
PVGPU_FIELD(pvgpu_info, max_refresh, 172);
PVGPU_FIELD(pvgpu_info, type_name, 176);
PVGPU_FIELD(pvgpu_info, vgpu_uuid, 208);
PVGPU_FIELD(pvgpu_info, capsets, 224);
PVGPU_FIELD(pvgpu_info, max_contexts, 228);
PVGPU_FIELD(pvgpu_info, max_commands, 232);
PVGPU_FIELD(pvgpu_info, reserved, 236);

PVGPU_SIZE(pvgpu_guest_block, 256);
PVGPU_FIELD(pvgpu_guest_block, nonce, 0);
PVGPU_FIELD(pvgpu_guest_block, version, 8);
PVGPU_FIELD(pvgpu_guest_block, guest_os, 12);
PVGPU_FIELD(pvgpu_guest_block, features, 16);
PVGPU_FIELD(pvgpu_guest_block, driver_version, 24);
PVGPU_FIELD(pvgpu_guest_block, reserved0, 28);
PVGPU_FIELD(pvgpu_guest_block, driver_name, 32);
PVGPU_FIELD(pvgpu_guest_block, os_name, 64);
PVGPU_FIELD(pvgpu_guest_block, reserved, 128);

PVGPU_SIZE(pvgpu_host_block, 256);
PVGPU_FIELD(pvgpu_host_block, nonce, 0);
PVGPU_FIELD(pvgpu_host_block, generation, 8);
PVGPU_FIELD(pvgpu_host_block, state, 12);
PVGPU_FIELD(pvgpu_host_block, status, 16);
PVGPU_FIELD(pvgpu_host_block, version, 20);
PVGPU_FIELD(pvgpu_host_block, features, 24);
PVGPU_FIELD(pvgpu_host_block, broken_queue, 32);
PVGPU_FIELD(pvgpu_host_block, reserved, 36);

PVGPU_SIZE(pvgpu_ring_words, 256);
PVGPU_FIELD(pvgpu_ring_words, produced, 0);
PVGPU_FIELD(pvgpu_ring_words, reserved0, 4);
PVGPU_FIELD(pvgpu_ring_words, room_wake, 64);
PVGPU_FIELD(pvgpu_ring_words, reserved1, 68);
PVGPU_FIELD(pvgpu_ring_words, consumed, 128);
PVGPU_FIELD(pvgpu_ring_words, reserved2, 132);
PVGPU_FIELD(pvgpu_ring_words, data_wake, 192);
PVGPU_FIELD(pvgpu_ring_words, reserved3, 196);

PVGPU_SIZE(pvgpu_fence_wake, 64);
PVGPU_FIELD(pvgpu_fence_wake, value, 0);
PVGPU_FIELD(pvgpu_fence_wake, reserved, 8);

PVGPU_SIZE(pvgpu_fence, 64);
PVGPU_FIELD(pvgpu_fence, value, 0);
PVGPU_FIELD(pvgpu_fence, generation, 8);
PVGPU_FIELD(pvgpu_fence, flags, 12);
PVGPU_FIELD(pvgpu_fence, reserved, 16);

PVGPU_SIZE(pvgpu_msg, 16);
PVGPU_FIELD(pvgpu_msg, length, 0);
PVGPU_FIELD(pvgpu_msg, opcode, 4);
PVGPU_FIELD(pvgpu_msg, flags, 6);
PVGPU_FIELD(pvgpu_msg, cookie, 8);
PVGPU_FIELD(pvgpu_msg, generation, 12);

PVGPU_SIZE(pvgpu_completion, 32);
PVGPU_FIELD(pvgpu_completion, msg, 0);
PVGPU_FIELD(pvgpu_completion, status, 16);
PVGPU_FIELD(pvgpu_completion, detail, 20);
PVGPU_FIELD(pvgpu_completion, value, 24);

PVGPU_SIZE(pvgpu_ping, 24);
PVGPU_FIELD(pvgpu_ping, msg, 0);
PVGPU_FIELD(pvgpu_ping, payload, 16);

PVGPU_SIZE(pvgpu_ping_done, 40);
PVGPU_FIELD(pvgpu_ping_done, done, 0);
PVGPU_FIELD(pvgpu_ping_done, payload, 32);

PVGPU_SIZE(pvgpu_head_query, 24);
PVGPU_FIELD(pvgpu_head_query, msg, 0);
PVGPU_FIELD(pvgpu_head_query, head, 16);
PVGPU_FIELD(pvgpu_head_query, reserved, 20);

PVGPU_SIZE(pvgpu_head_query_done, 64);
PVGPU_FIELD(pvgpu_head_query_done, done, 0);
PVGPU_FIELD(pvgpu_head_query_done, head, 32);
PVGPU_FIELD(pvgpu_head_query_done, flags, 36);
PVGPU_FIELD(pvgpu_head_query_done, edid_size, 40);
PVGPU_FIELD(pvgpu_head_query_done, serial, 44);
PVGPU_FIELD(pvgpu_head_query_done, width, 48);
PVGPU_FIELD(pvgpu_head_query_done, height, 52);
PVGPU_FIELD(pvgpu_head_query_done, refresh, 56);
PVGPU_FIELD(pvgpu_head_query_done, reserved, 60);

PVGPU_SIZE(pvgpu_head_edid, 32);
PVGPU_FIELD(pvgpu_head_edid, msg, 0);
PVGPU_FIELD(pvgpu_head_edid, head, 16);
PVGPU_FIELD(pvgpu_head_edid, serial, 20);
PVGPU_FIELD(pvgpu_head_edid, offset, 24);
PVGPU_FIELD(pvgpu_head_edid, size, 28);

PVGPU_SIZE(pvgpu_head_edid_done, 40);
PVGPU_FIELD(pvgpu_head_edid_done, done, 0);
PVGPU_FIELD(pvgpu_head_edid_done, size, 32);
PVGPU_FIELD(pvgpu_head_edid_done, reserved, 36);

PVGPU_SIZE(pvgpu_resource_create, 80);
PVGPU_FIELD(pvgpu_resource_create, msg, 0);
PVGPU_FIELD(pvgpu_resource_create, resource, 16);
PVGPU_FIELD(pvgpu_resource_create, kind, 20);
PVGPU_FIELD(pvgpu_resource_create, size, 24);
PVGPU_FIELD(pvgpu_resource_create, format, 32);
PVGPU_FIELD(pvgpu_resource_create, width, 36);
PVGPU_FIELD(pvgpu_resource_create, height, 40);
PVGPU_FIELD(pvgpu_resource_create, depth, 44);
PVGPU_FIELD(pvgpu_resource_create, layers, 48);
PVGPU_FIELD(pvgpu_resource_create, levels, 52);
PVGPU_FIELD(pvgpu_resource_create, samples, 56);
PVGPU_FIELD(pvgpu_resource_create, bind, 60);
PVGPU_FIELD(pvgpu_resource_create, target, 64);
PVGPU_FIELD(pvgpu_resource_create, flags, 68);
PVGPU_FIELD(pvgpu_resource_create, context, 72);
PVGPU_FIELD(pvgpu_resource_create, reserved, 76);

PVGPU_SIZE(pvgpu_extent, 16);
PVGPU_FIELD(pvgpu_extent, offset, 0);
PVGPU_FIELD(pvgpu_extent, length, 8);

PVGPU_SIZE(pvgpu_resource_back, 24);
PVGPU_FIELD(pvgpu_resource_back, msg, 0);
PVGPU_FIELD(pvgpu_resource_back, resource, 16);
PVGPU_FIELD(pvgpu_resource_back, count, 20);

PVGPU_SIZE(pvgpu_resource_destroy, 24);
PVGPU_FIELD(pvgpu_resource_destroy, msg, 0);
PVGPU_FIELD(pvgpu_resource_destroy, resource, 16);
PVGPU_FIELD(pvgpu_resource_destroy, reserved, 20);

PVGPU_SIZE(pvgpu_channel_open, 32);
PVGPU_FIELD(pvgpu_channel_open, msg, 0);
PVGPU_FIELD(pvgpu_channel_open, channel, 16);
PVGPU_FIELD(pvgpu_channel_open, channel_class, 20);
PVGPU_FIELD(pvgpu_channel_open, priority, 24);
PVGPU_FIELD(pvgpu_channel_open, reserved, 28);

PVGPU_SIZE(pvgpu_channel_close, 24);
PVGPU_FIELD(pvgpu_channel_close, msg, 0);
PVGPU_FIELD(pvgpu_channel_close, channel, 16);
PVGPU_FIELD(pvgpu_channel_close, reserved, 20);

PVGPU_SIZE(pvgpu_capset, 32);
PVGPU_FIELD(pvgpu_capset, msg, 0);
PVGPU_FIELD(pvgpu_capset, capset, 16);
PVGPU_FIELD(pvgpu_capset, version, 20);
PVGPU_FIELD(pvgpu_capset, offset, 24);
PVGPU_FIELD(pvgpu_capset, size, 28);

PVGPU_SIZE(pvgpu_capset_done, 48);
PVGPU_FIELD(pvgpu_capset_done, done, 0);
PVGPU_FIELD(pvgpu_capset_done, max_version, 32);
PVGPU_FIELD(pvgpu_capset_done, total, 36);
PVGPU_FIELD(pvgpu_capset_done, size, 40);
PVGPU_FIELD(pvgpu_capset_done, reserved, 44);

PVGPU_SIZE(pvgpu_context_create, 88);
PVGPU_FIELD(pvgpu_context_create, msg, 0);
PVGPU_FIELD(pvgpu_context_create, context, 16);
PVGPU_FIELD(pvgpu_context_create, capset, 20);
PVGPU_FIELD(pvgpu_context_create, label, 24);

PVGPU_SIZE(pvgpu_context_destroy, 24);
PVGPU_FIELD(pvgpu_context_destroy, msg, 0);
PVGPU_FIELD(pvgpu_context_destroy, context, 16);
PVGPU_FIELD(pvgpu_context_destroy, reserved, 20);

PVGPU_SIZE(pvgpu_context_attach, 24);
PVGPU_FIELD(pvgpu_context_attach, msg, 0);
PVGPU_FIELD(pvgpu_context_attach, context, 16);
PVGPU_FIELD(pvgpu_context_attach, resource, 20);

PVGPU_SIZE(pvgpu_context_query, 24);
PVGPU_FIELD(pvgpu_context_query, msg, 0);
PVGPU_FIELD(pvgpu_context_query, context, 16);
PVGPU_FIELD(pvgpu_context_query, reserved, 20);

PVGPU_SIZE(pvgpu_context_query_done, 64);
PVGPU_FIELD(pvgpu_context_query_done, done, 0);
PVGPU_FIELD(pvgpu_context_query_done, busy, 32);
PVGPU_FIELD(pvgpu_context_query_done, batches, 40);
PVGPU_FIELD(pvgpu_context_query_done, charged, 48);
PVGPU_FIELD(pvgpu_context_query_done, flags, 56);
PVGPU_FIELD(pvgpu_context_query_done, reserved, 60);

PVGPU_SIZE(pvgpu_commit, 40);
PVGPU_FIELD(pvgpu_commit, msg, 0);
PVGPU_FIELD(pvgpu_commit, heads, 16);
PVGPU_FIELD(pvgpu_commit, flags, 20);
PVGPU_FIELD(pvgpu_commit, head_count, 24);
PVGPU_FIELD(pvgpu_commit, plane_count, 28);
PVGPU_FIELD(pvgpu_commit, clip_count, 32);
PVGPU_FIELD(pvgpu_commit, reserved, 36);

PVGPU_SIZE(pvgpu_mode, 24);
PVGPU_FIELD(pvgpu_mode, clock, 0);
PVGPU_FIELD(pvgpu_mode, hdisplay, 4);
PVGPU_FIELD(pvgpu_mode, hsync_start, 6);
PVGPU_FIELD(pvgpu_mode, hsync_end, 8);
PVGPU_FIELD(pvgpu_mode, htotal, 10);
PVGPU_FIELD(pvgpu_mode, vdisplay, 12);
PVGPU_FIELD(pvgpu_mode, vsync_start, 14);
PVGPU_FIELD(pvgpu_mode, vsync_end, 16);
PVGPU_FIELD(pvgpu_mode, vtotal, 18);
PVGPU_FIELD(pvgpu_mode, flags, 20);

PVGPU_SIZE(pvgpu_commit_head, 64);
PVGPU_FIELD(pvgpu_commit_head, head, 0);
PVGPU_FIELD(pvgpu_commit_head, flags, 4);
PVGPU_FIELD(pvgpu_commit_head, frame, 8);
PVGPU_FIELD(pvgpu_commit_head, mode, 16);
PVGPU_FIELD(pvgpu_commit_head, vblank, 40);
PVGPU_FIELD(pvgpu_commit_head, reserved, 44);

PVGPU_SIZE(pvgpu_commit_plane, 128);
PVGPU_FIELD(pvgpu_commit_plane, head, 0);
PVGPU_FIELD(pvgpu_commit_plane, plane, 4);
PVGPU_FIELD(pvgpu_commit_plane, resource, 8);
PVGPU_FIELD(pvgpu_commit_plane, format, 12);
PVGPU_FIELD(pvgpu_commit_plane, offset, 16);
PVGPU_FIELD(pvgpu_commit_plane, stride, 24);
PVGPU_FIELD(pvgpu_commit_plane, width, 28);
PVGPU_FIELD(pvgpu_commit_plane, height, 32);
PVGPU_FIELD(pvgpu_commit_plane, src_x, 36);
PVGPU_FIELD(pvgpu_commit_plane, src_y, 40);
PVGPU_FIELD(pvgpu_commit_plane, src_w, 44);
PVGPU_FIELD(pvgpu_commit_plane, src_h, 48);
PVGPU_FIELD(pvgpu_commit_plane, dst_x, 52);
PVGPU_FIELD(pvgpu_commit_plane, dst_y, 56);
PVGPU_FIELD(pvgpu_commit_plane, dst_w, 60);
PVGPU_FIELD(pvgpu_commit_plane, dst_h, 64);
PVGPU_FIELD(pvgpu_commit_plane, hot_x, 68);
PVGPU_FIELD(pvgpu_commit_plane, hot_y, 72);
PVGPU_FIELD(pvgpu_commit_plane, alpha, 76);
PVGPU_FIELD(pvgpu_commit_plane, blend, 78);
PVGPU_FIELD(pvgpu_commit_plane, first_clip, 80);
PVGPU_FIELD(pvgpu_commit_plane, clips, 84);
PVGPU_FIELD(pvgpu_commit_plane, z, 88);
PVGPU_FIELD(pvgpu_commit_plane, transform, 92);
PVGPU_FIELD(pvgpu_commit_plane, chroma_offset, 96);
PVGPU_FIELD(pvgpu_commit_plane, chroma_stride, 104);
PVGPU_FIELD(pvgpu_commit_plane, ycbcr, 108);
PVGPU_FIELD(pvgpu_commit_plane, reserved, 112);

PVGPU_SIZE(pvgpu_rect, 16);
PVGPU_FIELD(pvgpu_rect, x, 0);
PVGPU_FIELD(pvgpu_rect, y, 4);
PVGPU_FIELD(pvgpu_rect, width, 8);
PVGPU_FIELD(pvgpu_rect, height, 12);

PVGPU_SIZE(pvgpu_submit, 24);
PVGPU_FIELD(pvgpu_submit, msg, 0);
PVGPU_FIELD(pvgpu_submit, fence, 16);

PVGPU_SIZE(pvgpu_copy_area, 16);
PVGPU_FIELD(pvgpu_copy_area, resource, 0);
PVGPU_FIELD(pvgpu_copy_area, stride, 4);
PVGPU_FIELD(pvgpu_copy_area, offset, 8);

PVGPU_SIZE(pvgpu_copy_rect, 64);
PVGPU_FIELD(pvgpu_copy_rect, submit, 0);
PVGPU_FIELD(pvgpu_copy_rect, src, 24);
PVGPU_FIELD(pvgpu_copy_rect, dst, 40);
PVGPU_FIELD(pvgpu_copy_rect, row_bytes, 56);
PVGPU_FIELD(pvgpu_copy_rect, height, 60);

PVGPU_SIZE(pvgpu_copy_fill, 56);
PVGPU_FIELD(pvgpu_copy_fill, submit, 0);
PVGPU_FIELD(pvgpu_copy_fill, dst, 24);
PVGPU_FIELD(pvgpu_copy_fill, row_bytes, 40);
PVGPU_FIELD(pvgpu_copy_fill, height, 44);
PVGPU_FIELD(pvgpu_copy_fill, unit, 48);
PVGPU_FIELD(pvgpu_copy_fill, value, 52);

PVGPU_SIZE(pvgpu_virgl_submit, 48);
PVGPU_FIELD(pvgpu_virgl_submit, submit, 0);
PVGPU_FIELD(pvgpu_virgl_submit, context, 24);
PVGPU_FIELD(pvgpu_virgl_submit, resource, 28);
PVGPU_FIELD(pvgpu_virgl_submit, offset, 32);
PVGPU_FIELD(pvgpu_virgl_submit, size, 40);
PVGPU_FIELD(pvgpu_virgl_submit, reserved, 44);

PVGPU_SIZE(pvgpu_virgl_transfer, 80);
PVGPU_FIELD(pvgpu_virgl_transfer, submit, 0);
PVGPU_FIELD(pvgpu_virgl_transfer, context, 24);
PVGPU_FIELD(pvgpu_virgl_transfer, resource, 28);
PVGPU_FIELD(pvgpu_virgl_transfer, offset, 32);
PVGPU_FIELD(pvgpu_virgl_transfer, level, 40);
PVGPU_FIELD(pvgpu_virgl_transfer, stride, 44);
PVGPU_FIELD(pvgpu_virgl_transfer, layer_stride, 48);
PVGPU_FIELD(pvgpu_virgl_transfer, reserved, 52);
PVGPU_FIELD(pvgpu_virgl_transfer, x, 56);
PVGPU_FIELD(pvgpu_virgl_transfer, y, 60);
PVGPU_FIELD(pvgpu_virgl_transfer, z, 64);
PVGPU_FIELD(pvgpu_virgl_transfer, width, 68);
PVGPU_FIELD(pvgpu_virgl_transfer, height, 72);
PVGPU_FIELD(pvgpu_virgl_transfer, depth, 76);

PVGPU_SIZE(pvgpu_event_head, 24);
PVGPU_FIELD(pvgpu_event_head, msg, 0);
PVGPU_FIELD(pvgpu_event_head, heads, 16);
PVGPU_FIELD(pvgpu_event_head, reserved, 20);

#undef PVGPU_SIZE
#undef PVGPU_FIELD

#endif
