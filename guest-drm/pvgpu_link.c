// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The attachment to the host: attach and detach, the control queue with its
 * requests and those who wait for them, the event queue, and the reset work
 * that attaches again when the host was lost.
 *
 * Completions are taken in the interrupt handler, so that a waiter is woken
 * directly; but who waits looks for the answer himself for a moment, since most
 * come sooner than one falls asleep and wakes, and while nobody sleeps no
 * interrupt is asked for. Any sign of a host that is gone (a state other than attached, a
 * ring that makes no sense, a request without answer) ends in
 * pvgpu_link_fail(): whoever waits gets -EIO at once, and the reset work goes
 * on alone.
 */
#include "pvgpu_drv.h"

#define ATTACH_TIMEOUT_MS	2000
#define DETACH_TIMEOUT_MS	1000
#define BACKOFF_FIRST_MS	50
#define BACKOFF_MAX_MS		5000
/* The moment in which an answer is looked for, and how often all of it is tried
 * though it was not worth it lately.
 */
#define POLL_MAX_NS		(100 * NSEC_PER_USEC)
#define POLL_RETRY		32

/* ---------------------------------------------------------------- hooks */

static void link_doorbell(void *context, uint32_t vector)
{
	struct pvgpu_card *pvgpu = context;

	pvgpu->link.doorbells++;
	pvgpu_transport_ring(pvgpu, vector);
}

static void link_wait(void *context, uint32_t vector, uint32_t timeout_ms)
{
	struct pvgpu_card *pvgpu = context;

	wait_for_completion_timeout(&pvgpu->link.kick,
				    msecs_to_jiffies(timeout_ms) + 1);
}

static uint64_t link_now_ms(void *context)
{
	return ktime_to_ms(ktime_get());
}

static uint64_t link_random(void *context)
{
	return get_random_u64();
}

static const struct pvgpu_client_hooks link_hooks = {
	.doorbell = link_doorbell,
	.wait = link_wait,
	.now_ms = link_now_ms,
	.random = link_random,
};

/* ------------------------------------------------------------- requests */

int pvgpu_status_to_errno(u32 status)
{
	switch (status) {
	case PVGPU_STATUS_OK:
		return 0;
	case PVGPU_STATUS_UNSUPPORTED:
	case PVGPU_STATUS_VERSION:
		return -EOPNOTSUPP;
	case PVGPU_STATUS_NOT_FOUND:
		return -ENOENT;
	case PVGPU_STATUS_EXISTS:
		return -EEXIST;
	case PVGPU_STATUS_BUSY:
		return -EBUSY;
	case PVGPU_STATUS_NO_MEMORY:
	case PVGPU_STATUS_LIMIT_WINDOW:
		return -ENOMEM;
	case PVGPU_STATUS_LIMIT_DEVICE:
	case PVGPU_STATUS_LIMIT_CONTEXTS:
	case PVGPU_STATUS_LIMIT_RESOURCES:
	case PVGPU_STATUS_LIMIT_EXTENTS:
	case PVGPU_STATUS_LIMIT_CHANNELS:
		return -ENOSPC;
	case PVGPU_STATUS_GUEST_REFUSED:
		return -EPERM;
	case PVGPU_STATUS_STALE:
	case PVGPU_STATUS_LOST:
	case PVGPU_STATUS_CONTEXT_LOST:
		return -EIO;
	default:
		return -EINVAL;
	}
}

/* Negative answers of the portable client. */
static int client_to_errno(int ret)
{
	switch (ret) {
	case PVGPU_CLIENT_NO_DEVICE:
		return -ENODEV;
	case PVGPU_CLIENT_BAD_INFO:
		return -EPROTO;
	case PVGPU_CLIENT_TIMEOUT:
		return -ETIMEDOUT;
	case PVGPU_CLIENT_TOO_LONG:
		return -EMSGSIZE;
	case PVGPU_CLIENT_FULL:
		return -EAGAIN;
	default:
		return ret < 0 ? -EIO : pvgpu_status_to_errno(ret);
	}
}

void pvgpu_msg_init(void *message, u32 opcode)
{
	((struct pvgpu_msg *)message)->opcode = pvgpu_cpu_to_le16(opcode);
}

