/*
 * Passwords and tokens. No case looks at the time: that nobody's password costs as much as a wrong
 * one is seen by what is worked on.
 */
#include "tests/unit/unit.h"

#include <sodium.h>

#include "passwords.h"

static void start(void)
{
	struct error err;

	CHECK(passwords_startup(&err) == STATUS_OK);
	CHECK(passwords_startup(NULL) == STATUS_OK);
}

static void hash_of(struct slice password, char ret[PASSWORD_HASH_SIZE])
{
	CHECK(password_hash(password, ret) == STATUS_OK);
	CHECK(strlen(ret) < PASSWORD_HASH_SIZE);
}

static bool is_right(const char *hash, struct slice password)
{
	bool rehash = true, right = password_verify(hash, password, &rehash);

	CHECK(!rehash);
	return right;
}

TEST(passwords__verify__right_and_wrong)
{
	char hash[PASSWORD_HASH_SIZE], again[PASSWORD_HASH_SIZE];

	start();
	hash_of(slice_of("correct horse"), hash);
	hash_of(slice_of("correct horse"), again);
	CHECK(strcmp(hash, again) != 0);
	CHECK(is_right(hash, slice_of("correct horse")));
	CHECK(is_right(again, slice_of("correct horse")));
	CHECK(!is_right(hash, slice_of("correct horsf")));
	CHECK(!is_right(hash, slice_of("Correct horse")));
	CHECK(!is_right(hash, slice_of("")));
}

TEST(passwords__verify__any_bytes)
{
	static char long_one[65536];
	struct slice empty = {NULL, 0}, with_nul = slice_make("a\0b", 3);
	char hash[PASSWORD_HASH_SIZE];

	start();
	hash_of(empty, hash);
	CHECK(is_right(hash, empty));
	CHECK(is_right(hash, slice_of("")));
	CHECK(!is_right(hash, slice_make("\0", 1)));

	hash_of(with_nul, hash);
	CHECK(is_right(hash, with_nul));
	CHECK(!is_right(hash, slice_of("a")));
	CHECK(!is_right(hash, slice_make("a\0c", 3)));

	memset(long_one, 'x', sizeof long_one);
	hash_of(slice_make(long_one, sizeof long_one), hash);
	CHECK(is_right(hash, slice_make(long_one, sizeof long_one)));
	CHECK(!is_right(hash, slice_make(long_one, sizeof long_one - 1)));
}

TEST(passwords__verify__asks_for_a_new_hash)
{
	char weak[crypto_pwhash_STRBYTES];
	bool rehash = false;

	start();
	CHECK(crypto_pwhash_str_alg(weak, "pw", 2, 1, 8192 * 1024, crypto_pwhash_ALG_ARGON2ID13) == 0);
	CHECK(password_verify(weak, slice_of("pw"), &rehash));
	CHECK(rehash);
	CHECK(!is_right(weak, slice_of("wp")));

	/* Another method counts as outdated too, even with today's numbers. */
	CHECK(crypto_pwhash_str_alg(weak, "pw", 2, 3, 8192 * 1024, crypto_pwhash_ALG_ARGON2I13) == 0);
	CHECK(password_verify(weak, slice_of("pw"), &rehash));
	CHECK(rehash);
}

TEST(passwords__verify__refuses_damaged_hashes)
{
	static const char *const texts[] = {"", "x", "$argon2id$", "$argon2id$v=19$m=19456,t=2,p=1$",
	    "$argon2id$v=19$m=0,t=0,p=0$AAAA$AAAA", "$argon2id$v=19$m=99999999999,t=2,p=1$AAAA$AAAA",
	    "$2b$12$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
	    "\xff\xfe$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA"};
	char hash[PASSWORD_HASH_SIZE], longer[2 * PASSWORD_HASH_SIZE];

	start();
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		CHECK(!is_right(texts[i], slice_of("pw")));
	hash_of(slice_of("pw"), hash);
	memset(longer, 'A', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	memcpy(longer, hash, strlen(hash));
	CHECK(!is_right(longer, slice_of("pw")));
	hash[strlen(hash) - 1] = '\0';
	CHECK(!is_right(hash, slice_of("pw")));
	hash[20] = '!';
	CHECK(!is_right(hash, slice_of("pw")));
}

TEST(passwords__verify__nobody_costs_the_same)
{
	char hash[PASSWORD_HASH_SIZE];
	const char *nobody = password_of_nobody();
	size_t same;

	start();
	CHECK(!is_right(NULL, slice_of("pw")));
	CHECK(!is_right(NULL, slice_of("")));
	CHECK(!is_right(nobody, slice_of("pw")));

	/* The same method and numbers, as many bytes of salt and hash, and the library takes it. */
	hash_of(slice_of("pw"), hash);
	same = (size_t)(strstr(hash, ",p=1$") - hash) + strlen(",p=1$");
	CHECK(strncmp(hash, nobody, same) == 0);
	CHECK_INT(strlen(nobody), strlen(hash));
	CHECK_INT(strrchr(nobody, '$') - nobody, strrchr(hash, '$') - hash);
	CHECK_INT(crypto_pwhash_str_needs_rehash(nobody, 2, 19456 * 1024), 0);
	CHECK_INT(crypto_pwhash_str_needs_rehash(hash, 2, 19456 * 1024), 0);
}

TEST(tokens__new__are_url_safe_and_distinct)
{
	enum { COUNT = 200 };
	static char tokens[COUNT][TOKEN_SIZE];
	bool seen[128] = {false};

	start();
	for (int i = 0; i < COUNT; i++) {
		unsigned char bytes[TOKEN_HASH_SIZE];
		size_t len;

		token_new(tokens[i]);
		CHECK_INT(strlen(tokens[i]), 43);
		CHECK_INT(strspn(tokens[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					    "0123456789-_"),
		    43);
		CHECK(sodium_base642bin(bytes, sizeof bytes, tokens[i], 43, NULL, &len, NULL,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0);
		CHECK_INT(len, sizeof bytes);
		for (int k = 0; k < i; k++)
			CHECK(strcmp(tokens[i], tokens[k]) != 0);
		for (int k = 0; k < 43; k++)
			seen[(unsigned char)tokens[i][k]] = true;
	}
	CHECK(seen['-'] && seen['_'] && seen['A'] && seen['9']);
}

/* The examples of RFC 7693 are for 512 bits; these two were computed with Python's hashlib. */
TEST(tokens__hash__known_answers)
{
	static const struct {
		const char *text, *hex;
	} known[] = {
	    {"", "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"},
	    {"abc", "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"},
	};
	unsigned char hash[TOKEN_HASH_SIZE];
	char hex[2 * TOKEN_HASH_SIZE + 1];

	start();
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		token_hash(slice_of(known[i].text), hash);
		sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
		CHECK_STR(hex, known[i].hex);
	}
}

UNIT_MAIN(CASE(passwords__verify__right_and_wrong), CASE(passwords__verify__any_bytes),
    CASE(passwords__verify__asks_for_a_new_hash), CASE(passwords__verify__refuses_damaged_hashes),
    CASE(passwords__verify__nobody_costs_the_same), CASE(tokens__new__are_url_safe_and_distinct),
    CASE(tokens__hash__known_answers))
