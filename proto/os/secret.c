#include "os/secret.h"

#include <stdlib.h>
#include <uv.h>

#include "base/utf8.h"
#include "os/file.h"
#include "os/program.h"
#include "os/secret_platform.h"

/* A secret, its line end, and one byte more, which shows that it is too long. */
#define READ_MAX (SECRET_MAX + 3)

void secret_release(struct secret *secret)
{
	secret_wipe(secret, sizeof *secret);
}

enum status secret_take_option(struct secret_source *source, const char *name, const char *value,
    struct error *err)
{
	static const char *const names[] = {
	    [SECRET_FILE] = "password-file",
	    [SECRET_FD] = "password-fd",
	    [SECRET_COMMAND] = "password-command",
	};

	for (int from = SECRET_FILE; from <= SECRET_COMMAND; from++) {
		if (strcmp(name, names[from]) != 0)
			continue;
		if (source->from != SECRET_PROMPT)
			return error_set(err, STATUS_USAGE,
			    "--%s and --%s: the password can have one source only",
			    names[source->from], name);
		if (value[0] == '\0')
			return error_set(err, STATUS_USAGE, "--%s needs a value", name);
		*source = (struct secret_source){(enum secret_from)from, value};
		return STATUS_OK;
	}
	return STATUS_NOT_FOUND;
}

/* --- Checks --------------------------------------------------------------------------------- */

static enum status take_text(struct slice text, struct secret *ret, struct error *err)
{
	if (text.len > 0 && text.ptr[text.len - 1] == '\n') {
		text.len--;
		if (text.len > 0 && text.ptr[text.len - 1] == '\r')
			text.len--;
	}
	if (text.len == 0)
		return error_set(err, STATUS_INVALID, "the password is empty");
	if (memchr(text.ptr, '\n', text.len) != NULL || memchr(text.ptr, '\0', text.len) != NULL)
		return error_set(err, STATUS_INVALID,
		    "the password has to be one line of text, and there is more");
	if (text.len > SECRET_MAX)
		return error_set(err, STATUS_INVALID, "the password is longer than %d bytes",
		    SECRET_MAX);
	if (!utf8_is_valid(text))
		return error_set(err, STATUS_INVALID, "the password is not in UTF-8");
	memset(ret, 0, sizeof *ret);
	memcpy(ret->text, text.ptr, text.len);
	ret->len = text.len;
	return STATUS_OK;
}

/* --- Files and descriptors ------------------------------------------------------------------ */

/* Appends up to the buffer's maximum; what comes behind that is not read. */
static enum status read_fd(int fd, struct buf *to, struct error *err)
{
	for (;;) {
		size_t room = to->max - to->len;
		char *at = room > 0 ? buf_reserve(to, room) : NULL;
		uv_buf_t buf = uv_buf_init(at, (unsigned)room);
		uv_fs_t req;
		int code;

		if (at == NULL)
			return STATUS_OK;
		code = uv_fs_read(NULL, &req, fd, &buf, 1, -1, NULL);
		uv_fs_req_cleanup(&req);
		if (code == UV_EINTR)
			continue;
		if (code < 0)
			return error_set(err, STATUS_IO,
			    "cannot read the password from file descriptor %d: %s", fd,
			    uv_strerror(code));
		if (code == 0)
			return STATUS_OK;
		to->len += (size_t)code;
	}
}

static enum status read_numbered(const char *number, struct buf *to, struct error *err)
{
	int64_t fd;

	if (!str_to_int(slice_of(number), 0, 65535, &fd))
		return error_set(err, STATUS_USAGE,
		    "--password-fd \"%.40s\" is no number of a file descriptor", number);
	return read_fd((int)fd, to, err);
}

static enum status read_file(const char *path, struct buf *to, struct error *err)
{
	enum status status;

	if (strcmp(path, "-") == 0)
		return read_fd(0, to, err);
	status = file_read(path, to, err);
	if (status == STATUS_FULL)
		return error_set(err, STATUS_INVALID, "%s is longer than a password of %d bytes",
		    path, SECRET_MAX);
	return status;
}

/* --- A command ------------------------------------------------------------------------------ */

