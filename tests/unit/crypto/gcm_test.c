/*
 * Our AES-GCM beside mbedTLS's own: the same calls to both have to give the same bytes and the same
 * errors, whatever the lengths, pieces, alignments and overlaps.
 */
#include <stdbool.h>
#include <stdint.h>

#include <mbedtls/aes.h>
#include <mbedtls/cipher.h>
#include <mbedtls/gcm.h>
#if !defined(_WIN32) /* there PSA wants its mutexes installed first */
#include <psa/crypto.h>
#endif

#include "crypto/gcm_fast.h"
#include "tests/unit/crypto/secrets.h"
#include "tests/unit/unit.h"

#define SKIPPED 77
#define TEXT_LEN_MAX UINT64_C(0xfffffffe0) /* SP 800-38D: 2^39 - 256 bits */

static void need_fast_gcm(void)
{
	if (!gcm_fast_is_supported()) {
		printf("skipped: this processor lacks the instructions\n");
		exit(SKIPPED);
	}
}

static void fill(struct rng *rng, unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)rng_next(rng);
}

/* Of exactly that size, filled, so that a tool sees each byte too far. Misaligned by `offset`. */
struct block {
	unsigned char *memory, *bytes;
	size_t len;
};

static struct block block_new(struct rng *rng, size_t len, size_t offset)
{
	struct block b = {.memory = malloc(len + offset + 1), .len = len};
	CHECK(b.memory != NULL);
	/* The spare byte is in front, since malloc(0) may be NULL. */
	b.bytes = b.memory + offset + 1;
	fill(rng, b.memory, len + offset + 1);
	return b;
}

static void two_contexts(
    mbedtls_gcm_context *ours, mbedtls_gcm_context *stock, const unsigned char *key, unsigned bits)
{
	mbedtls_gcm_init(ours);
	mbedtls_gcm_init(stock);
	gcm_fast_allow(true);
	CHECK_INT(mbedtls_gcm_setkey(ours, MBEDTLS_CIPHER_ID_AES, key, bits), 0);
	gcm_fast_allow(false);
	CHECK_INT(mbedtls_gcm_setkey(stock, MBEDTLS_CIPHER_ID_AES, key, bits), 0);
	gcm_fast_allow(true);
	CHECK(ours->is_x86 && !stock->is_x86);
}

/* --- The comparison --------------------------------------------------------------------------- */

struct message {
	struct block iv, ad, text, sealed;
	unsigned char tag[16];
	size_t tag_len;
	mbedtls_gcm_context ours, stock;
	uint64_t number; /* names the message when a check fails */
};

#define MUST(m, condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr,                                                            \
			    "%s:%d: message %llu (iv %zu, ad %zu, text %zu, tag %zu): failed: "    \
			    "%s\n",                                                                \
			    __FILE__, __LINE__, (unsigned long long)(m)->number, (m)->iv.len,      \
			    (m)->ad.len, (m)->text.len, (m)->tag_len, #condition);                 \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static size_t random_text_len(struct rng *rng)
{
	switch (rng_below(rng, 16)) {
	case 0:
		return 0;
	case 1:
		return 16 * rng_below(rng, 40);
	case 2:
		return 128 * rng_below(rng, 6);
	case 3:
		return rng_below(rng, 4000);
	case 4:
		return rng_below(rng, 64) == 0 ? rng_below(rng, 40000) : rng_below(rng, 20);
	default:
		return rng_below(rng, 300);
	}
}

static void message_make(struct message *m, struct rng *rng)
{
	unsigned char key[32];
	unsigned bits = 128 + 64 * (unsigned)rng_below(rng, 3);
	size_t iv_len = rng_below(rng, 2) ? 12 : 1 + rng_below(rng, rng_below(rng, 8) ? 40 : 600);
	size_t ad_len = rng_below(rng, rng_below(rng, 8) ? 40 : 600);
	size_t text_len = random_text_len(rng);

	fill(rng, key, sizeof key);
	two_contexts(&m->ours, &m->stock, key, bits);
	m->iv = block_new(rng, iv_len, rng_below(rng, 16));
	m->ad = block_new(rng, ad_len, rng_below(rng, 16));
	m->text = block_new(rng, text_len, rng_below(rng, 16));
	m->sealed = block_new(rng, text_len, rng_below(rng, 16));
	m->tag_len = 4 + rng_below(rng, 13);
	MUST(m,
	    mbedtls_gcm_crypt_and_tag(&m->stock, MBEDTLS_GCM_ENCRYPT, text_len, m->iv.bytes, iv_len,
	        m->ad.bytes, ad_len, m->text.bytes, m->sealed.bytes, m->tag_len, m->tag) == 0);
}

