/*
 * A command as words of a shell, "cmd=send room=dev text=hi", for shells that take JSON apart, made
 * into a JSON object. A value is a string, save where the protocol's tables know the field as a
 * number or a truth value; `field:=RAW` takes any JSON. Pure.
 */
#ifndef CONFAB_CLI_WORDS_H
#define CONFAB_CLI_WORDS_H

#include "base/buf.h"
#include "base/status.h"

/* Appends the object. `to_user` (or NULL) becomes the field "to". USAGE with a sentence. */
enum status words_to_json(
    const char *const *words, size_t count, const char *to_user, struct buf *to, struct error *err);

#endif
