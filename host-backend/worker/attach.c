// SPDX-License-Identifier: MIT
/* Attach, reset and loss; see attach.h. */
#include "attach.h"

#include <string.h>

#include "worker.h"

static struct pvgpu_host_block *host_block(struct worker *w)
{
	return (void *)(w->window + w->layout.host_offset);
}

static const struct pvgpu_guest_block *guest_block(struct worker *w)
{
	return (const void *)(w->window + w->layout.guest_offset);
}

/* Everything that the guest had is gone; the queues begin again. */
static void drop_guest(struct worker *w)
{
	virgl_reset(w);
	present_cancel(w);
	heads_dark(&w->heads);
	channels_reset(w);
	deferred_clear(w);
	resource_table_clear(&w->resources);
	w->control_held = 0;
	w->events_pending = 0;
	w->next_channel = 0;
	queues_init(w);
}

/* Writes the whole block, the nonce last: who sees it sees the rest. */
static void write_host_block(struct worker *w, uint32_t status,
			     uint32_t version)
{
	struct pvgpu_host_block *shared = host_block(w), block = {
		.generation = pvgpu_cpu_to_le32(w->attachment.generation),
		.state = pvgpu_cpu_to_le32(w->attachment.state),
		.status = pvgpu_cpu_to_le32(status),
		.version = pvgpu_cpu_to_le32(version),
		.features = pvgpu_cpu_to_le64(w->attachment.features),
	};

	memcpy((uint8_t *)shared + sizeof(block.nonce),
	       (uint8_t *)&block + sizeof(block.nonce),
	       sizeof(block) - sizeof(block.nonce));
	pvgpu_store64(&shared->nonce, w->attachment.nonce);
}

/* A number that no message of an earlier attachment carries. Kept first: a
 * worker that dies here leaves its successor a later one. */
static void next_generation(struct worker *w)
{
	uint32_t generation = w->kept->generation + 1;

	if (!generation)
		generation = 1;
	*(volatile uint32_t *)&w->kept->generation = generation;
	w->attachment.generation = generation;
}

void attach_start(struct worker *w)
{
	bool replacement = w->kept->generation != 0;

	w->attachment = (struct attachment){
		.state = replacement ? PVGPU_STATE_LOST :
				       PVGPU_STATE_DETACHED,
		.nonce = w->kept->nonce,
	};
	next_generation(w);
	drop_guest(w);
	window_write_info(w->window, &w->layout, &w->limits);
	write_host_block(w, PVGPU_STATUS_OK, 0);
	if (replacement)
		interrupt_all(w);
	attach_look(w);
}

static void read_guest(struct worker *w, const struct pvgpu_guest_block *g)
{
	struct attachment *a = &w->attachment;

	a->guest_os = pvgpu_le32_to_cpu(g->guest_os);
	a->driver_version = pvgpu_le32_to_cpu(g->driver_version);
	log_printable(a->driver_name, sizeof(a->driver_name), g->driver_name,
		      sizeof(g->driver_name));
	log_printable(a->os_name, sizeof(a->os_name), g->os_name,
		      sizeof(g->os_name));
}

static uint32_t judge(struct worker *w, const struct pvgpu_guest_block *g)
{
	uint32_t os = pvgpu_le32_to_cpu(g->guest_os);

	if (pvgpu_le32_to_cpu(g->version) != PVGPU_VERSION_1)
		return PVGPU_STATUS_VERSION;
	if (g->reserved0)
		return PVGPU_STATUS_INVALID;
	for (size_t i = 0; i < ARRAY_SIZE(g->reserved); i++)
		if (g->reserved[i])
			return PVGPU_STATUS_INVALID;
	if (os >= PVGPU_GUEST_COUNT || !(w->limits.guests & 1u << os))
		return PVGPU_STATUS_GUEST_REFUSED;
	return PVGPU_STATUS_OK;
}

void attach_look(struct worker *w)
{
	uint64_t nonce = pvgpu_load64(&guest_block(w)->nonce);
	struct attachment *a = &w->attachment;
	uint32_t status = PVGPU_STATUS_OK, version = 0;
	struct pvgpu_guest_block guest;

	if (nonce == a->nonce)
		return;
	/* Once, into private memory; the nonce that counts is the one above. */
	memcpy(&guest, guest_block(w), sizeof(guest));
	a->features = 0;
	a->state = PVGPU_STATE_DETACHED;
	if (nonce) {
		status = judge(w, &guest);
		read_guest(w, &guest);
		next_generation(w);
		a->state = PVGPU_STATE_REFUSED;
	}
	if (nonce && status == PVGPU_STATUS_OK) {
		a->state = PVGPU_STATE_ATTACHED;
		a->features = pvgpu_le64_to_cpu(guest.features) &
			      window_features(&w->limits);
		version = PVGPU_VERSION_1;
	}
	drop_guest(w);
	if (!nonce && !guest.features)
		resource_sweep_begin(&w->resources);
	window_write_info(w->window, &w->layout, &w->limits);
	a->nonce = nonce;
	write_host_block(w, status, version);
	*(volatile uint64_t *)&w->kept->nonce = nonce;
	interrupt(w, 0);
	interrupts_send(w);
	if (log_allowed(&w->guest_log)) {
		if (!nonce)
			log_info("the guest detached");
		else
			log_info("generation %u: %s (driver %s %u.%u, os %s)",
				 a->generation, status ? "refused" : "attached",
				 a->driver_name, a->driver_version >> 16,
				 a->driver_version & 0xffff, a->os_name);
	}
}

bool attach_sweep(struct worker *w)
{
	/* Who is about to attach brings what it finds in VRAM; and a zero that
	 * was read from the middle of another number is gone by now. */
	if (w->resources.sweep == w->resources.vram_size ||
	    pvgpu_load64(&guest_block(w)->nonce))
		return false;
	return resource_sweep(&w->resources);
}

void attach_broken(struct worker *w, uint32_t queue)
{
	struct pvgpu_host_block *shared = host_block(w);

	if (w->attachment.state != PVGPU_STATE_ATTACHED)
		return;
	w->attachment.state = PVGPU_STATE_BROKEN;
	for (uint32_t i = 0; i < w->limits.channels + 2; i++)
		w->queues[i].pending = false;
	pvgpu_store32(&shared->broken_queue, queue);
	pvgpu_store32_release(&shared->state, PVGPU_STATE_BROKEN);
	interrupt_all(w);
	if (log_allowed(&w->guest_log))
		log_warning("queue %u of the guest makes no sense", queue);
}
