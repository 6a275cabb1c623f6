// SPDX-License-Identifier: MIT
/* pvgpuctl libvirt-xml */
#include "ctl.h"

enum ctl_status ctl_libvirt_xml(struct ctl *ctl)
{
	cleanup_json json_object *reply = NULL;
	enum ctl_status status;

	status = ctl_call(ctl, "LibvirtXml", ctl_named(ctl->arguments[0]),
			  &reply, NULL);
	if (status || ctl_print_json(ctl, reply))
		return status;
	if (!*json_string(reply, "xml")) {
		ctl_complain(ctl, "the reply has no xml");
		return CTL_FAILED;
	}
	fputs(json_string(reply, "xml"), stdout);
	return CTL_OK;
}
