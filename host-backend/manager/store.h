/* SPDX-License-Identifier: MIT */
/*
 * What outlives this process: descriptors in systemd's file-descriptor store,
 * under names, and beside them one JSON record in a memfd that is stored too.
 * The next pvgpud gets all of it back (sd_listen_fds), whatever ended this one.
 *
 * Without a service manager (no NOTIFY_SOCKET) nothing is kept: every call is
 * allowed then and does nothing.
 *
 * Names are NAME.WHAT for what belongs to the vGPU NAME, and words without a
 * dot for the rest; both are ASCII without ':' by their making.
 */
#ifndef PVGPU_STORE_H
#define PVGPU_STORE_H

#include <stdbool.h>

#include <json-c/json.h>

#define STORE_RECORD_MAX	(4u << 20)	/* bytes of JSON */

struct store;

/* Takes over what was handed to this process. Returns 0 or -errno. */
int store_open(struct store **ret);
/* Closes what nobody claimed; what is stored stays. Accepts NULL. */
void store_free(struct store *store);

/* Whether a service manager keeps what is put here. */
bool store_keeps(const struct store *store);

/* The inherited descriptor NAME.WHAT (or NAME alone, with `what` NULL), then
 * the caller's, or -1. */
int store_claim(struct store *store, const char *name, const char *what);
/* Whether one of that name was handed over and not claimed so far. */
bool store_has(const struct store *store, const char *name, const char *what);
/* Removes and closes all inherited descriptors that nobody claimed, with a
 * line in the log for each. Returns how many. */
unsigned int store_drop_rest(struct store *store);

/* Stores a copy of the descriptor, which stays the caller's. Returns 0 or
 * -errno; that the manager has it is certain after store_barrier(). */
int store_add(struct store *store, const char *name, const char *what, int fd);
/* Removes by name; the manager's copy is closed soon after. */
void store_remove(struct store *store, const char *name, const char *what);
/* Waits until the service manager has done all of the above. 0 or -errno. */
int store_barrier(struct store *store);

/* The record that was handed over, a new reference, or NULL. */
json_object *store_record(struct store *store);
/* Replaces the record; one that is cut short by a SIGKILL leaves the one
 * before it in force. Takes over `record`. 0 or -errno. */
int store_save(struct store *store, json_object *record);

#endif
