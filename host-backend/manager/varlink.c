// SPDX-License-Identifier: MIT
/* The service side of Varlink; see varlink.h. */
#include "varlink.h"

#include <stdarg.h>
#include <string.h>

#include "common/log.h"
#include "manager.h"

#define DEPTH_MAX	8	/* of JSON; our calls need 2 */
#define OWN_INTERFACE	"io.pvgpu.Manager"
#define BASE_INTERFACE	"org.varlink.service"

/* The interface as the file beside this one says it, ready to be served. */
__asm__(".pushsection .rodata\n"
	"manager_description:\n"
	".incbin \"host-backend/manager/io.pvgpu.Manager.varlink\"\n"
	".byte 0\n"
	".popsection\n");
extern const char manager_description[] __attribute__((visibility("hidden")));

static const char base_description[] =
	"# The service interface of Varlink.\n"
	"interface org.varlink.service\n"
	"\n"
	"method GetInfo() -> (vendor: string, product: string, "
	"version: string, url: string, interfaces: []string)\n"
	"method GetInterfaceDescription(interface: string) -> "
	"(description: string)\n"
	"\n"
	"error InterfaceNotFound (interface: string)\n"
	"error MethodNotFound (method: string)\n"
	"error MethodNotImplemented (method: string)\n"
	"error InvalidParameter (parameter: string)\n"
	"error PermissionDenied ()\n"
	"error ExpectedMore ()\n";

void json_put(json_object *object, const char *name, json_object *value)
{
	json_object_object_add(object, name, value);
}

void json_put_int(json_object *object, const char *name, uint64_t value)
{
	json_put(object, name, json_object_new_int64(
		value > INT64_MAX ? INT64_MAX : (int64_t)value));
}

void json_put_string(json_object *object, const char *name, const char *value)
{
	json_put(object, name, json_object_new_string(value));
}

/* ----------------------------------------------------------------- reply */

