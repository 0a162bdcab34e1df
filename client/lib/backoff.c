#include "lib/backoff.h"

uint64_t backoff_bound_ms(unsigned failures)
{
	uint64_t bound = BACKOFF_FIRST_MS;

	while (failures-- > 0 && bound < BACKOFF_MAX_MS)
		bound *= 2;
	return bound < BACKOFF_MAX_MS ? bound : BACKOFF_MAX_MS;
}

uint64_t backoff_delay_ms(unsigned failures, struct rng *rng)
{
	return rng_below(rng, backoff_bound_ms(failures) + 1);
}