static void message_release(struct message *m)
{
	mbedtls_gcm_free(&m->ours);
	mbedtls_gcm_free(&m->stock);
	free(m->iv.memory);
	free(m->ad.memory);
	free(m->text.memory);
	free(m->sealed.memory);
}

/*
 * Input and output in one buffer, the output `back` bytes before the input (0: in place), or, where
 * back is NOT_SHARED, in two. The result is in out.
 */
#define NOT_SHARED SIZE_MAX

static struct block shared_new(
    struct rng *rng, const struct block *from, size_t back, struct block *ret_out)
{
	size_t room = back == NOT_SHARED ? 0 : back;
	struct block in = block_new(rng, from->len + room, rng_below(rng, 16));

	ret_out->memory = NULL;
	ret_out->bytes = in.bytes;
	ret_out->len = from->len;
	in.bytes += room;
	in.len = from->len;
	memcpy(in.bytes, from->bytes, from->len);
	if (back == NOT_SHARED)
		*ret_out = block_new(rng, from->len, rng_below(rng, 16));
	return in;
}

static size_t random_back(struct rng *rng)
{
	switch (rng_below(rng, 4)) {
	case 0:
		return NOT_SHARED;
	case 1:
		return rng_below(rng, 200);
	default:
		return 0;
	}
}

static void check_one_call(struct message *m, struct rng *rng)
{
	struct block out, in = shared_new(rng, &m->text, random_back(rng), &out);
	unsigned char tag[17] = {0};

	tag[m->tag_len] = 0xa5;
	MUST(m, mbedtls_gcm_crypt_and_tag(&m->ours, MBEDTLS_GCM_ENCRYPT, m->text.len, m->iv.bytes,
	            m->iv.len, m->ad.bytes, m->ad.len, in.bytes, out.bytes, m->tag_len, tag) == 0);
	MUST(m, memcmp(out.bytes, m->sealed.bytes, m->sealed.len) == 0);
	MUST(m, memcmp(tag, m->tag, m->tag_len) == 0 && tag[m->tag_len] == 0xa5);
	free(in.memory);
	free(out.memory);

	in = shared_new(rng, &m->sealed, random_back(rng), &out);
	MUST(m, mbedtls_gcm_auth_decrypt(&m->ours, m->sealed.len, m->iv.bytes, m->iv.len,
	            m->ad.bytes, m->ad.len, m->tag, m->tag_len, in.bytes, out.bytes) == 0);
	MUST(m, memcmp(out.bytes, m->text.bytes, m->text.len) == 0);
	free(in.memory);
	free(out.memory);
}

/* In pieces of any lengths, 0 among them. */
static void check_pieces(struct message *m, struct rng *rng, int mode)
{
	const struct block *from = mode == MBEDTLS_GCM_ENCRYPT ? &m->text : &m->sealed;
	const struct block *want = mode == MBEDTLS_GCM_ENCRYPT ? &m->sealed : &m->text;
	struct block out, in = shared_new(rng, from, random_back(rng), &out);
	uint64_t bound = 1 + rng_below(rng, rng_below(rng, 2) ? 20 : 400);
	unsigned char tag[16];
	size_t done, piece, out_len;

	MUST(m, mbedtls_gcm_starts(&m->ours, mode, m->iv.bytes, m->iv.len) == 0);
	for (done = 0; done < m->ad.len; done += piece) {
		piece = rng_below(rng, bound + 1);
		if (piece > m->ad.len - done)
			piece = m->ad.len - done;
		MUST(m, mbedtls_gcm_update_ad(&m->ours, m->ad.bytes + done, piece) == 0);
	}
	for (done = 0; done < from->len; done += piece) {
		piece = rng_below(rng, bound + 1);
		if (piece > from->len - done)
			piece = from->len - done;
		MUST(m, mbedtls_gcm_update(&m->ours, in.bytes + done, piece, out.bytes + done,
		            piece, &out_len) == 0);
		MUST(m, out_len == piece);
	}
	MUST(m, mbedtls_gcm_finish(&m->ours, NULL, 0, &out_len, tag, m->tag_len) == 0);
	MUST(m, out_len == 0);
	MUST(m, memcmp(out.bytes, want->bytes, want->len) == 0);
	MUST(m, memcmp(tag, m->tag, m->tag_len) == 0);
	free(in.memory);
	free(out.memory);
}

