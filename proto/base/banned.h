/*
 * Included in front of every file of ours by the build: calls that cannot be used safely, or that
 * depend on the locale, do not compile. What to use instead stands in the name.
 */
#ifndef CONFAB_BANNED_H
#define CONFAB_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* Windows' own has inline functions that use them. */
#if __has_include(<io.h>)
#include <io.h>
#endif

#define BANNED(func) sorry_##func##_is_banned_see_proto_base_banned_h

#undef strcpy
#define strcpy(a, b) BANNED(strcpy) /* buf_put_str, str_copy */
#undef strcat
#define strcat(a, b) BANNED(strcat) /* buf_put_str */
#undef strncpy
#define strncpy(a, b, n) BANNED(strncpy) /* str_copy */
#undef strncat
#define strncat(a, b, n) BANNED(strncat) /* buf_put */
#undef sprintf
#define sprintf(...) BANNED(sprintf) /* snprintf, buf_put_fmt */
#undef vsprintf
#define vsprintf(a, b, c) BANNED(vsprintf) /* vsnprintf, buf_put_vfmt */
#undef gets
#define gets(a) BANNED(gets) /* file_read */
#undef strtok
#define strtok(a, b) BANNED(strtok) /* slice_cut */
#undef atoi
#define atoi(a) BANNED(atoi) /* str_to_int */
#undef atol
#define atol(a) BANNED(atol) /* str_to_int */
#undef strtol
#define strtol(a, b, c) BANNED(strtol) /* str_to_int */
#undef localtime
#define localtime(a) BANNED(localtime) /* rfc3339_put */
#undef gmtime
#define gmtime(a) BANNED(gmtime) /* rfc3339_put */
#undef ctime
#define ctime(a) BANNED(ctime) /* rfc3339_put */
#undef asctime
#define asctime(a) BANNED(asctime) /* rfc3339_put */
#undef tmpnam
#define tmpnam(a) BANNED(tmpnam) /* file_write_private */

#endif
