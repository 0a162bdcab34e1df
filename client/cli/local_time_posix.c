#include "cli/local_time.h"

#include <time.h>

void local_time_put(int64_t unix_ms, char to[LOCAL_TIME_SIZE])
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;

	if (localtime_r(&seconds, &tm) == NULL || strftime(to, LOCAL_TIME_SIZE, "%H:%M:%S", &tm) == 0)
		snprintf(to, LOCAL_TIME_SIZE, "--:--:--");
}
