/*
 * AES-GCM against the published cases of the Wycheproof project and of NIST's CAVP, whichever code
 * runs behind mbedtls_gcm_*: ours where this processor can, and mbedTLS's own.
 */
#include <stdbool.h>
#include <stdint.h>

#include <mbedtls/gcm.h>

#ifdef CONFAB_FAST_GCM
#include "crypto/gcm_fast.h"
#endif
#include "tests/unit/unit.h"

#define SKIPPED 77
#define FIELD_MAX 2048

struct field {
	unsigned char bytes[FIELD_MAX];
	size_t len;
};

struct vector {
	char name[256]; /* for the message when it fails */
	struct field key, iv, ad, text, sealed, tag;
	bool is_valid;
};

#define MUST(v, condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s: failed: %s\n", (v)->name, #condition);                \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/* Pieces of 1, 2, 3 … bytes. */
static void check_in_pieces(const struct vector *v, mbedtls_gcm_context *ctx)
{
	unsigned char out[FIELD_MAX], tag[16];
	size_t done = 0, piece = 1, out_len;

	MUST(v, mbedtls_gcm_starts(ctx, MBEDTLS_GCM_ENCRYPT, v->iv.bytes, v->iv.len) == 0);
	for (; done < v->ad.len; done += piece++) {
		if (piece > v->ad.len - done)
			piece = v->ad.len - done;
		MUST(v, mbedtls_gcm_update_ad(ctx, v->ad.bytes + done, piece) == 0);
	}
	for (done = 0, piece = 1; done < v->text.len; done += piece++) {
		if (piece > v->text.len - done)
			piece = v->text.len - done;
		MUST(v, mbedtls_gcm_update(
		            ctx, v->text.bytes + done, piece, out + done, piece, &out_len) == 0);
		MUST(v, out_len == piece);
	}
	MUST(v, mbedtls_gcm_finish(ctx, NULL, 0, &out_len, tag, v->tag.len) == 0);
	MUST(v, memcmp(out, v->sealed.bytes, v->sealed.len) == 0);
	MUST(v, memcmp(tag, v->tag.bytes, v->tag.len) == 0);
}

static void check_valid(const struct vector *v, mbedtls_gcm_context *ctx)
{
	unsigned char out[FIELD_MAX], tag[16];

	MUST(v, v->text.len == v->sealed.len);
	MUST(v, mbedtls_gcm_crypt_and_tag(ctx, MBEDTLS_GCM_ENCRYPT, v->text.len, v->iv.bytes,
	            v->iv.len, v->ad.bytes, v->ad.len, v->text.bytes, out, v->tag.len, tag) == 0);
	MUST(v, memcmp(out, v->sealed.bytes, v->sealed.len) == 0);
	MUST(v, memcmp(tag, v->tag.bytes, v->tag.len) == 0);
	MUST(v, mbedtls_gcm_auth_decrypt(ctx, v->sealed.len, v->iv.bytes, v->iv.len, v->ad.bytes,
	            v->ad.len, v->tag.bytes, v->tag.len, v->sealed.bytes, out) == 0);
	MUST(v, memcmp(out, v->text.bytes, v->text.len) == 0);
	check_in_pieces(v, ctx);
}

static void check_invalid(const struct vector *v, mbedtls_gcm_context *ctx)
{
	static const unsigned char zeros[FIELD_MAX];
	unsigned char out[FIELD_MAX];
	int ret = mbedtls_gcm_auth_decrypt(ctx, v->sealed.len, v->iv.bytes, v->iv.len, v->ad.bytes,
	    v->ad.len, v->tag.bytes, v->tag.len, v->sealed.bytes, out);

	if (v->iv.len == 0) {
		MUST(v, ret == MBEDTLS_ERR_GCM_BAD_INPUT);
	} else {
		MUST(v, ret == MBEDTLS_ERR_GCM_AUTH_FAILED);
		MUST(v, memcmp(out, zeros, v->sealed.len) == 0);
	}
}

static void check_vector(const struct vector *v)
{
	for (int allowed = 1; allowed >= 0; allowed--) {
		mbedtls_gcm_context ctx;
#ifdef CONFAB_FAST_GCM
		gcm_fast_allow(allowed);
#endif
		mbedtls_gcm_init(&ctx);
		MUST(v, mbedtls_gcm_setkey(&ctx, MBEDTLS_CIPHER_ID_AES, v->key.bytes,
		            (unsigned)v->key.len * 8) == 0);
		if (v->is_valid)
			check_valid(v, &ctx);
		else
			check_invalid(v, &ctx);
		mbedtls_gcm_free(&ctx);
	}
}

/* --- Reading ---------------------------------------------------------------------------------- */

