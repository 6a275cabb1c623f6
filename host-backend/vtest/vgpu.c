// SPDX-License-Identifier: MIT
/* A guest without a VM; see vgpu.h. */
#include "vgpu.h"

#include <string.h>

#include "common/util.h"

#define ANSWER_MS	10000u
#define ATTACH_MS	30000u

/* -------------------------------------------------------------- attaching */

int vgpu_connect(struct vgpu *v, const char *path,
		 const struct vgpu_hooks *hooks, void *context,
		 const char **ret_why)
{
	int ret;

	*v = (struct vgpu){ .hooks = hooks, .context = context };
	ret = peer_connect(&v->peer, path, ret_why);
	if (ret)
		return ret;
	if (pvgpu_client_init(&v->client, v->peer.window, v->peer.size,
			      &peer_hooks, &v->peer)) {
		*ret_why = "the information page";
		peer_disconnect(&v->peer);
		return -EPROTO;
	}
	v->vram = v->peer.window + v->client.device.vram_offset;
	return 0;
}

static void forget(struct vgpu *v)
{
	for (uint32_t at = 0; v->resources.count;) {
		uint32_t mask = (1u << v->resources.bits) - 1;
		uint32_t name = v->resources.places[at & mask].name;

		if (name)	/* moves others, and makes the table smaller */
			v->hooks->destroyed(v->context, name);
		else
			at++;
	}
	space_free(&v->space);
	names_free(&v->resources);
	memset(v->channels, 0, sizeof(v->channels));
	v->asked = v->refused = 0;
}

int vgpu_attach(struct vgpu *v)
{
	const struct pvgpu_hello hello = {
		.guest_os = PVGPU_GUEST_LINUX,
		.driver_version = 1 << 16,
		.features = PVGPU_FEATURE_VIRGL,
		.driver_name = "pvgpu-vtest",
		.os_name = "containers",
	};
	int ret;

	forget(v);
	if (!(v->client.device.features & PVGPU_FEATURE_VIRGL))
		return -ENOTSUP;
	ret = pvgpu_client_attach(&v->client, &hello, ATTACH_MS);
	if (ret == PVGPU_STATUS_GUEST_REFUSED)
		return -EACCES;
	if (ret)
		return ret == PVGPU_CLIENT_TIMEOUT ? -ETIMEDOUT : -ECONNRESET;
	if (!(v->client.features & PVGPU_FEATURE_VIRGL))
		return -ENOTSUP;
	return space_init(&v->space, v->client.device.vram_size);
}

void vgpu_disconnect(struct vgpu *v)
{
	if (vgpu_attached(v))
		pvgpu_client_leave(&v->client, ANSWER_MS);
	forget(v);
	for (uint32_t i = 0; i < VGPU_CAPSETS; i++)
		free(v->capsets[i].bytes);
	peer_disconnect(&v->peer);
}

bool vgpu_attached(const struct vgpu *v)
{
	return pvgpu_client_attached(&v->client);
}

/* --------------------------------------------------------------- requests */

static void take_control(struct vgpu *v)
{
	const struct pvgpu_completion *done = (const void *)v->reply;

	while (pvgpu_client_take(&v->client, PVGPU_QUEUE_CONTROL,
				 v->reply) > 0) {
		uint32_t status = pvgpu_le32_to_cpu(done->status);

		if (pvgpu_le16_to_cpu(done->msg.opcode) ==
		    PVGPU_OP_RESOURCE_DESTROY) {
			v->hooks->destroyed(v->context,
				pvgpu_le32_to_cpu(done->msg.cookie));
			continue;
		}
		if (v->asked)
			v->asked--;
		if (!v->refused)
			v->refused = status;
		if (!v->asked)
			break;		/* settle() leaves the last in reply */
	}
}

