/* SPDX-License-Identifier: MIT */
/*
 * What all our seccomp filters are made with: rules for lists of system calls,
 * memory that never becomes code, and what the sanitizers need beside that. Each
 * program's lists are its own. Links with libseccomp.
 *
 * All return 0 or -errno, and a rule that is there already is none twice.
 */
#ifndef PVGPU_COMMON_FILTER_H
#define PVGPU_COMMON_FILTER_H

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define FILTER_WITH_ASAN true
#else
#define FILTER_WITH_ASAN false
#endif

int filter_add(scmp_filter_ctx filter, uint32_t action, const int *calls,
	       size_t count);
#define FILTER_ADD(filter, action, calls) \
	filter_add(filter, action, calls, ARRAY_SIZE(calls))

int filter_allow_if(scmp_filter_ctx filter, int call,
		    struct scmp_arg_cmp compare);
/* mmap() and mprotect(), but not for code. */
int filter_allow_data(scmp_filter_ctx filter);

/* What the sanitizers cannot do without; nothing in a build without them. */
int filter_allow_asan(scmp_filter_ctx filter);
/* What they try and can do without: it fails, and is not deadly. */
int filter_deny_asan(scmp_filter_ctx filter);

#endif
