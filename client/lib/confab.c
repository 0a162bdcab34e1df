#include "lib/confab.h"

#include <stdlib.h>

#include "confab_version.h"
#include "lib/confab_private.h"
#include "lib/identity.h"
#include "net/socket.h"
#include "os/thread.h"

struct confab_line {
	const struct message *message;
	struct buf bytes; /* with a NUL behind them */
	char name[64];
};

struct post {
	struct list node;
	void (*fn)(void *arg, struct confab *c);
	void *arg;
};

/* --- Status -------------------------------------------------------------------------------- */

static enum confab_status public_status(enum status status)
{
	switch (status) {
	case STATUS_OK:
		return CONFAB_OK;
	case STATUS_NOMEM:
	case STATUS_NO_FILES:
		return CONFAB_NOMEM;
	case STATUS_USAGE:
	case STATUS_EXISTS:
		return CONFAB_USAGE;
	case STATUS_AUTH:
		return CONFAB_AUTH;
	case STATUS_TLS:
	case STATUS_NOT_TLS:
		return CONFAB_TLS;
	case STATUS_TLS_VERIFY:
		return CONFAB_VERIFY;
	case STATUS_REFUSED:
		return CONFAB_REFUSED;
	case STATUS_NOT_FOUND:
		return CONFAB_NOT_FOUND;
	case STATUS_TIMEOUT:
		return CONFAB_TIMEOUT;
	case STATUS_RESOLVE:
	case STATUS_CONN_REFUSED:
	case STATUS_UNREACHABLE:
		return CONFAB_UNREACHABLE;
	case STATUS_RESET:
	case STATUS_TRUNCATED:
	case STATUS_CLOSED:
	case STATUS_EOF:
		return CONFAB_LOST;
	case STATUS_AGAIN:
	case STATUS_FULL:
		return CONFAB_LIMIT;
	default:
		return CONFAB_OTHER;
	}
}

const char *confab_status_text(enum confab_status status)
{
	static const char *const texts[] = {
	    [CONFAB_OK] = "done",
	    [CONFAB_NOMEM] = "out of memory",
	    [CONFAB_USAGE] = "wrong argument",
	    [CONFAB_FILE] = "a certificate, key or CA file cannot be used",
	    [CONFAB_AUTH] = "the login was refused",
	    [CONFAB_TLS] = "TLS error",
	    [CONFAB_VERIFY] = "the server's certificate is not trusted",
	    [CONFAB_REFUSED] = "refused by the server",
	    [CONFAB_NOT_FOUND] = "no such room, user or message",
	    [CONFAB_TIMEOUT] = "timed out",
	    [CONFAB_UNREACHABLE] = "the server cannot be reached",
	    [CONFAB_LOST] = "there is no connection",
	    [CONFAB_LIMIT] = "a limit is reached",
	    [CONFAB_OTHER] = "unexpected error",
	};
	size_t index = (size_t)status;

	return index < sizeof texts / sizeof *texts ? texts[index] : texts[CONFAB_OTHER];
}

enum confab_status libconfab_fail(struct confab *c, enum status status, const char *text)
{
	error_set(&c->error, status, "%s", text);
	return public_status(status);
}

static void give_text(char *to, size_t size, const char *text)
{
	if (to != NULL && size > 0)
		str_copy(to, size, slice_of(text));
}

/* --- Lines, replies, states ---------------------------------------------------------------- */

static void answer(struct confab *c, struct pending_request *request, enum confab_status status,
    const struct confab_line *line)
{
	if (request->fn != NULL)
		request->fn(request->arg, c, status, line);
	free(request);
}

static void on_line(void *arg, const struct message *message, struct slice text)
{
	struct confab *c = arg;
	struct confab_line line = {.message = message};
	struct pending_request *request = NULL;
	bool is_reply = message->kind == MESSAGE_REPLY;

	/* It may be a reply with a token, which growing would leave copies of. */
	buf_init(&line.bytes, text.len + 1);
	buf_reserve(&line.bytes, text.len + 1);
	buf_put_slice(&line.bytes, text);
	if (!buf_put_char(&line.bytes, '\0')) {
		buf_release(&line.bytes);
		return;
	}
	str_copy(line.name, sizeof line.name, is_reply ? message->error : message->event);
	if (c->on_line != NULL)
		c->on_line(c->arg, c, &line);
	if (is_reply && message->re.kind != REQUEST_ID_NONE)
		request = pending_take(&c->pending, &message->re);
	if (request != NULL)
		answer(c, request,
		    message->ok ? CONFAB_OK : public_status(session_refusal(message->error)),
		    &line);
	buf_release_secret(&line.bytes);
}

/* No reply will come any more. Their callbacks may ask anew, which fails, so this ends. */
static void answer_lost(struct confab *c)
{
	struct pending_request *request;

	while ((request = pending_take_first(&c->pending)) != NULL)
		answer(c, request, CONFAB_LOST, NULL);
}

