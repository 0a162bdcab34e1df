/*
 * The messages that `confab send` was given and that no server has taken yet, on the disk, for one
 * server and user. Each has a nonce, by which the server stores it once however often it is sent.
 *
 * On the disk it is a folder of files of JSON lines (outbox_file.h). Each process appends to files
 * of its own, which it has locked, and at its start adopts those of processes that are gone: so two
 * never share a file, and none waits for another. A file whose messages have all been taken is
 * emptied and removed. What is marked here is written with the next outbox_flush, in one piece, and
 * reaches the disk's surface now and then: what a kill leaves behind is at worst a message that is
 * marked as waiting though it was taken, and the nonce sees to that.
 *
 * Without a folder it is a queue in memory. One thread.
 */
#ifndef CONFAB_CLI_OUTBOX_H
#define CONFAB_CLI_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/status.h"

#define OUTBOX_BYTES_MAX (16 << 20) /* of the files of one outbox */
#define OUTBOX_COUNT_MAX 65536      /* messages that wait */
#define OUTBOX_FILES_MAX 1024       /* looked at in one folder */
#define OUTBOX_SYNC_MS 1000         /* what is written is flushed to the disk after this long */
#define OUTBOX_NONCE_SIZE 25        /* with the final NUL */

/* The server remembers a nonce for 24 hours. What is older than this is not sent unasked. */
#define OUTBOX_AGE_MAX_MS INT64_C(82800000)

struct outbox;
struct outbox_file;

struct outbox_message {
	struct list node; /* for whoever has it, */
	void *holder;     /* and this too */
	struct outbox_file *file;
	uint64_t number; /* its place in the order of this outbox */
	int64_t id;      /* in its file */
	int64_t time_ms; /* since 1970, when it was put */
	bool earlier;    /* adopted */
	bool sent;       /* marked so */
	char nonce[OUTBOX_NONCE_SIZE];
	const char *target; /* "room" or "@user" */
	int64_t reply;      /* the seq of the message that it answers, or 0 */
	struct slice text;  /* with a NUL behind it */
};

/* Appends the path of the outbox's folder. `server` is "host:port". NOT_FOUND (no home folder),
 * NOMEM. */
enum status outbox_path(const char *server, const char *user, struct buf *to, struct error *err);

/* The folder with all outboxes. */
enum status outbox_root(struct buf *to, struct error *err);

/* Opens the outbox in the folder, which it makes; NULL: in memory only. What gone processes left is
 * in the queue, in order; *ret_broken (may be NULL) counts lines that could not be read, torn last
 * ones excepted. FULL (too many files), ACCESS, NO_SPACE, NOMEM, IO. */
enum status outbox_open(
    const char *folder, struct outbox **ret, unsigned *ret_broken, struct error *err);

/* Writes what is marked, flushes it to the disk, and closes; frees what is in the queue, but that
 * stays on the disk. NULL is harmless. */
enum status outbox_close(struct outbox *outbox, struct error *err);

/* Messages nobody has taken out yet, linked by `node`, oldest first. */
struct list *outbox_queue(struct outbox *outbox);

/* Puts a new message at the end of the queue; `reply` as in it. FULL: the outbox is; NOMEM. */
enum status outbox_put(
    struct outbox *outbox, const char *target, int64_t reply, struct slice text, struct error *err);

/* The server has taken it, or it is dropped: leaves the outbox, and is freed. */
void outbox_done(struct outbox *outbox, struct outbox_message *message);

/* It goes to a server that will not remember its nonce: should no answer come, it is not known
 * whether it was taken. outbox_back takes the mark away. */
void outbox_sent(struct outbox *outbox, struct outbox_message *message);
void outbox_back(struct outbox *outbox, struct outbox_message *message);

/* May sending it unasked store it twice? */
bool outbox_is_doubtful(const struct outbox_message *message, int64_t now_ms);

/* How many were put or adopted, and not done. */
size_t outbox_count(const struct outbox *outbox);

/* Does what waits survive the process? Not in memory only, and not after a failure. */
bool outbox_is_kept(const struct outbox *outbox);

/* Is anything marked that outbox_flush has not written? */
bool outbox_is_unwritten(const struct outbox *outbox);

/* Waits what was written for the disk's surface? Then outbox_flush should be called again after
 * OUTBOX_SYNC_MS at most. */
bool outbox_is_unsynced(const struct outbox *outbox);

/* Writes what is marked; when it is time, or if `sync`, to the disk's surface. After a failure the
 * outbox goes on in memory only, and has no more to write. NO_SPACE, ACCESS, IO. */
enum status outbox_flush(struct outbox *outbox, bool sync, struct error *err);

#endif
