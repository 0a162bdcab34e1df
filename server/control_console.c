#include "control_console.h"

#include "console.h"

static void on_line(void *arg, struct blob *line)
{
	control_send(arg, blob_ref(line));
}

static void on_finish(void *arg)
{
	control_finish(arg);
}

static void on_gone(void *arg)
{
	control_release(arg);
}

static void *open_console(void *arg, struct control_conn *conn)
{
	static const struct console_handlers handlers = {on_line, on_finish, on_gone};

	return console_open(arg, &handlers, conn);
}

static bool take_line(void *arg, void *session, struct slice line)
{
	(void)arg;
	console_line(session, line);
	return true;
}

static void close_console(void *arg, void *session)
{
	(void)arg;
	console_close(session);
}

enum status control_console_start(const char *data_dir, struct engine *engine,
    struct control **ret, struct error *err)
{
	const struct control_ops ops = {open_console, take_line, close_console, engine};

	return control_start(data_dir, &ops, 0, ret, err);
}
