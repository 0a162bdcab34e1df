/*
 * A file that grows at its end and belongs to one process at a time: for journals of which the
 * processes of one user each write their own, and adopt those of processes that are gone. The lock
 * goes with the process, however that ends. Private to its owner. Others may read it by its name.
 * Blocking calls; one thread at a time.
 */
#ifndef CONFAB_OS_FILE_JOURNAL_H
#define CONFAB_OS_FILE_JOURNAL_H

#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

struct file_journal;

/* Opens the file, creating it, and locks it; what it holds stays. EXISTS if somebody has it (also
 * this process), ACCESS, NOT_FOUND (no such folder), NO_FILES, NO_SPACE, NOMEM, IO. */
enum status file_journal_open(const char *path, struct file_journal **ret, struct error *err);

/* Appends; after a failure the file is as it was, as far as the disk still lets one. NO_SPACE, IO.
 */
enum status file_journal_put(struct file_journal *journal, struct slice text, struct error *err);

/* Flushes what was appended, and the file's entry in its folder, to the disk. */
enum status file_journal_sync(struct file_journal *journal, struct error *err);

/* Cuts the file to `size` bytes; appends go on there. */
enum status file_journal_cut(struct file_journal *journal, uint64_t size, struct error *err);

uint64_t file_journal_size(const struct file_journal *journal);

/* Closes it; NULL is harmless. */
void file_journal_close(struct file_journal *journal);

/* Empties, removes and closes it. Nobody else ever gets hold of the removed file as if it were
 * still in place. */
void file_journal_remove(struct file_journal *journal);

#endif
