/*
 * SHA-256 by way of mbedTLS's functions: the examples of FIPS 180-4, NIST's CAVP vectors, and the
 * processor's instructions beside mbedTLS's own code over random lengths, pieces and alignments.
 */
#include <stdbool.h>
#include <stdint.h>

#include <mbedtls/sha256.h>

#include "base/rng.h"
#include "crypto/sha256_fast.h"
#include "tests/unit/unit.h"

#define SKIPPED 77
#define LEN 32

static void need_instructions(void)
{
	if (!sha256_fast_is_supported()) {
		printf("this processor has no SHA instructions: skipped\n");
		exit(SKIPPED);
	}
}

static void check_hash(const char *text, size_t times, const char *want)
{
	mbedtls_sha256_context ctx;
	unsigned char hash[LEN];
	char hex[2 * LEN + 1];

	mbedtls_sha256_init(&ctx);
	CHECK(mbedtls_sha256_starts(&ctx, 0) == 0);
	for (size_t i = 0; i < times; i++)
		CHECK(mbedtls_sha256_update(&ctx, (const unsigned char *)text, strlen(text)) == 0);
	CHECK(mbedtls_sha256_finish(&ctx, hash) == 0);
	mbedtls_sha256_free(&ctx);
	for (size_t i = 0; i < LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	CHECK_STR(hex, want);
}

static void check_examples(void)
{
	check_hash("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check_hash("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	check_hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	check_hash("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmn"
		   "opqklmnopqrlmnopqrsmnopqrstnopqrstu", 1,
	    "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
	check_hash("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 20000,
	    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(unit__compute__sha256_examples)
{
	need_instructions();
	check_examples();
}

TEST(unit__compute__sha256_examples_with_stock_code)
{
	sha256_fast_allow(false);
	check_examples();
}

/* --- NIST's vectors: lines "Len = bits", "Msg = hex", "MD = hex" -------------------------------- */

#define MESSAGE_MAX 8192

static size_t read_hex(const char *hex, unsigned char *to, size_t max)
{
	size_t len = 0;
	unsigned byte;

	while (sscanf(hex + 2 * len, "%2x", &byte) == 1) {
		CHECK(len < max);
		to[len++] = (unsigned char)byte;
	}
	return len;
}

static unsigned check_file(const char *path)
{
	static char line[2 * MESSAGE_MAX + 64];
	static unsigned char message[MESSAGE_MAX];
	FILE *file = fopen(path, "r");
	unsigned count = 0;
	size_t len = 0;

	if (file == NULL) {
		printf("%s is not there: skipped\n", path);
		exit(SKIPPED);
	}
	while (fgets(line, sizeof line, file) != NULL) {
		unsigned char want[LEN], hash[LEN];

		if (strncmp(line, "Len = ", 6) == 0)
			len = strtoul(line + 6, NULL, 10) / 8;
		else if (strncmp(line, "Msg = ", 6) == 0)
			CHECK(read_hex(line + 6, message, sizeof message) >= len);
		if (strncmp(line, "MD = ", 5) != 0)
			continue;
		CHECK(read_hex(line + 5, want, LEN) == LEN);
		CHECK(mbedtls_sha256(message, len, hash, 0) == 0);
		CHECK(memcmp(hash, want, LEN) == 0);
		count++;
	}
	fclose(file);
	return count;
}

TEST(unit__compute__nist_sha256_messages)
{
	need_instructions();
	CHECK_INT(check_file(CAVP_SHA2_DIR "/SHA256ShortMsg.rsp"), 65);
	CHECK_INT(check_file(CAVP_SHA2_DIR "/SHA256LongMsg.rsp"), 64);
}

/* --- beside mbedTLS's own ----------------------------------------------------------------------- */

/* The text in pieces that `rng` cuts, and from where it says. */
static void hash_in_pieces(
    struct rng *rng, const unsigned char *text, size_t len, bool is224, unsigned char ret[LEN])
{
	mbedtls_sha256_context ctx, copy;

	mbedtls_sha256_init(&ctx);
	mbedtls_sha256_init(&copy);
	CHECK(mbedtls_sha256_starts(&ctx, is224) == 0);
	while (len > 0) {
		size_t part = 1 + rng_next(rng) % len;

		/* One code begins a text, the other goes on with it. */
		sha256_fast_allow(rng_next(rng) % 2 == 0);
		CHECK(mbedtls_sha256_update(&ctx, text, part) == 0);
		text += part;
		len -= part;
	}
	mbedtls_sha256_clone(&copy, &ctx);
	CHECK(mbedtls_sha256_finish(&copy, ret) == 0);
	mbedtls_sha256_free(&ctx);
	mbedtls_sha256_free(&copy);
}

TEST(unit__compare__sha256_with_stock)
{
	static unsigned char memory[4096 + 64];
	struct rng rng = {1};

	need_instructions();
	for (int round = 0; round < 20000; round++) {
		size_t len = rng_next(&rng) % (round % 10 == 0 ? 4096 : 300);
		unsigned char *text = memory + rng_next(&rng) % 64;
		bool is224 = round % 7 == 0;
		unsigned char stock[LEN] = {0}, mixed[LEN] = {0}, fast[LEN] = {0};

		for (size_t i = 0; i < len; i++)
			text[i] = (unsigned char)rng_next(&rng);
		hash_in_pieces(&rng, text, len, is224, mixed);
		sha256_fast_allow(false);
		CHECK(mbedtls_sha256(text, len, stock, is224) == 0);
		sha256_fast_allow(true);
		CHECK(mbedtls_sha256(text, len, fast, is224) == 0);
		CHECK(memcmp(stock, fast, LEN) == 0);
		CHECK(memcmp(stock, mixed, LEN) == 0);
	}
}

UNIT_MAIN(CASE(unit__compute__sha256_examples),
    CASE(unit__compute__sha256_examples_with_stock_code),
    CASE(unit__compute__nist_sha256_messages), CASE(unit__compare__sha256_with_stock))
