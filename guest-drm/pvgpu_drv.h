/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The device and what its files offer each other. One section a file; each
 * subsystem's state is a struct inside struct pvgpu_card.
 *
 * Order of locks, outermost first:
 *   modeset locks > pvgpu_file.lock > context.attach_lock >
 *   reservation locks > kms.lock >
 *   channel.submit_lock > pvgpu_bo.lock > virgl.lock > vram.lock >
 *   dma_fence.lock > link.lock, channel.lock (both irq-safe, never nested)
 */
#ifndef PVGPU_DRV_H
#define PVGPU_DRV_H

#include "pvgpu_compat.h"

#include <client/client.h>
#include <pvgpu/footprint.h>

#define PVGPU_NAME		"pvgpu"
#define PVGPU_DESC		"pvgpu paravirtual GPU"
#define PVGPU_DATE		"20261122"
#define PVGPU_MAJOR		0
#define PVGPU_MINOR		1
#define PVGPU_PATCH		0

/* A host that has not answered a control request by then is lost. */
#define PVGPU_CALL_TIMEOUT	(5 * HZ)
#define PVGPU_MAX_SIDE		16384u	/* of a framebuffer, pixels */

struct pvgpu_card;
struct pvgpu_commit_build;

/* ------------------------------------------------------------ pvgpu_pci.c */

/** struct pvgpu_vector - one interrupt vector, as the handler's argument */
struct pvgpu_vector {
	struct pvgpu_card *pvgpu;
	u32 index;
	int irq;
};

/** struct pvgpu_transport - the window and its doorbells */
struct pvgpu_transport {
	/** @doorbell: register for (peer << 16 | vector); until unplug */
	void __iomem *doorbell;
	/** @window: cached mapping of all of the window; as long as the device */
	u8 *window;
	/** @bus: physical address of the window */
	phys_addr_t bus;
	/** @size: bytes of the window */
	u64 size;
	/** @vectors: interrupt vectors that we got */
	struct pvgpu_vector vectors[PVGPU_MAX_VECTORS];
	u32 num_vectors;
};

void pvgpu_transport_ring(struct pvgpu_card *pvgpu, u32 vector);
int pvgpu_pci_register(void);
void pvgpu_pci_unregister(void);

/* ----------------------------------------------------------- pvgpu_link.c */

/** struct pvgpu_request - one control message and what becomes of it */
struct pvgpu_request {
	/** @entry: in link.requests while it is under way; link.lock */
	struct list_head entry;
	struct completion done;
	/** @reply: where the completion goes, cut to @reply_size; may be NULL */
	void *reply;
	u32 reply_size;
	u32 cookie;
	/** @generation: of the attachment that it was sent in */
	u32 generation;
	/** @status: PVGPU_STATUS_*, valid where @error is 0 */
	u32 status;
	u32 detail;
	/** @error: 0 or -errno of the link */
	int error;
	/** @orphan: nobody waits: freed when it ends, bad ends reset */
	bool orphan;
	/** @polled: whoever waits looks for the answer himself as yet, and needs no
	 * interrupt; link.lock
	 */
	bool polled;
	/** @end: nobody waits: called when it ends, with link.lock held and
	 * @status or @error set; the request is the callee's
	 */
	void (*end)(struct pvgpu_request *req);
	/** @timeout: how long it is waited for, jiffies */
	unsigned long timeout;
};

