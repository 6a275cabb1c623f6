// SPDX-License-Identifier: MIT
/* Which files make up the catalogue, and finding a type in it; see types.h. */
#include "types.h"

#include <dirent.h>
#include <string.h>

#include "common/util.h"

struct conf_file {
	char *path;
	const char *name;		/* last part of path */
};

struct conf_files {
	struct conf_file *items;
	size_t count;
};

static void conf_files_clear(struct conf_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		free(files->items[i].path);
	free(files->items);
}

static void close_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

static int add_file(struct conf_files *files, const char *directory,
		    const char *name)
{
	struct conf_file *items, *item = NULL;
	char *path;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < files->count; i++)
		if (!strcmp(files->items[i].name, name))
			item = &files->items[i];
	if (item) {
		free(item->path);
	} else {
		items = reallocarray(files->items, files->count + 1,
				     sizeof(*items));
		if (!items) {
			free(path);
			return -ENOMEM;
		}
		files->items = items;
		item = &items[files->count++];
	}
	item->path = path;
	item->name = strrchr(path, '/') + 1;
	return 0;
}

static int add_directory(struct conf_files *files, const char *path)
{
	cleanup(close_directory) DIR *directory = opendir(path);
	const struct dirent *entry;
	int r;

	if (!directory)
		return -errno;
	while ((entry = readdir(directory))) {
		size_t length = strlen(entry->d_name);

		if (entry->d_name[0] == '.' || length < 6 ||
		    strcmp(entry->d_name + length - 5, ".conf"))
			continue;
		r = add_file(files, path, entry->d_name);
		if (r < 0)
			return r;
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct conf_file *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int vgpu_types_load(struct vgpu_types *types, const char *const *directories,
		    size_t count, vgpu_types_report *report, void *userdata)
{
	cleanup(conf_files_clear) struct conf_files files = { 0 };
	struct vgpu_types loaded = { 0 };
	int r, result = 0;

	for (size_t i = 0; i < count; i++) {
		r = add_directory(&files, directories[i]);
		if (r < 0) {
			conf_open_report(report, userdata, directories[i], r);
			return r;
		}
	}
	if (files.count)
		qsort(files.items, files.count, sizeof(*files.items), by_name);
	for (size_t i = 0; i < files.count; i++) {
		cleanup_file FILE *stream = NULL;

		r = conf_open(&stream, files.items[i].path);
		if (r < 0)
			conf_open_report(report, userdata, files.items[i].path, r);
		else
			r = vgpu_types_parse(&loaded, stream,
					     files.items[i].path, report,
					     userdata);
		if (r < 0)
			result = r;
	}
	if (result < 0) {
		vgpu_types_clear(&loaded);
		return result;
	}
	*types = loaded;
	return 0;
}

void vgpu_types_clear(struct vgpu_types *types)
{
	for (size_t i = 0; i < types->count; i++)
		free(types->items[i].file);
	free(types->items);
	*types = (struct vgpu_types){ 0 };
}

const struct vgpu_type *vgpu_types_find(const struct vgpu_types *types,
					const char *name)
{
	for (size_t i = 0; i < types->count; i++)
		if (!strcmp(types->items[i].name, name))
			return &types->items[i];
	return NULL;
}
