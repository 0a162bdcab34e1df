/* Exit codes, the environment, and stopping. */
#include "tests/unit/unit.h"

#if !defined(_WIN32)
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "os/program.h"
#include "os/thread.h"

TEST(unit__exit__stands_for_each_status)
{
	static const struct {
		enum status status;
		int code;
	} rows[] = {{STATUS_OK, 0}, {STATUS_NOMEM, 1}, {STATUS_INVALID, 1}, {STATUS_IO, 1},
	    {STATUS_USAGE, 2}, {STATUS_AUTH, 3}, {STATUS_TLS, 4}, {STATUS_TLS_VERIFY, 4},
	    {STATUS_NOT_TLS, 4}, {STATUS_REFUSED, 5}, {STATUS_NOT_FOUND, 6}, {STATUS_TIMEOUT, 7},
	    {STATUS_CONN_REFUSED, 8}, {STATUS_UNREACHABLE, 8}, {STATUS_RESOLVE, 8},
	    {STATUS_RESET, 8}, {STATUS_TRUNCATED, 8}, {STATUS_CLOSED, 8}, {STATUS_EOF, 8}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK_INT(program_exit_of(rows[i].status), rows[i].code);
}

TEST(unit__env__answers_null_for_what_is_not_set)
{
	char *path = program_env("PATH");

	CHECK(path != NULL && path[0] != '\0');
	free(path);
	CHECK(program_env("CONFAB_NO_SUCH_VARIABLE") == NULL);
}

struct calls {
	struct mutex *mutex;
	struct cond *changed;
	int count;
};

static void count_call(void *arg)
{
	struct calls *calls = arg;

	mutex_lock(calls->mutex);
	calls->count++;
	cond_wake_all(calls->changed);
	mutex_unlock(calls->mutex);
}

static void release(struct calls *calls)
{
	cond_free(calls->changed);
	mutex_free(calls->mutex);
}

TEST(unit__stop__calls_once_when_requested)
{
	struct calls calls = {mutex_new(), cond_new(), 0};

	stop_install();
	stop_watch(count_call, &calls);
	CHECK(!stop_requested());
	stop_request();
	stop_request();
	CHECK(stop_requested());
	mutex_lock(calls.mutex);
	while (calls.count == 0)
		cond_wait(calls.changed, calls.mutex);
	mutex_unlock(calls.mutex);
	stop_done();
	stop_done();
	CHECK_INT(calls.count, 1);
	release(&calls);
}

TEST(unit__stop__calls_nobody_when_work_ends_first)
{
	struct calls calls = {mutex_new(), cond_new(), 0};

	stop_install();
	stop_watch(count_call, &calls);
	stop_done();
	stop_request();
	CHECK_INT(calls.count, 0);
	release(&calls);
}

static void do_stop_done(void *arg)
{
	stop_done();
	count_call(arg);
}

TEST(unit__stop__may_be_done_by_the_callback)
{
	struct calls calls = {mutex_new(), cond_new(), 0};

	stop_install();
	stop_watch(do_stop_done, &calls);
	stop_request();
	mutex_lock(calls.mutex);
	while (calls.count == 0)
		cond_wait(calls.changed, calls.mutex);
	mutex_unlock(calls.mutex);
	stop_done();
	release(&calls);
}

TEST(unit__stop__hears_a_signal)
{
#if !defined(_WIN32)
	struct calls calls = {mutex_new(), cond_new(), 0};

	stop_install();
	stop_watch(count_call, &calls);
	CHECK_INT(kill(getpid(), SIGTERM), 0);
	mutex_lock(calls.mutex);
	while (calls.count == 0)
		cond_wait(calls.changed, calls.mutex);
	mutex_unlock(calls.mutex);
	CHECK(stop_requested());
	CHECK_INT(kill(getpid(), SIGHUP), 0);
	stop_done();
	release(&calls);
#endif
}

TEST(unit__stop__ends_the_process_at_the_second_signal)
{
#if !defined(_WIN32)
	pid_t child = fork();
	int how = 0;

	CHECK(child >= 0);
	if (child == 0) {
		stop_install();
		for (;;) {
			kill(getpid(), SIGINT);
			usleep(1000);
		}
	}
	CHECK(waitpid(child, &how, 0) == child);
	CHECK(WIFEXITED(how));
	CHECK_INT(WEXITSTATUS(how), 1);
#endif
}

TEST(unit__write__reports_what_was_written)
{
	CHECK_INT(program_write(PROGRAM_STDOUT, "", 0), STATUS_OK);
	CHECK_INT(program_write(PROGRAM_STDOUT, "zażółć\n", 11), STATUS_OK);
	CHECK(program_columns() > 0);
}

UNIT_MAIN(CASE(unit__exit__stands_for_each_status),
    CASE(unit__env__answers_null_for_what_is_not_set), CASE(unit__stop__calls_once_when_requested),
    CASE(unit__stop__calls_nobody_when_work_ends_first),
    CASE(unit__stop__may_be_done_by_the_callback), CASE(unit__stop__hears_a_signal),
    CASE(unit__stop__ends_the_process_at_the_second_signal),
    CASE(unit__write__reports_what_was_written))
