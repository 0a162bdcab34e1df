/*
 * Access lists of what is private to the user this process runs as: files, folders and pipes. Only
 * for the files that talk to Windows. Any thread.
 */
#ifndef CONFAB_OS_RIGHTS_WIN_H
#define CONFAB_OS_RIGHTS_WIN_H

#include <stdbool.h>
#include <windows.h>

enum rights_of {
	RIGHTS_FILE, /* the user and SYSTEM */
	RIGHTS_DIR,  /* the same, for what is created in it, too */
	RIGHTS_PIPE, /* the user, SYSTEM and administrators */
};

/* Freed with LocalFree; NULL with the reason in GetLastError. */
PSECURITY_DESCRIPTOR rights_private(enum rights_of what);

/* Is it the user, SYSTEM or the administrators: somebody who may do what the user may, anyway? */
bool rights_is_own(PSID sid);

#endif
