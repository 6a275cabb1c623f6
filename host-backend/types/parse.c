// SPDX-License-Identifier: MIT
/*
 * One type file: lines to types. inih splits keys from values; it knows no
 * line numbers, cuts long lines in two and does not report empty sections, so
 * it is fed line by line from here, and what it must not see it does not get.
 */
#include "types.h"

#include <ini.h>
#include <stdarg.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "keys.h"

struct parser {
	struct vgpu_types *types;
	FILE *stream;
	const char *file;
	vgpu_types_report *report;
	void *userdata;

	unsigned int line;
	unsigned int wrong;		/* reports so far */
	int error;			/* -errno that ends it all */

	bool open;			/* in a section with a good name */
	unsigned int section_wrong;	/* wrong, when the section began */
	uint64_t name_gib;
	struct vgpu_type type;
	unsigned int key_line[KEY_COUNT];
};

static void printf_like(4, 5)
report(struct parser *p, unsigned int line, const char *key,
       const char *format, ...)
{
	char text[640];
	size_t used;
	va_list ap;

	used = (size_t)snprintf(text, sizeof(text), "%s:%u: %s: ", p->file,
				line, key);
	if (used < sizeof(text)) {
		va_start(ap, format);
		vsnprintf(text + used, sizeof(text) - used, format, ap);
		va_end(ap);
	}
	p->wrong++;
	p->report(p->userdata, text);
}

static void report_key(void *userdata, enum type_key_index key,
		       const char *allowed)
{
	struct parser *p = userdata;

	report(p, p->key_line[key] ? p->key_line[key] : p->type.line,
	       type_keys[key].name, "allowed is %s", allowed);
}