void pvgpu_request_init(struct pvgpu_request *req, void *reply, u32 size)
{
	memset(req, 0, sizeof(*req));
	INIT_LIST_HEAD(&req->entry);
	init_completion(&req->done);
	req->reply = reply;
	req->reply_size = size;
	req->timeout = PVGPU_CALL_TIMEOUT;
}

/* Takes a request off the list; link.lock is held. */
static void request_end(struct pvgpu_request *req, int error)
{
	list_del_init(&req->entry);
	req->error = error;
	if (req->end)
		req->end(req);
	else if (req->orphan)
		kfree(req);
	else
		complete(&req->done);
}

bool pvgpu_link_up(struct pvgpu_card *pvgpu)
{
	return READ_ONCE(pvgpu->link.up);
}

u32 pvgpu_link_generation(struct pvgpu_card *pvgpu)
{
	return READ_ONCE(pvgpu->link.client.generation);
}

/* Everybody who waits goes on without an answer. */
static bool link_down(struct pvgpu_card *pvgpu)
{
	struct pvgpu_link *link = &pvgpu->link;
	struct pvgpu_request *req, *next;
	unsigned long flags;
	bool was_up;

	spin_lock_irqsave(&link->lock, flags);
	was_up = link->up;
	link->up = false;
	list_for_each_entry_safe(req, next, &link->requests, entry)
		request_end(req, -EIO);
	spin_unlock_irqrestore(&link->lock, flags);
	wake_up_all(&link->wait);
	pvgpu_channel_fail(pvgpu);
	return was_up;
}

void pvgpu_link_fail(struct pvgpu_card *pvgpu)
{
	struct pvgpu_link *link = &pvgpu->link;

	if (!link_down(pvgpu) || READ_ONCE(link->stopped))
		return;
	link->failures++;
	drm_warn(&pvgpu->drm, "the host is lost; attaching again\n");
	queue_delayed_work(link->wq, &link->reset_work, 0);
}

/* Whether an answer is awaited by somebody who does not look; link.lock is held. */
static bool link_sleepers(struct pvgpu_link *link)
{
	struct pvgpu_request *req;

	list_for_each_entry(req, &link->requests, entry) {
		if (!req->polled)
			return true;
	}
	return false;
}

/* Tries to put and publish; -EAGAIN: no room, and an interrupt is asked for. */
static int link_try_send(struct pvgpu_card *pvgpu, struct pvgpu_request *req,
			 void *message, u32 length)
{
	struct pvgpu_client *client = &pvgpu->link.client;
	struct pvgpu_link *link = &pvgpu->link;
	struct pvgpu_msg *msg = message;
	unsigned long flags;
	int ret = -EIO;

	spin_lock_irqsave(&link->lock, flags);
	if (!link->up)
		goto out;
	if (!++link->cookie)
		link->cookie = 1;
	req->cookie = link->cookie;
	req->generation = client->generation;
	msg->cookie = pvgpu_cpu_to_le32(req->cookie);
	do {
		ret = pvgpu_client_send(client, PVGPU_QUEUE_CONTROL, message, length);
	} while (ret == PVGPU_CLIENT_FULL &&
		 !pvgpu_producer_sleep(&client->queues[PVGPU_QUEUE_CONTROL].submit,
				       pvgpu_slots(length)));
	if (ret) {
		ret = client_to_errno(ret);
		goto out;
	}
	req->polled = !req->end && !req->orphan;
	list_add_tail(&req->entry, &link->requests);
	pvgpu_client_flush(client, PVGPU_QUEUE_CONTROL);
	link->calls++;
out:
	spin_unlock_irqrestore(&link->lock, flags);
	return ret;
}

/* One completion in link.scratch; link.lock is held. False: the host refused
 * what nobody waits for.
 */
static bool link_completion(struct pvgpu_link *link, int length)
{
	const struct pvgpu_completion *done = (void *)link->scratch;
	struct pvgpu_request *req;
	u32 cookie, copied;
	bool good;

	if (length < sizeof(*done))
		return true;
	cookie = pvgpu_le32_to_cpu(done->msg.cookie);
	list_for_each_entry(req, &link->requests, entry) {
		if (req->cookie != cookie)
			continue;
		req->status = pvgpu_le32_to_cpu(done->status);
		req->detail = pvgpu_le32_to_cpu(done->detail);
		copied = min_t(u32, length, req->reply_size);
		if (req->reply)
			memcpy(req->reply, link->scratch, copied);
		good = !req->orphan || !req->status;
		request_end(req, 0);
		return good;
	}
	return true;
}