/** struct pvgpu_link - attachment, control queue and event queue */
struct pvgpu_link {
	struct pvgpu_client client;
	/** @lock: protects both sides of queues control and event, @requests,
	 * @up, @cookie, @pending_heads; taken in the interrupt handler
	 */
	spinlock_t lock;
	/** @up: attached; false from the first sign of trouble */
	bool up;
	/** @stopped: suspended or going away; no reset is started */
	bool stopped;
	struct list_head requests;
	u32 cookie;
	/** @pending_heads: heads whose state changed on the host */
	u32 pending_heads;
	/** @wait: for room in the control queue */
	wait_queue_head_t wait;
	/** @kick: any interrupt of vector 0, for the attach */
	struct completion kick;
	struct workqueue_struct *wq;
	struct delayed_work reset_work;
	struct work_struct event_work;
	/** @reset_lock: one attach or detach at a time */
	struct mutex reset_lock;
	/** @poll_ns: how long an answer is looked for before who waits for it
	 * sleeps; grows while that is worth it. @polls counts. No lock.
	 */
	u32 poll_ns, polls;
	/** @backoff: until the next attempt to attach, ms; 0 after a success */
	unsigned int backoff;
	/** @scratch: what was taken last from a ring; @lock */
	u64 scratch[PVGPU_MESSAGE_MAX / sizeof(u64)];
	/* Statistics for debugfs; no lock. */
	unsigned long interrupts, doorbells, calls, failures, resets;
};

int pvgpu_link_init(struct pvgpu_card *pvgpu);
/* Attaches; 0, -EPERM if the host refuses this guest, -EIO (a retry is then
 * scheduled). Replays heads, channels and heads' state. May sleep.
 */
int pvgpu_link_start(struct pvgpu_card *pvgpu);
/* Detaches and lets nothing run any more; what VRAM holds is kept for a later
 * pvgpu_link_start(), or given up. May sleep.
 */
void pvgpu_link_stop(struct pvgpu_card *pvgpu, bool keep);
/* Something is wrong with the host: everybody who waits gets -EIO, and the
 * reset work attaches again. Any context.
 */
void pvgpu_link_fail(struct pvgpu_card *pvgpu);
bool pvgpu_link_up(struct pvgpu_card *pvgpu);
u32 pvgpu_link_generation(struct pvgpu_card *pvgpu);
irqreturn_t pvgpu_link_interrupt(struct pvgpu_card *pvgpu, u32 vector);

/* Puts a message and publishes it; waits for room. 0 or -errno. With
 * req->orphan the request must be kmalloc'ed and is the link's on success; with
 * req->end it is the link's on success until that is called.
 */
int pvgpu_link_submit(struct pvgpu_card *pvgpu, struct pvgpu_request *req,
		      void *message, u32 length);
/* Waits for a request of the former; 0 or -errno of link or status. */
int pvgpu_link_wait(struct pvgpu_card *pvgpu, struct pvgpu_request *req);
void pvgpu_request_init(struct pvgpu_request *req, void *reply, u32 size);
/* Both, for one that does not go on in between. */
int pvgpu_link_call(struct pvgpu_card *pvgpu, void *message, u32 length,
		    void *reply, u32 reply_size);
int pvgpu_status_to_errno(u32 status);
void pvgpu_msg_init(void *message, u32 opcode);

/* ----------------------------------------------------------- pvgpu_vram.c */

/** struct pvgpu_vram - the allocator of VRAM */
struct pvgpu_vram {
	/** @lock: protects all below */
	struct mutex lock;
	struct drm_mm mm;
	u64 size, used, peak;
	unsigned long objects;
};

/** struct pvgpu_piece - one extent of an allocation */
struct pvgpu_piece {
	struct drm_mm_node node;	/* in bytes from the start of VRAM */
	u64 start;			/* of it in the allocation, bytes */
};

/** struct pvgpu_extents - an allocation; immutable while it lives */
struct pvgpu_extents {
	struct pvgpu_piece **blocks;
	u32 count;
	u64 size;
};

int pvgpu_vram_init(struct pvgpu_card *pvgpu);
/* size is a multiple of a page. -ENOMEM: VRAM is full; -ENOSPC: it is in more
 * pieces than a resource may have.
 */
int pvgpu_vram_alloc(struct pvgpu_card *pvgpu, struct pvgpu_extents *ext,
		     u64 size);
