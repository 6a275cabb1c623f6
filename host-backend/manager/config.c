// SPDX-License-Identifier: MIT
/* The daemon's configuration, key by key; see config.h. */
#include "config.h"

#include <ctype.h>
#include <grp.h>
#include <string.h>

#include "common/log.h"
#include "common/size.h"

#define SHARE_MAX	1000u		/* percent */
#define SHARE_DEFAULT	80u

static int set_gpu_name(struct config *c, const char *value)
{
	size_t length = strlen(value);

	if (!length || length >= sizeof(c->gpu_name))
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)value[i]) &&
		    (!i || !strchr("._-", value[i])))
			return -EINVAL;
	strcpy(c->gpu_name, value);
	return 0;
}

static int set_gpu_device(struct config *c, const char *value)
{
	if (strlen(value) >= sizeof(c->gpu_device) || !gpu_wanted_ok(value))
		return -EINVAL;
	strcpy(c->gpu_device, value);
	return 0;
}

static int set_gpu_memory(struct config *c, const char *value)
{
	uint64_t v;

	if (parse_size(&v, value) || v < PLACEMENT_UNIT ||
	    v / PLACEMENT_UNIT > PLACEMENT_UNITS_MAX || v % PLACEMENT_UNIT)
		return -EINVAL;
	c->gpu_memory = v;
	return 0;
}

static int set_gpu_mode(struct config *c, const char *value)
{
	return placement_mode_parse(&c->gpu_mode, value);
}

static uint64_t ram_share(uint64_t percent)
{
	uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES);

	return pages * (uint64_t)sysconf(_SC_PAGESIZE) / 100 * percent;
}

static int set_host_memory(struct config *c, const char *value)
{
	size_t length = strlen(value);
	char digits[8];
	uint64_t v;

	if (length && value[length - 1] == '%') {
		if (length > sizeof(digits))
			return -EINVAL;
		memcpy(digits, value, length - 1);
		digits[length - 1] = '\0';
		if (parse_number(&v, digits, SHARE_MAX) || !v)
			return -EINVAL;
		c->host_memory = ram_share(v);
		return 0;
	}
	if (parse_size(&v, value) || v < 1u << 30)
		return -EINVAL;
	c->host_memory = v;
	return 0;
}

static int read_group(gid_t *ret, const char *value)
{
	const struct group *group;
	uint64_t number;

	if (!*value) {
		*ret = NO_GROUP;
		return 0;
	}
	if (!parse_number(&number, value, UINT32_MAX - 1u)) {
		*ret = (gid_t)number;
		return 0;
	}
	group = getgrnam(value);
	if (!group)
		return -EINVAL;
	*ret = group->gr_gid;
	return 0;
}

static int set_socket_group(struct config *c, const char *value)
{
	return read_group(&c->socket_group, value);
}

static int set_vgpu_socket_group(struct config *c, const char *value)
{
	return read_group(&c->vgpu_socket_group, value);
}

static int set_metrics(struct config *c, const char *value)
{
	if (!*value) {
		c->metrics = (struct http_address){ 0 };
		return 0;
	}
	return http_address_parse(&c->metrics, value);
}

#define SET_SETTING(key, which) \
	static int set_##key(struct config *c, const char *value) \
	{ \
		return settings_read(&c->schedule, which, value); \
	}
SET_SETTING(policy, SETTING_POLICY)
SET_SETTING(order, SETTING_ORDER)
SET_SETTING(slice, SETTING_SLICE)
SET_SETTING(frequency, SETTING_FREQUENCY)
SET_SETTING(factor, SETTING_FACTOR)
#undef SET_SETTING

#define GROUP_ALLOWED "the name or number of a group of this host, or nothing"