/* One bit of the tag, the text, the additional data or the IV is wrong. */
static void check_forged(struct message *m, struct rng *rng)
{
	struct block *const parts[] = {&m->sealed, &m->ad, &m->iv};
	struct block *part = parts[rng_below(rng, 3)];
	struct block out = block_new(rng, m->sealed.len, 0);
	size_t bit;

	if (part->len == 0 || rng_below(rng, 2)) {
		bit = rng_below(rng, m->tag_len * 8);
		m->tag[bit / 8] ^= (unsigned char)(1u << bit % 8);
	} else {
		bit = rng_below(rng, part->len * 8);
		part->bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
	/* A tag of four bytes fits by chance once in 2^32 times; the seed is fixed. */
	MUST(m, mbedtls_gcm_auth_decrypt(&m->ours, m->sealed.len, m->iv.bytes, m->iv.len,
	            m->ad.bytes, m->ad.len, m->tag, m->tag_len, m->sealed.bytes,
	            out.bytes) == MBEDTLS_ERR_GCM_AUTH_FAILED);
	for (size_t i = 0; i < out.len; i++)
		MUST(m, out.bytes[i] == 0);
	free(out.memory);
}

static void compare(uint64_t seed, uint64_t count)
{
	struct rng rng = {seed};

	need_fast_gcm();
	printf("two blocks in a register: %s\n", gcm_fast_is_wide() ? "each second message" : "no");
	printf("seed %llu, %llu messages\n", (unsigned long long)seed, (unsigned long long)count);
	for (uint64_t i = 0; i < count; i++) {
		struct message m = {.number = i};
		gcm_fast_allow_wide(i % 2 != 0);
		message_make(&m, &rng);
		check_one_call(&m, &rng);
		check_pieces(&m, &rng, MBEDTLS_GCM_ENCRYPT);
		check_pieces(&m, &rng, MBEDTLS_GCM_DECRYPT);
		check_forged(&m, &rng);
		message_release(&m);
	}
	gcm_fast_allow_wide(true);
}

TEST(unit__compare__gcm_with_stock)
{
	compare(20260707, 40000);
}

/* For tools under which everything takes fifty times as long. */
TEST(unit__compare__gcm_with_stock_briefly)
{
	compare(38, 1000);
}

/* Each length up to a few times the eight blocks, each key size, sealed in place and opened. */
TEST(unit__compare__gcm_of_all_short_lengths)
{
	struct rng rng = {4};
	unsigned char key[32], iv[12], text[600], a[600], b[600], tag_a[16], tag_b[16];
	mbedtls_gcm_context ours, stock;

	need_fast_gcm();
	fill(&rng, key, sizeof key);
	fill(&rng, iv, sizeof iv);
	fill(&rng, text, sizeof text);
	for (unsigned bits = 128; bits <= 256; bits += 64) {
		two_contexts(&ours, &stock, key, bits);
		for (size_t len = 0; len <= sizeof text; len++) {
			memcpy(a, text, len);
			CHECK_INT(mbedtls_gcm_crypt_and_tag(&ours, MBEDTLS_GCM_ENCRYPT, len, iv, 12,
			              key, len % 33, a, a, 16, tag_a),
			    0);
			CHECK_INT(mbedtls_gcm_crypt_and_tag(&stock, MBEDTLS_GCM_ENCRYPT, len, iv,
			              12, key, len % 33, text, b, 16, tag_b),
			    0);
			CHECK(memcmp(a, b, len) == 0 && memcmp(tag_a, tag_b, 16) == 0);
			CHECK_INT(mbedtls_gcm_auth_decrypt(
			              &ours, len, iv, 12, key, len % 33, tag_b, 16, a, a),
			    0);
			CHECK(memcmp(a, text, len) == 0);
		}
		mbedtls_gcm_free(&ours);
		mbedtls_gcm_free(&stock);
	}
}

/* --- Limits and errors ------------------------------------------------------------------------ */

TEST(unit__refuse__what_stock_gcm_does)
{
	unsigned char key[32] = {1}, iv[12] = {2}, in[64] = {3}, out[64], tag[32];
	mbedtls_gcm_context ours, stock;
	mbedtls_gcm_context *const both[] = {&ours, &stock};
	size_t len;

	need_fast_gcm();
	two_contexts(&ours, &stock, key, 128);
	for (int i = 0; i < 2; i++) {
		mbedtls_gcm_context *ctx = both[i];
		CHECK_INT(mbedtls_gcm_starts(ctx, 1, iv, 0), MBEDTLS_ERR_GCM_BAD_INPUT);
#if SIZE_MAX > 0xffffffff
		CHECK_INT(
		    mbedtls_gcm_starts(ctx, 1, iv, (size_t)1 << 61), MBEDTLS_ERR_GCM_BAD_INPUT);
#endif
		CHECK_INT(mbedtls_gcm_starts(ctx, 1, iv, 12), 0);
#if SIZE_MAX > 0xffffffff
		CHECK_INT(
		    mbedtls_gcm_update_ad(ctx, in, (size_t)1 << 61), MBEDTLS_ERR_GCM_BAD_INPUT);
		CHECK_INT(mbedtls_gcm_update_ad(ctx, in, SIZE_MAX), MBEDTLS_ERR_GCM_BAD_INPUT);
#endif
		CHECK_INT(mbedtls_gcm_update_ad(ctx, NULL, 0), 0);
		CHECK_INT(mbedtls_gcm_update(ctx, in, 64, out, 63, &len),
		    MBEDTLS_ERR_GCM_BUFFER_TOO_SMALL);
		CHECK_INT(
		    mbedtls_gcm_update(ctx, in, 32, in + 31, 32, &len), MBEDTLS_ERR_GCM_BAD_INPUT);
		CHECK_INT(mbedtls_gcm_update(ctx, in, 32, in + 32, 32, &len), 0);
		CHECK_INT(mbedtls_gcm_update(ctx, NULL, 0, NULL, 0, &len), 0);
		CHECK_INT(len, 0);
		CHECK_INT(
		    mbedtls_gcm_finish(ctx, NULL, 0, &len, tag, 3), MBEDTLS_ERR_GCM_BAD_INPUT);
		CHECK_INT(
		    mbedtls_gcm_finish(ctx, NULL, 0, &len, tag, 17), MBEDTLS_ERR_GCM_BAD_INPUT);
		CHECK_INT(mbedtls_gcm_auth_decrypt(ctx, 16, iv, 12, NULL, 0, tag, 3, in, out),
		    MBEDTLS_ERR_GCM_BAD_INPUT);
		mbedtls_gcm_free(ctx);
	}
	mbedtls_gcm_free(NULL);
}

TEST(unit__refuse__gcm_keys_as_stock_does)
{
	static const struct {
		mbedtls_cipher_id_t cipher;
		unsigned bits;
	} bad[] = {{MBEDTLS_CIPHER_ID_AES, 0}, {MBEDTLS_CIPHER_ID_AES, 127},
	    {MBEDTLS_CIPHER_ID_AES, 512}, {MBEDTLS_CIPHER_ID_NONE, 128},
	    {MBEDTLS_CIPHER_ID_DES, 192}, {MBEDTLS_CIPHER_ID_CHACHA20, 256},
	    {MBEDTLS_CIPHER_ID_CAMELLIA, 128}, {MBEDTLS_CIPHER_ID_ARIA, 128}};
	unsigned char key[64] = {9}, iv[12] = {2}, tag[16];
	mbedtls_gcm_context ours, stock;

	need_fast_gcm();
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		two_contexts(&ours, &stock, key, 128);
		int ret = mbedtls_gcm_setkey(&ours, bad[i].cipher, key, bad[i].bits);
		CHECK(ret != 0);
		gcm_fast_allow(false);
		CHECK_INT(mbedtls_gcm_setkey(&stock, bad[i].cipher, key, bad[i].bits), ret);
		gcm_fast_allow(true);
		mbedtls_gcm_free(&ours);
		mbedtls_gcm_free(&stock);
	}
	/* Never given a key, a context does nothing and says so, whichever it would have become. */
	mbedtls_gcm_init(&ours);
	CHECK(mbedtls_gcm_crypt_and_tag(&ours, 1, 0, iv, 12, NULL, 0, NULL, NULL, 16, tag) != 0);
	mbedtls_gcm_free(&ours);
}

