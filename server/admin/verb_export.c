/* export and import: a store as JSON lines, from and to files. */
#include "admin/verbs.h"

#include <stdlib.h>

#include "admin/export.h"
#include "admin/files.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/file_stream.h"
#include "os/program.h"
#include "store/store_sqlite.h"
#include "wire/line.h"

#define GATHER 65536 /* bytes of one write */
#define DAY_S 86400

/* --- export --------------------------------------------------------------------------------- */

struct sink {
	struct file_stream *file; /* NULL: standard output */
	struct buf gathered;
};

static enum status flush(struct sink *sink, struct error *err)
{
	struct slice bytes = buf_slice(&sink->gathered);
	enum status status;

	if (sink->file != NULL)
		status = file_stream_put(sink->file, bytes, err);
	else
		status = program_write(PROGRAM_STDOUT, bytes.ptr, bytes.len);
	if (status != STATUS_OK && sink->file == NULL)
		error_set(err, status, "cannot write to standard output: %s", status_text(status));
	buf_clear(&sink->gathered);
	return status;
}

static enum status put_line(void *arg, struct slice line, struct error *err)
{
	struct sink *sink = arg;

	if (!buf_put_slice(&sink->gathered, line))
		return error_set(err, STATUS_NOMEM, "out of memory");
	return sink->gathered.len >= GATHER ? flush(sink, err) : STATUS_OK;
}

static enum status write_all(struct store *store, const char *room, const char *path,
    struct error *err)
{
	struct sink sink = {.file = NULL};
	enum status status = STATUS_OK;

	if (path != NULL)
		status = file_stream_create(path, &sink.file, err);
	if (status != STATUS_OK)
		return status;
	buf_init(&sink.gathered, GATHER + EXPORT_LINE_MAX);
	status = export_write(store, room, clock_unix_ms(), put_line, &sink, err);
	if (status == STATUS_OK)
		status = flush(&sink, err);
	if (status == STATUS_OK && sink.file != NULL)
		status = file_stream_sync(sink.file, err);
	file_stream_close(sink.file);
	buf_release_secret(&sink.gathered);
	/* Half an export is none. */
	if (status != STATUS_OK && path != NULL)
		file_remove(path, NULL);
	return status;
}

static enum status export_dir(struct admin *admin, const char *dir, struct error *err)
{
	struct store *store;
	char *db = files_path(dir, "confab.db");
	enum status status = STATUS_OK;

	if (db == NULL)
		status = error_set(err, STATUS_NOMEM, "out of memory");
	else if (!file_exists(db))
		status = error_set(err, STATUS_NOT_FOUND, "there is no store in %s", dir);
	if (status == STATUS_OK)
		status = store_sqlite_open(dir, STORE_FULL, &store, err);
	if (status == STATUS_OK) {
		status = write_all(store, admin->room,
		    admin->count > 0 ? admin->words[0] : NULL, err);
		store->ops->close(store);
	}
	free(db);
	return status;
}

static enum status ask_backup(struct admin *admin, const char *dir, struct error *err)
{
	struct admin_request request;
	struct message reply;
	char *db = files_path(dir, "confab.db"), *full = NULL;
	enum status status = STATUS_NOMEM;

	if (db != NULL)
		status = admin_full_path(db, &full, err);
	else
		error_set(err, status, "out of memory");
	if (status == STATUS_OK) {
		admin_request_begin(&request, "backup");
		json_put_str(&request.w, "file", full);
		status = admin_ask(admin, &request, &reply, err);
	}
	if (status == STATUS_OK)
		message_release(&reply);
	free(full);
	free(db);
	return status;
}

/* The files of a running server are its own: it makes a copy, which is read. */
static enum status export_running(struct admin *admin, const char *data, struct error *err)
{
	char *work;
	enum status status = files_make_work(data, "export", &work, err);

	if (status != STATUS_OK)
		return status;
	if (admin->timeout_s == 0)
		admin->timeout_s = DAY_S;
	status = ask_backup(admin, work, err);
	if (status == STATUS_OK)
		status = export_dir(admin, work, err);
	files_remove_work(work);
	return status;
}

enum status verb_export(struct admin *admin, struct error *err)
{
	const char *data;
	enum status status = admin_data(admin, &data, err);

