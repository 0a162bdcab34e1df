/* confab send: messages from the command line or from standard input, in their order. */
#include "cli/verbs.h"

#include "base/utf8.h"
#include "cli/input.h"
#include "cli/sender.h"
#include "cli/show.h"
#include "wire/tables.h"

/* What this call sends, and to whom. */
struct call {
	struct sender sender;
	const char *target; /* "room" or "@user" */
};

/* Into the outbox, without what a message must not contain. */
static bool put_text(struct call *call, struct slice text)
{
	int64_t reply = call->sender.app->reply;
	struct buf repaired;
	bool ok = true;

	if (utf8_is_valid(text) && memchr(text.ptr, '\0', text.len) == NULL)
		return sender_put(&call->sender, call->target, reply, text);
	buf_init(&repaired, 4 * text.len + 1);
	show_repair(&repaired, text);
	if (repaired.len > 0)
		ok = sender_put(&call->sender, call->target, reply, buf_slice(&repaired));
	buf_release(&repaired);
	return ok;
}

/* A line as messages; one that is too long for a message becomes several. */
static bool put_line(struct sender *sender, struct slice line)
{
	struct call *call = (struct call *)sender; /* its first member */

	while (line.len > 0) {
		/* A third: broken bytes grow to three when they are replaced. */
		bool whole = utf8_is_valid(line);
		struct slice part = utf8_cut(line, whole ? PROTO_LIMIT_text : PROTO_LIMIT_text / 3);

		if (part.len == 0)
			part = slice_make(line.ptr, line.len < 1024 ? line.len : 1024);
		if (!put_text(call, part))
			return false;
		line = slice_make(line.ptr + part.len, line.len - part.len);
	}
	return true;
}

static int check_text(struct slice text)
{
	if (text.len == 0) {
		app_error("there is nothing to send: say what after the room, or - for standard "
		          "input");
		return EXIT_USAGE;
	}
	if (!utf8_is_valid(text)) {
		app_error("the text is not valid UTF-8");
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

/* The words of the text with a space between them. */
static void join_words(struct buf *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_put_char(text, ' ');
		buf_put_str(text, words[i]);
	}
}

static int send_all(struct call *call, struct slice text, bool from_input)
{
	struct sender *sender = &call->sender;
	struct input *input = NULL;
	int result = sender_open(sender);

	if (result != EXIT_DONE)
		return result;
	if (from_input && input_start(NULL, PROTO_LIMIT_text * 4, &input) != STATUS_OK) {
		app_error("%s", status_text(STATUS_NOMEM));
		sender->exit_code = EXIT_OTHER;
	}
	/* A text too long is not cut here: the one who typed it should hear of it. */
	if (sender->exit_code == EXIT_DONE && (from_input || put_text(call, text)))
		sender_run(sender, input);
	input_stop(input);
	return sender_close(sender);
}

int verb_send(struct app *app, const char *const *words, size_t count)
{
	struct call call;
	struct buf target, text;
	bool from_input;
	int result;

	buf_init(&target, 256);
	buf_init(&text, CONFAB_LINE_MAX / 2);
	sender_init(&call.sender, app);
	call.sender.put_line = put_line;
	if (app->to != NULL)
		buf_put_fmt(&target, "@%s", app->to);
	else if (count > 0)
		buf_put_str(&target, words[0]);
	call.target = buf_text(&target);
	if (app->to == NULL && count > 0) {
		words++;
		count--;
	}
	from_input = count == 1 && strcmp(words[0], "-") == 0;
	join_words(&text, words, count);
	if (call.target[0] == '\0') {
		app_error("send to whom? confab send ROOM TEXT…, or confab send --to USER TEXT…");
		result = EXIT_USAGE;
	} else {
		result = text.failed ? EXIT_USAGE : check_text(buf_slice(&text));
	}
	if (result == EXIT_DONE)
		result = send_all(&call, buf_slice(&text), from_input);
	buf_release(&target);
	buf_release(&text);
	return result;
}