void pvgpu_vram_free(struct pvgpu_card *pvgpu, struct pvgpu_extents *ext);
/* Offset in VRAM of byte `at`, and how many bytes follow it in one piece. */
u64 pvgpu_vram_offset(const struct pvgpu_extents *ext, u64 at, u64 *ret_run);
void *pvgpu_vram_address(struct pvgpu_card *pvgpu, u64 offset);
void pvgpu_vram_clear(struct pvgpu_card *pvgpu, const struct pvgpu_extents *ext);
void pvgpu_vram_write(struct pvgpu_card *pvgpu, const struct pvgpu_extents *ext,
		      u64 at, const struct iosys_map *from, size_t offset, size_t size);

/* ------------------------------------------------ pvgpu_gem.c, _prime.c */

/** struct pvgpu_bo - a buffer object: VRAM, and its resource on the host */
struct pvgpu_bo {
	struct drm_gem_object base;
	/** @surface: it lives with the renderer; @vram is empty until somebody
	 * maps it. Fixed, as are @shape, @bind and @blob.
	 */
	bool surface;
	/** @blob: made by RESOURCE_CREATE_BLOB */
	bool blob;
	struct pvgpu_surface shape;
	u32 bind;
	/** @charge: bytes of the device budget, in @generation */
	u64 charge;
	/** @creator: name of the context that it was attached to when made */
	u32 creator;
	/** @vram: filled once, with @lock held, and then as it is */
	struct pvgpu_extents vram;
	/** @lock: protects all below */
	struct mutex lock;
	/** @resource: its name on the host; 0 before the first use */
	u32 resource;
	/** @generation: of the attachment that knows @resource */
	u32 generation;
	/** @vmap: address of all of it, while @vmap_users */
	void *vmap;
	unsigned int vmap_users;
	/** @foreign_map: an imported buffer, while @foreign_users; @vram is its
	 * shadow. @foreign_copied: the shadow was filled once.
	 */
	struct iosys_map foreign_map;
	unsigned int foreign_users;
	bool foreign_copied;
};

#define to_pvgpu_bo(gem) container_of(gem, struct pvgpu_bo, base)

struct pvgpu_bo *pvgpu_bo_create(struct pvgpu_card *pvgpu, u64 size,
				 struct dma_resv *resv, bool clear);
/* The same without VRAM. */
struct pvgpu_bo *pvgpu_bo_alloc(struct pvgpu_card *pvgpu, u64 size, struct dma_resv *resv);
/* It has VRAM from here on, and so has its surface on the host. 0 or -errno. */
int pvgpu_bo_back(struct pvgpu_bo *bo);
/* A name for a resource, or -errno. */
int pvgpu_bo_name(struct pvgpu_card *pvgpu);
/* Waits for memory, names and charges of objects that are on their way out;
 * true if there were any, so that it is worth trying again.
 */
bool pvgpu_bo_reclaim(struct pvgpu_card *pvgpu);
void pvgpu_bo_graves_init(struct pvgpu_card *pvgpu);
int pvgpu_gem_dumb_create(struct drm_file *file, struct drm_device *drm,
			  struct drm_mode_create_dumb *args);
/* The host knows this object in this generation, under *ret_name. -EIO: the
 * link is down; -ENOSPC, -ENOMEM: a limit of the host.
 */
int pvgpu_bo_resource(struct pvgpu_bo *bo, u32 *ret_name);
static inline bool pvgpu_bo_foreign(struct pvgpu_bo *bo)
{
	return bo->base.import_attach;
}

struct dma_buf *pvgpu_prime_export(struct drm_gem_object *obj, int flags);
struct drm_gem_object *pvgpu_prime_import(struct drm_device *drm,
					  struct dma_buf *dma_buf);
