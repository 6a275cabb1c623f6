/* SPDX-License-Identifier: MIT */
/*
 * Every memory barrier and every access to a word that the peer may change
 * meanwhile. The window is ordinary cached memory between processors, also
 * when a guest runs on one processor, so these are always the multiprocessor
 * forms.
 *
 * acquire: what follows is not read before the word.
 * release: what precedes is visible before the word.
 * full:    stores before are visible before loads after it are made; needed
 *          between "I publish" and "does the peer sleep?", and between "I go
 *          to sleep" and "did the peer publish?".
 */
#ifndef PVGPU_BARRIER_H
#define PVGPU_BARRIER_H

#include "types.h"

#if defined(_MSC_VER) && !defined(__clang__)

#include <intrin.h>

/* MSVC: aligned volatile accesses are single; order them by hand, so that it
 * also holds on ARM64, where volatile alone (/volatile:iso) orders nothing. */
static __inline void pvgpu_mb(void)
{
	_ReadWriteBarrier();
#if defined(_M_ARM64)
	__dmb(_ARM64_BARRIER_ISH);
#else
	_mm_mfence();
#endif
	_ReadWriteBarrier();
}

static __inline uint32_t pvgpu_load32(const pvgpu_le32 *p)
{
	return pvgpu_le32_to_cpu(*(const volatile pvgpu_le32 *)p);
}

static __inline void pvgpu_store32(pvgpu_le32 *p, uint32_t v)
{
	*(volatile pvgpu_le32 *)p = pvgpu_cpu_to_le32(v);
}

static __inline uint32_t pvgpu_load32_acquire(const pvgpu_le32 *p)
{
	uint32_t v = pvgpu_load32(p);

	pvgpu_mb();
	return v;
}

static __inline void pvgpu_store32_release(pvgpu_le32 *p, uint32_t v)
{
	pvgpu_mb();
	pvgpu_store32(p, v);
}

#define PVGPU_INLINE static __inline

#else

#define PVGPU_INLINE static inline

PVGPU_INLINE void pvgpu_mb(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* A word that the peer may change: read or written once, whole, unordered. */
PVGPU_INLINE uint32_t pvgpu_load32(const pvgpu_le32 *p)
{
	return pvgpu_le32_to_cpu(*(const volatile pvgpu_le32 *)p);
}

PVGPU_INLINE void pvgpu_store32(pvgpu_le32 *p, uint32_t v)
{
	*(volatile pvgpu_le32 *)p = pvgpu_cpu_to_le32(v);
}

PVGPU_INLINE uint32_t pvgpu_load32_acquire(const pvgpu_le32 *p)
{
	uint32_t v = pvgpu_load32(p);

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return v;
}

PVGPU_INLINE void pvgpu_store32_release(pvgpu_le32 *p, uint32_t v)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	pvgpu_store32(p, v);
}

#endif

/*
 * 64-bit words, as two halves, because a 32-bit guest has no single access.
 * The low half is written first and the high half last (release); a reader
 * takes high, low, high until both highs agree. For a counter that only
 * grows this never shows a value that is too high: a torn reading is one of
 * old high with new low, and the second look at high finds it.
 * Bytes 0-3 are the low half.
 */
PVGPU_INLINE uint64_t pvgpu_load64(const pvgpu_le64 *p)
{
	const pvgpu_le32 *half = (const pvgpu_le32 *)(const void *)p;
	uint32_t high, low, again;
	unsigned int tries = 0;

	again = pvgpu_load32_acquire(&half[1]);
	do {
		high = again;
		low = pvgpu_load32_acquire(&half[0]);
		again = pvgpu_load32_acquire(&half[1]);
		/* A peer that keeps changing it is hostile or stale: bounded. */
	} while (high != again && ++tries < 16);
	return (uint64_t)high << 32 | low;
}

PVGPU_INLINE void pvgpu_store64(pvgpu_le64 *p, uint64_t v)
{
	pvgpu_le32 *half = (pvgpu_le32 *)(void *)p;

	pvgpu_store32_release(&half[0], (uint32_t)v);
	pvgpu_store32_release(&half[1], (uint32_t)(v >> 32));
}

#endif
