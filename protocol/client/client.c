// SPDX-License-Identifier: MIT
/*
 * The portable guest side: everything that a guest does with the window
 * before it knows anything of its own system. See client.h.
 */
#include "client.h"

static const struct pvgpu_host_block *host_block(const struct pvgpu_client *c)
{
	return (const void *)(c->window + c->device.host_offset);
}

static struct pvgpu_guest_block *guest_block(struct pvgpu_client *c)
{
	return (void *)(c->window + c->device.guest_offset);
}

static const struct pvgpu_fence *fence_words(const struct pvgpu_client *c,
					     uint32_t channel)
{
	return (const void *)(c->window + c->device.fence_offset +
			      (channel - 1) * sizeof(struct pvgpu_fence));
}

static struct pvgpu_fence_wake *fence_wake(struct pvgpu_client *c,
					   uint32_t channel)
{
	const struct pvgpu_device *d = &c->device;

	return (void *)(c->window + d->guest_offset + PVGPU_QUEUES_OFFSET +
			(uint64_t)channel * d->queue_stride +
			PVGPU_FENCE_WAKE_OFFSET(d->queue_slots));
}

/* A region lies in the window, is aligned, and holds what it must. */
static bool region_ok(uint64_t offset, uint64_t size, uint64_t need,
		      uint64_t window)
{
	return !(offset % PVGPU_REGION_ALIGN) && offset && size >= need &&
	       offset <= window && size <= window - offset;
}

static bool apart(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a + a_size <= b || b + b_size <= a;
}

static bool device_ok(const struct pvgpu_device *d, uint64_t window,
		      uint64_t host_size, uint64_t guest_size,
		      uint64_t fence_size)
{
	uint64_t queues = PVGPU_QUEUES_OFFSET +
			  (uint64_t)(d->channels + 2) * d->queue_stride;

	return d->vectors && d->vectors <= PVGPU_MAX_VECTORS &&
	       d->host_peer <= 0xffff &&
	       d->heads <= PVGPU_MAX_HEADS &&
	       d->planes && d->planes <= PVGPU_MAX_PLANES &&
	       d->channels <= PVGPU_MAX_CHANNELS &&
	       d->queue_slots && !(d->queue_slots & (d->queue_slots - 1)) &&
	       d->queue_slots <= 65536 &&
	       d->message_max >= PVGPU_SLOT_SIZE &&
	       d->message_max <= PVGPU_MESSAGE_MAX &&
	       !(d->message_max % PVGPU_SLOT_SIZE) &&
	       d->message_max <= d->queue_slots * PVGPU_SLOT_SIZE &&
	       !(d->queue_stride % PVGPU_EXTENT_ALIGN) &&
	       d->queue_stride >= PVGPU_FENCE_WAKE_OFFSET(d->queue_slots) +
				  sizeof(struct pvgpu_fence_wake) &&
	       region_ok(d->host_offset, host_size, queues, window) &&
	       region_ok(d->guest_offset, guest_size, queues, window) &&
	       region_ok(d->fence_offset, fence_size,
			 (uint64_t)d->channels * sizeof(struct pvgpu_fence),
			 window) &&
	       region_ok(d->vram_offset, d->vram_size, PVGPU_EXTENT_ALIGN,
			 window) &&
	       !(d->vram_offset % PVGPU_VRAM_ALIGN) &&
	       !(d->vram_size % PVGPU_EXTENT_ALIGN) &&
	       apart(d->host_offset, host_size, d->guest_offset, guest_size) &&
	       apart(d->host_offset, host_size, d->fence_offset, fence_size) &&
	       apart(d->host_offset, host_size, d->vram_offset, d->vram_size) &&
	       apart(d->guest_offset, guest_size, d->fence_offset,
		     fence_size) &&
	       apart(d->guest_offset, guest_size, d->vram_offset,
		     d->vram_size) &&
	       apart(d->fence_offset, fence_size, d->vram_offset, d->vram_size);
}

