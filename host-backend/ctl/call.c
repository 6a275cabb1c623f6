// SPDX-License-Identifier: MIT
/* One call to pvgpud over Varlink, and reading its reply; see ctl.h. */
#include <ctype.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "common/fdpass.h"
#include "common/log.h"
#include "ctl.h"

#define REPLY_MAX	(16u << 20)	/* figures of 4096 vGPUs */
#define PATIENCE_SEC	60	/* the daemon has deadlines of its own */

void put_json(json_object **object)
{
	json_object_put(*object);
}

json_object *json_member(json_object *object, const char *name)
{
	json_object *value = NULL;

	if (json_object_get_type(object) != json_type_object)
		return NULL;
	json_object_object_get_ex(object, name, &value);
	return value;
}

const char *json_string(json_object *object, const char *name)
{
	json_object *value = json_member(object, name);

	return json_object_get_type(value) == json_type_string ?
		json_object_get_string(value) : "";
}

long long json_number(json_object *object, const char *name)
{
	json_object *value = json_member(object, name);

	return json_object_get_type(value) == json_type_int ?
		json_object_get_int64(value) : 0;
}

bool json_true(json_object *object, const char *name)
{
	json_object *value = json_member(object, name);

	return json_object_get_type(value) == json_type_boolean &&
	       json_object_get_boolean(value);
}

const char *ctl_safe(const char *text)
{
	static char buffers[8][1100];
	static unsigned int next;
	char *out = buffers[next++ % ARRAY_SIZE(buffers)];

	return log_printable(out, sizeof(buffers[0]), text, strlen(text));
}

json_object *ctl_named(const char *name)
{
	json_object *parameters = json_object_new_object();

	json_object_object_add(parameters, "name",
			       json_object_new_string(name));
	return parameters;
}

bool ctl_print_json(const struct ctl *ctl, json_object *reply)
{
	if (!ctl->json)
		return false;
	puts(json_object_to_json_string_ext(reply,
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
		JSON_C_TO_STRING_NOSLASHESCAPE));
	return true;
}

static int connect_daemon(const char *path, unsigned int lasts)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = PATIENCE_SEC + lasts };
	cleanup_fd int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		       sizeof(patience)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
		       sizeof(patience)) < 0)
		return -errno;
	return take_fd(&fd);
}

void ctl_close_fds(struct ctl_fds *fds)
{
	while (fds->count)
		close_fd(fds->fds[--fds->count]);
}

/* Reads up to the NUL that ends the reply; the descriptors came beside it. */
static int read_reply(int socket, char **ret_text, struct ctl_fds *ret_fds)
{
	cleanup_free char *text = NULL;
	cleanup_fds struct ctl_fds passed = { .count = 0 };
	size_t used = 0, allocated = 0;

	for (;;) {
		int fds[FDPASS_MAX];
		size_t count = 0;
		ssize_t n;

		if (used == allocated) {
			char *longer;

			if (allocated >= REPLY_MAX)
				return -EMSGSIZE;
			allocated = allocated ? allocated * 2 : 16384;
			longer = realloc(text, allocated);
			if (!longer)
				return -ENOMEM;
			text = longer;
		}
		n = fdpass_receive(socket, text + used, allocated - used, fds,
				   ARRAY_SIZE(fds), &count);
		if (n < 0)
			return (int)n;
		for (size_t i = 0; n > 0 && i < count; i++) {
			if (passed.count < ARRAY_SIZE(passed.fds))
				passed.fds[passed.count++] = fds[i];
			else
				close_fd(fds[i]);
		}
		if (n == 0)
			return -ECONNRESET;
		used += (size_t)n;
		if (!text[used - 1])
			break;
	}
	*ret_text = take_ptr(text);
	*ret_fds = passed;
	passed.count = 0;
	return 0;
}

/* "IoPvgpuError" is for programs; people get the field and the sentence. */
static void complain_error(const struct ctl *ctl, const char *error,
			   json_object *parameters)
{
	const char *field = json_string(parameters, "field");
	const char *message = json_string(parameters, "message");

	if (!*field)
		field = json_string(parameters, "parameter");
	if (!*field)
		field = json_string(parameters, "method");
	if (*field && *message)
		ctl_complain(ctl, "%s: %s", ctl_safe(field),
			     ctl_safe(message));
	else
		ctl_complain(ctl, "pvgpud says %s%s%s", ctl_safe(error),
			     *field ? ": " : "", ctl_safe(field));
}

static enum ctl_status exchange(const struct ctl *ctl, const char *request,
				char **ret_text, struct ctl_fds *ret_fds)
{
	cleanup_fd int socket = connect_daemon(ctl->socket, ctl->lasts);
	size_t size = strlen(request) + 1, sent = 0;
	int r;

	if (socket < 0) {
		ctl_complain(ctl, "%s: %s%s", ctl->socket, strerror(-socket),
			     socket == -ENOENT || socket == -ECONNREFUSED ?
			     "; is pvgpud running?" : "");
		return CTL_NO_DAEMON;
	}
	while (sent < size) {
		ssize_t n = send(socket, request + sent, size - sent,
				 MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR) {
			ctl_complain(ctl, "%s: %s", ctl->socket,
				     strerror(errno));
			return CTL_NO_DAEMON;
		}
		if (n > 0)
			sent += (size_t)n;
	}
	r = read_reply(socket, ret_text, ret_fds);
	if (r < 0) {
		ctl_complain(ctl, "%s: no whole reply: %s", ctl->socket,
			     strerror(-r));
		return CTL_NO_DAEMON;
	}
	return CTL_OK;
}

enum ctl_status ctl_call_fds(const struct ctl *ctl, const char *method,
			     json_object *parameters, json_object **ret_reply,
			     struct ctl_fds *ret_fds)
{
	cleanup_json json_object *request = json_object_new_object();
	cleanup_json json_object *reply = NULL;
	cleanup_free char *text = NULL;
	cleanup_fds struct ctl_fds passed = { .count = 0 };
	json_object *answer;
	enum ctl_status status;
	char full[96];

	snprintf(full, sizeof(full), "io.pvgpu.Manager.%s", method);
	json_object_object_add(request, "method",
			       json_object_new_string(full));
	if (parameters)
		json_object_object_add(request, "parameters", parameters);
	status = exchange(ctl, json_object_to_json_string_ext(request,
				JSON_C_TO_STRING_PLAIN), &text, &passed);
	if (status)
		return status;
	reply = json_tokener_parse(text);
	if (json_object_get_type(reply) != json_type_object) {
		ctl_complain(ctl, "%s: the reply is not Varlink", ctl->socket);
		return CTL_FAILED;
	}
	answer = json_member(reply, "parameters");
	if (*json_string(reply, "error")) {
		complain_error(ctl, json_string(reply, "error"), answer);
		return CTL_FAILED;
	}
	*ret_reply = answer ? json_object_get(answer) :
			      json_object_new_object();
	*ret_fds = passed;
	passed.count = 0;
	return CTL_OK;
}

enum ctl_status ctl_call(const struct ctl *ctl, const char *method,
			 json_object *parameters, json_object **ret_reply,
			 int *ret_fd)
{
	cleanup_fds struct ctl_fds fds = { .count = 0 };
	enum ctl_status status = ctl_call_fds(ctl, method, parameters,
					      ret_reply, &fds);

	if (!status && ret_fd)
		*ret_fd = fds.count ? take_fd(&fds.fds[0]) : -1;
	return status;
}
