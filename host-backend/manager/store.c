// SPDX-License-Identifier: MIT
/* systemd's file-descriptor store and the record in it; see store.h. */
#include "store.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <systemd/sd-daemon.h>

#include "common/log.h"
#include "common/util.h"

#define RECORD_NAME	"record"
#define RECORD_MAGIC	0x315645525047564eull
#define BARRIER_USEC	(10 * 1000000ull)

/* The record lies in one of two slots, and the one with the higher number
 * counts. A header is written when its text is there in full. */
struct record_header {
	uint64_t magic;
	uint64_t number;
	uint64_t size;			/* bytes of the text behind it */
};
#define SLOT_SIZE (sizeof(struct record_header) + STORE_RECORD_MAX)

struct inherited {
	char *name;
	int fd;				/* -1: claimed */
};

struct store {
	bool keeps;
	struct inherited *inherited;
	unsigned int count;
	int record;			/* memfd; -1 until the first save */
	uint64_t number;		/* of the newest text in it */
	struct log_limit failed;
};

static void join(char out[256], const char *name, const char *what)
{
	snprintf(out, 256, "%s%s%s", name, what ? "." : "", what ? what : "");
}

static struct inherited *find(const struct store *s, const char *name,
			      const char *what)
{
	char full[256];

	join(full, name, what);
	for (unsigned int i = 0; i < s->count; i++)
		if (s->inherited[i].fd >= 0 &&
		    !strcmp(s->inherited[i].name, full))
			return &s->inherited[i];
	return NULL;
}

/* Whether NOTIFY_SOCKET is meant for us, and not for a service that we are
 * somewhere below: systemd says which process it started. */
static bool is_service(void)
{
	const char *started = getenv("SYSTEMD_EXEC_PID");

	return getenv("NOTIFY_SOCKET") &&
	       (!started || strtoll(started, NULL, 10) == getpid());
}