int pvgpu_device_read(struct pvgpu_device *d, const void *window,
		      uint64_t size)
{
	struct pvgpu_info info;
	uint32_t i;

	if (size < sizeof(info))
		return PVGPU_CLIENT_NO_DEVICE;
	pvgpu_memcpy(&info, window, sizeof(info));
	if (pvgpu_le64_to_cpu(info.magic) != PVGPU_MAGIC)
		return PVGPU_CLIENT_NO_DEVICE;
	if (pvgpu_le32_to_cpu(info.length) < sizeof(info) ||
	    pvgpu_le64_to_cpu(info.window_size) > size)
		return PVGPU_CLIENT_BAD_INFO;

	d->version_min = pvgpu_le32_to_cpu(info.version_min);
	d->version_max = pvgpu_le32_to_cpu(info.version_max);
	d->host_peer = pvgpu_le32_to_cpu(info.host_peer);
	d->features = pvgpu_le64_to_cpu(info.features);
	d->window_size = pvgpu_le64_to_cpu(info.window_size);
	d->vram_offset = pvgpu_le64_to_cpu(info.vram_offset);
	d->vram_size = pvgpu_le64_to_cpu(info.vram_size);
	d->device_budget = pvgpu_le64_to_cpu(info.device_budget);
	d->host_offset = pvgpu_le64_to_cpu(info.host_offset);
	d->guest_offset = pvgpu_le64_to_cpu(info.guest_offset);
	d->fence_offset = pvgpu_le64_to_cpu(info.fence_offset);
	d->vectors = pvgpu_le32_to_cpu(info.vectors);
	d->queue_slots = pvgpu_le32_to_cpu(info.queue_slots);
	d->queue_stride = pvgpu_le32_to_cpu(info.queue_stride);
	d->message_max = pvgpu_le32_to_cpu(info.message_max);
	d->heads = pvgpu_le32_to_cpu(info.heads);
	d->planes = pvgpu_le32_to_cpu(info.planes);
	d->max_width = pvgpu_le32_to_cpu(info.max_width);
	d->max_height = pvgpu_le32_to_cpu(info.max_height);
	d->max_pixels = pvgpu_le64_to_cpu(info.max_pixels);
	d->max_refresh = pvgpu_le32_to_cpu(info.max_refresh);
	d->cursor_max = pvgpu_le32_to_cpu(info.cursor_max);
	d->channels = pvgpu_le32_to_cpu(info.channels);
	d->channel_classes = pvgpu_le32_to_cpu(info.channel_classes);
	d->max_resources = pvgpu_le32_to_cpu(info.max_resources);
	d->max_extents = pvgpu_le32_to_cpu(info.max_extents);
	d->capsets = pvgpu_le32_to_cpu(info.capsets);
	d->max_contexts = pvgpu_le32_to_cpu(info.max_contexts);
	d->max_commands = pvgpu_le32_to_cpu(info.max_commands);
	for (i = 0; i < sizeof(info.type_name); i++)
		d->type_name[i] = (char)info.type_name[i];
	d->type_name[i] = '\0';
	for (i = 0; i < sizeof(info.vgpu_uuid); i++)
		d->vgpu_uuid[i] = info.vgpu_uuid[i];

	if (d->version_min > PVGPU_VERSION_1 ||
	    d->version_max < PVGPU_VERSION_1)
		return PVGPU_CLIENT_NO_DEVICE;
	return device_ok(d, d->window_size, pvgpu_le64_to_cpu(info.host_size),
			 pvgpu_le64_to_cpu(info.guest_size),
			 pvgpu_le64_to_cpu(info.fence_size)) ?
		0 : PVGPU_CLIENT_BAD_INFO;
}

uint32_t pvgpu_device_vector(const struct pvgpu_device *d, uint32_t queue)
{
	return pvgpu_queue_vector(queue, d->channels, d->vectors);
}

int pvgpu_client_init(struct pvgpu_client *c, void *window, uint64_t size,
		      const struct pvgpu_client_hooks *hooks, void *context)
{
	pvgpu_memset(c, 0, sizeof(*c));
	c->window = window;
	c->hooks = hooks;
	c->context = context;
	return pvgpu_device_read(&c->device, window, size);
}

void pvgpu_client_queue_init(struct pvgpu_client *c, uint32_t q)
{
	const struct pvgpu_device *d = &c->device;
	uint64_t at = PVGPU_QUEUES_OFFSET + (uint64_t)q * d->queue_stride;
	uint8_t *guest = c->window + d->guest_offset + at;
	uint8_t *host = c->window + d->host_offset + at;

	pvgpu_producer_init(&c->queues[q].submit, (void *)guest, (void *)host,
			    guest + PVGPU_RING_SLOTS_OFFSET, d->queue_slots);
	pvgpu_consumer_init(&c->queues[q].done, (void *)guest, (void *)host,
			    host + PVGPU_RING_SLOTS_OFFSET, d->queue_slots,
			    d->message_max);
	if (q != PVGPU_QUEUE_CONTROL && q <= d->channels)
		pvgpu_store64(&fence_wake(c, q)->value, ~0ull);
}

