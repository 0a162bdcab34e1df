/*
 * What a program's main needs from the system: its arguments in UTF-8, standard streams that do
 * not translate line ends, its name for messages, and how it is told to stop.
 */
#ifndef CONFAB_OS_PROGRAM_H
#define CONFAB_OS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* First call in main: makes argv UTF-8 (on Windows from GetCommandLineW; *argc and *argv are
 * replaced and live to the end of the process), standard streams binary, the console's output
 * UTF-8, and writing to a closed pipe or socket an error instead of a signal. */
void program_start(int *argc, char ***argv);

/* Exit codes of all three programs. */
enum program_exit {
	EXIT_DONE = 0,
	EXIT_OTHER = 1,
	EXIT_USAGE = 2,
	EXIT_AUTH = 3,
	EXIT_TLS = 4,
	EXIT_REFUSED = 5,
	EXIT_NOT_FOUND = 6,
	EXIT_TIMEOUT = 7,
	EXIT_LOST = 8,
};

/* The code that stands for a status. */
enum program_exit program_exit_of(enum status status);

/* Stopping: SIGINT, SIGTERM and SIGHUP; on Windows Ctrl-C, Ctrl-Break, closing the console,
 * logging off and shutting down. After stop_install none of these ends the process by itself;
 * call it before any thread is started. A second Ctrl-C ends the process at once. */
void stop_install(void);
/* Calls `fn(arg)` once, in a thread of its own, when the first such signal arrives; `fn` may
 * block. On Windows a closing console waits for stop_done (about 4 s at most). */
void stop_watch(void (*fn)(void *arg), void *arg);
/* Tells a waiting console handler that the process has ended its work, at the end of main: `fn` is
 * not called any more, and waited for if it runs (a second at most, unless it is the caller). */
void stop_done(void);
/* Has a signal arrived? Any thread. */
bool stop_requested(void);
/* Acts as if a signal had arrived. Any thread. */
void stop_request(void);

/* Standard input, output and error. */
enum program_stream { PROGRAM_STDIN = 0, PROGRAM_STDOUT = 1, PROGRAM_STDERR = 2 };

/* Is it a terminal? (On Windows asks the console; NUL is none.) */
bool program_is_terminal(enum program_stream stream);

/* Raises the number of files and sockets that this process may have open as far as the system
 * lets it; for servers. Windows has no such limit. */
void program_raise_file_limit(void);

/* Columns of the terminal, 80 where that is unknown. */
unsigned program_columns(void);

/* Writes all bytes, UTF-8; to a Windows console by WriteConsoleW. STATUS_IO, NO_SPACE or CLOSED
 * (the reader of a pipe has gone). Unbuffered: one call is one write where the system allows.
 * Any thread. */
enum status program_write(enum program_stream stream, const void *bytes, size_t len);

/* Blocks for up to `max` bytes of standard input; *ret_len 0 is the end. UTF-8 from a Windows
 * console too. One thread. */
enum status program_read(void *to, size_t max, size_t *ret_len);

/* An environment variable as UTF-8 on the heap, the caller's to free(); NULL if it is not set. */
char *program_env(const char *name);

#endif
