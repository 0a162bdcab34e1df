/* stats, reload, shutdown and backup: what a running server is asked; restore and verify: what is
 * done to the files of one that does not run. */
#include "admin/verbs.h"

#include <stdlib.h>

#include "os/file.h"
#include "store/store_sqlite.h"

#define LONG_S 86400 /* a copy of a large store takes as long as it takes */
#define STOP_MS 10000

enum status verb_stats(struct admin *admin, struct error *err)
{
	struct admin_request request;
	struct message reply;
	struct buf text;
	enum status status;

	admin->need = ADMIN_SERVER;
	admin_request_begin(&request, "stats");
	status = admin_ask(admin, &request, &reply, err);
	if (status != STATUS_OK)
		return status;
	buf_init(&text, 65536);
	for (const struct json *m = json_first(reply.root); m != NULL; m = json_next(m)) {
		struct slice key = json_key(m);
		char name[64];

		if (slice_is(key, "re") || slice_is(key, "ok") ||
		    !str_copy(name, sizeof name, key))
			continue;
		buf_put_fmt(&text, "%-12s ", name);
		admin_put_text(&text, reply.root, name, "-");
		buf_put_char(&text, '\n');
	}
	if (admin->json)
		admin_print_json(admin, reply.root);
	else
		admin_print(admin, buf_slice(&text));
	buf_release(&text);
	message_release(&reply);
	return STATUS_OK;
}

enum status verb_reload(struct admin *admin, struct error *err)
{
	struct admin_request request;

	admin->need = ADMIN_SERVER;
	admin_request_begin(&request, "reload");
	return admin_tell(admin, &request, "the server has read its certificates again", err);
}

/* The server's own end shows that it is on its way down. */
static void wait_for_end(struct admin *admin)
{
	struct slice line;
	enum status status = STATUS_OK;

	while (status == STATUS_OK)
		status = admin->channel.ops->read(admin->channel.impl, STOP_MS, &line, NULL);
}

enum status verb_shutdown(struct admin *admin, struct error *err)
{
	struct admin_request request;
	enum status status;

	admin->need = ADMIN_SERVER;
	admin_request_begin(&request, "shutdown");
	status = admin_tell(admin, &request, "the server stops", err);
	if (status == STATUS_OK)
		wait_for_end(admin);
	return status;
}

enum status verb_backup(struct admin *admin, struct error *err)
{
	struct admin_request request;
	struct buf done;
	char *path;
	enum status status = admin_full_path(admin->words[0], &path, err);

	if (status != STATUS_OK)
		return status;
	if (admin->timeout_s == 0)
		admin->timeout_s = LONG_S;
	admin_request_begin(&request, "backup");
	json_put_str(&request.w, "file", path);
	buf_init(&done, 65536);
	buf_put_fmt(&done, "a copy of the store is in %s", path);
	status = admin_tell(admin, &request, buf_text(&done), err);
	buf_release(&done);
	free(path);
	return status;
}

enum status verb_restore(struct admin *admin, struct error *err)
{
	const char *data;
	struct buf text;
	bool replaces = false;
	enum status status = admin_need_no_server(admin, "restore", err);

	if (status == STATUS_OK)
		status = admin_data(admin, &data, err);
	if (status == STATUS_OK && !file_exists(admin->words[0]))
		status = error_set(err, STATUS_NOT_FOUND, "there is no file %s", admin->words[0]);
	buf_init(&text, 65536);
	if (status == STATUS_OK) {
		path_join(&text, data, "confab.db");
		replaces = file_exists(buf_text(&text));
		buf_clear(&text);
	}
	if (status == STATUS_OK)
		status = store_sqlite_restore(data, admin->words[0], err);
	if (status == STATUS_OK) {
		buf_put_fmt(&text, "restored %s into %s%s\n", admin->words[0], data,
		    replaces ? "; what was there before is confab.db.replaced" : "");
		admin_print(admin, buf_slice(&text));
	}
	buf_release(&text);
	return status;
}

enum status verb_verify(struct admin *admin, struct error *err)
{
	struct store_check check;
	struct json_writer w;
	const char *data;
	struct buf text;
	enum status status = admin_need_no_server(admin, "verify", err);

	if (status == STATUS_OK)
		status = admin_data(admin, &data, err);
	if (status == STATUS_OK)
		status = store_sqlite_verify(data, &check, err);
	if (status != STATUS_OK)
		return status;
	buf_init(&text, 4096);
	if (admin->json) {
		json_begin(&w, &text);
		json_put_int(&w, "conversations", (int64_t)check.conversations);
		json_put_int(&w, "entries", (int64_t)check.entries);
		json_put_int(&w, "records", (int64_t)check.records);
		json_end(&w);
	} else {
		buf_put_fmt(&text, "good: %llu conversations, %llu entries, %llu records",
		    (unsigned long long)check.conversations, (unsigned long long)check.entries,
		    (unsigned long long)check.records);
	}
	buf_put_char(&text, '\n');
	admin_print(admin, buf_slice(&text));
	buf_release(&text);
	return STATUS_OK;
}