int pvgpu_prime_mmap_foreign(struct pvgpu_bo *bo, struct vm_area_struct *vma);
void pvgpu_prime_release_foreign(struct pvgpu_bo *bo);
/* Keeps a foreign buffer mapped for the processor, to copy from in a commit. */
int pvgpu_prime_pin_foreign(struct pvgpu_bo *bo);
void pvgpu_prime_unpin_foreign(struct pvgpu_bo *bo);
/* Copies rows of a pinned foreign buffer to its shadow. */
void pvgpu_prime_sync_begin(struct pvgpu_bo *bo);
void pvgpu_prime_sync_rows(struct pvgpu_bo *bo, u64 offset, u32 stride,
			   u32 row_bytes, u32 rows);
void pvgpu_prime_sync_end(struct pvgpu_bo *bo);

/* --------------------------------- pvgpu_kms.c, _crtc, _plane, _connector */

/** struct pvgpu_plane_shown - a plane as the host was told */
struct pvgpu_plane_shown {
	struct pvgpu_bo *bo;		/* a reference, or NULL: off */
	struct pvgpu_commit_plane wire;	/* resource is filled in when sent */
};

#define PVGPU_PRIMARY	0
#define PVGPU_CURSOR	1
#define PVGPU_PLANES	2

/** struct pvgpu_head_shown - a head as the host was told; kms.lock */
struct pvgpu_head_shown {
	bool active;
	struct pvgpu_mode mode;
	u64 frame;
	struct pvgpu_plane_shown planes[PVGPU_PLANES];
};

/** struct pvgpu_vblank - the timer that ticks at a mode's exact rate */
struct pvgpu_vblank {
	struct hrtimer timer;
	/** @lock: protects @enabled and starting @timer; irq-safe, innermost */
	spinlock_t lock;
	bool enabled;
	/** @base: of tick 0; fixed while vblanks are on, like the rest */
	ktime_t base;
	/** @frame: clock cycles a frame, in millionths of @clock's unit */
	u64 frame;
	u32 clock;			/* kHz */
};

/** struct pvgpu_head - a head: its KMS objects and what is plugged in */
struct pvgpu_head {
	struct pvgpu_card *pvgpu;
	u32 index;
	struct drm_crtc *crtc;
	struct drm_plane *planes[PVGPU_PLANES];
	struct drm_connector connector;
	struct pvgpu_vblank vblank;
	struct pvgpu_head_shown shown;
	/** @plug_lock: protects what follows */
	struct mutex plug_lock;
	bool connected;
	u32 serial, width, height, refresh;
	u8 *edid;
	u32 edid_size;
};

/** struct pvgpu_plane - a plane, and where it is */
struct pvgpu_plane {
	struct drm_plane base;
	struct pvgpu_head *head;
	u32 index;			/* PVGPU_PRIMARY, PVGPU_CURSOR */
};

/** struct pvgpu_crtc - a CRTC, and where it is */
struct pvgpu_crtc {
	struct drm_crtc base;
	struct pvgpu_head *head;
};

#define to_pvgpu_plane(plane) container_of(plane, struct pvgpu_plane, base)
#define to_pvgpu_crtc(crtc) container_of(crtc, struct pvgpu_crtc, base)

/** struct pvgpu_kms - mode setting over all heads */
struct pvgpu_kms {
	/** @lock: the order in which the host sees commits, and every head's
	 * @shown, which is what the host has or will have after a reset
	 */
	struct mutex lock;
	/** @message, @build: COMMIT being built; message_max bytes; @lock */
	void *message;
	struct pvgpu_commit_build *build;
	/** @budget: atomic object: pixels of all heads, order of modesets */
	struct drm_private_obj budget;
	u32 heads;
	unsigned long commits, refused;
};

int pvgpu_kms_init(struct pvgpu_card *pvgpu);
/* Tells a host that knows nothing what all heads show. 0 or -errno. */
int pvgpu_kms_replay(struct pvgpu_card *pvgpu);
/* One plane outside an atomic commit; does not wait unless `wait`. */
void pvgpu_kms_update_plane(struct pvgpu_plane *plane, bool wait);
void pvgpu_plane_wire(struct drm_plane_state *state,
		      struct pvgpu_commit_plane *ret_wire);
