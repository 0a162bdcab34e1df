/*
 * A disk that fails when it is told to: sits between SQLite and the system's files.
 */
#ifndef CONFAB_TESTS_FAULT_VFS_H
#define CONFAB_TESTS_FAULT_VFS_H

/* For all files that are opened from now on. Before the first store is opened. */
void fault_vfs_install(void);
/* From the write or sync after the next `after` ones on, each fails with `code` (of SQLite's);
 * 0: none fails. Any thread. */
void fault_vfs_set(int code, int after);

#endif
