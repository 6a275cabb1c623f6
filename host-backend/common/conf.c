// SPDX-License-Identifier: MIT
/* Configuration files, line by line; see conf.h. */
#include "conf.h"

#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"

#define LINES_ALLOWED "allowed are [NAME], KEY = VALUE and # COMMENT"

void conf_wrong(struct conf *c, unsigned int line, const char *key,
		const char *format, ...)
{
	char text[640];
	size_t used;
	va_list ap;

	used = (size_t)snprintf(text, sizeof(text), "%s:%u: %s: ", c->file,
				line, key);
	if (used < sizeof(text)) {
		va_start(ap, format);
		vsnprintf(text + used, sizeof(text) - used, format, ap);
		va_end(ap);
	}
	c->wrong++;
	c->report(c->report_userdata, text);
}

/* One line in private memory; true if inih may have it. */
static bool check_line(struct conf *c, char *line, size_t length)
{
	char *start, *end;

	if (length > CONF_LINE_MAX) {
		conf_wrong(c, c->line, "line",
			   "%zu bytes long; allowed is up to %u", length,
			   CONF_LINE_MAX);
		return false;
	}
	for (size_t i = 0; i < length; i++)
		if (((unsigned char)line[i] < 0x20 && line[i] != '\t') ||
		    line[i] == 0x7f) {
			conf_wrong(c, c->line, "line", "a control character at "
				   "byte %zu; allowed is text", i + 1);
			return false;
		}
	start = line + strspn(line, " \t");
	if (!*start || *start == '#' || *start == ';')
		return false;	/* nothing for anybody */
	if (start != line) {
		conf_wrong(c, c->line, "line", "begins with a blank; %s at its "
			   "start", LINES_ALLOWED);
		return false;
	}
	if (*line == '[') {
		end = strchr(line, ']');
		if (!end || (end[1 + strspn(end + 1, " \t")] &&
			     !strchr("#;", end[1 + strspn(end + 1, " \t")]))) {
			conf_wrong(c, c->line, "section", "allowed is %s",
				   c->section_allowed);
			c->section(c, NULL);
			return false;
		}
		*end = '\0';
		c->section(c, line + 1);
		return false;	/* inih need not know of sections */
	}
	if (!strchr(line, '=')) {
		conf_wrong(c, c->line, "line", LINES_ALLOWED);
		return false;
	}
	return true;
}

/* fgets() for inih. */
static char *read_line(char *out, int size, void *userdata)
{
	struct conf *c = userdata;
	cleanup_free char *line = NULL;
	size_t allocated = 0;
	ssize_t n;

	if (c->error)
		return NULL;
	n = getline(&line, &allocated, c->stream);
	if (n < 0) {
		if (ferror(c->stream))
			c->error = errno ? -errno : -EIO;
		return NULL;
	}
	c->line++;
	while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		line[--n] = '\0';
	if (check_line(c, line, (size_t)n) && n + 2 <= size)
		snprintf(out, (size_t)size, "%s\n", line);
	else
		strcpy(out, "\n");
	return out;
}

static int handle_key(void *userdata, const char *section, const char *name,
		      const char *value)
{
	struct conf *c = userdata;

	(void)section;
	c->key(c, name, value);
	return 1;
}

int conf_read(struct conf *c)
{
	int r;

	c->line = c->wrong = 0;
	c->error = 0;
	r = ini_parse_stream(read_line, c, handle_key, c);
	if (c->error)
		return c->error;
	if (r < 0)
		return -ENOMEM;	/* inih's only other failure */
	if (r > 0 && !c->wrong)
		conf_wrong(c, (unsigned int)r, "line", LINES_ALLOWED);
	return c->wrong ? -EINVAL : 0;
}

int conf_open(FILE **ret, const char *path)
{
	/* Non-blocking: a FIFO of this name must not stop the caller. */
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOTSUP;
	if (st.st_size > CONF_FILE_MAX)
		return -EFBIG;
	*ret = fdopen(fd, "r");
	if (!*ret)
		return -errno;
	take_fd(&fd);
	return 0;
}

void conf_open_report(conf_report *report, void *userdata, const char *path,
		      int error)
{
	char text[512];

	if (error == -ENOTSUP)
		snprintf(text, sizeof(text), "%s: not a regular file", path);
	else if (error == -EFBIG)
		snprintf(text, sizeof(text), "%s: larger than %u bytes", path,
			 CONF_FILE_MAX);
	else
		snprintf(text, sizeof(text), "%s: %s", path, strerror(-error));
	report(userdata, text);
}
