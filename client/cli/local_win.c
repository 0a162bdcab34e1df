#include "cli/local.h"

#include <time.h>

#include "os/program.h"

void local_time(int64_t unix_ms, char to[LOCAL_TIME_SIZE])
{
	__time64_t seconds = unix_ms / 1000;
	struct tm tm;

	if (_localtime64_s(&tm, &seconds) != 0 ||
	    strftime(to, LOCAL_TIME_SIZE, "%H:%M:%S", &tm) == 0)
		snprintf(to, LOCAL_TIME_SIZE, "--:--:--");
}

char *local_login(void)
{
	return program_env("USERNAME");
}