struct command {
	uv_loop_t loop;
	uv_process_t process;
	uv_pipe_t output;
	uv_timer_t timer;
	struct buf *to;
	int64_t exit_status;
	int signal;
	bool is_interrupted;
};

static void on_command_exit(uv_process_t *process, int64_t exit_status, int signal)
{
	struct command *command = process->data;

	command->exit_status = exit_status;
	command->signal = signal;
	uv_close((uv_handle_t *)process, NULL);
	uv_close((uv_handle_t *)&command->timer, NULL);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct command *command = handle->data;
	size_t room = command->to->max - command->to->len;
	char *at = room > 0 ? buf_reserve(command->to, room) : NULL;

	(void)suggested;
	*ret = uv_buf_init(at, at != NULL ? (unsigned)room : 0);
}

/* Without room left (UV_ENOBUFS) it is too long already, and the rest of it is of no interest. */
static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct command *command = stream->data;

	(void)buf;
	if (got > 0)
		command->to->len += (size_t)got;
	else if (got < 0)
		uv_close((uv_handle_t *)stream, NULL);
}

static void on_poll(uv_timer_t *timer)
{
	struct command *command = timer->data;

	if (!stop_requested() || command->is_interrupted)
		return;
	command->is_interrupted = true;
	uv_process_kill(&command->process, SIGTERM);
	/* What it may have started can hold the pipe open. */
	if (!uv_is_closing((uv_handle_t *)&command->output))
		uv_close((uv_handle_t *)&command->output, NULL);
}

/* It keeps our terminal, where it may ask for something, and our standard error. */
static int spawn(struct command *command, char *text)
{
	uv_stdio_container_t stdio[3] = {
	    {.flags = UV_INHERIT_FD, .data.fd = 0},
	    {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
	        .data.stream = (uv_stream_t *)&command->output},
	    {.flags = UV_INHERIT_FD, .data.fd = 2},
	};
	char *args[SECRET_SHELL_ARGS + 2];
	uv_process_options_t options = {
	    .exit_cb = on_command_exit,
	    .args = args,
	    .flags = UV_PROCESS_WINDOWS_VERBATIM_ARGUMENTS,
	    .stdio_count = 3,
	    .stdio = stdio,
	};

	secret_shell(args);
	args[SECRET_SHELL_ARGS] = text;
	args[SECRET_SHELL_ARGS + 1] = NULL;
	options.file = args[0];
	return uv_spawn(&command->loop, &command->process, &options);
}

static enum status run(struct command *command, char *text, struct error *err)
{
	int code;

	uv_pipe_init(&command->loop, &command->output, 0);
	uv_timer_init(&command->loop, &command->timer);
	command->process.data = command->output.data = command->timer.data = command;
	code = spawn(command, text);
	if (code == 0) {
		uv_read_start((uv_stream_t *)&command->output, on_alloc, on_read);
		uv_timer_start(&command->timer, on_poll, SECRET_POLL_MS, SECRET_POLL_MS);
	} else {
		uv_close((uv_handle_t *)&command->process, NULL);
		uv_close((uv_handle_t *)&command->output, NULL);
		uv_close((uv_handle_t *)&command->timer, NULL);
	}
	uv_run(&command->loop, UV_RUN_DEFAULT);
	if (code != 0)
		return error_set(err, STATUS_IO, "the password command cannot be started: %s",
		    uv_strerror(code));
	if (command->is_interrupted)
		return error_set(err, STATUS_INTERRUPTED, "interrupted");
	/* One that printed too much was cut off, and may have died of it. */
	if (command->to->len == command->to->max)
		return STATUS_OK;
	if (command->signal != 0 || command->exit_status != 0)
		return error_set(err, STATUS_IO, "the password command failed with %s %lld",
		    command->signal != 0 ? "signal" : "exit code",
		    command->signal != 0 ? (long long)command->signal
		                         : (long long)command->exit_status);
	return STATUS_OK;
}

static enum status read_command(const char *value, struct buf *to, struct error *err)
{
	struct command command = {.to = to};
	char *text = secret_shell_text(value);
	enum status status;

