#include "cli/input.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "os/program.h"
#include "os/thread.h"

#define PIECE 16384

struct input {
	struct thread *thread;
	struct buf own; /* the main thread's: lines are cut from here */
	size_t used;    /* bytes at its front that were lent */
	size_t scanned; /* bytes known to hold no LF */
	size_t line_max;

	struct mutex *mutex;
	struct cond *cond; /* `shared` was taken, or filled */
	/* Under the mutex: */
	struct buf shared;
	enum status end; /* OK while more may come */
	bool stopped;
	struct confab *c; /* whom to wake, or NULL */
};

/* The one that was left to its thread at the process's end: held here for tools that look for
 * leaks, as the thread may be just past its last use. Volatile, or it is not kept at all. */
static struct input *volatile abandoned;

/* Waits until the piece before was taken, and hands over this one. */
static bool hand_over(struct input *input, const char *bytes, size_t len, enum status end)
{
	bool go_on;

	mutex_lock(input->mutex);
	while (input->shared.len > 0 && !input->stopped)
		cond_wait(input->cond, input->mutex);
	if (len > 0 && !buf_put(&input->shared, bytes, len))
		end = STATUS_NOMEM;
	input->end = end;
	go_on = end == STATUS_OK && !input->stopped;
	if (input->c != NULL)
		confab_wake(input->c);
	cond_wake_all(input->cond);
	mutex_unlock(input->mutex);
	return go_on;
}

static void read_all(void *arg)
{
	struct input *input = arg;
	char bytes[PIECE];
	size_t len;
	bool go_on = true;

	while (go_on) {
		if (program_read(bytes, sizeof bytes, &len) != STATUS_OK)
			go_on = hand_over(input, NULL, 0, STATUS_IO);
		else
			go_on = hand_over(input, bytes, len, len > 0 ? STATUS_OK : STATUS_EOF);
	}
}

enum status input_start(struct confab *c, size_t line_max, struct input **ret)
{
	struct input *input = calloc(1, sizeof *input);
	enum status status;

	if (input == NULL)
		return STATUS_NOMEM;
	input->c = c;
	input->line_max = line_max;
	input->mutex = mutex_new();
	input->cond = cond_new();
	buf_init(&input->own, line_max + 2 * PIECE);
	buf_init(&input->shared, PIECE);
	*ret = input;
	status = thread_start("input", read_all, input, &input->thread);
	if (status != STATUS_OK) {
		cond_free(input->cond);
		mutex_free(input->mutex);
		free(input);
		*ret = NULL;
	}
	return status;
}

static bool find_line_end(struct input *input, size_t *ret_at)
{
	const char *end = NULL;

	if (input->own.len > input->scanned)
		end =
		    memchr(input->own.ptr + input->scanned, '\n', input->own.len - input->scanned);
	if (end == NULL) {
		input->scanned = input->own.len;
		return false;
	}
	*ret_at = (size_t)(end - input->own.ptr);
	return true;
}

static enum status lend(struct input *input, size_t len, size_t used, struct slice *ret_line)
{
	*ret_line = slice_make(input->own.ptr, len);
	input->used = used;
	input->scanned = 0;
	return STATUS_OK;
}

/* Moves what the thread has read into `own`: OK if there was something, AGAIN, or the end. */
static enum status take_shared(struct input *input)
{
	enum status status;

	mutex_lock(input->mutex);
	status = input->shared.len > 0     ? STATUS_OK
	         : input->end == STATUS_OK ? STATUS_AGAIN
	                                   : input->end;
	if (status == STATUS_OK && !buf_put_slice(&input->own, buf_slice(&input->shared)))
		status = STATUS_NOMEM;
	buf_clear(&input->shared);
	cond_wake_all(input->cond);
	mutex_unlock(input->mutex);
	return status;
}

enum status input_line(struct input *input, struct slice *ret_line, bool *ret_is_piece)
{
	enum status status;
	size_t at;

	buf_drop(&input->own, input->used);
	input->used = 0;
	if (ret_is_piece != NULL)
		*ret_is_piece = false;
	for (;;) {
		if (find_line_end(input, &at) && at <= input->line_max + 1) {
			size_t len = at > 0 && input->own.ptr[at - 1] == '\r' ? at - 1 : at;

			return lend(input, len, at + 1, ret_line);
		}
		if (input->own.len > input->line_max + 1) {
			struct slice piece = utf8_cut(buf_slice(&input->own), input->line_max);

			/* Not text at all: cut anywhere. */
			if (piece.len == 0)
				piece.len = input->line_max;
			if (ret_is_piece != NULL)
				*ret_is_piece = true;
			return lend(input, piece.len, piece.len, ret_line);
		}
		status = take_shared(input);
		if (status == STATUS_EOF && input->own.len > 0)
			return lend(input, input->own.len, input->own.len, ret_line);
		if (status != STATUS_OK)
			return status;
	}
}

void input_attach(struct input *input, struct confab *c)
{
	mutex_lock(input->mutex);
	input->c = c;
	mutex_unlock(input->mutex);
}

void input_wait(struct input *input, uint64_t timeout_ms)
{
	mutex_lock(input->mutex);
	if (input->shared.len == 0 && input->end == STATUS_OK)
		cond_wait_ms(input->cond, input->mutex, timeout_ms);
	mutex_unlock(input->mutex);
}

void input_stop(struct input *input)
{
	bool ended;

	if (input == NULL)
		return;
	mutex_lock(input->mutex);
	input->c = NULL;
	input->stopped = true;
	ended = input->end != STATUS_OK;
	cond_wake_all(input->cond);
	mutex_unlock(input->mutex);
	/* A thread that still waits for input is left alone, with what it needs. */
	if (!ended) {
		thread_detach(input->thread);
		input->thread = NULL;
		abandoned = input;
		return;
	}
	thread_join(input->thread);
	cond_free(input->cond);
	mutex_free(input->mutex);
	buf_release(&input->own);
	buf_release(&input->shared);
	free(input);
}

enum status input_all(struct buf *to)
{
	for (;;) {
		char bytes[4096];
		size_t len;

		if (program_read(bytes, sizeof bytes, &len) != STATUS_OK)
			return STATUS_IO;
		if (len == 0)
			return STATUS_OK;
		if (!buf_put(to, bytes, len))
			return STATUS_FULL;
	}
}
