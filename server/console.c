#include "console.h"

#include <stdlib.h>

#include "wire/message.h"

struct console {
	struct engine *engine;
	struct chat_session *session;
	const struct console_handlers *handlers;
	void *arg;
};

struct console *console_open(struct engine *engine, const struct console_handlers *handlers,
    void *arg)
{
	static const struct chat_peer peer = {
	    .address = "local",
	    .tls_version = "",
	    .tls_cipher = "",
	    .fingerprint = "",
	    .user = "",
	    .console = true,
	};
	struct console *console = calloc(1, sizeof *console);

	if (console == NULL)
		return NULL;
	*console = (struct console){engine, NULL, handlers, arg};
	console->session = engine_session_open(engine, &peer, ENGINE_CONSOLE, console);
	if (console->session == NULL) {
		free(console);
		return NULL;
	}
	return console;
}

static void refuse(struct console *console, const struct request_id *id,
    const struct request_error *error)
{
	struct buf text;
	struct blob *line;

	buf_init(&text, PROTO_LIMIT_reply);
	message_put_error(&text, id, error);
	line = text.failed ? NULL : blob_new(buf_slice(&text));
	buf_release(&text);
	if (line != NULL)
		console->handlers->line(console->arg, line);
	else
		console->handlers->finish(console->arg);
	blob_unref(line);
}

void console_line(struct console *console, struct slice line)
{
	struct request_error error;
	struct request request;

	if (request_parse(line, &request, &error) != STATUS_OK) {
		refuse(console, &request.id, &error);
		return;
	}
	if (request.id.kind == REQUEST_ID_NONE) {
		request_error_set(&error, PROTO_ERR_bad_field,
		    "the field \"id\" is missing: every request of the console has one");
		error.field = "id";
		refuse(console, &request.id, &error);
	} else {
		/* With an id there is always a reply, and it comes as an item. */
		engine_request(console->engine, console->session, &request);
	}
	request_release(&request);
}

void console_close(struct console *console)
{
	engine_session_close(console->engine, console->session);
}

void console_take_item(struct chat_item *item)
{
	struct console *console = item->conn;

	switch ((enum chat_item_kind)item->kind) {
	case CHAT_ITEM_LINE:
		if (item->line != NULL)
			console->handlers->line(console->arg, item->line);
		break;
	case CHAT_ITEM_FINISH:
		console->handlers->finish(console->arg);
		break;
	case CHAT_ITEM_GONE:
		console->handlers->gone(console->arg);
		free(console);
		break;
	case CHAT_ITEM_ROOM:
	case CHAT_ITEM_ALL:
	case CHAT_ITEM_OWN:
	case CHAT_ITEM_ATTACH:
	case CHAT_ITEM_DETACH:
	case CHAT_ITEM_LOGIN:
		break; /* a console is in no room */
	}
	chat_item_free(item);
}
