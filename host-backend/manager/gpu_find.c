// SPDX-License-Identifier: MIT
/* Finding a GPU in /sys and /proc; see gpu_find.h. */
#include "gpu_find.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "common/util.h"

#define RENDER_NODE	"/dev/dri/renderD"
#define CANDIDATES_MAX	64

struct list {
	struct gpu_device items[CANDIDATES_MAX];
	size_t count;
};

/* ----------------------------------------------------------------- names */

/* Decimal digits and nothing else, as the kernel counts minors. */
static bool is_number(const char *text)
{
	size_t length = strlen(text);

	return length && length < 7 && strspn(text, "0123456789") == length;
}

static bool is_address(const char *text, size_t length)
{
	static const char form[] = "xxxx:xx:xx.d";

	if (length != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < length; i++)
		if (form[i] == 'x' ? !isxdigit((unsigned char)text[i]) ||
				     isupper((unsigned char)text[i]) :
		    form[i] == 'd' ? text[i] < '0' || text[i] > '7' :
				     text[i] != form[i])
			return false;
	return true;
}

bool gpu_wanted_ok(const char *wanted)
{
	size_t prefix = strlen(RENDER_NODE);

	return !strcmp(wanted, "llvmpipe") || !strcmp(wanted, "auto") ||
	       (!strncmp(wanted, RENDER_NODE, prefix) &&
		is_number(wanted + prefix)) ||
	       is_address(wanted, strlen(wanted));
}

/* The innermost PCI device of a path in /sys. */
static void find_address(char out[16], const char *place)
{
	for (const char *at = place; (at = strchr(at, '/')); ) {
		size_t length = strcspn(++at, "/");

		if (is_address(at, length))
			snprintf(out, 16, "%.*s", (int)length, at);
	}
}

/* -------------------------------------------------------------- the tree */

/* The last component of what a link points to; false: there is no link. */
static bool link_name(char *out, size_t size, const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	const char *name;

	if (n < 0)
		return false;
	target[n] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	if (strlen(name) >= size)
		return false;
	strcpy(out, name);
	return true;
}

/* A line "KEY: value" of a small file: the value as a number. */
static bool read_number(uint32_t *ret, const char *path, const char *format)
{
	cleanup_file FILE *file = fopen(path, "re");
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, format, ret) == 1)
			return true;
	return false;
}

/* Where the device is in /sys: a PCI device has its bus's view of it, what
 * lies on one (virtio) the PCI device's. */
static bool find_place(struct gpu_device *d, const char *root,
		       const char *device)
{
	char real[PATH_MAX], real_root[PATH_MAX] = "", path[PATH_MAX + 16];
	char subsystem[32];
	const char *place;
	char *slash;

	if (!realpath(device, real) ||
	    (*root && !realpath(root, real_root)))
		return false;
	snprintf(path, sizeof(path), "%s/driver", real);
	if (!link_name(d->driver, sizeof(d->driver), path))
		return false;
	snprintf(path, sizeof(path), "%s/subsystem", real);
	slash = strrchr(real, '/');
	if (link_name(subsystem, sizeof(subsystem), path) &&
	    !strcmp(subsystem, "virtio") && slash)
		*slash = '\0';
	place = real + strlen(real_root);
	find_address(d->address, place);
	if (strlen(place) >= sizeof(d->place))
		return false;
	strcpy(d->place, place);
	return true;
}

static void add_render_node(struct list *list, const char *root,
			    const char *name)
{
	struct gpu_device d = { .hardware = 1 };
	char path[PATH_MAX];
	cleanup_file FILE *file = NULL;

	snprintf(path, sizeof(path), "%s/sys/class/drm/%s/dev", root, name);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%u:%u", &d.node_major, &d.node_minor) != 2)
		return;
	snprintf(path, sizeof(path), "%s/sys/class/drm/%s/device", root, name);
	if (!find_place(&d, root, path))
		return;
	snprintf(d.node, sizeof(d.node), "/dev/dri/%.16s", name);
	if (!strcmp(d.driver, "nvidia")) {
		snprintf(path, sizeof(path),
			 "%s/proc/driver/nvidia/gpus/%s/information", root,
			 d.address);
		if (!read_number(&d.number, path, "Device Minor: %u"))
			return;
	}
	list->items[list->count++] = d;
}

