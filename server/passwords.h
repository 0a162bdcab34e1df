/*
 * Passwords and tokens: what is stored of them, and whether one is right. A password is hashed
 * slowly (Argon2id: about 20 ms and 19 MiB), so that whoever steals the store cannot try many: call
 * it on the pool, never on a worker. A token has 256 random bits, which nobody can try through,
 * so that one fast hash of it is enough.
 *
 * The only file that knows libsodium. Keeps nothing and wipes what it copied; what the caller
 * hands in is the caller's to wipe. Any thread, after passwords_startup.
 */
#ifndef CONFAB_SERVER_PASSWORDS_H
#define CONFAB_SERVER_PASSWORDS_H

#include <stdbool.h>

#include "base/status.h"
#include "base/str.h"

#define PASSWORD_HASH_SIZE 128 /* text, with the final NUL */
#define TOKEN_SIZE	   44  /* 43 characters of base64url, and NUL */
#define TOKEN_HASH_SIZE	   32

/* Once before everything else here; again is harmless. IO when the library cannot be used. */
enum status passwords_startup(struct error *err);

/* The text to store: method, parameters, a new salt and the hash. Any bytes are a password, none
 * at all too: what is good enough is for the caller to say. NOMEM. */
enum status password_hash(struct slice password, char ret[PASSWORD_HASH_SIZE]);

/* Is it the password of `hash`, a text of password_hash? With `hash` NULL (there is no such user,
 * or it has no password), or one that is damaged, the answer is false after the same work, so that
 * the time tells nobody which users there are. False as well without memory.
 *
 * *ret_rehash is false unless the password is right and was hashed with other parameters than
 * today's: then the caller stores a new hash of it. */
bool password_verify(const char *hash, struct slice password, bool *ret_rehash);

/* What password_verify works on for nobody: of today's parameters, and no password's. */
const char *password_of_nobody(void);

/* A new token, as text. */
void token_new(char ret[TOKEN_SIZE]);

/* What to store of a token, and to find it by: BLAKE2b with 256 bits of the text. */
void token_hash(struct slice token, unsigned char ret[TOKEN_HASH_SIZE]);

#endif