int pvgpu_plane_init(struct pvgpu_head *head, u32 index);
int pvgpu_crtc_init(struct pvgpu_head *head);
int pvgpu_connector_init(struct pvgpu_head *head);
/* Asks the host what is plugged into the head; true if it changed. */
bool pvgpu_connector_query(struct pvgpu_head *head);

/* --------------------------------------------------------- pvgpu_vblank.c */

int pvgpu_vblank_init(struct pvgpu_head *head);
void pvgpu_vblank_start(struct pvgpu_head *head, const struct drm_display_mode *mode);
void pvgpu_vblank_stop(struct pvgpu_head *head);
/* ns until the head's next vblank, for the host; its vblanks are on. */
u32 pvgpu_vblank_ahead(struct pvgpu_head *head);
int pvgpu_vblank_enable(struct drm_crtc *crtc);
void pvgpu_vblank_disable(struct drm_crtc *crtc);
bool pvgpu_vblank_timestamp(struct drm_crtc *crtc, int *max_error, ktime_t *time,
			    bool in_vblank_irq);

/* ----------------------------------------------- pvgpu_channel.c, _fence.c */

/** struct pvgpu_timeline - fences that signal in the order of their making */
struct pvgpu_timeline {
	u64 context;
	u64 seqno;			/* channel.submit_lock */
};

/** struct pvgpu_arena - where the commands of a channel's batches lie: a ring,
 * as batches end in the order in which they are sent
 */
struct pvgpu_arena {
	struct pvgpu_bo *bo;		/* NULL: none yet; submit_lock */
	u64 size;			/* a power of two */
	u64 head;			/* position behind the last piece; submit_lock */
	u64 tail;			/* position of the first that is in use; lock */
};

/** struct pvgpu_channel - a channel of the host's and what is under way in it */
struct pvgpu_channel {
	struct pvgpu_card *pvgpu;
	u32 id;
	u32 class;			/* PVGPU_CHANNEL_* */
	/** @submit_lock: order of submissions; protects @next, @open */
	struct mutex submit_lock;
	/** @next: fence value of the next batch in this generation */
	u64 next;
	/** @lock: protects both sides of the queue and all that follows;
	 * irq-safe
	 */
	spinlock_t lock;
	bool open;
	/** @fences: not yet signalled, in order */
	struct list_head fences;
	/** @reap: signalled ones that still hold something, which the next
	 * submission lets go of, or @work when there is none
	 */
	struct list_head reap;
	struct delayed_work work;
	/** @progress: counts whatever may be a reason to try again */
	u32 progress;
	/** @hungry: how many wait for room */
	u32 hungry;
	/** @contexts: bound to this channel; virgl.lock */
	u32 contexts;
	struct pvgpu_arena arena;
	/** @timeline: of batches of the kernel's own */
	struct pvgpu_timeline timeline;
	wait_queue_head_t wait;
	u64 scratch[PVGPU_MESSAGE_MAX / sizeof(u64)];
	unsigned long batches, failed;
};

/** struct pvgpu_event - what a file reads when a fence has signalled */
struct pvgpu_event {
	struct drm_pending_event base;
	struct drm_event event;
};

/** struct pvgpu_fence_obj - a batch's dma_fence, and what the batch holds */
struct pvgpu_fence_obj {
	struct dma_fence base;
	spinlock_t lock;		/* of base */
	struct pvgpu_channel *channel;
	/** @entry: in channel.fences, then in channel.reap; a reference */
	struct list_head entry;
	u64 value;			/* of the channel's counter */
	/** @wanted: somebody waits for it; channel.lock, as all below */
	bool wanted;
	u64 arena_end;			/* the arena is free up to here after it */
	u32 size;			/* bytes of commands */
	struct pvgpu_context *context;	/* a reference, or NULL */
	struct drm_gem_object **objs;	/* references; the array is ours too */
	u32 count;
	bool reaped;			/* nothing is let go of any more */
	struct pvgpu_event *event;
};

