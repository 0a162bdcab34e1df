#include "cli/local.h"

#include <pwd.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

static bool get(int64_t unix_ms, struct tm *ret)
{
	time_t seconds = (time_t)(unix_ms / 1000);

	return localtime_r(&seconds, ret) != NULL;
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
	char memory[4096];
	struct passwd entry, *found;

	/* The environment may lack the name (cron, containers) or lie; the user id does not. */
	if (getpwuid_r(getuid(), &entry, memory, sizeof memory, &found) != 0 || found == NULL)
		return NULL;
	return str_dup(slice_of(entry.pw_name));
}