static void link_event(struct pvgpu_link *link, int length)
{
	const struct pvgpu_event_head *event = (void *)link->scratch;

	/* Events that we do not know are for newer drivers. */
	if (length < sizeof(*event) ||
	    pvgpu_le16_to_cpu(event->msg.opcode) != PVGPU_EVENT_HEAD)
		return;
	link->pending_heads |= pvgpu_le32_to_cpu(event->heads);
	queue_work(link->wq, &link->event_work);
}

/* Takes all there is of control completions and events, and asks for the next
 * interrupt where somebody needs it. False: the host is lost.
 */
static bool link_drain(struct pvgpu_link *link)
{
	struct pvgpu_client *client = &link->client;
	u32 events = pvgpu_device_event_queue(&client->device);
	int length;

	do {
		while ((length = pvgpu_client_take(client, PVGPU_QUEUE_CONTROL,
						   link->scratch)) > 0) {
			if (!link_completion(link, length))
				return false;
		}
		if (length < 0)
			return false;
	} while (link_sleepers(link) && !pvgpu_client_sleep(client, PVGPU_QUEUE_CONTROL));
	do {
		while ((length = pvgpu_client_take(client, events, link->scratch)) > 0)
			link_event(link, length);
		if (length < 0)
			return false;
	} while (!pvgpu_client_sleep(client, events));
	return pvgpu_client_attached(client);
}

/* Takes what there is, and asks for the next interrupt if somebody needs it. */
static void link_look(struct pvgpu_card *pvgpu)
{
	struct pvgpu_link *link = &pvgpu->link;
	unsigned long flags;
	bool lost;

	spin_lock_irqsave(&link->lock, flags);
	lost = link->up && !link_drain(link);
	spin_unlock_irqrestore(&link->lock, flags);
	if (lost)
		pvgpu_link_fail(pvgpu);
}

int pvgpu_link_submit(struct pvgpu_card *pvgpu, struct pvgpu_request *req,
		      void *message, u32 length)
{
	/* With nobody to look for the answer the request is not ours any more. */
	bool awaited = !req->end && !req->orphan;
	unsigned long end = jiffies + PVGPU_CALL_TIMEOUT;
	struct pvgpu_link *link = &pvgpu->link;
	DEFINE_WAIT(wait);
	int ret, idx;

	if (!drm_dev_enter(&pvgpu->drm, &idx))
		return -ENODEV;
	for (;;) {
		prepare_to_wait(&link->wait, &wait, TASK_UNINTERRUPTIBLE);
		ret = link_try_send(pvgpu, req, message, length);
		if (ret != -EAGAIN)
			break;
		if (time_after(jiffies, end)) {
			ret = -EIO;
			break;
		}
		schedule_timeout(HZ / 10);
	}
	finish_wait(&link->wait, &wait);
	drm_dev_exit(idx);
	if (ret == -EIO)
		pvgpu_link_fail(pvgpu);
	else if (!ret && !awaited)
		link_look(pvgpu);
	return ret;
}

/* Looks for the answer for a moment, which is long while that is worth it. */
static void link_poll(struct pvgpu_card *pvgpu, struct pvgpu_request *req)
{
	struct pvgpu_link *link = &pvgpu->link;
	u32 most = READ_ONCE(link->poll_ns);
	u64 start = ktime_get_ns();

	if (!(link->polls++ % POLL_RETRY))
		most = POLL_MAX_NS;
	do {
		if (pvgpu_client_pending(&link->client, PVGPU_QUEUE_CONTROL))
			link_look(pvgpu);
		if (completion_done(&req->done)) {
			WRITE_ONCE(link->poll_ns, POLL_MAX_NS);
			return;
		}
		cpu_relax();
	} while (ktime_get_ns() - start < most);
	WRITE_ONCE(link->poll_ns, most / 2);
}