/* The last bytes that a message may have, without sending the 64 GiB before them. */
TEST(unit__refuse__gcm_text_beyond_its_limit)
{
	unsigned char key[16] = {1}, iv[12] = {2}, text[64] = {3};
	mbedtls_gcm_context ours, stock;
	size_t len;

	need_fast_gcm();
	two_contexts(&ours, &stock, key, 128);
	CHECK_INT(mbedtls_gcm_starts(&ours, 1, iv, 12), 0);
	ours.u.x86.len = TEXT_LEN_MAX - 32;
	CHECK_INT(mbedtls_gcm_update(&ours, text, 33, text, 33, &len), MBEDTLS_ERR_GCM_BAD_INPUT);
	CHECK_INT(mbedtls_gcm_update(&ours, text, 32, text, 32, &len), 0);
	CHECK_INT(mbedtls_gcm_update(&ours, text, 1, text, 1, &len), MBEDTLS_ERR_GCM_BAD_INPUT);

	CHECK_INT(mbedtls_gcm_starts(&ours, 1, iv, 12), 0);
	ours.u.x86.ad_len = (UINT64_C(1) << 61) - 16;
	CHECK_INT(mbedtls_gcm_update_ad(&ours, text, 16), MBEDTLS_ERR_GCM_BAD_INPUT);
	CHECK_INT(mbedtls_gcm_update_ad(&ours, text, 15), 0);
	mbedtls_gcm_free(&ours);
	mbedtls_gcm_free(&stock);
}