/* One line on a call that changes something: who, what, how it ended. */
static void log_call(const struct varlink_call *call, json_object *reply)
{
	json_object *error = NULL, *parameters = NULL, *message = NULL;
	const char *arguments, *name;
	char text[600], why[400] = "";

	if (!call->method || !call->method->changes)
		return;
	name = strrchr(call->method->name, '.') + 1;
	arguments = json_object_to_json_string_ext(call->parameters,
		JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	log_printable(text, sizeof(text), arguments ? arguments : "",
		      arguments ? strlen(arguments) : 0);
	json_object_object_get_ex(reply, "error", &error);
	json_object_object_get_ex(reply, "parameters", &parameters);
	if (error && json_object_object_get_ex(parameters, "message",
					       &message))
		log_printable(why, sizeof(why),
			      json_object_get_string(message),
			      (size_t)json_object_get_string_len(message));
	log_line(error ? LEVEL_WARNING : LEVEL_INFO,
		 "control: uid %u gid %u pid %d: %s %s: %s%s%s",
		 call->peer.uid, call->peer.gid, (int)call->peer.pid, name,
		 text, !reply ? "the caller left before the end" :
		 error ? strrchr(json_object_get_string(error), '.') + 1 :
		 "done", *why ? ": " : "", why);
}

/* Ends the call; takes `reply` and the descriptors. */
static void finish(struct varlink_call *call, json_object *reply,
		   const int *fds, size_t count)
{
	const char *text;
	char *copy;
	size_t length;
	bool oneway = call->oneway;

	log_call(call, reply);
	json_object_put(call->message);
	call->message = call->parameters = NULL;
	call->method = NULL;
	call->pending = NULL;
	call->cancel = NULL;
	call->busy = false;
	if (!oneway) {
		text = json_object_to_json_string_length(reply,
			JSON_C_TO_STRING_PLAIN |
			JSON_C_TO_STRING_NOSLASHESCAPE, &length);
		copy = text ? malloc(length + 1) : NULL;
		if (copy)
			memcpy(copy, text, length + 1);
		/* Out of memory: a size of 0 ends the connection. */
		call->send(call->userdata, copy, copy ? length + 1 : 0, fds,
			   count);
	} else {
		while (count)
			close_fd(fds[--count]);
	}
	json_object_put(reply);
}

void varlink_reply_fds(struct varlink_call *call, json_object *parameters,
		       const int *fds, size_t count)
{
	json_object *reply = json_object_new_object();

	json_put(reply, "parameters",
		 parameters ? parameters : json_object_new_object());
	finish(call, reply, fds, count);
}

void varlink_reply(struct varlink_call *call, json_object *parameters, int fd)
{
	varlink_reply_fds(call, parameters, &fd, fd >= 0);
}

static void error_reply(struct varlink_call *call, const char *interface,
			const char *name, json_object *parameters)
{
	json_object *reply = json_object_new_object();
	char full[128];

	snprintf(full, sizeof(full), "%s.%s", interface, name);
	json_put_string(reply, "error", full);
	json_put(reply, "parameters", parameters);
	finish(call, reply, NULL, 0);
}

void varlink_error(struct varlink_call *call, const char *name,
		   const char *field, const char *format, ...)
{
	json_object *parameters = json_object_new_object();
	char message[1024], printable[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	/* It may quote a caller, cut in the middle of a character. */
	log_printable(printable, sizeof(printable), message, sizeof(message));
	json_put_string(parameters, "field", field);
	json_put_string(parameters, "message", printable);
	error_reply(call, OWN_INTERFACE, name, parameters);
}

/* An error of the base interface, about `what` ("method"...) of this value. */
static void base_error(struct varlink_call *call, const char *name,
		       const char *what, const char *value,
		       const char *message)
{
	json_object *parameters = json_object_new_object();

	json_put_string(parameters, what, value);
	if (message)
		json_put_string(parameters, "message", message);
	error_reply(call, BASE_INTERFACE, name, parameters);
}

void varlink_cancel(struct varlink_call *call)
{
	if (!call->busy)
		return;
	if (call->cancel)
		call->cancel(call->pending);
	log_call(call, NULL);
	json_object_put(call->message);
	call->message = call->parameters = NULL;
	call->method = NULL;
	call->busy = false;
}

/* ------------------------------------------------------------ parameters */

static json_object *parameter(const struct varlink_call *call,
			      const char *name)
{
	json_object *value = NULL;

	json_object_object_get_ex(call->parameters, name, &value);
	return value;
}

bool varlink_given(const struct varlink_call *call, const char *name)
{
	return parameter(call, name) != NULL;
}

const char *varlink_string(const struct varlink_call *call, const char *name)
{
	json_object *value = parameter(call, name);

	return value ? json_object_get_string(value) : NULL;
}

int64_t varlink_int(const struct varlink_call *call, const char *name)
{
	return json_object_get_int64(parameter(call, name));
}

bool varlink_bool(const struct varlink_call *call, const char *name)
{
	return json_object_get_boolean(parameter(call, name));
}

static const char *type_text(enum json_type type)
{
	switch (type) {
	case json_type_string:	return "a string without NUL is allowed";
	case json_type_int:	return "a whole number is allowed";
	case json_type_boolean:	return "true or false is allowed";
	default:		return "something else is allowed";
	}
}

static bool parameter_fits(const struct varlink_parameter *expected,
			   json_object *value)
{
	if (!value)
		return expected->optional;
	if (json_object_get_type(value) != expected->type)
		return false;
	return expected->type != json_type_string ||
	       strlen(json_object_get_string(value)) ==
		       (size_t)json_object_get_string_len(value);
}

/* Replies with an error, and returns false, if a parameter is wrong. */
static bool check_parameters(struct varlink_call *call,
			     const struct varlink_parameter *table)
{
	const struct varlink_parameter *p;

	json_object_object_foreach(call->parameters, name, unused) {
		(void)unused;
		for (p = table; p->name; p++)
			if (!strcmp(p->name, name))
				break;
		if (!p->name) {
			char message[256] = "is not a parameter of this method; "
				"allowed are:";
			size_t used = strlen(message);

			for (p = table; p->name; p++)
				used += (size_t)snprintf(message + used,
					sizeof(message) - used, " %s",
					p->name);
			if (!table->name)
				snprintf(message + used,
					 sizeof(message) - used, " none");
			base_error(call, "InvalidParameter", "parameter", name,
				   message);
			return false;
		}
	}
	for (p = table; p->name; p++) {
		if (parameter_fits(p, parameter(call, p->name)))
			continue;
		base_error(call, "InvalidParameter", "parameter", p->name,
			   type_text(p->type));
		return false;
	}
	return true;
}

/* -------------------------------------------------- org.varlink.service */

static void get_info(struct varlink_call *call)
{
	json_object *reply = json_object_new_object();
	json_object *interfaces = json_object_new_array();

	json_put_string(reply, "vendor", "pvgpu");
	json_put_string(reply, "product", "pvgpud");
	json_put_string(reply, "version", PVGPU_RELEASE);
	json_put_string(reply, "url", "");
	json_object_array_add(interfaces,
			      json_object_new_string(BASE_INTERFACE));
	json_object_array_add(interfaces,
			      json_object_new_string(OWN_INTERFACE));
	json_put(reply, "interfaces", interfaces);
	varlink_reply(call, reply, -1);
}

static void get_interface_description(struct varlink_call *call)
{
	const char *interface = varlink_string(call, "interface");
	json_object *reply;
	const char *text;

	if (!strcmp(interface, OWN_INTERFACE)) {
		text = manager_description;
	} else if (!strcmp(interface, BASE_INTERFACE)) {
		text = base_description;
	} else {
		base_error(call, "InterfaceNotFound", "interface", interface,
			   NULL);
		return;
	}
	reply = json_object_new_object();
	json_put_string(reply, "description", text);
	varlink_reply(call, reply, -1);
}

static const struct varlink_method base_methods[] = {
	{ BASE_INTERFACE ".GetInfo",
	  (const struct varlink_parameter[]){ { 0 } }, get_info, false },
	{ BASE_INTERFACE ".GetInterfaceDescription",
	  (const struct varlink_parameter[]){
		  { "interface", json_type_string, false }, { 0 } },
	  get_interface_description, false },
	{ 0 }
};

/* -------------------------------------------------------------- dispatch */

static const struct varlink_method *find_method(const char *name)
{
	const struct varlink_method *const tables[] = {
		base_methods, manager_methods,
	};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct varlink_method *m = tables[i]; m->name; m++)
			if (!strcmp(m->name, name))
				return m;
	return NULL;
}

static void method_missing(struct varlink_call *call, const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t length = dot ? (size_t)(dot - name) : 0;
	char interface[128];

	if ((length == strlen(OWN_INTERFACE) &&
	     !memcmp(name, OWN_INTERFACE, length)) ||
	    (length == strlen(BASE_INTERFACE) &&
	     !memcmp(name, BASE_INTERFACE, length))) {
		base_error(call, "MethodNotFound", "method", name, NULL);
		return;
	}
	if (length >= sizeof(interface))
		length = sizeof(interface) - 1;
	log_printable(interface, length + 1, name, length);
	base_error(call, "InterfaceNotFound", "interface", interface, NULL);
}

/* The message as an object, or NULL and why not. */
static json_object *parse(const char *message, size_t length,
			  const char **ret_why)
{
	json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	json_object *object;

	*ret_why = "out of memory";
	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT |
					JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, message, (int)length);
	*ret_why = json_tokener_get_error(tokener) == json_tokener_continue ?
		"it ends too early" :
		json_tokener_error_desc(json_tokener_get_error(tokener));
	if (object && json_tokener_get_parse_end(tokener) != length) {
		json_object_put(object);
		object = NULL;
		*ret_why = "more follows the object";
	}
	json_tokener_free(tokener);
	if (object && json_object_get_type(object) != json_type_object) {
		json_object_put(object);
		object = NULL;
		*ret_why = "not an object";
	}
	return object;
}