static int add_type(struct parser *p)
{
	struct vgpu_types *types = p->types;
	struct vgpu_type *items;

	if (types->count >= VGPU_TYPES_MAX) {
		report(p, p->type.line, p->type.name,
		       "allowed are up to %u types in all", VGPU_TYPES_MAX);
		return 0;
	}
	items = reallocarray(types->items, types->count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	types->items = items;
	items[types->count] = p->type;
	items[types->count].file = strdup(p->file);
	if (!items[types->count].file)
		return -ENOMEM;
	types->count++;
	return 0;
}

/* At the next section or the end: is the type complete, does it agree? */
static void end_section(struct parser *p)
{
	bool complete = true;
	int r;

	if (!p->open)
		return;
	p->open = false;
	for (int i = 0; i < KEY_COUNT; i++) {
		if (!type_keys[i].required || p->key_line[i])
			continue;
		complete = false;
		report(p, p->type.line, type_keys[i].name,
		       "missing in [%s]; allowed is %s", p->type.name,
		       type_keys[i].allowed);
	}
	if (complete && p->wrong == p->section_wrong)
		type_keys_check(&p->type, p->name_gib,
				p->key_line[KEY_DEVICE_BUDGET], report_key, p);
	if (p->wrong != p->section_wrong)
		return;
	r = add_type(p);
	if (r < 0)
		p->error = r;
}

static void begin_section(struct parser *p, const char *name)
{
	const struct vgpu_type *other;
	char printable[64];

	end_section(p);
	p->type = (struct vgpu_type){ .line = p->line };
	memset(p->key_line, 0, sizeof(p->key_line));
	p->section_wrong = p->wrong;
	if (type_name_parse(&p->type, &p->name_gib, name)) {
		log_printable(printable, sizeof(printable), name,
			      strlen(name));
		report(p, p->line, "section", "'%s' given; allowed is %s",
		       printable, TYPE_NAME_ALLOWED);
		return;
	}
	other = vgpu_types_find(p->types, p->type.name);
	if (other) {
		report(p, p->line, "section",
		       "[%s] stands at %s:%u already; allowed is once",
		       p->type.name, other->file, other->line);
		return;
	}
	type_keys_defaults(&p->type);
	p->open = true;
}

/* One line in private memory; true if inih may have it. */
static bool check_line(struct parser *p, char *line, size_t length)
{
	char *start, *end;

	if (length > VGPU_TYPE_LINE_MAX) {
		report(p, p->line, "line", "%zu bytes long; allowed is up to %u",
		       length, VGPU_TYPE_LINE_MAX);
		return false;
	}
	for (size_t i = 0; i < length; i++)
		if (((unsigned char)line[i] < 0x20 && line[i] != '\t') ||
		    line[i] == 0x7f) {
			report(p, p->line, "line", "a control character at "
			       "byte %zu; allowed is text", i + 1);
			return false;
		}
	start = line + strspn(line, " \t");
	if (!*start || *start == '#' || *start == ';')
		return false;	/* nothing for anybody */
	if (start != line) {
		report(p, p->line, "line", "begins with a blank; allowed are "
		       "[NAME], KEY = VALUE and # COMMENT at its start");
		return false;
	}
	if (*line == '[') {
		end = strchr(line, ']');
		if (!end || (end[1 + strspn(end + 1, " \t")] &&
			     !strchr("#;", end[1 + strspn(end + 1, " \t")]))) {
			report(p, p->line, "section", "allowed is %s",
			       TYPE_NAME_ALLOWED);
			end_section(p);
			p->type.line = p->line;
			return false;
		}
		*end = '\0';
		begin_section(p, line + 1);
		return false;	/* inih need not know of sections */
	}
	if (!strchr(line, '=')) {
		report(p, p->line, "line", "allowed are [NAME], KEY = VALUE "
		       "and # COMMENT");
		return false;
	}
	return true;
}

/* fgets() for inih. */
static char *read_line(char *out, int size, void *userdata)
{
	struct parser *p = userdata;
	cleanup_free char *line = NULL;
	size_t allocated = 0;
	ssize_t n;

	if (p->error)
		return NULL;
	n = getline(&line, &allocated, p->stream);
	if (n < 0) {
		if (ferror(p->stream))
			p->error = errno ? -errno : -EIO;
		return NULL;
	}
	p->line++;
	while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		line[--n] = '\0';
	if (check_line(p, line, (size_t)n) && n + 2 <= size)
		snprintf(out, (size_t)size, "%s\n", line);
	else
		strcpy(out, "\n");
	return out;
}

static int handle_key(void *userdata, const char *section, const char *name,
		      const char *value)
{
	struct parser *p = userdata;
	char key[64], given[VGPU_TYPE_LINE_MAX + 2];
	int i;

	(void)section;
	log_printable(key, sizeof(key), name, strlen(name));
	if (!*key)
		strcpy(key, "key");
	if (!p->open) {
		/* Keys below a wrong section line are not ours to judge. */
		if (!p->type.line)
			report(p, p->line, key, "stands before any section; "
			       "allowed is %s first", TYPE_NAME_ALLOWED);
		return 1;
	}
	for (i = 0; i < KEY_COUNT; i++)
		if (!strcmp(type_keys[i].name, name))
			break;
	if (i == KEY_COUNT) {
		char all[256] = "";

		for (i = 0; i < KEY_COUNT; i++) {
			strcat(all, i ? " " : "");
			strcat(all, type_keys[i].name);
		}
		report(p, p->line, key, "is not a key; allowed are %s", all);
		return 1;
	}
	if (p->key_line[i]) {
		report(p, p->line, key, "stands at line %u already; allowed "
		       "is once", p->key_line[i]);
		return 1;
	}
	p->key_line[i] = p->line;
	if (type_keys[i].set(&p->type, value)) {
		log_printable(given, sizeof(given), value, strlen(value));
		report(p, p->line, key, "'%s' given; allowed is %s", given,
		       type_keys[i].allowed);
	}
	return 1;
}

int vgpu_types_parse(struct vgpu_types *types, FILE *stream, const char *file,
		     vgpu_types_report *report_line, void *userdata)
{
	struct parser p = {
		.types = types, .stream = stream, .file = file,
		.report = report_line, .userdata = userdata,
	};
	int r;

	r = ini_parse_stream(read_line, &p, handle_key, &p);
	if (!p.error)
		end_section(&p);
	if (p.error)
		return p.error;
	if (r < 0)
		return -ENOMEM;	/* inih's only other failure */
	if (r > 0 && !p.wrong)
		report(&p, (unsigned int)r, "line",
		       "allowed are [NAME], KEY = VALUE and # COMMENT");
	return p.wrong ? -EINVAL : 0;
}