static unsigned nibble(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;
	return at != NULL ? (unsigned)(at - digits) : 16;
}

/* The hexadecimal digits at the start of a text; what follows them is not ours to judge. */
static void read_hex(struct field *f, const char *text)
{
	f->len = 0;
	while (nibble(text[0]) < 16 && nibble(text[1]) < 16) {
		CHECK(f->len < sizeof f->bytes);
		f->bytes[f->len++] = (unsigned char)(nibble(text[0]) << 4 | nibble(text[1]));
		text += 2;
	}
}

/* If a line begins with the word: what comes after it. */
static const char *after(const char *line, const char *word)
{
	size_t len = strlen(word);
	return strncmp(line, word, len) == 0 ? line + len : NULL;
}

/* The field that a line gives, by the names of that file; true if it gives one. */
static bool read_field(struct vector *v, const char *line, const char *const names[6])
{
	struct field *const fields[] = {&v->key, &v->iv, &v->ad, &v->text, &v->sealed, &v->tag};

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		const char *value = after(line, names[i]);
		if (value != NULL) {
			read_hex(fields[i], value);
			return true;
		}
	}
	return false;
}

static FILE *open_or_skip(const char *path)
{
	FILE *file = fopen(path, "r");
	if (file == NULL) {
		printf("skipped: there is no %s\n", path);
		exit(SKIPPED);
	}
	return file;
}

/* The file is indented so that each value has a line of its own, "result" being a case's last. */
TEST(unit__compute__wycheproof_gcm_cases)
{
	static const char *const names[] = {
	    "\"key\": \"", "\"iv\": \"", "\"aad\": \"", "\"msg\": \"", "\"ct\": \"", "\"tag\": \""};
	static struct vector v;
	static char text[65536];
	long expected = -1, seen = 0;
	FILE *file = open_or_skip(WYCHEPROOF_DIR "/wycheproof_aes_gcm_test.json");

	while (fgets(text, sizeof text, file) != NULL) {
		const char *line = text + strspn(text, " "), *value;
		if (read_field(&v, line, names))
			continue;
		if ((value = after(line, "\"numberOfTests\": ")) != NULL)
			expected = (long)strtoul(value, NULL, 10);
		else if ((value = after(line, "\"tcId\": ")) != NULL)
			snprintf(v.name, sizeof v.name, "Wycheproof %.20s", value);
		if ((value = after(line, "\"result\": \"")) == NULL)
			continue;
		v.is_valid = after(value, "valid") != NULL;
		check_vector(&v);
		seen++;
	}
	fclose(file);
	printf("%ld cases\n", seen);
	CHECK_INT(seen, expected);
}

static long check_nist_file(const char *path)
{
	static const char *const names[] = {
	    "Key = ", "IV = ", "AAD = ", "PT = ", "CT = ", "Tag = "};
	static struct vector v;
	static char line[65536];
	long seen = 0;
	bool has_case = false;
	FILE *file = open_or_skip(path);

	while (fgets(line, sizeof line, file) != NULL) {
		const char *value = after(line, "Count = ");
		if (value != NULL) {
			snprintf(v.name, sizeof v.name, "%s: %.20s", path, value);
			v.is_valid = true;
			has_case = true;
		} else if (strncmp(line, "FAIL", 4) == 0) {
			v.is_valid = false;
		} else if (!read_field(&v, line, names) && has_case) {
			/* A case ends with an empty line. */
			check_vector(&v);
			has_case = false;
			seen++;
		}
	}
	fclose(file);
	CHECK(!has_case);
	return seen;
}

TEST(unit__compute__nist_gcm_encryptions)
{
	long seen = check_nist_file(CAVP_DIR "/gcmEncryptExtIV128.rsp") +
	            check_nist_file(CAVP_DIR "/gcmEncryptExtIV192.rsp") +
	            check_nist_file(CAVP_DIR "/gcmEncryptExtIV256.rsp");
	printf("%ld cases\n", seen);
	CHECK_INT(seen, 3 * 7875);
}

TEST(unit__compute__nist_gcm_decryptions)
{
	long seen = check_nist_file(CAVP_DIR "/gcmDecrypt128.rsp") +
	            check_nist_file(CAVP_DIR "/gcmDecrypt192.rsp") +
	            check_nist_file(CAVP_DIR "/gcmDecrypt256.rsp");
	printf("%ld cases\n", seen);
	CHECK_INT(seen, 3 * 7875);
}

UNIT_MAIN(CASE(unit__compute__wycheproof_gcm_cases), CASE(unit__compute__nist_gcm_encryptions),
    CASE(unit__compute__nist_gcm_decryptions))