/* One that has no render node: nvidia-drm is not there. */
static void add_nvidia(struct list *list, const char *root,
		       const char *address)
{
	struct gpu_device d = { .hardware = 1 };
	char path[PATH_MAX];

	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->items[i].address, address))
			return;
	snprintf(path, sizeof(path),
		 "%s/proc/driver/nvidia/gpus/%s/information", root, address);
	if (!read_number(&d.number, path, "Device Minor: %u"))
		return;
	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s", root,
		 address);
	if (find_place(&d, root, path))
		list->items[list->count++] = d;
}

static int by_node(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

static int is_render_node(const struct dirent *entry)
{
	return !strncmp(entry->d_name, "renderD", 7) &&
	       is_number(entry->d_name + 7);
}

static int is_pci(const struct dirent *entry)
{
	return is_address(entry->d_name, strlen(entry->d_name));
}

static void find_in(struct list *list, const char *root, const char *folder,
		    int (*filter)(const struct dirent *entry),
		    void (*add)(struct list *list, const char *root,
				const char *name))
{
	struct dirent **names;
	char path[PATH_MAX];
	int count;

	snprintf(path, sizeof(path), "%s%s", root, folder);
	count = scandir(path, &names, filter, by_node);
	for (int i = 0; i < count; i++) {
		if (list->count < CANDIDATES_MAX)
			add(list, root, names[i]->d_name);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
}

/* ------------------------------------------------------------- selection */

static bool is_it(const struct gpu_device *d, const char *wanted)
{
	/* vgem's has no GPU behind it. */
	if (!strcmp(wanted, "auto"))
		return strcmp(d->driver, "vgem");
	return !strcmp(d->node, wanted) || !strcmp(d->address, wanted);
}

static void tell_what_is_there(char why[GPU_WHY_MAX], const struct list *list,
			       const char *problem)
{
	char text[GPU_TEXT_MAX];
	size_t used = (size_t)snprintf(why, GPU_WHY_MAX, "%s; this host has",
				       problem);

	for (size_t i = 0; i < list->count && used < GPU_WHY_MAX; i++)
		used += (size_t)snprintf(why + used, GPU_WHY_MAX - used,
					 "%s %s", i ? "," : "",
					 gpu_text(&list->items[i], text));
	if (!list->count)
		snprintf(why + used, GPU_WHY_MAX - used, " no GPU that a "
			 "driver is bound to");
}

int gpu_find(struct gpu_device *ret, const char *wanted, const char *root,
	     char why[GPU_WHY_MAX])
{
	cleanup_free struct list *list = calloc(1, sizeof(*list));
	char path[PATH_MAX];
	struct stat st;

	if (!list) {
		snprintf(why, GPU_WHY_MAX, "out of memory");
		return -ENOMEM;
	}
	if (strcmp(wanted, "llvmpipe")) {
		find_in(list, root, "/sys/class/drm", is_render_node,
			add_render_node);
		find_in(list, root, "/proc/driver/nvidia/gpus", is_pci,
			add_nvidia);
	}
	for (size_t i = 0; i < list->count; i++)
		if (is_it(&list->items[i], wanted)) {
			*ret = list->items[i];
			return 0;
		}
	if (!strcmp(wanted, "llvmpipe") || !strcmp(wanted, "auto")) {
		*ret = (struct gpu_device){ 0 };
		return 0;
	}
	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s", root,
		 wanted);
	if (*wanted != '/' && !stat(path, &st)) {
		tell_what_is_there(why, list, "no driver gives it a render "
					      "node");
		return -ENODEV;
	}
	tell_what_is_there(why, list, "it is not there");
	return -ENOENT;
}
