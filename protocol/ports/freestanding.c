// SPDX-License-Identifier: MIT
/*
 * Includes every header of the protocol in a system without a C library and
 * uses each of their inline functions, so that a compiler looks into all.
 */
#include <pvgpu/types.h>
#include <pvgpu/barrier.h>
#include <pvgpu/wire.h>
#include <pvgpu/ring.h>
#include <pvgpu/footprint.h>

#include "../client/client.h"

int pvgpu_port_ring(struct pvgpu_producer *p, struct pvgpu_consumer *c,
		    struct pvgpu_ring_words *words, void *slots,
		    void *message);
uint64_t pvgpu_port_numbers(const struct pvgpu_surface *s, pvgpu_le64 *word);

int pvgpu_port_ring(struct pvgpu_producer *p, struct pvgpu_consumer *c,
		    struct pvgpu_ring_words *words, void *slots,
		    void *message)
{
	int sum = 0;

	pvgpu_producer_init(p, &words[0], &words[1], slots, 16);
	pvgpu_consumer_init(c, &words[1], &words[0], slots, 16, 512);
	sum += pvgpu_producer_room(p);
	sum += pvgpu_producer_put(p, message, 24);
	sum += pvgpu_producer_publish(p);
	sum += pvgpu_producer_sleep(p, 1);
	sum += pvgpu_consumer_take(c, message);
	sum += pvgpu_consumer_release(c);
	sum += pvgpu_consumer_sleep(c);
	return sum;
}

uint64_t pvgpu_port_numbers(const struct pvgpu_surface *s, pvgpu_le64 *word)
{
	pvgpu_store64(word, pvgpu_footprint(s) + pvgpu_linear_extent(5));
	return pvgpu_load64(word);
}
