/* SPDX-License-Identifier: MIT */
/*
 * The fixed-width little-endian types of the wire, for every system that
 * compiles the protocol: Linux kernels, hosted C libraries and freestanding
 * compilers. This file owns the only system-dependent includes of protocol/.
 */
#ifndef PVGPU_TYPES_H
#define PVGPU_TYPES_H

#if defined(__KERNEL__) && defined(__linux__)

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/byteorder.h>

typedef __le16 pvgpu_le16;
typedef __le32 pvgpu_le32;
typedef __le64 pvgpu_le64;

#define pvgpu_le16_to_cpu(v) le16_to_cpu(v)
#define pvgpu_le32_to_cpu(v) le32_to_cpu(v)
#define pvgpu_le64_to_cpu(v) le64_to_cpu(v)
#define pvgpu_cpu_to_le16(v) cpu_to_le16(v)
#define pvgpu_cpu_to_le32(v) cpu_to_le32(v)
#define pvgpu_cpu_to_le64(v) cpu_to_le64(v)
#define pvgpu_memcpy(d, s, n) memcpy(d, s, n)
#define pvgpu_memset(d, c, n) memset(d, c, n)
#define PVGPU_ASSERT(cond, text) _Static_assert(cond, text)

#else /* any other system */

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

typedef uint16_t pvgpu_le16;
typedef uint32_t pvgpu_le32;
typedef uint64_t pvgpu_le64;

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define pvgpu_le16_to_cpu(v) __builtin_bswap16(v)
#define pvgpu_le32_to_cpu(v) __builtin_bswap32(v)
#define pvgpu_le64_to_cpu(v) __builtin_bswap64(v)
#else
#define pvgpu_le16_to_cpu(v) ((uint16_t)(v))
#define pvgpu_le32_to_cpu(v) ((uint32_t)(v))
#define pvgpu_le64_to_cpu(v) ((uint64_t)(v))
#endif
#define pvgpu_cpu_to_le16(v) pvgpu_le16_to_cpu(v)
#define pvgpu_cpu_to_le32(v) pvgpu_le32_to_cpu(v)
#define pvgpu_cpu_to_le64(v) pvgpu_le64_to_cpu(v)

#if defined(__GNUC__) || defined(__clang__)
/* A freestanding compiler still emits calls to memcpy and memset. */
#define pvgpu_memcpy(d, s, n) __builtin_memcpy(d, s, n)
#define pvgpu_memset(d, c, n) __builtin_memset(d, c, n)
#else
#include <string.h>
#define pvgpu_memcpy(d, s, n) memcpy(d, s, n)
#define pvgpu_memset(d, c, n) memset(d, c, n)
#endif

#if defined(__cplusplus)
#define PVGPU_ASSERT(cond, text) static_assert(cond, text)
#else
#define PVGPU_ASSERT(cond, text) _Static_assert(cond, text)
#endif

#endif

#endif
