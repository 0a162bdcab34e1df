/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. Pure.
 */
#ifndef CONFAB_BASE_UTF8_H
#define CONFAB_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Length in bytes (1 to 4) of the character at the start of `text`, its code point in *ret_cp
 * (which may be NULL); 0 if there is no complete valid character. */
size_t utf8_next(struct slice text, uint32_t *ret_cp);

bool utf8_is_valid(struct slice text);

/* The longest start of `text`, at most `max` bytes, that cuts no character. */
struct slice utf8_cut(struct slice text, size_t max);

/* Writes a code point as UTF-8 to `to` (room for 4 bytes); bytes written, 0 if it is none. */
size_t utf8_put(uint32_t code_point, char *to);

#endif