int pvgpu_link_wait(struct pvgpu_card *pvgpu, struct pvgpu_request *req)
{
	struct pvgpu_link *link = &pvgpu->link;
	unsigned long flags;

	link_poll(pvgpu, req);
	if (!completion_done(&req->done)) {
		spin_lock_irqsave(&link->lock, flags);
		req->polled = false;
		spin_unlock_irqrestore(&link->lock, flags);
		link_look(pvgpu);
	}
	if (!wait_for_completion_timeout(&req->done, req->timeout)) {
		bool late;

		spin_lock_irqsave(&link->lock, flags);
		late = !list_empty(&req->entry);
		if (late)
			list_del_init(&req->entry);
		spin_unlock_irqrestore(&link->lock, flags);
		if (late) {
			pvgpu_link_fail(pvgpu);
			return -EIO;
		}
	}
	return req->error ? req->error : pvgpu_status_to_errno(req->status);
}

int pvgpu_link_call(struct pvgpu_card *pvgpu, void *message, u32 length,
		    void *reply, u32 reply_size)
{
	struct pvgpu_request req;
	int ret;

	pvgpu_request_init(&req, reply, reply_size);
	ret = pvgpu_link_submit(pvgpu, &req, message, length);
	return ret ? ret : pvgpu_link_wait(pvgpu, &req);
}

/* ------------------------------------------------------------ interrupt */

irqreturn_t pvgpu_link_interrupt(struct pvgpu_card *pvgpu, u32 vector)
{
	struct pvgpu_link *link = &pvgpu->link;
	unsigned long flags;
	bool lost = false;

	link->interrupts++;
	spin_lock_irqsave(&link->lock, flags);
	if (link->up)
		lost = vector ? !pvgpu_client_attached(&link->client) :
				!link_drain(link);
	spin_unlock_irqrestore(&link->lock, flags);
	if (!vector) {
		complete(&link->kick);
		if (waitqueue_active(&link->wait))
			wake_up_all(&link->wait);
	}
	if (lost)
		pvgpu_link_fail(pvgpu);
	else
		pvgpu_channel_interrupt(pvgpu, vector);
	return IRQ_HANDLED;
}

/* ------------------------------------------------------ attach and reset */

static void link_event_work(struct work_struct *work)
{
	struct pvgpu_card *pvgpu = container_of(work, struct pvgpu_card, link.event_work);
	struct pvgpu_link *link = &pvgpu->link;
	bool changed = false;
	u32 heads, i;

	spin_lock_irq(&link->lock);
	heads = link->pending_heads;
	link->pending_heads = 0;
	spin_unlock_irq(&link->lock);

	for (i = 0; i < pvgpu->kms.heads; i++) {
		if (heads & BIT(i))
			changed |= pvgpu_connector_query(&pvgpu->heads[i]);
	}
	if (changed && pvgpu->drm.registered)
		drm_kms_helper_hotplug_event(&pvgpu->drm);
}

/* Attaches, once, and tells the host all that it does not know. reset_lock is
 * held. 0 or -errno.
 */
static int link_attach(struct pvgpu_card *pvgpu)
{
	struct pvgpu_link *link = &pvgpu->link;
	char os_name[sizeof("Linux ") + __NEW_UTS_LEN];
	const struct pvgpu_hello hello = {
		.guest_os = PVGPU_GUEST_LINUX,
		.driver_version = PVGPU_MAJOR << 16 | PVGPU_MINOR,
		.features = PVGPU_FEATURE_COPY | PVGPU_FEATURE_CURSOR | PVGPU_FEATURE_VIRGL |
			    PVGPU_FEATURE_VBLANK,
		.driver_name = PVGPU_NAME,
		.os_name = os_name,
	};
	int ret, idx;

	snprintf(os_name, sizeof(os_name), "Linux %s", init_utsname()->release);
	link_down(pvgpu);

	if (!drm_dev_enter(&pvgpu->drm, &idx))
		return -ENODEV;
	reinit_completion(&link->kick);
	ret = pvgpu_client_attach(&link->client, &hello, ATTACH_TIMEOUT_MS);
	drm_dev_exit(idx);
	if (ret)
		return client_to_errno(ret);

	/* No commit may overtake the replay of what it builds upon. */
	mutex_lock(&pvgpu->kms.lock);
	spin_lock_irq(&link->lock);
	link->up = true;
	link->pending_heads = BIT(pvgpu->kms.heads) - 1;
	if (!link_drain(link))
		link->up = false;
	spin_unlock_irq(&link->lock);
	ret = pvgpu_kms_replay(pvgpu);
	mutex_unlock(&pvgpu->kms.lock);
	if (!ret)
		ret = pvgpu_channel_open(pvgpu);
	return ret;
}

