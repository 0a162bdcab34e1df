/*
 * Between UTF-8, which everything of ours speaks, and the UTF-16 of Windows' own calls. Only for
 * the files that talk to Windows. Any thread.
 */
#ifndef CONFAB_OS_WIDE_WIN_H
#define CONFAB_OS_WIDE_WIN_H

#include <wchar.h>

/* Copies on the heap, the caller's to free(). NULL without memory; wide_of_utf8 also for text
 * that is not UTF-8, as no file and no host can have such a name. Half a surrogate pair becomes
 * U+FFFD. */
wchar_t *wide_of_utf8(const char *text);
char *wide_to_utf8(const wchar_t *text);

#endif
