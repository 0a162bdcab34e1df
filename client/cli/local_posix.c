#include "cli/local.h"

#include <pwd.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

void local_time(int64_t unix_ms, char to[LOCAL_TIME_SIZE])
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;

	if (localtime_r(&seconds, &tm) == NULL ||
	    strftime(to, LOCAL_TIME_SIZE, "%H:%M:%S", &tm) == 0)
		snprintf(to, LOCAL_TIME_SIZE, "--:--:--");
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
