/*
 * The login that `confab login` keeps on this device: one token for each profile, and for each
 * server where there is no profile, in a file of the user's state folder that only its owner can
 * read. A token is used only for the server and the user it was given for: what the flags and the
 * profile say otherwise makes it one that is not there. Blocking; main thread.
 */
#ifndef CONFAB_CLI_TOKEN_H
#define CONFAB_CLI_TOKEN_H

#include "base/status.h"
#include "cli/settings.h"
#include "wire/tables.h"

#define TOKEN_MAX 256 /* bytes */

/* A secret: worth as much as the password. */
struct token {
	char user[PROTO_USER_MAX + 1];
	char text[TOKEN_MAX + 1]; /* "" where there is none */
	bool of_profile;          /* kept for the profile, not for its server */
};

/* Wipes it; harmless on a zeroed one. */
void token_release(struct token *token);

/* The token for completed settings, of their profile, else of their server. NOT_FOUND: there is
 * none for them; ACCESS, IO, USAGE (the server's name), INVALID (the file is no such file), with a
 * sentence. */
enum status token_load(const struct settings *settings, struct token *ret, struct error *err);

/* Keeps it in place of the one before. ACCESS, NO_SPACE, IO, USAGE, NOT_FOUND (no home folder). */
enum status token_save(
    const struct settings *settings, const struct token *token, struct error *err);

/* Forgets it where it was loaded from; OK also when there is none. */
enum status token_remove(
    const struct settings *settings, const struct token *token, struct error *err);

#endif