static void copy_name(uint8_t *to, uint32_t size, const char *from)
{
	uint32_t i;

	for (i = 0; i < size; i++)
		to[i] = from && *from ? (uint8_t)*from++ : 0;
}

/* Writes the nonce and waits until the host has answered it. */
static int say_nonce(struct pvgpu_client *c, uint64_t nonce,
		     uint32_t timeout_ms)
{
	uint64_t start = c->hooks->now_ms(c->context);

	c->nonce = nonce;
	pvgpu_store64(&guest_block(c)->nonce, nonce);
	/* The nonce is written before the doorbell asks to look at it. */
	pvgpu_mb();
	c->hooks->doorbell(c->context, 0);
	while (pvgpu_load64(&host_block(c)->nonce) != nonce) {
		uint64_t gone = c->hooks->now_ms(c->context) - start;

		if (gone >= timeout_ms)
			return PVGPU_CLIENT_TIMEOUT;
		c->hooks->wait(c->context, 0,
			       timeout_ms - gone < 10 ?
			       (uint32_t)(timeout_ms - gone) : 10);
	}
	return 0;
}

int pvgpu_client_attach(struct pvgpu_client *c, const struct pvgpu_hello *hello,
			uint32_t timeout_ms)
{
	const struct pvgpu_host_block *host = host_block(c);
	struct pvgpu_guest_block *guest = guest_block(c);
	uint64_t before = pvgpu_load64(&host->nonce), nonce;
	uint32_t q;
	int ret;

	c->generation = 0;
	for (q = 0; q < c->device.channels + 2; q++)
		pvgpu_client_queue_init(c, q);
	guest->version = pvgpu_cpu_to_le32(PVGPU_VERSION_1);
	guest->guest_os = pvgpu_cpu_to_le32(hello->guest_os);
	guest->features = pvgpu_cpu_to_le64(hello->features &
					    c->device.features);
	guest->driver_version = pvgpu_cpu_to_le32(hello->driver_version);
	guest->reserved0 = 0;
	copy_name(guest->driver_name, sizeof(guest->driver_name),
		  hello->driver_name);
	copy_name(guest->os_name, sizeof(guest->os_name), hello->os_name);
	pvgpu_memset(guest->reserved, 0, sizeof(guest->reserved));

	do
		nonce = c->hooks->random(c->context);
	while (!nonce || nonce == before);
	ret = say_nonce(c, nonce, timeout_ms);
	if (ret)
		return ret;

	ret = (int)pvgpu_load32(&host->status);
	if (ret || pvgpu_load32(&host->state) != PVGPU_STATE_ATTACHED)
		return ret ? ret : PVGPU_CLIENT_LOST;
	c->version = pvgpu_load32(&host->version);
	c->features = pvgpu_le64_to_cpu(host->features);
	c->generation = pvgpu_load32(&host->generation);
	return c->generation ? 0 : PVGPU_CLIENT_LOST;
}

/* Beside nonce 0, `features` says whether VRAM is still wanted. */
static int say_goodbye(struct pvgpu_client *c, uint64_t features,
		       uint32_t timeout_ms)
{
	c->generation = 0;
	pvgpu_store64(&guest_block(c)->features, features);
	/* Who sees the nonce sees that. */
	pvgpu_mb();
	return say_nonce(c, 0, timeout_ms);
}

int pvgpu_client_detach(struct pvgpu_client *c, uint32_t timeout_ms)
{
	return say_goodbye(c, ~0ull, timeout_ms);
}

int pvgpu_client_leave(struct pvgpu_client *c, uint32_t timeout_ms)
{
	return say_goodbye(c, 0, timeout_ms);
}

bool pvgpu_client_attached(const struct pvgpu_client *c)
{
	const struct pvgpu_host_block *host = host_block(c);

	return c->generation &&
	       pvgpu_load32(&host->generation) == c->generation &&
	       pvgpu_load32(&host->state) == PVGPU_STATE_ATTACHED;
}

int pvgpu_client_send(struct pvgpu_client *c, uint32_t queue, void *message,
		      uint32_t length)
{
	struct pvgpu_msg *msg = message;
	int slots;

	if (length > c->device.message_max)
		return PVGPU_CLIENT_TOO_LONG;
	if (!c->generation)
		return PVGPU_CLIENT_LOST;
	msg->length = pvgpu_cpu_to_le32(length);
	msg->generation = pvgpu_cpu_to_le32(c->generation);
	slots = pvgpu_producer_put(&c->queues[queue].submit, message, length);
	if (slots < 0)
		return PVGPU_CLIENT_LOST;
	return slots ? 0 : PVGPU_CLIENT_FULL;
}

