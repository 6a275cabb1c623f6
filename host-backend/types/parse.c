// SPDX-License-Identifier: MIT
/* One type file: sections to types, each complete and in itself agreed. */
#include "types.h"

#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "keys.h"

struct parser {
	struct conf conf;
	struct vgpu_types *types;

	bool open;			/* in a section with a good name */
	unsigned int section_wrong;	/* wrong, when the section began */
	uint64_t name_gib;
	struct vgpu_type type;
	unsigned int key_line[KEY_COUNT];
};

#define report(parser, ...) conf_wrong(&(parser)->conf, __VA_ARGS__)

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
	items[types->count].file = strdup(p->conf.file);
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
	if (complete && p->conf.wrong == p->section_wrong)
		type_keys_check(&p->type, p->name_gib,
				p->key_line[KEY_DEVICE_BUDGET], report_key, p);
	if (p->conf.wrong != p->section_wrong)
		return;
	r = add_type(p);
	if (r < 0)
		p->conf.error = r;
}

static void begin_section(struct conf *conf, const char *name)
{
	const struct vgpu_type *other;
	char printable[64];

	struct parser *p = conf->userdata;

	end_section(p);
	p->type = (struct vgpu_type){ .line = p->conf.line };
	memset(p->key_line, 0, sizeof(p->key_line));
	p->section_wrong = p->conf.wrong;
	if (!name)
		return;
	if (type_name_parse(&p->type, &p->name_gib, name)) {
		log_printable(printable, sizeof(printable), name,
			      strlen(name));
		report(p, p->conf.line, "section", "'%s' given; allowed is %s",
		       printable, TYPE_NAME_ALLOWED);
		return;
	}
	other = vgpu_types_find(p->types, p->type.name);
	if (other) {
		report(p, p->conf.line, "section",
		       "[%s] stands at %s:%u already; allowed is once",
		       p->type.name, other->file, other->line);
		return;
	}
	type_keys_defaults(&p->type);
	p->open = true;
}

static void handle_key(struct conf *conf, const char *name, const char *value)
{
	struct parser *p = conf->userdata;
	char key[64], given[CONF_LINE_MAX + 2];
	int i;

	log_printable(key, sizeof(key), name, strlen(name));
	if (!*key)
		strcpy(key, "key");
	if (!p->open) {
		/* Keys below a wrong section line are not ours to judge. */
		if (!p->type.line)
			report(p, p->conf.line, key, "stands before any section; "
			       "allowed is %s first", TYPE_NAME_ALLOWED);
		return;
	}
	for (i = 0; i < KEY_COUNT; i++)
		if (!strcmp(type_keys[i].name, name))
			break;
	if (i == KEY_COUNT) {
		char all[320] = "";

		for (i = 0; i < KEY_COUNT; i++) {
			strcat(all, i ? " " : "");
			strcat(all, type_keys[i].name);
		}
		report(p, p->conf.line, key, "is not a key; allowed are %s", all);
		return;
	}
	if (p->key_line[i]) {
		report(p, p->conf.line, key, "stands at line %u already; allowed "
		       "is once", p->key_line[i]);
		return;
	}
	p->key_line[i] = p->conf.line;
	if (type_keys[i].set(&p->type, value)) {
		log_printable(given, sizeof(given), value, strlen(value));
		report(p, p->conf.line, key, "'%s' given; allowed is %s", given,
		       type_keys[i].allowed);
	}
}

int vgpu_types_parse(struct vgpu_types *types, FILE *stream, const char *file,
		     vgpu_types_report *report, void *userdata)
{
	struct parser p = {
		.types = types,
		.conf = {
			.stream = stream, .file = file,
			.section = begin_section, .key = handle_key,
			.section_allowed = TYPE_NAME_ALLOWED,
			.report = report, .report_userdata = userdata,
		},
	};
	int r;

	p.conf.userdata = &p;
	r = conf_read(&p.conf);
	if (r < 0 && r != -EINVAL)
		return r;
	end_section(&p);
	if (p.conf.error)
		return p.conf.error;
	return p.conf.wrong ? -EINVAL : 0;
}
