#include "cli/outbox.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli/outbox_file.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/file_journal.h"
#include "os/random.h"

#define PATH_MAX_BYTES 4096
#define FILE_FULL (1 << 20)       /* a file as large as this is followed by another */
#define FILE_KEPT (FILE_FULL / 2) /* an adopted file as large as this is not copied */

/* To the disk's surface goes what was written when this long has passed, or when so many are done
 * that the disk has as waiting: a power cut must not bring back more than the nonces which a server
 * keeps for a user (4,096). What is put and done between two times does not count: its marks stand
 * shortly behind it in the same file. */
#define SYNC_MARKS 2048

#define NONCE_BYTES ((OUTBOX_NONCE_SIZE - 1) / 2)

/* A clock may be set back by this much without making messages doubtful. */
#define CLOCK_SLIP_MS 300000

struct outbox_file {
	struct list node;
	struct file_journal *journal; /* NULL: in memory only */
	struct buf out;               /* lines to be written */
	uint64_t bytes;               /* with those */
	int64_t next_id;
	size_t open; /* messages that are not done */
	bool unsynced;
	bool joining; /* its messages are being copied into another */
	bool marking; /* a mark is being made, as marks on neighbours become one line */
	enum outbox_mark mark;
	int64_t first, last;
};

struct outbox {
	char *folder;
	struct list queue;
	struct list files;       /* in order; the last one is `own` */
	struct outbox_file *own; /* gets what is put; NULL at first */
	uint64_t started;        /* its name begins with these two, so that names sort by age */
	uint64_t random;
	unsigned sequence;
	uint64_t next_number;
	size_t count;
	uint64_t bytes;
	bool unwritten;
	bool lost; /* writing has failed: no more of it, but what is empty is still removed */
	struct error failure;       /* that was not told yet */
	uint64_t unsynced_since_ms; /* 0: nothing is */
	unsigned unsynced_marks;
	uint64_t synced_number;   /* the disk may have those before it */
	unsigned char pool[1536]; /* random bytes for nonces, as each call of the system's costs */
	size_t pool_left;
};

/* --- Where it is --------------------------------------------------------------------------- */

enum status outbox_root(struct buf *to, struct error *err)
{
	struct buf state;
	enum status status;

	buf_init(&state, PATH_MAX_BYTES);
	status = path_standard(PATH_STATE_USER, &state, err);
	if (status == STATUS_OK)
		path_join(to, buf_text(&state), "outbox");
	if (status == STATUS_OK && (state.failed || to->failed))
		status = error_set(err, STATUS_NOMEM, "the path of the outbox is too long");
	buf_release(&state);
	return status;
}

/* Only what every file system takes; all else as %XX. A comma before the port, not a colon. */
static void put_name(struct buf *to, const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		bool is_upper = *c >= 'A' && *c <= 'Z';

		if (is_upper || (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') ||
		    (*c != '\0' && strchr(".-_", *c) != NULL))
			buf_put_char(to, is_upper ? (char)(*c - 'A' + 'a') : *c);
		else if (*c == ':' && strrchr(text, ':') == c)
			buf_put_char(to, ',');
		else
			buf_put_fmt(to, "%%%02X", (unsigned)(unsigned char)*c);
	}
}

enum status outbox_path(const char *server, const char *user, struct buf *to, struct error *err)
{
	struct buf root, name;
	enum status status;

	buf_init(&root, PATH_MAX_BYTES);
	buf_init(&name, 1024);
	status = outbox_root(&root, err);
	/* The sign first: Windows keeps some words to itself, such as con.anything. */
	buf_put_char(&name, '@');
	put_name(&name, user);
	buf_put_char(&name, '@');
	put_name(&name, server);
	if (status == STATUS_OK)
		path_join(to, buf_text(&root), buf_text(&name));
	if (status == STATUS_OK && (name.failed || to->failed))
		status = error_set(err, STATUS_NOMEM, "the path of the outbox is too long");
	buf_release(&root);
	buf_release(&name);
	return status;
}

/* --- Files --------------------------------------------------------------------------------- */

static struct outbox_file *file_new(struct outbox *outbox, struct file_journal *journal)
{
	struct outbox_file *file = calloc(1, sizeof *file);

	if (file == NULL)
		return NULL;
	file->journal = journal;
	buf_init(&file->out, OUTBOX_BYTES_MAX);
	list_put(&outbox->files, &file->node);
	return file;
}