	if (text == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	if (uv_loop_init(&command.loop) != 0) {
		free(text);
		return error_set(err, STATUS_NO_FILES, "too many open files");
	}
	status = run(&command, text, err);
	if (uv_loop_close(&command.loop) != 0)
		abort(); /* a handle of ours is not closed */
	free(text);
	return status;
}

/* --- The terminal --------------------------------------------------------------------------- */

static void erase_character(struct secret *secret)
{
	while (secret->len > 0) {
		unsigned char c = (unsigned char)secret->text[--secret->len];

		secret->text[secret->len] = '\0';
		if ((c & 0xC0) != 0x80)
			return;
	}
}

enum status secret_line_put(struct secret_line *line, unsigned char c)
{
	struct secret *secret = &line->secret;

	switch (c) {
	case '\r':
	case '\n':
		return STATUS_OK;
	case SECRET_KEY_INTERRUPT:
		return STATUS_INTERRUPTED;
	case SECRET_KEY_END:
		return secret->len == 0 ? STATUS_INTERRUPTED : STATUS_AGAIN;
	case SECRET_KEY_KILL:
		secret_wipe(line, sizeof *line);
		return STATUS_AGAIN;
	case '\b':
	case SECRET_KEY_ERASE:
		erase_character(secret);
		return STATUS_AGAIN;
	default:
		/* Other control characters are keys pressed by mistake. */
		if (c < 0x20)
			return STATUS_AGAIN;
		if (secret->len == SECRET_MAX)
			line->is_full = true;
		else
			secret->text[secret->len++] = (char)c;
		return STATUS_AGAIN;
	}
}

static enum status type_line(struct secret_terminal *terminal, const char *prompt,
    struct secret *ret, struct error *err)
{
	struct secret_line line = {0};
	enum status status = STATUS_AGAIN;
	unsigned char c = 0;

	secret_terminal_say(terminal, prompt);
	while (status == STATUS_AGAIN) {
		status = secret_terminal_read(terminal, &c);
		if (status == STATUS_OK)
			status = secret_line_put(&line, c);
	}
	secret_terminal_say(terminal, "\r\n");
	if (status != STATUS_OK)
		status = error_set(err, STATUS_INTERRUPTED, "interrupted");
	else if (line.is_full)
		status = error_set(err, STATUS_INVALID, "the password is longer than %d bytes",
		    SECRET_MAX);
	else
		status = take_text(slice_make(line.secret.text, line.secret.len), ret, err);
	secret_wipe(&line, sizeof line);
	secret_wipe(&c, sizeof c);
	return status;
}

static enum status read_terminal(const char *prompt, const char *again, struct secret *ret,
    struct error *err)
{
	struct secret_terminal *terminal;
	struct secret second = {0};
	enum status status = secret_terminal_open(&terminal);

	if (status != STATUS_OK)
		return error_set(err, STATUS_USAGE,
		    "there is no terminal to ask for the password at; use --password-file, "
		    "--password-fd or --password-command");
	status = type_line(terminal, prompt, ret, err);
	if (status == STATUS_OK && again != NULL) {
		status = type_line(terminal, again, &second, err);
		if (status == STATUS_OK && (second.len != ret->len ||
		                               memcmp(second.text, ret->text, ret->len) != 0))
			status = error_set(err, STATUS_INVALID,
			    "the two passwords are not the same: nothing was done");
	}
	secret_terminal_close(terminal);
	secret_release(&second);
	if (status != STATUS_OK)
		secret_release(ret);
	return status;
}

/* -------------------------------------------------------------------------------------------- */

enum status secret_read(const struct secret_source *source, const char *prompt, const char *again,
    struct secret *ret, struct error *err)
{
	struct buf text;
	enum status status;

	if (source->from == SECRET_PROMPT)
		return read_terminal(prompt, again, ret, err);
	buf_init(&text, READ_MAX);
	/* All at once, so that growing leaves no copy behind. */
	if (buf_reserve(&text, READ_MAX) == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	if (source->from == SECRET_FILE)
		status = read_file(source->value, &text, err);
	else if (source->from == SECRET_FD)
		status = read_numbered(source->value, &text, err);
	else
		status = read_command(source->value, &text, err);
	if (status == STATUS_OK)
		status = take_text(buf_slice(&text), ret, err);
	buf_release_secret(&text);
	return status;
}
