/*
 * A file of an outbox: JSON lines, a message each, or a mark on a range of messages, by id:
 *
 *     {"id":0,"nonce":"5f…","time":1767225600000,"to":"dev","text":"hello"}
 *     {"done":[0,3]}   taken or dropped    {"sent":[4,4]}   on its way, no nonce kept
 *     {"back":[4,4]}   no longer sent
 *
 * A message that answers another has its "reply", too. Ids only rise. A last line without its line
 * end was torn by a crash: it was never sent, as a line is written before that. Other lines that
 * cannot be read are left out and counted. Pure.
 */
#ifndef CONFAB_CLI_OUTBOX_FILE_H
#define CONFAB_CLI_OUTBOX_FILE_H

#include "cli/outbox.h"

enum outbox_mark { OUTBOX_DONE, OUTBOX_SENT, OUTBOX_BACK };

/* A message on the heap, in no list, with a copy of both texts; NULL without memory. */
struct outbox_message *outbox_message_new(const char *target, struct slice text);

/* Append a line. */
void outbox_file_put(struct buf *to, const struct outbox_message *message);
void outbox_file_mark(struct buf *to, enum outbox_mark mark, int64_t first, int64_t last);

struct outbox_reading {
	struct list messages; /* not done, in order; whoever reads frees them */
	size_t count;
	int64_t next_id; /* above all in the file */
	size_t whole;    /* bytes up to the end of the last whole line */
	unsigned broken; /* lines left out */
};

/* NOMEM, and then nothing is left to be freed. */
enum status outbox_file_read(struct slice text, struct outbox_reading *ret);

#endif
