/* SPDX-License-Identifier: MIT */
/*
 * The portable guest side of the protocol: read the device information,
 * attach, send, take, call, wait. Freestanding C11, no allocation, no globals;
 * the Linux module, the conformance client, and any firmware or Windows driver
 * compile these same files. What it needs of the system is four hooks.
 *
 * Threads: a queue's sending side and its taking side may each be used by one
 * thread at a time, and the two by different threads; attach and detach by
 * one thread while nobody uses any queue.
 */
#ifndef PVGPU_CLIENT_H
#define PVGPU_CLIENT_H

#include <pvgpu/ring.h>

/* Answers of the functions below: 0, or a negative one of these. A status of
 * the host (PVGPU_STATUS_*) is positive. */
#define PVGPU_CLIENT_NO_DEVICE	(-1)	/* no magic, or not this protocol */
#define PVGPU_CLIENT_BAD_INFO	(-2)	/* information that contradicts itself */
#define PVGPU_CLIENT_TIMEOUT	(-3)	/* the host did not answer in time */
#define PVGPU_CLIENT_FULL	(-4)	/* no room in the ring now */
#define PVGPU_CLIENT_LOST	(-5)	/* the attachment is over: attach again */
#define PVGPU_CLIENT_TOO_LONG	(-6)	/* beyond the device's message_max */

struct pvgpu_client_hooks {
	/* Writes the Doorbell register for this vector. */
	void (*doorbell)(void *context, uint32_t vector);
	/* Sleeps until the vector's interrupt, at most timeout_ms; may return
	 * early. */
	void (*wait)(void *context, uint32_t vector, uint32_t timeout_ms);
	/* Any clock that only goes forward, milliseconds. */
	uint64_t (*now_ms)(void *context);
	/* 64 bits that no earlier guest of this device is likely to have used. */
	uint64_t (*random)(void *context);
};

/* struct pvgpu_info in the processor's byte order, checked. */
struct pvgpu_device {
	uint32_t version_min, version_max;
	uint32_t host_peer;
	uint64_t features;
	uint64_t window_size;
	uint64_t vram_offset, vram_size;
	uint64_t device_budget;
	uint64_t host_offset, guest_offset, fence_offset;
	uint32_t vectors;
	uint32_t queue_slots, queue_stride, message_max;
	uint32_t heads, planes;
	uint32_t max_width, max_height;
	uint64_t max_pixels;
	uint32_t max_refresh;			/* mHz */
	uint32_t cursor_max;
	uint32_t channels, channel_classes;
	uint32_t max_resources, max_extents;
	uint32_t capsets, max_contexts, max_commands;
	char type_name[33];
	uint8_t vgpu_uuid[16];
};

struct pvgpu_client_queue {
	struct pvgpu_producer submit;
	struct pvgpu_consumer done;
};

/* Who attaches; strings are NUL-terminated and cut to fit. */
struct pvgpu_hello {
	uint32_t guest_os;			/* PVGPU_GUEST_* */
	uint32_t driver_version;		/* major << 16 | minor */
	uint64_t features;			/* wanted */
	const char *driver_name;
	const char *os_name;
};

struct pvgpu_client {
	struct pvgpu_device device;
	uint8_t *window;			/* the caller's mapping */
	const struct pvgpu_client_hooks *hooks;
	void *context;
	uint64_t nonce;				/* of the attach under way */
	uint32_t generation;			/* 0: not attached */
	uint32_t version;
	uint64_t features;			/* granted */
	uint32_t next_cookie;
	struct pvgpu_client_queue queues[PVGPU_MAX_CHANNELS + 2];
};

/* Reads and checks the information page of a window of `size` bytes. */
int pvgpu_device_read(struct pvgpu_device *device, const void *window,
		      uint64_t size);

/* Reads the device; attaches nothing. The window stays the caller's, and must
 * outlive the client. */
int pvgpu_client_init(struct pvgpu_client *client, void *window, uint64_t size,
		      const struct pvgpu_client_hooks *hooks, void *context);

/* Takes the device over from whoever had it: all guest state on the host is
 * gone, and every ring is empty. Blocks up to timeout_ms. Returns 0, a
 * PVGPU_STATUS_* with which the host refused, or TIMEOUT. */
int pvgpu_client_attach(struct pvgpu_client *client,
			const struct pvgpu_hello *hello, uint32_t timeout_ms);

/* Tells the host that the guest is going; waits for its answer. VRAM keeps
 * what it holds. */
int pvgpu_client_detach(struct pvgpu_client *client, uint32_t timeout_ms);
/* And that what VRAM holds is needed no more: the host may have it. */
int pvgpu_client_leave(struct pvgpu_client *client, uint32_t timeout_ms);

/* Whether the host still holds this attachment. */
bool pvgpu_client_attached(const struct pvgpu_client *client);

/* Starts a channel's queue over at position 0, as CHANNEL_OPEN needs it: to be
 * called before the request is sent, while the channel is closed and nobody
 * uses the queue. Attach does it for every queue. */
void pvgpu_client_queue_init(struct pvgpu_client *client, uint32_t queue);

/* Puts a message (its generation is filled in here, in place) without telling
 * the host; flush publishes all that was put, and rings if it must. */
int pvgpu_client_send(struct pvgpu_client *client, uint32_t queue,
		      void *message, uint32_t length);
void pvgpu_client_flush(struct pvgpu_client *client, uint32_t queue);

/* Copies the next completion or event of this generation into `message`
 * (message_max bytes, 8-byte aligned) and frees its slots. Returns its
 * length, 0 if there is none, or LOST. */
int pvgpu_client_take(struct pvgpu_client *client, uint32_t queue,
		      void *message);

/* Whether there may be something to take; a look that needs no lock. */
bool pvgpu_client_pending(const struct pvgpu_client *client, uint32_t queue);

/* Asks for an interrupt at the next completion; false: there is one now. */
bool pvgpu_client_sleep(struct pvgpu_client *client, uint32_t queue);

/* Control round trip: sends, waits, and copies the completion into `reply`
 * (message_max bytes). Completions of other requests are dropped, so it is
 * for users with one request at a time. Returns the status, or negative. */
int pvgpu_client_call(struct pvgpu_client *client, void *message,
		      uint32_t length, void *reply, uint32_t timeout_ms);

/* The channel's fence as far as it got; flags may be NULL. */
uint64_t pvgpu_client_fence(const struct pvgpu_client *client,
			    uint32_t channel, uint32_t *flags);

/* Asks for an interrupt when the channel's fence reaches value; returns true
 * if it may sleep, false if the fence is there already. */
bool pvgpu_client_fence_sleep(struct pvgpu_client *client, uint32_t channel,
			      uint64_t value);
int pvgpu_client_fence_wait(struct pvgpu_client *client, uint32_t channel,
			    uint64_t value, uint32_t timeout_ms);

/* The interrupt vector and doorbell of a queue. */
uint32_t pvgpu_device_vector(const struct pvgpu_device *device,
			     uint32_t queue);
PVGPU_INLINE uint32_t pvgpu_device_event_queue(const struct pvgpu_device *d)
{
	return d->channels + 1;
}

#endif
