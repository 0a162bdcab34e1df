#include "cli/local.h"

#include <stdbool.h>
#include <time.h>

#include "os/program.h"

static bool get(int64_t unix_ms, struct tm *ret)
{
	__time64_t seconds = unix_ms / 1000;

	return _localtime64_s(ret, &seconds) == 0;
}

void local_time(int64_t unix_ms, char to[LOCAL_TIME_SIZE])
{
	struct tm tm;

	if (!get(unix_ms, &tm) || strftime(to, LOCAL_TIME_SIZE, "%H:%M:%S", &tm) == 0)
		snprintf(to, LOCAL_TIME_SIZE, "--:--:--");
}

void local_date(int64_t unix_ms, char to[LOCAL_DATE_SIZE])
{
	struct tm tm;

	if (!get(unix_ms, &tm) || strftime(to, LOCAL_DATE_SIZE, "%Y-%m-%d", &tm) == 0)
		snprintf(to, LOCAL_DATE_SIZE, "----------");
}

char *local_login(void)
{
	return program_env("USERNAME");
}