	if (status != STATUS_OK)
		return status;
	if (admin->room != NULL && !proto_is_room_name(slice_of(admin->room)))
		return error_set(err, STATUS_USAGE, "\"%.80s\" is no room's name", admin->room);
	if (admin_channel_probe(data, NULL) == STATUS_OK)
		return export_running(admin, data, err);
	return export_dir(admin, data, err);
}

/* --- import --------------------------------------------------------------------------------- */

static enum status read_some(struct file_stream *file, char *to, size_t max, size_t *ret_len,
    struct error *err)
{
	enum status status;

	if (file != NULL)
		return file_stream_get(file, to, max, ret_len, err);
	status = program_read(to, max, ret_len);
	if (status != STATUS_OK)
		return error_set(err, status, "cannot read standard input: %s", status_text(status));
	return STATUS_OK;
}

static enum status take_lines(struct import *import, struct line_reader *reader,
    struct slice input, struct error *err)
{
	enum status status = STATUS_OK;
	struct slice line;

	while (status == STATUS_OK) {
		status = line_reader_next(reader, &input, &line);
		if (status == STATUS_AGAIN)
			return STATUS_OK;
		if (status == STATUS_OK)
			status = import_line(import, line, err);
		else
			error_set(err, status, "a line of the export is too long");
		if (status == STATUS_OK && stop_requested())
			status = error_set(err, STATUS_INTERRUPTED, "interrupted");
	}
	return status;
}

static enum status read_all(struct import *import, struct file_stream *file, struct error *err)
{
	struct line_reader reader;
	enum status status;
	char *piece = malloc(GATHER);
	size_t len = 0;

	if (piece == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	line_reader_init(&reader, EXPORT_LINE_MAX);
	do {
		status = read_some(file, piece, GATHER, &len, err);
		if (status == STATUS_OK)
			status = take_lines(import, &reader, slice_make(piece, len), err);
	} while (status == STATUS_OK && len > 0);
	/* The last line may lack its end. */
	if (status == STATUS_OK)
		status = take_lines(import, &reader, slice_of("\n"), err);
	if (status == STATUS_OK)
		status = import_finish(import, err);
	secret_wipe(piece, GATHER);
	free(piece);
	line_reader_release(&reader);
	return status;
}

static enum status fill_store(const char *dir, struct file_stream *file, struct error *err)
{
	struct import *import = NULL;
	struct store *store;
	enum status status = store_sqlite_open(dir, STORE_FULL, &store, err);

	if (status != STATUS_OK)
		return status;
	status = import_new(store, &import, err);
	if (status == STATUS_OK)
		status = read_all(import, file, err);
	import_free(import);
	store->ops->close(store);
	return status;
}

/* The new store is made beside its place and put there when it is whole. */
static enum status import_into(struct admin *admin, const char *data, struct file_stream *file,
    struct error *err)
{
	char *work = NULL, *db = NULL;
	struct buf text;
	enum status status = file_make_dir(data, FILE_PRIVATE, err);

	if (status == STATUS_OK)
		status = files_make_work(data, "import", &work, err);
	if (status == STATUS_OK)
		status = fill_store(work, file, err);
	if (status == STATUS_OK) {
		db = files_path(work, "confab.db");
		status = db != NULL ? store_sqlite_restore(data, db, err)
		                    : error_set(err, STATUS_NOMEM, "out of memory");
	}
	free(db);
	files_remove_work(work);
	if (status != STATUS_OK)
		return status;
	buf_init(&text, 65536);
	buf_put_fmt(&text, "imported %s into %s\n", admin->words[0], data);
	admin_print(admin, buf_slice(&text));
	buf_release(&text);
	return STATUS_OK;
}

enum status verb_import(struct admin *admin, struct error *err)
{
	struct file_stream *file = NULL;
	const char *data;
	char *db = NULL;
	enum status status = admin_need_no_server(admin, "import", err);

	if (status == STATUS_OK)
		status = admin_data(admin, &data, err);
	if (status != STATUS_OK)
		return status;
	db = files_path(data, "confab.db");
	if (db == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	if (file_exists(db))
		status = error_set(err, STATUS_EXISTS,
		    "there is a store in %s: an import makes a new one, so name another folder "
		    "with --data, or move %s away",
		    data, db);
	free(db);
	if (status == STATUS_OK && strcmp(admin->words[0], "-") != 0)
		status = file_stream_open(admin->words[0], &file, err);
	if (status == STATUS_OK)
		status = import_into(admin, data, file, err);
	file_stream_close(file);
	return status;
}
