#include "os/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os/log.h"
#include "os/program_platform.h"

void program_start(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	/* A limit on the size of files, reached by a log, is an error of writing too. */
	signal(SIGXFSZ, SIG_IGN);
	/* Whoever started us may have closed a standard stream; the next socket or database would
	 * take its number, and log lines would go there. */
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd)
			_exit(EXIT_OTHER);
}

bool program_is_terminal(enum program_stream stream)
{
	return isatty((int)stream) == 1;
}

void program_raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

unsigned program_columns(void)
{
	struct winsize size;

	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
			return size.ws_col;
	return 80;
}

/* A stream can be non-blocking without our doing: a terminal shared with another program. */
static void wait_for(int fd, short events)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};

	poll(&poll_fd, 1, 1000);
}

enum status program_write(enum program_stream stream, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t put = write((int)stream, at, len);

		if (put >= 0) {
			at += put;
			len -= (size_t)put;
		} else if (errno == EAGAIN) {
			wait_for((int)stream, POLLOUT);
		} else if (errno == EPIPE) {
			return STATUS_CLOSED;
		} else if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) {
			return STATUS_NO_SPACE;
		} else if (errno != EINTR) {
			return STATUS_IO;
		}
	}
	return STATUS_OK;
}

enum status program_read(void *to, size_t max, size_t *ret_len)
{
	for (;;) {
		ssize_t got = read(STDIN_FILENO, to, max);

		if (got >= 0) {
			*ret_len = (size_t)got;
			return STATUS_OK;
		}
		if (errno == EAGAIN)
			wait_for(STDIN_FILENO, POLLIN);
		else if (errno != EINTR)
			return STATUS_IO;
	}
}

/* The signals are blocked in every thread and taken one by one by a thread of their own: so no
 * code of ours ever runs inside a signal handler. */
static sigset_t stop_signals;
static pthread_t signal_thread;
static bool has_signal_thread;
static atomic_bool is_released;

static void *take_signals(void *arg)
{
	bool is_first = true;
	int number;

	while (sigwait(&stop_signals, &number) == 0 && !atomic_load(&is_released)) {
		/* A second hang-up is no sign of impatience: closing a terminal may send several.
		 */
		if (!is_first && number != SIGHUP)
			_exit(EXIT_OTHER);
		is_first = false;
		stop_request();
	}
	return arg;
}

void stop_platform_install(void)
{
	struct sigaction hangup;

	sigemptyset(&stop_signals);
	sigaddset(&stop_signals, SIGINT);
	sigaddset(&stop_signals, SIGTERM);
	/* Under nohup it is ignored and has to stay so; sigwait would take it all the same. */
	if (sigaction(SIGHUP, NULL, &hangup) != 0 || hangup.sa_handler != SIG_IGN)
		sigaddset(&stop_signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &stop_signals, NULL);
	if (pthread_create(&signal_thread, NULL, take_signals, NULL) != 0) {
		log_error("program", "out of memory for a thread");
		abort();
	}
	has_signal_thread = true;
}

void stop_platform_release(void)
{
	if (!has_signal_thread)
		return;
	has_signal_thread = false;
	atomic_store(&is_released, true);
	pthread_kill(signal_thread, SIGTERM);
	pthread_join(signal_thread, NULL);
}