/* With nothing in it that waits, the file itself goes too. */
static void file_free(struct outbox *outbox, struct outbox_file *file)
{
	if (file->open == 0)
		file_journal_remove(file->journal);
	else
		file_journal_close(file->journal);
	outbox->bytes -= file->bytes;
	list_remove(&file->node);
	buf_release(&file->out);
	free(file);
}

/* A new file for what is put from now on. Without a folder, or when that cannot be, it is one in
 * memory. NOMEM (without any), or why it cannot be on the disk. */
static enum status open_own(struct outbox *outbox, struct error *err)
{
	struct file_journal *journal = NULL;
	enum status status = STATUS_OK;
	struct buf path;
	char name[64];

	if (outbox->folder != NULL && !outbox->lost) {
		snprintf(name, sizeof name, "%016" PRIx64 "-%016" PRIx64 "-%06x.jsonl",
		    outbox->started, outbox->random, outbox->sequence++);
		buf_init(&path, PATH_MAX_BYTES);
		path_join(&path, outbox->folder, name);
		status = file_journal_open(buf_text(&path), &journal, err);
		buf_release(&path);
		outbox->lost = status != STATUS_OK;
	}
	outbox->own = file_new(outbox, journal);
	if (outbox->own != NULL)
		return status;
	file_journal_remove(journal);
	return error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
}

static bool is_written(const struct outbox *outbox, const struct outbox_file *file)
{
	return file->journal != NULL && !outbox->lost;
}

static void end_mark(struct outbox_file *file)
{
	if (!file->marking)
		return;
	outbox_file_mark(&file->out, file->mark, file->first, file->last);
	file->marking = false;
}

static void put_mark(struct outbox *outbox, struct outbox_message *message, enum outbox_mark mark)
{
	struct outbox_file *file = message->file;

	if (!is_written(outbox, file))
		return;
	outbox->unwritten = true;
	if (mark == OUTBOX_DONE && message->number < outbox->synced_number)
		outbox->unsynced_marks++;
	if (file->marking && file->mark == mark && message->id == file->last + 1) {
		file->last++;
		return;
	}
	end_mark(file);
	file->marking = true;
	file->mark = mark;
	file->first = file->last = message->id;
}

/* Puts a message into the newest file. */
static void file_put(struct outbox *outbox, struct outbox_message *message)
{
	struct outbox_file *file = outbox->own;
	size_t before = file->out.len;

	message->file = file;
	message->id = file->next_id++;
	file->open++;
	if (is_written(outbox, file)) {
		end_mark(file);
		before = file->out.len;
		outbox_file_put(&file->out, message);
		outbox->unwritten = true;
	}
	if (message->sent)
		put_mark(outbox, message, OUTBOX_SENT);
	/* In memory it takes room too. */
	before = is_written(outbox, file) ? file->out.len - before : message->text.len + 64;
	file->bytes += before;
	outbox->bytes += before;
}

/* --- Writing ------------------------------------------------------------------------------- */

/* Nothing in it waits: the newest file is emptied and goes on, an older one goes. */
static enum status file_empty(struct outbox *outbox, struct outbox_file *file, struct error *err)
{
	if (file != outbox->own) {
		file_free(outbox, file);
		return STATUS_OK;
	}
	buf_clear(&file->out);
	file->marking = false;
	outbox->bytes -= file->bytes;
	file->bytes = 0;
	file->next_id = 0;
	if (file->journal == NULL || file_journal_size(file->journal) == 0)
		return STATUS_OK;
	return file_journal_cut(file->journal, 0, err);
}

static enum status file_flush(struct outbox *outbox, struct outbox_file *file, struct error *err)
{
	enum status status = STATUS_OK;

	if (file->open == 0)
		return file_empty(outbox, file, err);
	if (!is_written(outbox, file))
		return STATUS_OK;
	end_mark(file);
	if (file->out.failed)
		return error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
	if (file->out.len > 0) {
		if (outbox->unsynced_since_ms == 0)
			outbox->unsynced_since_ms = clock_mono_ms();
		file->unsynced = true;
		status = file_journal_put(file->journal, buf_slice(&file->out), err);
	}
	buf_clear(&file->out);
	return status;
}

/* What was not written stays in memory, and goes with the process. */
static void lose(struct outbox *outbox)
{
	outbox->lost = true;
	for (struct list *node = outbox->files.next; node != &outbox->files; node = node->next) {
		struct outbox_file *file = list_entry(node, struct outbox_file, node);

		buf_clear(&file->out);
		file->marking = false;
	}
}

static enum status sync_files(struct outbox *outbox, struct error *err)
{
	enum status status = STATUS_OK;

