/*
 * The store as files, for export and import: a place of work inside the data directory, and a store
 * that is opened there or in the data directory itself.
 */
#ifndef CONFAB_SERVER_ADMIN_FILES_H
#define CONFAB_SERVER_ADMIN_FILES_H

#include "base/status.h"

/* A private folder that is made in `data_dir` and goes again: on the heap. */
enum status files_make_work(const char *data_dir, const char *what, char **ret, struct error *err);
/* With the store in it; frees the name. NULL is harmless. */
void files_remove_work(char *dir);

/* `dir` and `name` as a path on the heap, or NULL without memory. */
char *files_path(const char *dir, const char *name);

#endif