/** struct pvgpu_batch - a batch to be sent */
struct pvgpu_batch {
	struct pvgpu_submit *message;	/* the fence value is filled in */
	u32 length;
	struct pvgpu_timeline *timeline;
	/** @context: whose it is, or NULL; a client's share is counted by it */
	struct pvgpu_context *context;
	/** @commands: of a VIRGL_SUBMIT; @size bytes, 0 for all others */
	const void *commands;
	u32 size;
	/** @event: taken over where it is sent */
	struct pvgpu_event *event;
	/** @objs: for pvgpu_submit() */
	struct drm_gem_object **objs;
	u32 count;
};

int pvgpu_channel_init(struct pvgpu_card *pvgpu);
int pvgpu_channel_open(struct pvgpu_card *pvgpu);
/* The generation is over: all its fences signal -EIO. Any context. */
void pvgpu_channel_fail(struct pvgpu_card *pvgpu);
void pvgpu_channel_interrupt(struct pvgpu_card *pvgpu, u32 vector);
/* Waits for what is under way, a second at most; whether there was anything. */
bool pvgpu_channel_settle(struct pvgpu_card *pvgpu);
/* Collects what is done, in all channels. */
void pvgpu_channel_collect_all(struct pvgpu_card *pvgpu);
/* There is an arena and the host knows it; 0 or -errno. */
int pvgpu_channel_prepare(struct pvgpu_channel *channel);
/* Waits, interruptibly, until the context may send this much. */
int pvgpu_channel_admit(struct pvgpu_channel *channel, struct pvgpu_context *context, u32 size);
/* Sends a batch; waits for room, interruptibly. Returns a reference to its
 * fence, or an error.
 */
struct dma_fence *pvgpu_channel_submit(struct pvgpu_channel *channel,
				       struct pvgpu_batch *batch);
/* For the fence's own functions: somebody waits; the fence is passed. */
/* Lets go of what batches held that are done. May sleep. */
void pvgpu_channel_reap(struct pvgpu_channel *channel);
bool pvgpu_channel_want(struct pvgpu_fence_obj *fence);
bool pvgpu_channel_passed(struct pvgpu_fence_obj *fence);
/* Waits, interruptibly, for what a batch in this channel must come after. */
int pvgpu_channel_wait_for(struct pvgpu_channel *channel, struct dma_fence *fence);
int pvgpu_channel_wait_resv(struct pvgpu_channel *channel, struct dma_resv *resv,
			    enum dma_resv_usage usage);

/* The next of the timeline, if it is sent; else it can be done once more. */
void pvgpu_fence_init(struct pvgpu_fence_obj *fence, const struct pvgpu_timeline *timeline);
void pvgpu_fence_sent(struct pvgpu_fence_obj *fence, struct pvgpu_timeline *timeline);
/* NULL for a fence of somebody else. */
struct pvgpu_fence_obj *pvgpu_fence_of(struct dma_fence *fence);
/* References that go when the batch is done, which it may be already, and the
 * array (kvmalloc'ed) with them. A batch of a context's.
 */
void pvgpu_fence_hold(struct dma_fence *fence, struct drm_gem_object **objs, u32 count);
void pvgpu_fence_fail(struct pvgpu_fence_obj *fence, int error);

/* ------------------------------------------------------- pvgpu_context.c */