	for (struct list *node = outbox->files.next; node != &outbox->files && status == STATUS_OK;
	     node = node->next) {
		struct outbox_file *file = list_entry(node, struct outbox_file, node);

		if (file->unsynced && is_written(outbox, file))
			status = file_journal_sync(file->journal, err);
		file->unsynced = false;
	}
	outbox->unsynced_since_ms = 0;
	outbox->unsynced_marks = 0;
	outbox->synced_number = outbox->next_number;
	return status;
}

enum status outbox_flush(struct outbox *outbox, bool sync, struct error *err)
{
	enum status status = STATUS_OK;
	struct list *node, *next;

	outbox->unwritten = false;
	if (outbox->failure.status != STATUS_OK) {
		status = outbox->failure.status;
		if (err != NULL)
			*err = outbox->failure;
		outbox->failure.status = STATUS_OK;
	}
	for (node = outbox->files.next; node != &outbox->files && status == STATUS_OK;
	     node = next) {
		next = node->next;
		status = file_flush(outbox, list_entry(node, struct outbox_file, node), err);
	}
	if (outbox->unsynced_since_ms != 0 &&
	    (outbox->unsynced_marks >= SYNC_MARKS ||
	        clock_mono_ms() - outbox->unsynced_since_ms >= OUTBOX_SYNC_MS))
		sync = true;
	if (sync && status == STATUS_OK)
		status = sync_files(outbox, err);
	if (status != STATUS_OK)
		lose(outbox);
	return status;
}

bool outbox_is_kept(const struct outbox *outbox)
{
	return outbox->folder != NULL && !outbox->lost;
}

bool outbox_is_unwritten(const struct outbox *outbox)
{
	return outbox->unwritten;
}

bool outbox_is_unsynced(const struct outbox *outbox)
{
	return outbox->unsynced_since_ms != 0;
}

/* --- Messages ------------------------------------------------------------------------------ */

struct list *outbox_queue(struct outbox *outbox)
{
	return &outbox->queue;
}

size_t outbox_count(const struct outbox *outbox)
{
	return outbox->count;
}

