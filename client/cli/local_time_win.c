#include "cli/local_time.h"

#include <time.h>

void local_time_put(int64_t unix_ms, char to[LOCAL_TIME_SIZE])
{
	__time64_t seconds = unix_ms / 1000;
	struct tm tm;

	if (_localtime64_s(&tm, &seconds) != 0 ||
	    strftime(to, LOCAL_TIME_SIZE, "%H:%M:%S", &tm) == 0)
		snprintf(to, LOCAL_TIME_SIZE, "--:--:--");
}