/** struct pvgpu_virgl - rendering, over all files */
struct pvgpu_virgl {
	/** @offered: there are channels for it; fixed */
	bool offered;
	/** @lock: protects @charged, @peak, @generation, channel.contexts */
	struct mutex lock;
	/** @charged: bytes of the device budget in this @generation, as far as
	 * we know: streams make objects too
	 */
	u64 charged, peak;
	u32 generation;
	/** @names: of contexts */
	struct ida names;
	/** @caps_lock: protects @caps */
	struct mutex caps_lock;
	struct list_head caps;
	/** @kernel_lock: protects @kernel: a context of our own, for surfaces
	 * that others map; NULL until there is one
	 */
	struct mutex kernel_lock;
	struct pvgpu_context *kernel;
	/** @graves: objects that the host has not let go of yet, how many, and
	 * those that it has
	 */
	atomic_t graves;
	struct llist_head buried;
	struct work_struct bury_work;
	wait_queue_head_t wait;
	unsigned long lost;
};

/** struct pvgpu_context - an island of the renderer's state */
struct pvgpu_context {
	struct pvgpu_card *pvgpu;
	struct pvgpu_channel *channel;
	/** @refs: of the file, and of each batch under way */
	struct kref refs;
	u32 name, generation;
	/** @lost: nothing more is sent, for ever */
	bool lost;
	/** @destroyed: on the host already; its batches come back undone */
	bool destroyed;
	/** @attach_lock: protects @attached: by the name of a resource 1, or 0
	 * where it will be detached
	 */
	struct mutex attach_lock;
	struct xarray attached;
	/** @batches, @bytes: under way; channel.lock */
	u32 batches, bytes;
	char label[64];
};

#define PVGPU_MAX_RINGS 64u

/** struct pvgpu_file - an open file */
struct pvgpu_file {
	struct pvgpu_card *pvgpu;
	/** @lock: protects making @context and all that is said before */
	struct mutex lock;
	/** @context: NULL until it is needed, then fixed */
	struct pvgpu_context *context;
	u32 capset, num_rings;
	u64 poll_rings;
	char name[64];			/* "": the program's */
	struct pvgpu_timeline main, *rings;
	/** @busy: ns of the renderer, as it was told last */
	u64 busy;
	u64 client_id;			/* where the core has none */
};

bool pvgpu_virgl_offered(const struct pvgpu_device *device);
int pvgpu_virgl_init(struct pvgpu_card *pvgpu);
/* Lets go of what is the kernel's own. */
void pvgpu_virgl_stop(struct pvgpu_card *pvgpu);
/* The kernel's own context, with this surface attached; a reference. */
struct pvgpu_context *pvgpu_context_kernel(struct pvgpu_bo *bo);
int pvgpu_file_open(struct drm_device *drm, struct drm_file *file);
/* Nobody has it open any more; before its objects go. */
void pvgpu_file_release(struct drm_file *file);
void pvgpu_file_close(struct drm_device *drm, struct drm_file *file);
/* The file's context, made now if it has none. -EIO: it is lost. */
struct pvgpu_context *pvgpu_file_context(struct drm_file *file);
/* Makes it; pvgpu_file.lock is held, and there is none. */
int pvgpu_file_context_make(struct drm_file *file);
void pvgpu_context_put(struct pvgpu_context *context);
/* A batch of it was refused; any context. */
void pvgpu_context_failed(struct pvgpu_context *context, u32 opcode, u32 status, u32 detail);
bool pvgpu_context_lost(struct pvgpu_context *context);
/* Its batches may name the object from here on. */
int pvgpu_context_attach(struct pvgpu_context *context, struct pvgpu_bo *bo);
int pvgpu_context_query(struct pvgpu_context *context, struct pvgpu_context_query_done *done);
int pvgpu_gem_open(struct drm_gem_object *obj, struct drm_file *file);
void pvgpu_gem_close(struct drm_gem_object *obj, struct drm_file *file);
/* The device budget; -ENOSPC where it is full. */
int pvgpu_virgl_charge(struct pvgpu_card *pvgpu, u64 bytes, u32 *ret_generation);
/* What is charged now. */
u64 pvgpu_virgl_charged(struct pvgpu_card *pvgpu);
void pvgpu_virgl_uncharge(struct pvgpu_card *pvgpu, u64 bytes, u32 generation);