/* Thirty-two bits of the counter block count, and wrap without a carry into the rest of it. */
TEST(unit__wrap__gcm_counter)
{
	unsigned char key[16] = {1}, iv[12] = {2}, text[40 * 16] = {0}, counter[16], stream[16];
	mbedtls_gcm_context ours, stock;
	mbedtls_aes_context aes;
	size_t len;

	need_fast_gcm();
	two_contexts(&ours, &stock, key, 128);
	mbedtls_aes_init(&aes);
	CHECK_INT(mbedtls_aes_setkey_enc(&aes, key, 128), 0);
	for (uint32_t before = 1; before < 24; before++) {
		memset(text, 0, sizeof text);
		CHECK_INT(mbedtls_gcm_starts(&ours, 1, iv, 12), 0);
		memcpy(counter, ours.u.x86.counter, sizeof counter);
		memset(counter + 8, 0xff, 8);
		counter[15] = (unsigned char)(256 - before);
		memcpy(ours.u.x86.counter, counter, sizeof counter);
		CHECK_INT(mbedtls_gcm_update(&ours, text, 5, text, 5, &len), 0);
		CHECK_INT(mbedtls_gcm_update(
		              &ours, text + 5, sizeof text - 5, text + 5, sizeof text - 5, &len),
		    0);
		for (uint32_t i = 0; i < sizeof text / 16; i++) {
			uint32_t number = i - before;
			for (int byte = 0; byte < 4; byte++)
				counter[15 - byte] = (unsigned char)(number >> 8 * byte);
			CHECK_INT(
			    mbedtls_aes_crypt_ecb(&aes, MBEDTLS_AES_ENCRYPT, counter, stream), 0);
			CHECK(memcmp(stream, text + i * 16, 16) == 0);
		}
	}
	mbedtls_aes_free(&aes);
	mbedtls_gcm_free(&ours);
	mbedtls_gcm_free(&stock);
}

