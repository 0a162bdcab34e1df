/*
 * A small seeded generator (SplitMix64) for what must be unpredictable to outsiders only in
 * aggregate: priorities of trees, jitter, schedules of the simulation. Never for keys, tokens
 * or serial numbers: those come from os/random.h. One thread at a time.
 */
#ifndef CONFAB_BASE_RNG_H
#define CONFAB_BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t state; /* any value is a good seed */
};

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

/* From 0 to bound-1; bound > 0. */
static inline uint64_t rng_below(struct rng *rng, uint64_t bound)
{
	return rng_next(rng) % bound;
}

#endif