const struct config_key config_keys[CONFIG_KEYS] = {
	[CONFIG_GPU_NAME] = { "gpu", "name", "gpu-name", set_gpu_name,
		"a name of 1 to 31 letters, digits and . _ -" },
	[CONFIG_GPU_DEVICE] = { "gpu", "device", "gpu-device", set_gpu_device,
		GPU_WANTED_ALLOWED },
	[CONFIG_GPU_MEMORY] = { "gpu", "memory", "gpu-memory", set_gpu_memory,
		"a size of 1GiB to 4096GiB, in whole GiB, such as 24GiB" },
	[CONFIG_GPU_MODE] = { "gpu", "mode", "gpu-mode", set_gpu_mode,
		PLACEMENT_MODES_ALLOWED },
	[CONFIG_POLICY] = { "scheduler", "policy", "policy", set_policy,
		POLICY_ALLOWED },
	[CONFIG_ORDER] = { "scheduler", "order", "order", set_order,
		ORDER_ALLOWED },
	[CONFIG_SLICE] = { "scheduler", "slice", "slice", set_slice,
		SLICE_ALLOWED },
	[CONFIG_FREQUENCY] = { "scheduler", "frequency", "frequency",
		set_frequency, FREQUENCY_ALLOWED },
	[CONFIG_FACTOR] = { "scheduler", "factor", "factor", set_factor,
		FACTOR_ALLOWED },
	[CONFIG_HOST_MEMORY] = { "manager", "host_memory", "host-memory",
		set_host_memory, "1% to 1000% of this host's RAM, or a size of "
		"1GiB or more, such as 16GiB" },
	[CONFIG_SOCKET_GROUP] = { "manager", "socket_group", "socket-group",
		set_socket_group, GROUP_ALLOWED },
	[CONFIG_VGPU_SOCKET_GROUP] = { "manager", "vgpu_socket_group",
		"vgpu-socket-group", set_vgpu_socket_group, GROUP_ALLOWED },
	[CONFIG_METRICS] = { "manager", "metrics", "metrics", set_metrics,
		HTTP_ADDRESS_ALLOWED ", or nothing" },
};

void config_defaults(struct config *config)
{
	*config = (struct config){
		.gpu_name = "gpu0",
		.gpu_device = "llvmpipe",
		.gpu_memory = 24ull << 30,
		.gpu_mode = PLACEMENT_MIXED,
		.host_memory = ram_share(SHARE_DEFAULT),
		.socket_group = NO_GROUP,
		.vgpu_socket_group = NO_GROUP,
	};
}

struct reader {
	struct conf conf;
	struct config config;
	bool any_section;
	char section[16];		/* "": a wrong one */
	unsigned int key_line[CONFIG_KEYS];
};

static bool is_section(const char *name)
{
	for (int i = 0; i < CONFIG_KEYS; i++)
		if (!strcmp(config_keys[i].section, name))
			return true;
	return false;
}

static void begin_section(struct conf *conf, const char *name)
{
	struct reader *r = conf->userdata;
	char printable[64];

	r->any_section = true;
	r->section[0] = '\0';
	if (!name)
		return;
	if (is_section(name)) {
		snprintf(r->section, sizeof(r->section), "%s", name);
		return;
	}
	conf_wrong(conf, conf->line, "section", "'%s' given; allowed is %s",
		   log_printable(printable, sizeof(printable), name,
				 strlen(name)), conf->section_allowed);
}

static void handle_key(struct conf *conf, const char *name, const char *value)
{
	struct reader *r = conf->userdata;
	char key[64], given[CONF_LINE_MAX + 2], all[200] = "";
	size_t used = 0;

	log_printable(key, sizeof(key), name, strlen(name));
	if (!*key)
		strcpy(key, "key");
	if (!*r->section) {
		/* Keys below a wrong section line are not ours to judge. */
		if (!r->any_section)
			conf_wrong(conf, conf->line, key, "stands before any "
				   "section; allowed is %s first",
				   conf->section_allowed);
		return;
	}
	for (int i = 0; i < CONFIG_KEYS; i++) {
		if (strcmp(config_keys[i].section, r->section))
			continue;
		used += (size_t)snprintf(all + used, sizeof(all) - used, " %s",
					 config_keys[i].name);
		if (strcmp(config_keys[i].name, name))
			continue;
		if (r->key_line[i]) {
			conf_wrong(conf, conf->line, key, "stands at line %u "
				   "already; allowed is once", r->key_line[i]);
			return;
		}
		r->key_line[i] = conf->line;
		if (config_keys[i].set(&r->config, value))
			conf_wrong(conf, conf->line, key,
				   "'%s' given; allowed is %s",
				   log_printable(given, sizeof(given), value,
						 strlen(value)),
				   config_keys[i].allowed);
		return;
	}
	conf_wrong(conf, conf->line, key, "is not a key of [%s]; allowed "
		   "are%s", r->section, all);
}

int config_parse(struct config *config, FILE *stream, const char *file,
		 conf_report *report, void *userdata)
{
	struct reader reader = {
		.config = *config,
		.conf = {
			.stream = stream, .file = file,
			.section = begin_section, .key = handle_key,
			.section_allowed = "[gpu], [scheduler] or [manager]",
			.report = report, .report_userdata = userdata,
		},
	};
	int r;

	reader.conf.userdata = &reader;
	r = conf_read(&reader.conf);
	if (r < 0)
		return r;
	*config = reader.config;
	return 0;
}
