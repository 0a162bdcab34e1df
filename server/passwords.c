#include "passwords.h"

#include <assert.h>
#include <sodium.h>

#include "os/random.h"

/* The second of the equivalent settings that OWASP's Password Storage Cheat Sheet gives for
 * Argon2id: 19 MiB, 2 passes, 1 lane. RFC 9106, section 4, recommends 64 MiB and 3 passes where
 * memory is short, which is meant for a machine that does nothing else: with 64 logins at work or
 * waiting, this server's share stays small. Raising them is enough: stored hashes follow when
 * their users log in. */
#define MEMORY_KIB 19456
#define PASSES	   2

#define TEXT_OF(number)	 TEXT_OF_(number)
#define TEXT_OF_(number) #number

/* 16 bytes of salt and 32 of hash, all zero: finding a password for it is as hard as for any. */
static const char nobody[PASSWORD_HASH_SIZE] =
    "$argon2id$v=19$m=" TEXT_OF(MEMORY_KIB) ",t=" TEXT_OF(PASSES) ",p=1$"
    "AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

static_assert(PASSWORD_HASH_SIZE == crypto_pwhash_STRBYTES, "the text that the library makes");
static_assert(TOKEN_SIZE == sodium_base64_ENCODED_LEN(
				TOKEN_HASH_SIZE, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
    "a token has as many bytes as its hash");

enum status passwords_startup(struct error *err)
{
	if (sodium_init() < 0)
		return error_set(err, STATUS_IO,
		    "libsodium cannot be used: it has no random numbers or no memory");
	assert(crypto_pwhash_str_needs_rehash(nobody, PASSES, MEMORY_KIB * 1024u) == 0);
	return STATUS_OK;
}

/* An empty slice may have no address, which the library does not allow. */
static const char *bytes_of(struct slice password)
{
	return password.len > 0 ? password.ptr : "";
}

enum status password_hash(struct slice password, char ret[PASSWORD_HASH_SIZE])
{
	char text[PASSWORD_HASH_SIZE];

	if (crypto_pwhash_str_alg(text, bytes_of(password), password.len, PASSES,
		MEMORY_KIB * 1024u, crypto_pwhash_ALG_ARGON2ID13) != 0)
		return STATUS_NOMEM;
	memcpy(ret, text, sizeof text);
	sodium_memzero(text, sizeof text);
	return STATUS_OK;
}

/* 0: of today's parameters, 1: of others, -1: no hash. The library also takes texts of Argon2i
 * and asks them for the numbers only. */
static int is_outdated(const char *hash)
{
	int outdated = crypto_pwhash_str_needs_rehash(hash, PASSES, MEMORY_KIB * 1024u);

	if (outdated == 0 && !slice_starts(slice_of(hash), crypto_pwhash_argon2id_STRPREFIX))
		return 1;
	return outdated;
}

bool password_verify(const char *hash, struct slice password, bool *ret_rehash)
{
	char text[PASSWORD_HASH_SIZE];
	int outdated = -1;
	bool is_right;

	/* The library reads at most the size of the text, so a longer one is none of its. */
	if (hash != NULL && str_copy(text, sizeof text, slice_of(hash)))
		outdated = is_outdated(text);
	if (outdated < 0)
		memcpy(text, nobody, sizeof text);
	is_right = crypto_pwhash_str_verify(text, bytes_of(password), password.len) == 0;
	sodium_memzero(text, sizeof text);
	*ret_rehash = is_right && outdated > 0;
	return is_right && outdated >= 0;
}

const char *password_of_nobody(void)
{
	return nobody;
}

void token_new(char ret[TOKEN_SIZE])
{
	unsigned char bytes[TOKEN_HASH_SIZE];

	random_bytes(bytes, sizeof bytes);
	sodium_bin2base64(ret, TOKEN_SIZE, bytes, sizeof bytes,
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(bytes, sizeof bytes);
}

/* Without a key: the input is as random as one would be. */
void token_hash(struct slice token, unsigned char ret[TOKEN_HASH_SIZE])
{
	crypto_generichash(
	    ret, TOKEN_HASH_SIZE, (const unsigned char *)token.ptr, token.len, NULL, 0);
}
