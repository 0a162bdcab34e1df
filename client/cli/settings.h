/*
 * Where to connect, as whom, and whom to trust: flags first, then the profile of the user's
 * configuration file, then what is usual. The file:
 *
 *     {"default":"work","profiles":{"work":{"server":"chat.example.org","user":"alice",
 *      "ca":"ca.pem","cert":"alice.pem","key":"alice.key"}}}
 *
 * Relative paths in it start at its folder. A profile without "ca" uses profiles/NAME/ca.pem or
 * ca.pem in that folder where there is one, else the system's store is trusted.
 */
#ifndef CONFAB_CLI_SETTINGS_H
#define CONFAB_CLI_SETTINGS_H

#include <stdbool.h>

#include "base/status.h"
#include "base/str.h"

#define SETTINGS_KEYS 5
enum settings_key { SETTINGS_SERVER, SETTINGS_USER, SETTINGS_CA, SETTINGS_CERT, SETTINGS_KEY };

/* The values of one profile, or of the flags: owned, NULL where there is none. */
struct settings {
	char *value[SETTINGS_KEYS];
	char profile[64];     /* the profile used, as settings_complete found it, or "" */
	bool is_user_guessed; /* nobody said who: the login name of the system */
};

void settings_release(struct settings *settings);

/* Replaces a value by a copy. NOMEM. */
enum status settings_set(struct settings *settings, enum settings_key key, struct slice value);

/* Reads the text of a configuration file and fills in the profile called `name`, or with NULL the
 * default one, if there is any; *ret_name (64 bytes) is its name or "". USAGE with a sentence for
 * what cannot be understood, NOMEM. Pure. */
enum status settings_parse(struct slice text, const char *name, struct settings *settings,
    char ret_name[64], struct error *err);

/* Fills in what the flags left open, from the file (`config_file`, or NULL: the user's, which may
 * be missing) and from what is usual. USAGE, ACCESS, NOT_FOUND (a file that was named), NOMEM. */
enum status settings_complete(struct settings *settings, const char *config_file,
    const char *profile, bool no_login, struct error *err);

/* A login name of the system made a user's name: lower case; false if it is none then. Pure. */
bool settings_user_name(const char *login, char *to, size_t size);

#endif