TEST(unit__wipe__gcm_context)
{
	static const mbedtls_gcm_context zeros;
	unsigned char key[32] = {7}, iv[12] = {2}, tag[16];
	mbedtls_gcm_context ours, stock;

	need_fast_gcm();
	two_contexts(&ours, &stock, key, 256);
	CHECK_INT(mbedtls_gcm_crypt_and_tag(&ours, 1, 0, iv, 12, key, 9, NULL, NULL, 16, tag), 0);
	/* From one kind to the other and back, each time forgetting what was there. */
	gcm_fast_allow(false);
	CHECK_INT(mbedtls_gcm_setkey(&ours, MBEDTLS_CIPHER_ID_AES, key, 128), 0);
	CHECK(!ours.is_x86);
	gcm_fast_allow(true);
	CHECK_INT(mbedtls_gcm_setkey(&ours, MBEDTLS_CIPHER_ID_AES, key, 128), 0);
	CHECK(ours.is_x86);
	for (size_t i = 11 * 16; i < sizeof ours.u.x86.round_keys; i++)
		CHECK_INT(ours.u.x86.round_keys[i / 16][i % 16], 0);
	mbedtls_gcm_free(&ours);
	mbedtls_gcm_free(&stock);
	CHECK(memcmp(&ours.u, &zeros.u, sizeof ours.u) == 0);
}

/*
 * Key and text are declared undefined: valgrind then reports each jump and each address that
 * depends on them, which is what could be seen in the time taken. Run without it, it compares
 * results.
 */
TEST(unit__hide__secrets_from_gcm_timing)
{
	static const size_t lens[] = {1, 15, 16, 40, 127, 128, 150, 400, 1000};
	struct rng rng = {5};
	unsigned char key[32], iv[20], ad[21], text[1000], sealed[1000], opened[1000], tags[2][16];

	need_fast_gcm();
	fill(&rng, iv, sizeof iv);
	fill(&rng, ad, sizeof ad);
	for (size_t i = 0; i < 3 * sizeof lens / sizeof *lens; i++) {
		size_t len = lens[i / 3], first = len / 3, out_len;
		mbedtls_gcm_context ctx;
		fill(&rng, key, sizeof key);
		fill(&rng, text, len);
		VALGRIND_MAKE_MEM_UNDEFINED(key, sizeof key);
		VALGRIND_MAKE_MEM_UNDEFINED(text, len);
		mbedtls_gcm_init(&ctx);
		CHECK_INT(mbedtls_gcm_setkey(
		              &ctx, MBEDTLS_CIPHER_ID_AES, key, 128 + 64 * (unsigned)(i % 3)),
		    0);
		size_t iv_len = i % 2 ? 12 : sizeof iv;
		CHECK_INT(mbedtls_gcm_crypt_and_tag(&ctx, MBEDTLS_GCM_ENCRYPT, len, iv, iv_len, ad,
		              sizeof ad, text, sealed, 16, tags[0]),
		    0);
		CHECK_INT(mbedtls_gcm_starts(&ctx, MBEDTLS_GCM_DECRYPT, iv, iv_len), 0);
		CHECK_INT(mbedtls_gcm_update_ad(&ctx, ad, sizeof ad), 0);
		CHECK_INT(mbedtls_gcm_update(&ctx, sealed, first, opened, first, &out_len), 0);
		CHECK_INT(mbedtls_gcm_update(&ctx, sealed + first, len - first, opened + first,
		              len - first, &out_len),
		    0);
		CHECK_INT(mbedtls_gcm_finish(&ctx, NULL, 0, &out_len, tags[1], 16), 0);
		VALGRIND_MAKE_MEM_DEFINED(text, len);
		VALGRIND_MAKE_MEM_DEFINED(opened, len);
		VALGRIND_MAKE_MEM_DEFINED(tags, sizeof tags);
		CHECK(memcmp(opened, text, len) == 0);
		CHECK(memcmp(tags[0], tags[1], 16) == 0);
		mbedtls_gcm_free(&ctx);
	}
}

/* --- By way of the layers above --------------------------------------------------------------- */

