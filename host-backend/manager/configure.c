// SPDX-License-Identifier: MIT
/* Reading configuration and types, at the start and again; see configure.h. */
#include "configure.h"

#include <string.h>
#include <sys/mman.h>

#include "common/log.h"
#include "common/size.h"
#include "common/util.h"
#include "options.h"
#include "sched_setting.h"

static void print_report(void *userdata, const char *line)
{
	(void)userdata;
	log_error("%s", line);
}

static int read_config(struct config *config, const struct options *o)
{
	cleanup_file FILE *stream = NULL;
	const char *file = o->config ? o->config : CONFIG_FILE;
	int r;

	config_defaults(config);
	r = conf_open(&stream, file);
	if (!r)
		r = config_parse(config, stream, file, print_report, NULL);
	else if (r == -ENOENT && !o->config)
		r = 0;		/* the built-in place may be empty */
	else
		conf_open_report(print_report, NULL, file, r);
	if (r < 0)
		return r;
	for (int i = 0; i < CONFIG_KEYS; i++)
		if (o->keys[i] && config_keys[i].set(config, o->keys[i])) {
			log_error("--%s: '%s' given; allowed is %s",
				  config_keys[i].option, o->keys[i],
				  config_keys[i].allowed);
			r = -EINVAL;
		}
	return r;
}

static int load_types(struct vgpu_types *types, const struct options *options)
{
	static const char *const built_in[] = {
		"/usr/share/pvgpu/types.d", "/etc/pvgpu/types.d",
	};
	const char *present[ARRAY_SIZE(built_in)];
	size_t count = 0;
	int r;

	if (options->types_count) {
		r = vgpu_types_load(types, options->types_dirs,
				    options->types_count, print_report, NULL);
	} else {
		for (size_t i = 0; i < ARRAY_SIZE(built_in); i++)
			if (access(built_in[i], F_OK) == 0)
				present[count++] = built_in[i];
		r = vgpu_types_load(types, present, count, print_report, NULL);
	}
	if (!r && !types->count) {
		log_error("no vGPU types: no *.conf file with one in %s%s",
			  options->types_count ? options->types_dirs[0] :
						 built_in[0],
			  options->types_count > 1 ? " and the others" : "");
		r = -ENOENT;
	}
	return r;
}

/* Sockets are given to this group later; try it on something that nobody
 * sees. */
static int check_group(const struct config *config)
{
	cleanup_fd int fd = -1;

	if (config->vgpu_socket_group == NO_GROUP)
		return 0;
	fd = memfd_create("pvgpu-group", MFD_CLOEXEC);
	if (fd >= 0 && fchown(fd, (uid_t)-1, config->vgpu_socket_group) == 0)
		return 0;
	log_error("vgpu_socket_group: %u given: %s; allowed are groups that "
		  "this process, of uid %u, is in", config->vgpu_socket_group,
		  strerror(errno), geteuid());
	return -EPERM;
}

static int find_gpu(struct gpu_device *gpu, const struct config *config)
{
	char why[GPU_WHY_MAX], text[GPU_TEXT_MAX];
	int r = gpu_find(gpu, config->gpu_device, "", why);

	if (r < 0)
		log_error("gpu device: %s given: %s", config->gpu_device, why);
	else if (gpu->hardware)
		log_info("gpu device: %s is %s", config->gpu_device,
			 gpu_text(gpu, text));
	return r;
}

/* The vGPUs that there are keep their shares. */
static int check_shares(const struct manager *m, const struct config *config)
{
	uint64_t shares = sched_setting_shares(m, config, NULL);
	char text[SETTING_TEXT_MAX];

	if (shares <= SCHED_WHOLE ||
	    sched_setting_config(m, config).policy != SCHED_FIXED_SHARE)
		return 0;
	log_error("policy: fixed-share given; allowed is one of the others, "
		  "since the vGPUs that there are have %s of the GPU together",
		  setting_text(text, SETTING_SHARE, shares));
	return -ENOSPC;
}

/* Takes the new configuration where it concerns what is placed. */
static int apply_gpu(struct manager *m, const struct config *config)
{
	uint32_t units = (uint32_t)(config->gpu_memory / PLACEMENT_UNIT);
	char wanted[SIZE_TEXT_MAX], used[SIZE_TEXT_MAX];

	if (!m->map.items)
		return placement_init(&m->map, units, config->gpu_mode);
	if (placement_set_units(&m->map, units)) {
		const struct placement *last = &m->map.items[m->map.count - 1];

		log_error("gpu memory: %s given; allowed is %s or more, where "
			  "the last vGPU that is placed ends",
			  format_size(wanted, config->gpu_memory),
			  format_size(used, (last->at + last->size) *
					    PLACEMENT_UNIT));
		return -EBUSY;
	}
	/* A mode that was set at run time stays; so does one in use. */
	if (!m->mode_was_set && placement_set_mode(&m->map, config->gpu_mode))
		log_warning("gpu mode: %s is for when no vGPU is placed; it "
			    "stays %s", placement_mode_name(config->gpu_mode),
			    placement_mode_name(m->map.mode));
	return 0;
}

int configure(struct manager *m)
{
	struct vgpu_types types = { 0 };
	struct gpu_device gpu;
	struct config config;
	int r, r_types;

	/* Both, so that one look at the log shows all that is wrong. */
	r = read_config(&config, m->options);
	r_types = load_types(&types, m->options);
	if (!r)
		r = check_group(&config);
	if (!r)
		r = find_gpu(&gpu, &config);
	if (!r)
		r = r_types;
	if (!r)
		r = check_shares(m, &config);
	if (!r)
		r = apply_gpu(m, &config);
	if (r < 0) {
		vgpu_types_clear(&types);
		return r;
	}
	vgpu_types_clear(&m->types);
	m->types = types;
	m->config = config;
	m->gpu = gpu;
	if (m->schedule)
		sched_setting_apply(m);
	return 0;
}