static void link_reset_work(struct work_struct *work)
{
	struct pvgpu_card *pvgpu = container_of(to_delayed_work(work), struct pvgpu_card,
						link.reset_work);
	struct pvgpu_link *link = &pvgpu->link;
	int ret;

	mutex_lock(&link->reset_lock);
	if (link->stopped || pvgpu_link_up(pvgpu))
		goto out;
	link->resets++;
	ret = link_attach(pvgpu);
	if (!ret) {
		link->backoff = 0;
		queue_work(link->wq, &link->event_work);
		drm_info(&pvgpu->drm, "attached again, generation %u\n",
			 pvgpu_link_generation(pvgpu));
		goto out;
	}
	link_down(pvgpu);
	if (ret == -ENODEV)
		goto out;
	drm_dbg_driver(&pvgpu->drm, "attach failed (%d)\n", ret);
	/* The heads go on in software meanwhile; nothing waits for this. */
	link->backoff = clamp_t(unsigned int, link->backoff * 2, BACKOFF_FIRST_MS,
				BACKOFF_MAX_MS);
	queue_delayed_work(link->wq, &link->reset_work, msecs_to_jiffies(link->backoff));
out:
	mutex_unlock(&link->reset_lock);
}

int pvgpu_link_start(struct pvgpu_card *pvgpu)
{
	struct pvgpu_link *link = &pvgpu->link;
	int ret;

	mutex_lock(&link->reset_lock);
	link->stopped = false;
	ret = link_attach(pvgpu);
	if (ret && ret != -EPERM && ret != -EOPNOTSUPP) {
		drm_warn(&pvgpu->drm, "the host does not answer (%d); trying on\n", ret);
		link_down(pvgpu);
		link->backoff = BACKOFF_FIRST_MS;
		queue_delayed_work(link->wq, &link->reset_work,
				   msecs_to_jiffies(link->backoff));
		ret = -EIO;
	}
	mutex_unlock(&link->reset_lock);
	if (!ret)
		link_event_work(&link->event_work);
	return ret;
}

void pvgpu_link_stop(struct pvgpu_card *pvgpu, bool keep)
{
	struct pvgpu_link *link = &pvgpu->link;

	mutex_lock(&link->reset_lock);
	WRITE_ONCE(link->stopped, true);
	link_down(pvgpu);
	mutex_unlock(&link->reset_lock);
	cancel_delayed_work_sync(&link->reset_work);
	cancel_work_sync(&link->event_work);

	/* A host that is gone does not answer, and need not. */
	mutex_lock(&link->reset_lock);
	reinit_completion(&link->kick);
	if (keep)
		pvgpu_client_detach(&link->client, DETACH_TIMEOUT_MS);
	else
		pvgpu_client_leave(&link->client, DETACH_TIMEOUT_MS);
	mutex_unlock(&link->reset_lock);
	/* What was under way is let go of. */
	flush_workqueue(link->wq);
}

static void link_fini(struct drm_device *drm, void *wq)
{
	destroy_workqueue(wq);
}

int pvgpu_link_init(struct pvgpu_card *pvgpu)
{
	struct pvgpu_transport *transport = &pvgpu->transport;
	struct pvgpu_link *link = &pvgpu->link;
	int ret;

	spin_lock_init(&link->lock);
	INIT_LIST_HEAD(&link->requests);
	init_waitqueue_head(&link->wait);
	init_completion(&link->kick);
	INIT_DELAYED_WORK(&link->reset_work, link_reset_work);
	INIT_WORK(&link->event_work, link_event_work);
	link->stopped = true;
	ret = drmm_mutex_init(&pvgpu->drm, &link->reset_lock);
	if (ret)
		return ret;
	link->wq = alloc_workqueue(PVGPU_NAME, WQ_UNBOUND, 0);
	if (!link->wq)
		return -ENOMEM;
	ret = drmm_add_action_or_reset(&pvgpu->drm, link_fini, link->wq);
	if (ret)
		return ret;

	ret = pvgpu_client_init(&link->client, transport->window, transport->size,
				&link_hooks, pvgpu);
	if (ret == PVGPU_CLIENT_BAD_INFO)
		drm_err(&pvgpu->drm, "the information page contradicts itself\n");
	return ret ? client_to_errno(ret) : 0;
}