static void on_state(void *arg, enum confab_state state)
{
	struct confab *c = arg;
	const struct error *why = session_verdict(c->session);
	bool down = state == CONFAB_WAITING || state == CONFAB_ENDED;

	if (down && why->status != STATUS_OK)
		c->error = *why;
	if (down)
		answer_lost(c);
	if (c->on_state != NULL)
		c->on_state(c->arg, c, state, down ? public_status(why->status) : CONFAB_OK,
		    down ? why->text : "");
}

/* --- Posts --------------------------------------------------------------------------------- */

static struct post *take_post(struct confab *c)
{
	struct list *node;

	mutex_lock(c->mutex);
	node = list_take(&c->posts);
	mutex_unlock(c->mutex);
	return node != NULL ? list_entry(node, struct post, node) : NULL;
}

static void on_wake(void *arg)
{
	struct confab *c = arg;
	struct post *post;

	session_wake(c->session);
	while ((post = take_post(c)) != NULL) {
		post->fn(post->arg, c);
		free(post);
	}
}

enum confab_status confab_post(struct confab *c, void (*fn)(void *arg, struct confab *c), void *arg)
{
	struct post *post = malloc(sizeof *post);

	if (post == NULL)
		return CONFAB_NOMEM;
	post->fn = fn;
	post->arg = arg;
	mutex_lock(c->mutex);
	list_put(&c->posts, &post->node);
	mutex_unlock(c->mutex);
	loop_wake(c->loop);
	return CONFAB_OK;
}

void confab_wake(struct confab *c)
{
	loop_wake(c->loop);
}

/* --- Birth and end ------------------------------------------------------------------------- */

enum confab_status confab_startup(char *error, size_t size)
{
	struct error err = {.status = STATUS_OK};
	enum status status = socket_startup(&err);

	if (status == STATUS_OK) {
		status = tls_startup(&err);
		if (status != STATUS_OK)
			socket_cleanup();
	}
	if (status == STATUS_OK)
		return CONFAB_OK;
	give_text(error, size, err.text);
	return CONFAB_OTHER;
}

void confab_cleanup(void)
{
	tls_cleanup();
	socket_cleanup();
}

const char *confab_version(void)
{
	return CONFAB_VERSION;
}

/* True also for NULL, whose copy is NULL. */
static bool copy(const char *text, char **ret)
{
	*ret = text != NULL ? str_dup(slice_of(text)) : NULL;
	return text == NULL || *ret != NULL;
}

static void free_secret(char *text)
{
	if (text != NULL)
		secret_wipe(text, strlen(text));
	free(text);
}

static enum status check_secrets(const struct confab_options *options, struct error *err)
{
	if (options->password != NULL && options->user == NULL)
		return error_set(err, STATUS_USAGE, "a password needs the user whose it is");
	if (options->token != NULL && (options->user != NULL || options->password != NULL))
		return error_set(
		    err, STATUS_USAGE, "a token names the user: no user, no password with it");
	if (options->password != NULL && strlen(options->password) > PROTO_LIMIT_password)
		return error_set(err, STATUS_USAGE, "a password has at most %d bytes",
		    (int)PROTO_LIMIT_password);
	if (options->token != NULL && strlen(options->token) > SESSION_TOKEN_MAX)
		return error_set(err, STATUS_USAGE, "that is no token of Confab");
	return STATUS_OK;
}

/* Copies the strings, as the caller's may go. */
static enum status take_options(
    struct confab *c, const struct confab_options *options, struct error *err)
{
	const char *server = options->server != NULL ? options->server : "localhost";
	enum status status;

	c->port = PROTO_PORT;
	status = socket_split(server, c->host, sizeof c->host, &c->port, err);
	if (status != STATUS_OK)
		return status;
	snprintf(c->label, sizeof c->label, strchr(c->host, ':') != NULL ? "[%s]:%u" : "%s:%u",
	    c->host, (unsigned)c->port);
	if (options->user != NULL && !proto_is_user_name(slice_of(options->user)))
		return error_set(err, STATUS_USAGE,
		    "\"%.64s\" is no user name: lower-case letters, digits, '.', '_' and '-', at "
		    "most %d",
		    options->user, PROTO_USER_MAX);
	status = check_secrets(options, err);
	if (status != STATUS_OK)
		return status;
	if (!copy(options->user, &c->user) || !copy(options->device, &c->device) ||
	    !copy(options->password, &c->password) || !copy(options->token, &c->token))
		return error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
	c->on_line = options->on_line;
	c->on_state = options->on_state;
	c->arg = options->arg;
	return STATUS_OK;
}

static enum status open_session(
    struct confab *c, const struct confab_options *options, struct error *err)
{
	struct loop_handlers handlers = {.on_wake = on_wake, .arg = c};
	struct session_options session = {
	    .host = c->host,
	    .port = c->port,
	    .label = c->label,
	    .context = c->context,
	    .user = c->user,
	    .device = c->device,
	    .password = c->password,
	    .token = c->token,
	    .remember = options->remember != 0,
	    .catch_up = options->catch_up != 0,
	    .connect_ms = options->connect_ms > 0 ? options->connect_ms : 10000,
	    .no_login = options->no_login != 0,
	    .reconnect = options->reconnect != 0,
	    .on_line = on_line,
	    .on_state = on_state,
	    .arg = c,
	};
	enum status status = loop_new(&handlers, &c->loop, err);

