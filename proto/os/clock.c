#include "os/clock.h"

#include <uv.h>

int64_t clock_unix_ms(void)
{
	uv_timeval64_t now;

	if (uv_gettimeofday(&now) != 0)
		return 0;
	return now.tv_sec * 1000 + now.tv_usec / 1000;
}

uint64_t clock_mono_ns(void)
{
	return uv_hrtime();
}

void clock_sleep_ms(unsigned ms)
{
	uv_sleep(ms);
}
