/* A process that is killed while it writes: whatever was reported is there. */
#include "tests/unit/unit.h"

#include "os/clock.h"
#include "os/random.h"
#include "store_world.h"

#ifndef _WIN32
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int told_fd;

static void tell(void *arg, uint64_t ticket, enum status status)
{
	int64_t seq = (int64_t)ticket;

	(void)arg;
	if (status != STATUS_OK || write(told_fd, &seq, sizeof seq) != (ssize_t)sizeof seq)
		_exit(3);
}

/* Appends for ever; the ticket is the seq. */
static void child(const char *dir, enum store_durability durability)
{
	struct store *store;
	int64_t seq, time_ms, first;
	char text[300];

	memset(text, 'x', sizeof text);
	if (store_sqlite_open(dir, durability, &store, NULL) != STATUS_OK)
		_exit(2);
	store->done = tell;
	if (store->ops->last(store, 1, &seq, &time_ms, &first, NULL) != STATUS_OK)
		_exit(2);
	for (;;) {
		struct store_entry entry = {.conversation = 1,
		    .seq = seq + 1,
		    .kind = STORE_MESSAGE,
		    .text = {text, (size_t)seq % sizeof text}};
		struct store_batch batch = {.entries = &entry, .entry_count = 1};

		seq++;
		/* A full queue is waited for. */
		while (store->ops->append(store, &batch, (uint64_t)seq) != STATUS_AGAIN)
			clock_sleep_ms(1);
		if (seq % 64 == 0)
			clock_sleep_ms(1);
	}
}

/* Reads reports until `count` have come, kills, reads the rest: the last one. */
static int64_t run_and_kill(const char *dir, enum store_durability durability, int count)
{
	int64_t seq, last = 0;
	int pipes[2], status;
	pid_t pid;

	CHECK_INT(pipe(pipes), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(pipes[0]);
		told_fd = pipes[1];
		child(dir, durability);
	}
	close(pipes[1]);
	while (read(pipes[0], &seq, sizeof seq) == (ssize_t)sizeof seq) {
		CHECK(last == 0 || seq == last + 1);
		last = seq;
		if (--count == 0)
			kill(pid, SIGKILL);
	}
	close(pipes[0]);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(last > 0);
	return last;
}

TEST(unit__crash__keeps_what_was_reported)
{
	struct world w;
	struct store_check check;
	int64_t kept, time_ms, first, reported;

	world_init(&w);
	world_close(&w);
	for (int i = 0; i < 10; i++) {
		reported = run_and_kill(
		    w.dir, i % 2 ? STORE_FULL : STORE_NORMAL, 1 + (int)(random_u64() % 3000));
		CHECK_INT(store_sqlite_verify(w.dir, &check, NULL), STATUS_OK);
		CHECK(check.entries >= (uint64_t)reported);
		world_open(&w, STORE_NORMAL);
		CHECK_INT(w.store->ops->last(w.store, 1, &kept, &time_ms, &first, NULL), STATUS_OK);
		CHECK_INT(kept, check.entries);
		world_close(&w);
	}
	world_release(&w);
}
#else
/* There is no fork() here; the server's own tests end whole programs. */
TEST(unit__crash__keeps_what_was_reported)
{
}
#endif

UNIT_MAIN(CASE(unit__crash__keeps_what_was_reported))