int store_open(struct store **ret)
{
	char **names = NULL;
	struct store *s;
	int n;

	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->record = -1;
	s->failed = (struct log_limit){ .burst = 3, .seconds = 10 };
	s->keeps = is_service();
	n = sd_listen_fds_with_names(1, &names);
	if (n < 0) {
		free(s);
		return n;
	}
	s->inherited = calloc((size_t)n + 1, sizeof(*s->inherited));
	for (int i = 0; i < n; i++) {
		if (s->inherited) {
			s->inherited[i].fd = SD_LISTEN_FDS_START + i;
			s->inherited[i].name = names[i];
			s->count++;
		} else {
			free(names[i]);
		}
	}
	free(names);
	if (!s->inherited) {
		free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	for (unsigned int i = 0; i < s->count; i++) {
		close_fd(s->inherited[i].fd);
		free(s->inherited[i].name);
	}
	free(s->inherited);
	close_fd(s->record);
	free(s);
}

bool store_keeps(const struct store *s)
{
	return s->keeps;
}

int store_claim(struct store *s, const char *name, const char *what)
{
	struct inherited *found = find(s, name, what);

	return found ? take_fd(&found->fd) : -1;
}

bool store_has(const struct store *s, const char *name, const char *what)
{
	return find(s, name, what) != NULL;
}

unsigned int store_drop_rest(struct store *s)
{
	unsigned int dropped = 0;
	char name[64];

	for (unsigned int i = 0; i < s->count; i++) {
		struct inherited *one = &s->inherited[i];

		if (one->fd < 0)
			continue;
		log_warning("store: '%s' belongs to nothing here and is "
			    "closed", log_printable(name, sizeof(name),
						    one->name,
						    strlen(one->name)));
		store_remove(s, one->name, NULL);
		one->fd = close_fd(one->fd);
		dropped++;
	}
	return dropped;
}

static int complain(struct store *s, const char *doing, const char *name,
		    int error)
{
	if (log_allowed(&s->failed))
		log_error("store: %s%s: %s; a restart may lose vGPUs", doing,
			  name, strerror(-error));
	return error;
}

int store_add(struct store *s, const char *name, const char *what, int fd)
{
	char full[256], message[320];
	int r;

	if (!s->keeps)
		return 0;
	join(full, name, what);
	/* FDPOLL=0: what has hung up is for us to notice, and to remove. */
	snprintf(message, sizeof(message), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s",
		 full);
	r = sd_pid_notify_with_fds(0, 0, message, &fd, 1);
	return r < 0 ? complain(s, "adding ", full, r) : 0;
}

void store_remove(struct store *s, const char *name, const char *what)
{
	char full[256], message[320];
	int r;

	if (!s->keeps)
		return;
	join(full, name, what);
	snprintf(message, sizeof(message), "FDSTOREREMOVE=1\nFDNAME=%s", full);
	r = sd_notify(0, message);
	if (r < 0)
		complain(s, "removing ", full, r);
}

int store_barrier(struct store *s)
{
	int r;

	if (!s->keeps)
		return 0;
	r = sd_notify_barrier(0, BARRIER_USEC);
	return r < 0 ? complain(s, "barrier", "", r) : 0;
}

/* ---------------------------------------------------------------- record */

static json_object *read_slot(int fd, unsigned int slot, uint64_t *ret_number)
{
	struct record_header header;
	cleanup_free char *text = NULL;
	off_t at = (off_t)(slot * SLOT_SIZE);
	json_object *record;

	if (pread(fd, &header, sizeof(header), at) != sizeof(header) ||
	    header.magic != RECORD_MAGIC || !header.number ||
	    header.size > STORE_RECORD_MAX)
		return NULL;
	text = malloc(header.size + 1);
	if (!text || pread(fd, text, header.size, at + (off_t)sizeof(header))
		     != (ssize_t)header.size)
		return NULL;
	text[header.size] = '\0';
	record = json_tokener_parse(text);
	if (record && !json_object_is_type(record, json_type_object)) {
		json_object_put(record);
		return NULL;
	}
	*ret_number = header.number;
	return record;
}

json_object *store_record(struct store *s)
{
	json_object *newest = NULL;

	if (s->record < 0)
		s->record = store_claim(s, RECORD_NAME, NULL);
	if (s->record < 0)
		return NULL;
	for (unsigned int slot = 0; slot < 2; slot++) {
		uint64_t number = 0;
		json_object *record = read_slot(s->record, slot, &number);

		if (record && number > s->number) {
			json_object_put(newest);
			newest = record;
			s->number = number;
		} else {
			json_object_put(record);
		}
	}
	return newest;
}

static int make_record(struct store *s)
{
	cleanup_fd int fd = memfd_create("pvgpu-record", MFD_CLOEXEC);
	int r;

	if (fd < 0 || ftruncate(fd, 2 * SLOT_SIZE) < 0)
		return -errno;
	r = store_add(s, RECORD_NAME, NULL, fd);
	if (!r)
		s->record = take_fd(&fd);
	return r;
}

static int write_all(int fd, const void *data, size_t size, off_t at)
{
	const char *from = data;

	while (size) {
		ssize_t n = pwrite(fd, from, size, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		from += n;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_record(struct store *s, const char *text, size_t size)
{
	struct record_header header = { .size = size };
	off_t at = (off_t)(((s->number + 1) % 2) * SLOT_SIZE);
	int r;

	if (size > STORE_RECORD_MAX)
		return -EFBIG;
	/* No header while the text is in the making. */
	r = write_all(s->record, &header, sizeof(header), at);
	if (!r)
		r = write_all(s->record, text, size,
			      at + (off_t)sizeof(header));
	header.magic = RECORD_MAGIC;
	header.number = s->number + 1;
	if (!r)
		r = write_all(s->record, &header, sizeof(header), at);
	if (!r)
		s->number++;
	return r;
}

int store_save(struct store *s, json_object *record)
{
	const char *text;
	size_t size;
	int r = 0;

	if (s->keeps) {
		text = json_object_to_json_string_length(record,
			JSON_C_TO_STRING_PLAIN, &size);
		if (s->record < 0)
			r = make_record(s);
		if (!r)
			r = text ? write_record(s, text, size) : -ENOMEM;
		if (r < 0)
			complain(s, "the record", "", r);
	}
	json_object_put(record);
	return r;
}