/* ---------------------- pvgpu_surface.c, _virtgpu.c, _capset.c, _execbuf.c */

/* A surface with the renderer, attached to this context. */
struct pvgpu_bo *pvgpu_surface_create(struct pvgpu_context *context,
				      const struct drm_virtgpu_resource_create *args);
/* Carries level 0 of a surface from the host into its VRAM, or back, for those who
 * map it; waits until that is done. 0 for what is no surface.
 */
int pvgpu_surface_fetch(struct pvgpu_bo *bo);
int pvgpu_surface_store(struct pvgpu_bo *bo);
/* Sends a batch that uses these objects, after all that it must come after, and
 * makes what comes next wait for it. References and array are taken over where
 * it is sent.
 */
struct dma_fence *pvgpu_submit(struct pvgpu_context *context, struct pvgpu_batch *batch);
int pvgpu_ioctl_map(struct drm_device *drm, void *data, struct drm_file *file);
int pvgpu_ioctl_execbuffer(struct drm_device *drm, void *data, struct drm_file *file);
int pvgpu_ioctl_getparam(struct drm_device *drm, void *data, struct drm_file *file);
int pvgpu_ioctl_resource_create(struct drm_device *drm, void *data, struct drm_file *file);
int pvgpu_ioctl_resource_info(struct drm_device *drm, void *data, struct drm_file *file);
int pvgpu_ioctl_transfer_from_host(struct drm_device *drm, void *data, struct drm_file *file);
int pvgpu_ioctl_transfer_to_host(struct drm_device *drm, void *data, struct drm_file *file);
int pvgpu_ioctl_wait(struct drm_device *drm, void *data, struct drm_file *file);
void pvgpu_capset_fini(struct pvgpu_card *pvgpu);
int pvgpu_ioctl_get_caps(struct drm_device *drm, void *data, struct drm_file *file);
int pvgpu_ioctl_create_blob(struct drm_device *drm, void *data, struct drm_file *file);
int pvgpu_ioctl_context_init(struct drm_device *drm, void *data, struct drm_file *file);

/* ------------------------------- pvgpu_ioctl.c, _debugfs.c, _fdinfo.c */

int pvgpu_ioctl_copy(struct drm_device *drm, void *data, struct drm_file *file);
int pvgpu_ioctl_fill(struct drm_device *drm, void *data, struct drm_file *file);
void pvgpu_debugfs_init(struct drm_minor *minor);
void pvgpu_fdinfo(struct drm_printer *p, struct drm_file *file);

/* ------------------------------------------------------------ pvgpu_drv.c */

/* Allocates the card on a parent that a transport has found to be one; `render`
 * gives it a render node.
 */
struct pvgpu_card *pvgpu_create(struct device *parent, bool render);
/* Brings it up, once the transport maps the window and interrupts. */
int pvgpu_start(struct pvgpu_card *pvgpu);
/* Takes it away; files that are still open get -ENODEV from here on. */
void pvgpu_stop(struct pvgpu_card *pvgpu);

/** struct pvgpu_card - one vGPU */
struct pvgpu_card {
	struct drm_device drm;
	struct pvgpu_transport transport;
	struct pvgpu_link link;
	struct pvgpu_vram vram;
	/** @names: resource names in use */
	struct ida names;
	struct pvgpu_kms kms;
	/** @channels: by number; NULL: not used */
	struct pvgpu_channel *channels[PVGPU_MAX_CHANNELS + 1];
	/** @copy: the kernel's own, of class COPY; NULL: the host has none */
	struct pvgpu_channel *copy;
	struct pvgpu_virgl virgl;
	struct pvgpu_head heads[PVGPU_MAX_HEADS];
};

#define to_pvgpu(d) container_of(d, struct pvgpu_card, drm)

/* Whether rendering works now, or will when the host is back. */
static inline bool pvgpu_has_virgl(struct pvgpu_card *pvgpu)
{
	return pvgpu->virgl.offered;
}

#endif
