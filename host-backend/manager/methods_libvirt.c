// SPDX-License-Identifier: MIT
/* LibvirtXml: the device element that gives a vGPU to a libvirt domain. */
#include <stdio.h>
#include <string.h>

#include "common/window.h"
#include "manager.h"
#include "methods.h"

/* Writes an attribute's value: what XML takes as its own is escaped, and so
 * are control characters, which a parser would make blanks of. */
static void write_value(FILE *stream, const char *value)
{
	for (const unsigned char *p = (const void *)value; *p; p++) {
		if (strchr("&<>'\"", *p) || *p < 0x20 || *p == 0x7f)
			fprintf(stream, "&#%u;", *p);
		else
			fputc(*p, stream);
	}
}

void method_libvirt_xml(struct varlink_call *call)
{
	struct vgpu *v = method_vgpu(call);
	cleanup_free char *text = NULL;
	json_object *reply;
	size_t size = 0;
	FILE *stream;

	if (!v)
		return;
	stream = open_memstream(&text, &size);
	if (!stream) {
		varlink_error(call, "System", "memory", "none left");
		return;
	}
	fprintf(stream, "<shmem name='pvgpu-%s'>\n"
		"  <model type='ivshmem-doorbell'/>\n"
		"  <server path='", v->name);
	write_value(stream, v->socket);
	fprintf(stream, "'/>\n"
		"  <msi vectors='%u' ioeventfd='on'/>\n"
		"</shmem>\n", WINDOW_VECTORS);
	if (fclose(stream) == EOF) {
		varlink_error(call, "System", "memory", "none left");
		return;
	}
	reply = json_object_new_object();
	json_put_string(reply, "xml", text);
	varlink_reply(call, reply, -1);
}