static void new_nonce(struct outbox *outbox, char to[OUTBOX_NONCE_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes;

	if (outbox->pool_left < NONCE_BYTES) {
		random_bytes(outbox->pool, sizeof outbox->pool);
		outbox->pool_left = sizeof outbox->pool;
	}
	outbox->pool_left -= NONCE_BYTES;
	bytes = outbox->pool + outbox->pool_left;
	for (size_t i = 0; i < NONCE_BYTES; i++) {
		to[2 * i] = digits[bytes[i] >> 4];
		to[2 * i + 1] = digits[bytes[i] & 15];
	}
	to[OUTBOX_NONCE_SIZE - 1] = '\0';
}

static void enqueue(struct outbox *outbox, struct outbox_message *message)
{
	message->number = outbox->next_number++;
	outbox->count++;
	list_put(&outbox->queue, &message->node);
}

enum status outbox_put(
    struct outbox *outbox, const char *target, int64_t reply, struct slice text, struct error *err)
{
	struct outbox_message *message;

	if (outbox->count >= OUTBOX_COUNT_MAX)
		return error_set(
		    err, STATUS_FULL, "the outbox is full: %zu messages wait in it", outbox->count);
	if (outbox->bytes + text.len >= OUTBOX_BYTES_MAX)
		return error_set(err, STATUS_FULL,
		    "the outbox is full: %d MiB of messages wait in it", OUTBOX_BYTES_MAX >> 20);
	message = outbox_message_new(target, text);
	if (message == NULL)
		return error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
	message->time_ms = clock_unix_ms();
	message->reply = reply;
	new_nonce(outbox, message->nonce);
	/* A failure of the disk is told by the next flush: the message is in memory. */
	if (outbox->own == NULL || outbox->own->bytes >= FILE_FULL)
		open_own(outbox, &outbox->failure);
	if (outbox->own == NULL) {
		free(message);
		return error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
	}
	file_put(outbox, message);
	enqueue(outbox, message);
	return STATUS_OK;
}

void outbox_done(struct outbox *outbox, struct outbox_message *message)
{
	put_mark(outbox, message, OUTBOX_DONE);
	message->file->open--;
	outbox->count--;
	outbox->unwritten = true;
	list_remove(&message->node);
	free(message);
}

void outbox_sent(struct outbox *outbox, struct outbox_message *message)
{
	if (!message->sent)
		put_mark(outbox, message, OUTBOX_SENT);
	message->sent = true;
}

void outbox_back(struct outbox *outbox, struct outbox_message *message)
{
	if (message->sent)
		put_mark(outbox, message, OUTBOX_BACK);
	message->sent = false;
}

bool outbox_is_doubtful(const struct outbox_message *message, int64_t now_ms)
{
	return message->sent || now_ms - message->time_ms > OUTBOX_AGE_MAX_MS ||
	       message->time_ms - now_ms > CLOCK_SLIP_MS;
}

/* --- Opening and closing ------------------------------------------------------------------- */
struct names {
	char *at[OUTBOX_FILES_MAX];
	size_t count;
	bool too_many, no_memory;
};

static void take_name(void *arg, const char *name)
{
	struct names *names = arg;
	size_t len = strlen(name);

	if (len < 6 || strcmp(name + len - 6, ".jsonl") != 0)
		return;
	if (names->count == OUTBOX_FILES_MAX) {
		names->too_many = true;
		return;
	}
	names->at[names->count] = str_dup(slice_make(name, len));
	if (names->at[names->count] == NULL)
		names->no_memory = true;
	else
		names->count++;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_free(struct names *names)
{
	while (names->count > 0)
		free(names->at[--names->count]);
	free(names);
}

static enum status list_names(const char *folder, struct names **ret, struct error *err)
{
	struct names *names = calloc(1, sizeof *names);
	enum status status;

	if (names == NULL)
		return error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
	status = file_list_dir(folder, take_name, names, err);
	if (names->too_many)
		status = error_set(
		    err, STATUS_FULL, "more than %d files in %s", OUTBOX_FILES_MAX, folder);
	if (names->no_memory)
		status = error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
	if (status != STATUS_OK) {
		names_free(names);
		return status;
	}
	qsort(names->at, names->count, sizeof *names->at, compare_names);
	*ret = names;
	return STATUS_OK;
}

/* Reads a file that is locked. What was torn at its end is cut off. */
static enum status adopt_messages(struct outbox *outbox, struct outbox_file *file, const char *path,
    unsigned *ret_broken, struct error *err)
{
	struct outbox_reading reading;
	struct list *node;
	struct buf text;
	enum status status;

	buf_init(&text, 2 * OUTBOX_BYTES_MAX);
	status = file_read(path, &text, err);
	if (status == STATUS_OK) {
		status = outbox_file_read(buf_slice(&text), &reading);
		if (status != STATUS_OK)
			error_set(err, status, "%s", status_text(status));
	}
	if (status == STATUS_OK && reading.whole < text.len)
		(void)file_journal_cut(file->journal, reading.whole, NULL);
	buf_release(&text);
	/* Removed by whoever had it, between the look at the folder and the lock. */
	if (status == STATUS_NOT_FOUND)
		return STATUS_OK;
	if (status != STATUS_OK)
		return status;
	file->next_id = reading.next_id;
	file->bytes = reading.whole;
	outbox->bytes += reading.whole;
	*ret_broken += reading.broken;
	while ((node = list_take(&reading.messages)) != NULL) {
		struct outbox_message *message = list_entry(node, struct outbox_message, node);

		message->file = file;
		message->earlier = true;
		file->open++;
		enqueue(outbox, message);
	}
	return STATUS_OK;
}

/* One file, unless another process has it. */
static enum status adopt_file(
    struct outbox *outbox, const char *name, unsigned *ret_broken, struct error *err)
{
	struct file_journal *journal;
	struct outbox_file *file;
	struct buf path;
	enum status status;

	buf_init(&path, PATH_MAX_BYTES);
	path_join(&path, outbox->folder, name);
	status = file_journal_open(buf_text(&path), &journal, err);
	if (status == STATUS_OK) {
		file = file_new(outbox, journal);
		if (file == NULL) {
			file_journal_close(journal);
			status = error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
		} else {
			status = adopt_messages(outbox, file, buf_text(&path), ret_broken, err);
			/* Not because it could not be read is it empty. */
			if (status != STATUS_OK)
				file->open++;
			else if (file->open == 0)
				file_free(outbox, file);
		}
	}
	buf_release(&path);
	return status == STATUS_EXISTS ? STATUS_OK : status;
}

/* The same message may stand in two files if the copying of small ones was cut short. Of each the
 * first stays. */
static int compare_nonces(const void *a, const void *b)
{
	const struct outbox_message *one = *(struct outbox_message *const *)a;
	const struct outbox_message *two = *(struct outbox_message *const *)b;
	int order = strcmp(one->nonce, two->nonce);

	return order != 0 ? order : (one->number > two->number) - (one->number < two->number);
}

static enum status drop_copies(struct outbox *outbox, struct error *err)
{
	struct outbox_message **all;
	size_t count = 0;

	if (outbox->count < 2)
		return STATUS_OK;
	all = calloc(outbox->count, sizeof(struct outbox_message *));
	if (all == NULL)
		return error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
	for (struct list *n = outbox->queue.next; n != &outbox->queue; n = n->next)
		all[count++] = list_entry(n, struct outbox_message, node);
	qsort(all, count, sizeof *all, compare_nonces);
	for (size_t i = 1, kept = 0; i < count; i++) {
		if (strcmp(all[i]->nonce, all[kept]->nonce) != 0) {
			kept = i;
			continue;
		}
		if (all[i]->sent)
			outbox_sent(outbox, all[kept]);
		outbox_done(outbox, all[i]);
	}
	free(all);
	return STATUS_OK;
}

/* The small files behind the last large one, so that the order of the files stays that of the
 * messages; the number of them. */
static size_t mark_small_files(struct outbox *outbox)
{
	size_t count = 0;

	for (struct list *node = outbox->files.prev; node != &outbox->files; node = node->prev) {
		struct outbox_file *file = list_entry(node, struct outbox_file, node);

		if (file->bytes >= FILE_KEPT)
			break;
		file->joining = true;
		count++;
	}
	return count;
}

/* What is put goes into the last small file; several become one, or calls that find no server, side
 * by side, would add more and more for ever. */
static enum status join_small_files(struct outbox *outbox, struct error *err)
{
	size_t count = mark_small_files(outbox);
	struct list *node, *next;
	enum status status;

	if (count == 1)
		outbox->own = list_entry(outbox->files.prev, struct outbox_file, node);
	if (count < 2)
		return STATUS_OK;
	status = open_own(outbox, err);
	for (node = outbox->queue.next; node != &outbox->queue && status == STATUS_OK;
	     node = node->next) {
		struct outbox_message *message = list_entry(node, struct outbox_message, node);

		if (message->file->joining)
			file_put(outbox, message);
	}
	if (status == STATUS_OK)
		status = outbox_flush(outbox, true, err);
	if (status != STATUS_OK)
		return status;
	for (node = outbox->files.next; node != &outbox->files; node = next) {
		struct outbox_file *file = list_entry(node, struct outbox_file, node);

		next = node->next;
		if (!file->joining)
			continue;
		file->open = 0;
		file_free(outbox, file);
	}
	return STATUS_OK;
}

static enum status adopt(struct outbox *outbox, unsigned *ret_broken, struct error *err)
{
	struct names *names = NULL;
	enum status status = file_make_dir(outbox->folder, FILE_PRIVATE, err);

	if (status == STATUS_OK)
		status = list_names(outbox->folder, &names, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < names->count && status == STATUS_OK; i++)
		status = adopt_file(outbox, names->at[i], ret_broken, err);
	names_free(names);
	if (status == STATUS_OK)
		status = drop_copies(outbox, err);
	return status == STATUS_OK ? join_small_files(outbox, err) : status;
}

static void outbox_free(struct outbox *outbox)
{
	struct list *node;

	while ((node = list_take(&outbox->queue)) != NULL)
		free(list_entry(node, struct outbox_message, node));
	while (!list_is_empty(&outbox->files))
		file_free(outbox, list_entry(outbox->files.next, struct outbox_file, node));
	free(outbox->folder);
	free(outbox);
}

enum status outbox_open(
    const char *folder, struct outbox **ret, unsigned *ret_broken, struct error *err)
{
	struct outbox *outbox = calloc(1, sizeof *outbox);
	unsigned broken = 0;
	enum status status = STATUS_OK;

	if (outbox == NULL)
		return error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
	list_init(&outbox->queue);
	list_init(&outbox->files);
	outbox->started = (uint64_t)clock_unix_ms();
	outbox->random = random_u64();
	if (folder != NULL) {
		outbox->folder = str_dup(slice_of(folder));
		status = outbox->folder != NULL
		             ? adopt(outbox, &broken, err)
		             : error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
	}
	if (status != STATUS_OK) {
		outbox_free(outbox);
		return status;
	}
	outbox->synced_number = outbox->next_number;
	if (ret_broken != NULL)
		*ret_broken = broken;
	*ret = outbox;
	return STATUS_OK;
}

enum status outbox_close(struct outbox *outbox, struct error *err)
{
	enum status status;

	if (outbox == NULL)
		return STATUS_OK;
	status = outbox_flush(outbox, outbox->count > 0, err);
	outbox_free(outbox);
	return status;
}