TEST(unit__seal__through_the_cipher_layer)
{
	unsigned char key[32] = {5}, iv[12] = {6}, ad[13] = {7}, text[150] = {8};
	unsigned char sealed[166], opened[150];
	mbedtls_cipher_context_t ctx;
	size_t len;

	mbedtls_cipher_init(&ctx);
	CHECK_INT(
	    mbedtls_cipher_setup(&ctx, mbedtls_cipher_info_from_type(MBEDTLS_CIPHER_AES_256_GCM)),
	    0);
	CHECK_INT(mbedtls_cipher_setkey(&ctx, key, 256, MBEDTLS_ENCRYPT), 0);
	CHECK_INT(mbedtls_cipher_auth_encrypt_ext(&ctx, iv, sizeof iv, ad, sizeof ad, text,
	              sizeof text, sealed, sizeof sealed, &len, 16),
	    0);
	CHECK_INT(len, sizeof sealed);
	CHECK_INT(mbedtls_cipher_auth_decrypt_ext(&ctx, iv, sizeof iv, ad, sizeof ad, sealed,
	              sizeof sealed, opened, sizeof opened, &len, 16),
	    0);
	CHECK(len == sizeof text && memcmp(opened, text, sizeof text) == 0);
	sealed[150] ^= 1;
	CHECK_INT(mbedtls_cipher_auth_decrypt_ext(&ctx, iv, sizeof iv, ad, sizeof ad, sealed,
	              sizeof sealed, opened, sizeof opened, &len, 16),
	    MBEDTLS_ERR_CIPHER_AUTH_FAILED);
	mbedtls_cipher_free(&ctx);
}

#if !defined(_WIN32)
TEST(unit__seal__through_psa_in_pieces)
{
	unsigned char key[16] = {5}, iv[12] = {6}, ad[13] = {7}, text[1000] = {8};
	unsigned char whole[1016], pieces[1016], tag[16];
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	psa_aead_operation_t op = PSA_AEAD_OPERATION_INIT;
	psa_key_id_t id;
	size_t len, out_len = 0, tag_len;

	CHECK_INT(psa_crypto_init(), PSA_SUCCESS);
	psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_ENCRYPT | PSA_KEY_USAGE_DECRYPT);
	psa_set_key_algorithm(&attributes, PSA_ALG_GCM);
	psa_set_key_type(&attributes, PSA_KEY_TYPE_AES);
	CHECK_INT(psa_import_key(&attributes, key, sizeof key, &id), PSA_SUCCESS);
	CHECK_INT(psa_aead_encrypt(id, PSA_ALG_GCM, iv, sizeof iv, ad, sizeof ad, text, sizeof text,
	              whole, sizeof whole, &len),
	    PSA_SUCCESS);
	CHECK_INT(len, sizeof whole);

	CHECK_INT(psa_aead_encrypt_setup(&op, id, PSA_ALG_GCM), PSA_SUCCESS);
	CHECK_INT(psa_aead_set_lengths(&op, sizeof ad, sizeof text), PSA_SUCCESS);
	CHECK_INT(psa_aead_set_nonce(&op, iv, sizeof iv), PSA_SUCCESS);
	CHECK_INT(psa_aead_update_ad(&op, ad, 5), PSA_SUCCESS);
	CHECK_INT(psa_aead_update_ad(&op, ad + 5, sizeof ad - 5), PSA_SUCCESS);
	for (size_t done = 0; done < sizeof text; done += 125, out_len += len)
		CHECK_INT(psa_aead_update(&op, text + done, 125, pieces + out_len,
		              sizeof pieces - out_len, &len),
		    PSA_SUCCESS);
	CHECK_INT(psa_aead_finish(&op, pieces + out_len, sizeof pieces - out_len, &len, tag,
	              sizeof tag, &tag_len),
	    PSA_SUCCESS);
	out_len += len;
	CHECK_INT(out_len, sizeof text);
	CHECK(memcmp(pieces, whole, out_len) == 0 && memcmp(tag, whole + out_len, tag_len) == 0);
	CHECK_INT(psa_destroy_key(id), PSA_SUCCESS);
	mbedtls_psa_crypto_free();
}
#else
TEST(unit__seal__through_psa_in_pieces)
{
	printf("skipped: not on Windows\n");
	exit(SKIPPED);
}
#endif

UNIT_MAIN(CASE(unit__compare__gcm_with_stock), CASE(unit__compare__gcm_with_stock_briefly),
    CASE(unit__compare__gcm_of_all_short_lengths), CASE(unit__refuse__what_stock_gcm_does),
    CASE(unit__refuse__gcm_keys_as_stock_does), CASE(unit__refuse__gcm_text_beyond_its_limit),
    CASE(unit__wrap__gcm_counter), CASE(unit__wipe__gcm_context),
    CASE(unit__hide__secrets_from_gcm_timing), CASE(unit__seal__through_the_cipher_layer),
    CASE(unit__seal__through_psa_in_pieces))