/* "oneway", "more", "upgrade": booleans, if they are there. */
static bool read_flag(bool *ret, json_object *message, const char *name)
{
	json_object *value = NULL;

	*ret = false;
	if (!json_object_object_get_ex(message, name, &value) || !value)
		return true;
	if (json_object_get_type(value) != json_type_boolean)
		return false;
	*ret = json_object_get_boolean(value);
	return true;
}

bool varlink_begin(struct varlink_call *call, const char *message,
		   size_t length)
{
	json_object *name = NULL, *parameters = NULL;
	const char *why;
	bool more, upgrade;

	call->busy = true;
	call->oneway = false;
	call->method = NULL;
	call->message = parse(message, length, &why);
	if (!call->message) {
		varlink_error(call, "BadMessage", "message",
			      "not the JSON of a call: %s; allowed is an "
			      "object {\"method\": NAME, \"parameters\": "
			      "{...}}", why);
		return false;
	}
	json_object_object_get_ex(call->message, "method", &name);
	if (json_object_get_type(name) != json_type_string ||
	    strlen(json_object_get_string(name)) !=
		    (size_t)json_object_get_string_len(name)) {
		varlink_error(call, "BadMessage", "method",
			      "a string such as \"%s.List\" is allowed",
			      OWN_INTERFACE);
		return false;
	}
	if (!read_flag(&call->oneway, call->message, "oneway") ||
	    !read_flag(&more, call->message, "more") ||
	    !read_flag(&upgrade, call->message, "upgrade")) {
		call->oneway = false;
		varlink_error(call, "BadMessage", "oneway, more, upgrade",
			      "true or false is allowed");
		return false;
	}
	json_object_object_get_ex(call->message, "parameters", &parameters);
	if (!parameters) {
		parameters = json_object_new_object();
		json_put(call->message, "parameters", parameters);
	}
	if (json_object_get_type(parameters) != json_type_object) {
		varlink_error(call, "BadMessage", "parameters",
			      "an object is allowed");
		return false;
	}
	call->parameters = parameters;
	call->method = find_method(json_object_get_string(name));
	if (!call->method)
		method_missing(call, json_object_get_string(name));
	else if (check_parameters(call, call->method->parameters))
		call->method->handle(call);
	return true;
}
