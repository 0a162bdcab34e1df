#include "os/thread_platform.h"

#include <pthread.h>
#include <sched.h>

#include "base/buf.h"
#include "os/file.h"

void thread_platform_detach(uv_thread_t thread)
{
	pthread_detach(thread);
}

void thread_platform_set_name(const char *name)
{
	pthread_setname_np(pthread_self(), name);
}

void thread_platform_yield(void)
{
	sched_yield();
}

/* Appends the whole of a small file of the kernel; false if there is none. */
static bool read_small(const char *path, struct buf *to)
{
	buf_clear(to);
	return file_read(path, to, NULL) == STATUS_OK;
}

/* "max 100000" or "150000 100000": microseconds of processor time in each period. */
static unsigned quota_of(struct slice text)
{
	struct slice rest = slice_trim(text);
	struct slice quota_text = slice_cut(&rest, ' ');
	int64_t quota, period;

	if (!str_to_int(quota_text, 1, INT64_C(1) << 40, &quota) || rest.ptr == NULL ||
	    !str_to_int(rest, 1, INT64_C(1) << 40, &period))
		return 0;
	return (unsigned)((quota + period - 1) / period);
}

/* The group's own path in the tree of version 2: the line "0::/some/path" of /proc. */
static struct slice group_path(struct slice lines)
{
	while (lines.ptr != NULL) {
		struct slice line = slice_cut(&lines, '\n');

		if (slice_starts(line, "0::/"))
			return slice_make(line.ptr + 3, line.len - 3);
	}
	return slice_make("/", 1);
}

/* A group's limit binds those below it, so the smallest on the way to the root counts. Inside a
 * container the root is the container's own group. */
unsigned thread_platform_cpu_quota(void)
{
	struct buf groups, text, path;
	struct slice group;
	unsigned smallest = 0;

	buf_init(&groups, 16384);
	buf_init(&text, 256);
	buf_init(&path, 16384);
	read_small("/proc/self/cgroup", &groups);
	group = group_path(buf_slice(&groups));
	for (;;) {
		unsigned quota = 0;

		buf_clear(&path);
		buf_put_fmt(&path, "/sys/fs/cgroup%.*s/cpu.max", (int)group.len, group.ptr);
		if (!path.failed && read_small(buf_text(&path), &text))
			quota = quota_of(buf_slice(&text));
		if (quota > 0 && (smallest == 0 || quota < smallest))
			smallest = quota;
		if (group.len == 0)
			break;
		while (group.len > 0 && group.ptr[--group.len] != '/')
			;
	}
	buf_release(&path);
	buf_release(&text);
	buf_release(&groups);
	return smallest;
}
