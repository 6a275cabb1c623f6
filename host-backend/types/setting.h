/* SPDX-License-Identifier: MIT */
/*
 * What may be set of time slices, of a GPU and of a vGPU: how each is called,
 * written and bounded. One table for type files, pvgpud's configuration, what
 * is kept, the control socket and pvgpuctl. A value is one number, in the
 * units of scheduler.h.
 */
#ifndef PVGPU_TYPES_SETTING_H
#define PVGPU_TYPES_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting {
	/* of a GPU: struct sched_config */
	SETTING_POLICY, SETTING_ORDER, SETTING_SLICE, SETTING_FREQUENCY,
	SETTING_FACTOR,
	/* of a vGPU: struct sched_params, and mHz, 0: none */
	SETTING_WEIGHT, SETTING_SHARE, SETTING_BORROW, SETTING_WATCHDOG,
	SETTING_FRAME_LIMIT,
	SETTINGS,
};
#define SETTINGS_GPU	SETTING_POLICY, SETTING_WEIGHT	/* from, up to */
#define SETTINGS_VGPU	SETTING_WEIGHT, SETTINGS

/* For people, as setting_parse() takes them. */
#define POLICY_ALLOWED		"best-effort, equal-share or fixed-share"
#define ORDER_ALLOWED		"strict or least-served"
#define SLICE_ALLOWED		"1ms to 30ms"
#define FREQUENCY_ALLOWED	"63 to 960, in Hz"
#define FACTOR_ALLOWED		"1 to 60"
#define WEIGHT_ALLOWED		"1 to 1000"
#define SHARE_ALLOWED		"a part of the GPU's time, up to 100%, such " \
				"as 12.5%"
#define BORROW_ALLOWED		"100% to 3200%, of the share"
#define WATCHDOG_ALLOWED	"10ms to 60s"
#define FRAME_LIMIT_ALLOWED	"1 to 1000, in Hz with up to three " \
				"decimals, or off"

struct setting_info {
	const char *name;		/* in files */
	const char *member;		/* in JSON */
	const char *option;		/* on a command line */
	const char *const *words;	/* of the numbers from 0, or NULL */
	const char *allowed;
};
extern const struct setting_info setting_infos[SETTINGS];

/* As people write it: "2ms", "12.5%", "off". 0, or -EINVAL: see .allowed. */
int setting_parse(uint64_t *ret, enum setting which, const char *text);
/* Whether a number is allowed. */
bool setting_is_allowed(enum setting which, uint64_t value);
#define SETTING_TEXT_MAX 32
/* And back, as setting_parse() takes it. Returns out. */
const char *setting_text(char out[SETTING_TEXT_MAX], enum setting which,
			 uint64_t value);

/* Some of them. */
struct settings {
	uint32_t given;			/* bits 1 << enum setting */
	uint64_t value[SETTINGS];	/* 0 where not given */
};

static inline bool settings_has(const struct settings *s, enum setting which)
{
	return s->given & 1u << which;
}

static inline void settings_put(struct settings *s, enum setting which,
				uint64_t value)
{
	s->given |= 1u << which;
	s->value[which] = value;
}

static inline void settings_drop(struct settings *s, enum setting which)
{
	s->given &= ~(1u << which);
	s->value[which] = 0;
}

/* setting_parse() into it. */
int settings_read(struct settings *s, enum setting which, const char *text);

#endif