	if (status != STATUS_OK)
		return status;
	status = session_new(c->loop, &session, &c->session);
	if (status != STATUS_OK)
		error_set(err, status, "%s", status_text(status));
	return status;
}

enum confab_status confab_new(
    const struct confab_options *options, struct confab **ret, char *error, size_t size)
{
	struct error err = {.status = STATUS_OK};
	struct confab *c;
	enum confab_status result;

	if (options->size != sizeof *options) {
		give_text(error, size, "options.size is not that of this version's struct");
		return CONFAB_USAGE;
	}
	c = calloc(1, sizeof *c);
	if (c == NULL) {
		give_text(error, size, status_text(STATUS_NOMEM));
		return CONFAB_NOMEM;
	}
	pending_init(&c->pending);
	list_init(&c->posts);
	c->mutex = mutex_new();
	result = public_status(take_options(c, options, &err));
	if (result == CONFAB_OK) {
		result = public_status(identity_load(
		    options->ca_file, options->cert_file, options->key_file, &c->context, &err));
		if (result != CONFAB_OK && result != CONFAB_USAGE && result != CONFAB_NOMEM)
			result = CONFAB_FILE;
	}
	if (result == CONFAB_OK)
		result = public_status(open_session(c, options, &err));
	if (result != CONFAB_OK) {
		give_text(error, size, err.text);
		confab_free(c);
		return result;
	}
	*ret = c;
	return CONFAB_OK;
}

void confab_free(struct confab *c)
{
	struct post *post;

	if (c == NULL)
		return;
	session_stop(c->session);
	if (c->loop != NULL)
		loop_free(c->loop);
	session_free(c->session);
	tls_context_unref(c->context);
	pending_release(&c->pending);
	while ((post = take_post(c)) != NULL)
		free(post);
	mutex_free(c->mutex);
	free(c->user);
	free(c->device);
	free_secret(c->password);
	free_secret(c->token);
	free(c);
}

enum confab_status confab_start(struct confab *c)
{
	enum status status = session_start(c->session);

	if (status != STATUS_OK)
		return libconfab_fail(c, status, "there is a connection already");
	return CONFAB_OK;
}

enum confab_status confab_connect(struct confab *c)
{
	enum confab_status status = confab_start(c);
	enum confab_state state;

	if (status != CONFAB_OK)
		return status;
	do {
		loop_run_once(c->loop, 1000);
		state = session_state(c->session);
	} while (state != CONFAB_READY && state != CONFAB_ENDED);
	if (state == CONFAB_READY)
		return CONFAB_OK;
	status = public_status(session_verdict(c->session)->status);
	/* Ended well, but not ready: a callback has called confab_quit, or the server is leaving.
	 */
	return status != CONFAB_OK ? status : CONFAB_LOST;
}

enum confab_status confab_run(struct confab *c, unsigned timeout_ms)
{
	if (session_state(c->session) != CONFAB_ENDED)
		loop_run_once(c->loop, timeout_ms);
	if (session_state(c->session) != CONFAB_ENDED)
		return CONFAB_OK;
	return public_status(session_verdict(c->session)->status);
}

void confab_quit(struct confab *c)
{
	session_quit(c->session);
}

enum confab_status confab_close(struct confab *c)
{
	confab_quit(c);
	while (session_state(c->session) == CONFAB_CLOSING)
		loop_run_once(c->loop, 1000);
	return public_status(session_verdict(c->session)->status);
}

/* --- Asking -------------------------------------------------------------------------------- */

enum confab_state confab_state(const struct confab *c)
{
	return session_state(c->session);
}

const char *confab_error_text(const struct confab *c)
{
	return c->error.text;
}

const char *confab_user(const struct confab *c)
{
	return session_user(c->session);
}

const char *confab_token(const struct confab *c)
{
	return session_token(c->session);
}

const char *confab_server(const struct confab *c)
{
	return c->label;
}

size_t confab_pending(const struct confab *c)
{
	return c->pending.count;
}

size_t confab_backlog(const struct confab *c)
{
	return session_backlog(c->session);
}

/* --- Reading a line ------------------------------------------------------------------------ */

enum confab_kind confab_line_kind(const struct confab_line *line)
{
	return line->message->kind == MESSAGE_REPLY ? CONFAB_REPLY : CONFAB_EVENT;
}

const char *confab_line_bytes(const struct confab_line *line, size_t *ret_len)
{
	if (ret_len != NULL)
		*ret_len = line->bytes.len - 1;
	return line->bytes.ptr;
}

const char *confab_line_name(const struct confab_line *line)
{
	return line->name;
}

long confab_line_text(const struct confab_line *line, const char *field, char *to, size_t size)
{
	const struct json *value = json_get(line->message->root, field);

	if (value == NULL || json_type(value) != JSON_STRING) {
		give_text(to, size, "");
		return -1;
	}
	if (to != NULL && size > 0)
		str_copy(to, size, json_text(value));
	return (long)json_text(value).len;
}

int confab_line_int(const struct confab_line *line, const char *field, int64_t *ret)
{
	return json_int(json_get(line->message->root, field), ret);
}