void pvgpu_client_flush(struct pvgpu_client *c, uint32_t queue)
{
	if (pvgpu_producer_publish(&c->queues[queue].submit))
		c->hooks->doorbell(c->context,
				   pvgpu_device_vector(&c->device, queue));
}

int pvgpu_client_take(struct pvgpu_client *c, uint32_t queue, void *message)
{
	struct pvgpu_consumer *ring = &c->queues[queue].done;
	const struct pvgpu_msg *msg = message;
	int length;

	do {
		length = pvgpu_consumer_take(ring, message);
		if (length < 0)
			return PVGPU_CLIENT_LOST;
		if (!length)
			return 0;
		if (pvgpu_consumer_release(ring))
			c->hooks->doorbell(c->context,
				pvgpu_device_vector(&c->device, queue));
		/* What an older generation left behind is not ours. */
	} while (pvgpu_le32_to_cpu(msg->generation) != c->generation);
	return length;
}

bool pvgpu_client_pending(const struct pvgpu_client *c, uint32_t queue)
{
	const struct pvgpu_consumer *ring = &c->queues[queue].done;

	return pvgpu_load32(&ring->peer->produced) != ring->consumed;
}

bool pvgpu_client_sleep(struct pvgpu_client *c, uint32_t queue)
{
	return pvgpu_consumer_sleep(&c->queues[queue].done);
}

int pvgpu_client_call(struct pvgpu_client *c, void *message, uint32_t length,
		      void *reply, uint32_t timeout_ms)
{
	const struct pvgpu_completion *done = reply;
	uint64_t start = c->hooks->now_ms(c->context), gone;
	struct pvgpu_msg *msg = message;
	uint32_t cookie = ++c->next_cookie;
	int ret;

	msg->cookie = pvgpu_cpu_to_le32(cookie);
	ret = pvgpu_client_send(c, PVGPU_QUEUE_CONTROL, message, length);
	if (ret)
		return ret;
	pvgpu_client_flush(c, PVGPU_QUEUE_CONTROL);
	for (;;) {
		ret = pvgpu_client_take(c, PVGPU_QUEUE_CONTROL, reply);
		if (ret < 0)
			return ret;
		if (ret) {
			if (pvgpu_le32_to_cpu(done->msg.cookie) == cookie)
				return (int)pvgpu_le32_to_cpu(done->status);
			continue;
		}
		if (!pvgpu_client_attached(c))
			return PVGPU_CLIENT_LOST;
		gone = c->hooks->now_ms(c->context) - start;
		if (gone >= timeout_ms)
			return PVGPU_CLIENT_TIMEOUT;
		if (pvgpu_client_sleep(c, PVGPU_QUEUE_CONTROL))
			c->hooks->wait(c->context, 0,
				       (uint32_t)(timeout_ms - gone));
	}
}

uint64_t pvgpu_client_fence(const struct pvgpu_client *c, uint32_t channel,
			    uint32_t *flags)
{
	const struct pvgpu_fence *fence = fence_words(c, channel);

	if (flags)
		*flags = pvgpu_load32(&fence->flags);
	return pvgpu_load64(&fence->value);
}

bool pvgpu_client_fence_sleep(struct pvgpu_client *c, uint32_t channel,
			      uint64_t value)
{
	pvgpu_store64(&fence_wake(c, channel)->value, value);
	/* Full: we say what we wait for before we look for the last time. */
	pvgpu_mb();
	return pvgpu_client_fence(c, channel, NULL) < value;
}

int pvgpu_client_fence_wait(struct pvgpu_client *c, uint32_t channel,
			    uint64_t value, uint32_t timeout_ms)
{
	uint64_t start = c->hooks->now_ms(c->context), gone;

	while (pvgpu_client_fence_sleep(c, channel, value)) {
		if (!pvgpu_client_attached(c))
			return PVGPU_CLIENT_LOST;
		gone = c->hooks->now_ms(c->context) - start;
		if (gone >= timeout_ms)
			return PVGPU_CLIENT_TIMEOUT;
		c->hooks->wait(c->context,
			       pvgpu_device_vector(&c->device, channel),
			       (uint32_t)(timeout_ms - gone));
	}
	return 0;
}