/* Takes what comes until `there` of it is; -ECONNRESET. */
static int wait_control(struct vgpu *v, bool (*there)(struct vgpu *v))
{
	uint64_t start = peer_now_ms();

	pvgpu_client_flush(&v->client, PVGPU_QUEUE_CONTROL);
	for (;;) {
		take_control(v);
		if (there(v))
			return 0;
		if (!vgpu_attached(v) || peer_now_ms() - start > ANSWER_MS)
			return -ECONNRESET;
		if (pvgpu_client_sleep(&v->client, PVGPU_QUEUE_CONTROL))
			peer_interrupted(&v->peer, 0, 1000);
	}
}

static bool all_answered(struct vgpu *v)
{
	return !v->asked;
}

static bool any_room(struct vgpu *v)
{
	struct pvgpu_producer *ring =
		&v->client.queues[PVGPU_QUEUE_CONTROL].submit;

	return !pvgpu_producer_sleep(ring, PVGPU_MESSAGE_MAX /
					   PVGPU_SLOT_SIZE);
}

static int put(struct vgpu *v, uint16_t opcode, uint32_t cookie, void *message,
	       uint32_t length)
{
	struct pvgpu_msg *msg = message;
	int ret;

	msg->opcode = pvgpu_cpu_to_le16(opcode);
	msg->cookie = pvgpu_cpu_to_le32(cookie);
	ret = pvgpu_client_send(&v->client, PVGPU_QUEUE_CONTROL, message,
				length);
	if (ret == PVGPU_CLIENT_FULL) {
		ret = wait_control(v, any_room);
		if (!ret)
			ret = pvgpu_client_send(&v->client,
						PVGPU_QUEUE_CONTROL, message,
						length);
	}
	return ret ? -ECONNRESET : 0;
}

int vgpu_ask(struct vgpu *v, uint16_t opcode, void *message, uint32_t length)
{
	int ret = put(v, opcode, 0, message, length);

	v->asked += !ret;
	return ret;
}

int vgpu_settle(struct vgpu *v)
{
	int ret = wait_control(v, all_answered);
	uint32_t refused = v->refused;

	v->refused = 0;
	return ret ? ret : (int)refused;
}

int vgpu_destroy(struct vgpu *v, uint32_t resource)
{
	struct pvgpu_resource_destroy q = {
		.resource = pvgpu_cpu_to_le32(resource),
	};
	int ret = put(v, PVGPU_OP_RESOURCE_DESTROY, resource, &q, sizeof(q));

	pvgpu_client_flush(&v->client, PVGPU_QUEUE_CONTROL);
	return ret;
}

uint32_t vgpu_name(struct vgpu *v)
{
	do
		v->last_name++;
	while (!v->last_name || v->last_name == UINT32_MAX ||
	       names_get(&v->resources, v->last_name));
	return v->last_name;
}

/* One piece of it; *ret_total is how long it is. */
static int capset_piece(struct vgpu *v, uint32_t capset, uint32_t offset,
			uint8_t **bytes, uint32_t *ret_size,
			uint32_t *ret_total)
{
	struct pvgpu_capset q = {
		.capset = pvgpu_cpu_to_le32(capset),
		.version = pvgpu_cpu_to_le32(1),
		.offset = pvgpu_cpu_to_le32(offset),
		.size = pvgpu_cpu_to_le32(PVGPU_CAPSET_CHUNK_MAX),
	};
	struct pvgpu_capset_done done;
	uint32_t size;
	uint8_t *more;
	int ret = vgpu_ask(v, PVGPU_OP_CAPSET, &q, sizeof(q));

	if (!ret)
		ret = vgpu_settle(v);
	if (ret)
		return ret;
	memcpy(&done, v->reply, sizeof(done));
	size = pvgpu_le32_to_cpu(done.size);
	*ret_total = pvgpu_le32_to_cpu(done.total);
	if (!size || size > PVGPU_CAPSET_CHUNK_MAX ||
	    *ret_total > 1u << 20 || size > *ret_total - offset)
		return -EPROTO;
	more = realloc(*bytes, offset + size);
	if (!more)
		return -ENOMEM;
	memcpy(more + offset, v->reply + sizeof(done), size);
	*bytes = more;
	*ret_size = offset + size;
	return 0;
}

