// SPDX-License-Identifier: MIT
/* pvgpuctl screenshot: the daemon's memfd as a PNG file. The pixels come from
 * a process that handles a guest's bytes, so the memfd is mapped only once it
 * is seen that nobody can change or shrink it. */
#include <fcntl.h>
#include <png.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/size.h"
#include "ctl.h"

#define SIDE_MAX 16384
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct picture {
	const unsigned char *pixels;	/* XRGB8888 little-endian */
	size_t size;			/* of the mapping */
	size_t stride;
	unsigned int width, height;
};

static void unmap_picture(struct picture *picture)
{
	if (picture->pixels)
		munmap((void *)picture->pixels, picture->size);
}

/* False, and it has complained, if the memfd is not what the reply says. */
static bool map_picture(const struct ctl *ctl, struct picture *picture,
			json_object *reply, int fd)
{
	long long width = json_number(reply, "width");
	long long height = json_number(reply, "height");
	long long stride = json_number(reply, "stride");
	struct stat st;
	int seals;
	void *memory;

	if (strcmp(json_string(reply, "format"), "XRGB8888") || width < 1 ||
	    width > SIDE_MAX || height < 1 || height > SIDE_MAX ||
	    stride < width * 4 || stride > SIDE_MAX * 8) {
		ctl_complain(ctl, "the reply is no picture: %lldx%lld, stride "
			     "%lld, format '%s'", width, height, stride,
			     ctl_safe(json_string(reply, "format")));
		return false;
	}
	seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0 ||
	    st.st_size < stride * height) {
		ctl_complain(ctl, "the picture's memory is missing, too small "
			     "or not sealed");
		return false;
	}
	memory = mmap(NULL, (size_t)(stride * height), PROT_READ, MAP_SHARED,
		      fd, 0);
	if (memory == MAP_FAILED) {
		ctl_complain(ctl, "the picture: %s", strerror(errno));
		return false;
	}
	*picture = (struct picture){
		.pixels = memory, .size = (size_t)(stride * height),
		.stride = (size_t)stride, .width = (unsigned int)width,
		.height = (unsigned int)height,
	};
	return true;
}

static void png_failed(png_structp png, png_const_charp why)
{
	snprintf(png_get_error_ptr(png), 128, "%s", why);
	longjmp(png_jmpbuf(png), 1);
}

static void png_warned(png_structp png, png_const_charp why)
{
	(void)png;
	(void)why;
}

/* 0, or -EIO with the reason in `why`. */
static int write_png(FILE *stream, const struct picture *picture,
		     char why[128])
{
	png_structp png;
	png_infop info = NULL;
	volatile int r = -EIO;	/* outlives longjmp() */

	strcpy(why, "out of memory");
	png = png_create_write_struct(PNG_LIBPNG_VER_STRING, why, png_failed,
				      png_warned);
	if (!png)
		return r;
	if (setjmp(png_jmpbuf(png)) == 0) {
		info = png_create_info_struct(png);
		if (!info)
			longjmp(png_jmpbuf(png), 1);
		png_init_io(png, stream);
		png_set_IHDR(png, info, picture->width, picture->height, 8,
			     PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
			     PNG_COMPRESSION_TYPE_DEFAULT,
			     PNG_FILTER_TYPE_DEFAULT);
		png_set_compression_level(png, 3);
		png_write_info(png, info);
		/* B G R x in memory to R G B in the file. */
		png_set_filler(png, 0, PNG_FILLER_AFTER);
		png_set_bgr(png);
		for (unsigned int y = 0; y < picture->height; y++)
			png_write_row(png, picture->pixels +
					   y * picture->stride);
		png_write_end(png, info);
		r = 0;
	}
	png_destroy_write_struct(&png, &info);
	return r;
}

static enum ctl_status save(const struct ctl *ctl, const char *path,
			    const struct picture *picture)
{
	bool to_stdout = !strcmp(path, "-");
	FILE *stream = to_stdout ? stdout : fopen(path, "wbe");
	struct stat st;
	char why[128];
	int r;

	if (!stream) {
		ctl_complain(ctl, "%s: %s", path, strerror(errno));
		return CTL_FAILED;
	}
	r = write_png(stream, picture, why);
	/* What is still in the buffer can fail as well. */
	if (!r && fflush(stream) == EOF) {
		snprintf(why, sizeof(why), "%s", strerror(errno));
		r = -EIO;
	}
	if (!to_stdout && fclose(stream) == EOF && !r) {
		snprintf(why, sizeof(why), "%s", strerror(errno));
		r = -EIO;
	}
	if (r < 0) {
		ctl_complain(ctl, "%s: %s", path, why);
		/* Half a picture is no use; a device or a pipe is not ours. */
		if (!to_stdout && stat(path, &st) == 0 && S_ISREG(st.st_mode))
			unlink(path);
		return CTL_FAILED;
	}
	return CTL_OK;
}

enum ctl_status ctl_screenshot(struct ctl *ctl)
{
	cleanup_json json_object *reply = NULL;
	cleanup(unmap_picture) struct picture picture = { 0 };
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;
	json_object *parameters;
	enum ctl_status status;
	uint64_t head;

	if (parse_number(&head, ctl->arguments[1], INT32_MAX)) {
		ctl_complain(ctl, "head: '%s' given; allowed is a number, 0 "
			     "for the first", ctl_safe(ctl->arguments[1]));
		return CTL_USAGE;
	}
	parameters = ctl_named(ctl->arguments[0]);
	json_object_object_add(parameters, "head",
			       json_object_new_int64((int64_t)head));
	status = ctl_call(ctl, "Screenshot", parameters, &reply, &fd);
	if (status)
		return status;
	if (!map_picture(ctl, &picture, reply, fd))
		return CTL_FAILED;
	if (ctl_option(ctl, 'o'))
		path = strdup(ctl_option(ctl, 'o'));
	else if (asprintf(&path, "%s-%llu.png", ctl->arguments[0],
			  (unsigned long long)head) < 0)
		path = NULL;
	if (!path) {
		ctl_complain(ctl, "out of memory");
		return CTL_FAILED;
	}
	status = save(ctl, path, &picture);
	if (status || !strcmp(path, "-"))
		return status;
	json_object_object_add(reply, "file", json_object_new_string(path));
	json_object_object_del(reply, "fileDescriptor");
	if (!ctl_print_json(ctl, reply))
		printf("%s: %ux%u, frame %lld\n", path, picture.width,
		       picture.height, json_number(reply, "frame"));
	return CTL_OK;
}