int vgpu_capset(struct vgpu *v, uint32_t capset,
		const struct vgpu_capset **ret)
{
	struct vgpu_capset *kept = &v->capsets[capset];
	uint32_t size = 0, total = 1;
	cleanup_free uint8_t *bytes = NULL;
	int r;

	while (!kept->bytes && size < total) {
		r = capset_piece(v, capset, size, &bytes, &size, &total);
		if (r)
			return r;
	}
	if (!kept->bytes)
		*kept = (struct vgpu_capset){ take_ptr(bytes), size };
	*ret = kept;
	return 0;
}

/* --------------------------------------------------------------- channels */

int vgpu_channel_join(struct vgpu *v, uint32_t *ret_channel)
{
	uint32_t best = 1;
	struct vgpu_channel *c;

	for (uint32_t i = 2; i <= v->client.device.channels; i++)
		if (v->channels[i].users < v->channels[best].users)
			best = i;
	c = &v->channels[best];
	if (!c->open) {
		struct pvgpu_channel_open q = {
			.channel = pvgpu_cpu_to_le32(best),
			.channel_class = pvgpu_cpu_to_le32(
				PVGPU_CHANNEL_VIRGL),
		};
		int ret;

		pvgpu_client_queue_init(&v->client, best);
		ret = vgpu_ask(v, PVGPU_OP_CHANNEL_OPEN, &q, sizeof(q));
		if (!ret)
			ret = vgpu_settle(v);
		if (ret)
			return ret;
		c->open = true;
	}
	c->users++;
	*ret_channel = best;
	return 0;
}

void vgpu_channel_leave(struct vgpu *v, uint32_t channel)
{
	if (v->channels[channel].users)
		v->channels[channel].users--;
}

int vgpu_submit(struct vgpu *v, uint32_t channel, uint16_t opcode,
		uint32_t cookie, void *batch, uint32_t length,
		uint64_t *ret_fence)
{
	struct vgpu_channel *c = &v->channels[channel];
	struct pvgpu_submit *submit = batch;
	int ret;

	submit->msg.opcode = pvgpu_cpu_to_le16(opcode);
	submit->msg.cookie = pvgpu_cpu_to_le32(cookie);
	submit->fence = pvgpu_cpu_to_le64(c->sent + 1);
	ret = pvgpu_client_send(&v->client, channel, batch, length);
	if (ret)
		return ret == PVGPU_CLIENT_FULL ? -EAGAIN : -ECONNRESET;
	pvgpu_client_flush(&v->client, channel);
	*ret_fence = ++c->sent;
	return 0;
}

bool vgpu_done(const struct vgpu *v, uint32_t channel, uint64_t fence)
{
	return pvgpu_client_fence(&v->client, channel, NULL) >= fence;
}

/* ---------------------------------------------------------------- waiting */

static void take_channel(struct vgpu *v, uint32_t channel)
{
	const struct pvgpu_completion *done = (const void *)v->reply;

	while (pvgpu_client_take(&v->client, channel, v->reply) > 0)
		if (done->status)
			v->hooks->failed(v->context,
				pvgpu_le32_to_cpu(done->msg.cookie),
				pvgpu_le32_to_cpu(done->status),
				pvgpu_le32_to_cpu(done->detail));
}

void vgpu_take(struct vgpu *v)
{
	uint32_t events = pvgpu_device_event_queue(&v->client.device);

	take_control(v);
	for (uint32_t i = 1; i <= v->client.device.channels; i++)
		if (v->channels[i].open)
			take_channel(v, i);
	/* What is plugged in is nothing to us. */
	while (pvgpu_client_take(&v->client, events, v->reply) > 0)
		;
}

bool vgpu_sleep(struct vgpu *v)
{
	uint32_t events = pvgpu_device_event_queue(&v->client.device);
	bool may = pvgpu_client_sleep(&v->client, PVGPU_QUEUE_CONTROL);

	may = pvgpu_client_sleep(&v->client, events) && may;
	for (uint32_t i = 1; i <= v->client.device.channels; i++)
		if (v->channels[i].open)
			may = pvgpu_client_sleep(&v->client, i) && may;
	return may;
}
