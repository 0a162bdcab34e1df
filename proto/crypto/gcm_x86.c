/*
 * How it works
 *
 * Field elements of GHASH are kept byte-reversed, so that the carry-less multiplier sees each half
 * as a number, and the powers of H are kept multiplied by x once more, which spares a shift of each
 * product (GCM's order of bits is the reverse of the multiplier's). Up to eight products are summed
 * before one reduction: ((a1 + h)·H^8 + a2·H^7 + … + a8·H).
 *
 * AES and GHASH use different units of the processor and each instruction takes several cycles, so
 * eight counter blocks go through AES at once, and a block is hashed between two rounds: of the
 * ciphertext that comes in, when decrypting; of the eight blocks before, when encrypting.
 */
#include "crypto/gcm_x86.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <mbedtls/gcm.h>

#include "crypto/gcm_blocks.h"
#include "crypto/gcm_vaes.h"

/*
 * The first len bytes, 1 to 15, and zeros. Not copied through memory: the processor would have to
 * wait for several small stores before one large load.
 */
INLINE __m128i load_part(const unsigned char *from, size_t len)
{
	uint64_t low = 0, high = 0;
	uint32_t first, last;

	if (len >= 8) {
		memcpy(&low, from, 8);
		if (len > 8) {
			memcpy(&high, from + len - 8, 8);
			high >>= 8 * (16 - len);
		}
	} else if (len >= 4) {
		memcpy(&first, from, 4);
		memcpy(&last, from + len - 4, 4);
		low = first | (uint64_t)last << 8 * (len - 4);
	} else {
		for (size_t i = 0; i < len; i++)
			low |= (uint64_t)from[i] << 8 * i;
	}
	return _mm_set_epi64x((long long)high, (long long)low);
}

/* Writes the first len bytes, 1 to 15. */
INLINE void store_part(unsigned char *to, __m128i x, size_t len)
{
	uint64_t word = (uint64_t)_mm_cvtsi128_si64(x);

	if (len >= 8) {
		memcpy(to, &word, 8);
		word = (uint64_t)_mm_extract_epi64(x, 1);
		to += 8;
		len -= 8;
	}
	if (len >= 4) {
		memcpy(to, &word, 4);
		word >>= 32;
		to += 4;
		len -= 4;
	}
	for (; len > 0; len--, word >>= 8)
		*to++ = (unsigned char)word;
}

/* x with zeros after its first len bytes, 1 to 15. */
INLINE __m128i first_of(__m128i x, size_t len)
{
	const __m128i places = _mm_set_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
	return _mm_and_si128(x, _mm_cmplt_epi8(places, _mm_set1_epi8((char)len)));
}

/* A store that the compiler takes for needed although nothing reads it. */
INLINE void wipe_blocks(unsigned char *blocks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		store(blocks + i * BLOCK, _mm_setzero_si128());
	__asm__ volatile("" : : "r"(blocks) : "memory");
}

/* --- AES -------------------------------------------------------------------------------------- */

/* The S-box on four bytes. With four equal columns the shift of rows changes nothing. */
INLINE uint32_t substituted(uint32_t word)
{
	__m128i columns = _mm_set1_epi32((int)word);
	return (uint32_t)_mm_cvtsi128_si32(_mm_aesenclast_si128(columns, _mm_setzero_si128()));
}

/* FIPS 197, 5.2, words in the byte order of this processor. */
static void expand_key(struct gcm_x86 *g, const unsigned char *key, unsigned bits)
{
	static const unsigned char round_constants[10] = {
	    0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36};
	unsigned char *words = g->round_keys[0];
	unsigned key_words = bits / 32;
	uint32_t word = 0, before;

	g->rounds = key_words + 6;
	memcpy(words, key, bits / 8);
	memcpy(&word, words + 4 * (key_words - 1), 4);
	for (unsigned i = key_words; i < 4 * (g->rounds + 1); i++) {
		if (i % key_words == 0)
			word = substituted(word >> 8 | word << 24) ^
			       round_constants[i / key_words - 1];
		else if (key_words > 6 && i % key_words == 4)
			word = substituted(word);
		memcpy(&before, words + 4 * (i - key_words), 4);
		word ^= before;
		memcpy(words + 4 * i, &word, 4);
	}
}

INLINE __m128i encrypted(const struct gcm_x86 *g, __m128i block)
{
	block = _mm_xor_si128(block, load(g->round_keys[0]));
	for (unsigned i = 1; i < g->rounds; i++)
		block = _mm_aesenc_si128(block, load(g->round_keys[i]));
	return _mm_aesenclast_si128(block, load(g->round_keys[g->rounds]));
}

/* --- GHASH ------------------------------------------------------------------------------------ */

INLINE struct sum sum_zero(void)
{
	return (struct sum){_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
}

INLINE __m128i folded(__m128i x)
{
	return _mm_xor_si128(x, _mm_shuffle_epi32(x, 0x4e));
}

INLINE void sum_add(struct sum *s, __m128i x, __m128i y, __m128i y_middle)
{
	s->low = _mm_xor_si128(s->low, _mm_clmulepi64_si128(x, y, 0x00));
	s->high = _mm_xor_si128(s->high, _mm_clmulepi64_si128(x, y, 0x11));
	s->middle = _mm_xor_si128(s->middle, _mm_clmulepi64_si128(folded(x), y_middle, 0x00));
}

/* Adds x·H^power, power from 1 to 8. */
INLINE void sum_add_power(struct sum *s, __m128i x, const struct gcm_x86 *g, size_t power)
{
	sum_add(s, x, load(g->powers[power - 1]),
	    _mm_loadl_epi64((const __m128i *)(const void *)&g->middles[power - 1]));
}

INLINE __m128i times_h(const struct gcm_x86 *g, __m128i x)
{
	struct sum s = sum_zero();
	sum_add_power(&s, x, g, 1);
	return sum_reduced(s);
}

/* Hashes count whole blocks. */
static __m128i hash_blocks(
    const struct gcm_x86 *g, __m128i hash, const unsigned char *blocks, size_t count)
{
	while (count > 0) {
		size_t group = count < 8 ? count : 8;
		struct sum s = sum_zero();
		for (size_t power = group; power > 0; power--, blocks += BLOCK) {
			sum_add_power(&s, _mm_xor_si128(reversed(load(blocks)), hash), g, power);
			hash = _mm_setzero_si128();
		}
		hash = sum_reduced(s);
		count -= group;
	}
	return hash;
}

static void make_powers(struct gcm_x86 *g)
{
	/* H times x: a shift by one, and the polynomial where a bit falls out. */
	__m128i h = reversed(encrypted(g, _mm_setzero_si128()));
	__m128i carries = _mm_srli_epi64(h, 63);
	__m128i out =
	    _mm_sub_epi64(_mm_setzero_si128(), _mm_shuffle_epi32(_mm_srli_si128(carries, 8), 0x44));
	h = _mm_or_si128(_mm_slli_epi64(h, 1), _mm_slli_si128(carries, 8));
	h = _mm_xor_si128(h, _mm_and_si128(out, _mm_set_epi64x((long long)0xc200000000000000, 1)));

	__m128i power = h;
	for (int i = 0; i < 8; i++) {
		store(g->powers[i], power);
		_mm_storel_epi64((__m128i *)(void *)&g->middles[i], folded(power));
		struct sum s = sum_zero();
		sum_add(&s, power, h, folded(h));
		power = sum_reduced(s);
	}
}

/* --- Both ------------------------------------------------------------------------------------- */

struct wide {
	__m128i block[8];
};

INLINE void wide_round(struct wide *w, __m128i key)
{
#define ENCRYPT(i) w->block[i] = _mm_aesenc_si128(w->block[i], key);
	EIGHT(ENCRYPT)
#undef ENCRYPT
}

/*
 * Eight counter blocks from `counter` on, encrypted but for the last round. Unless hashed is NULL,
 * the eight blocks there are hashed along the way.
 */
INLINE __m128i wide_rounds(struct wide *w, const struct gcm_x86 *g, __m128i counter,
    const unsigned char *hashed, __m128i hash)
{
	struct sum s = sum_zero();
	__m128i key = load(g->round_keys[0]);

#define START(i) w->block[i] = _mm_xor_si128(counting(counted(counter, i)), key);
	EIGHT(START)
#undef START
#define ROUND_AND_HASH(i)                                                                          \
	wide_round(w, load(g->round_keys[(i) + 1]));                                               \
	if (hashed != NULL) {                                                                      \
		__m128i x = reversed(load(hashed + (i)*BLOCK));                                    \
		sum_add_power(&s, (i) == 0 ? _mm_xor_si128(x, hash) : x, g, 8 - (i));              \
	}
	EIGHT(ROUND_AND_HASH)
#undef ROUND_AND_HASH
	for (unsigned i = 9; i < g->rounds; i++)
		wide_round(w, load(g->round_keys[i]));
	return hashed != NULL ? sum_reduced(s) : hash;
}

/* Encrypts or decrypts eight blocks; all that is hashed is read before anything is written. */
INLINE __m128i crypt_wide(const struct gcm_x86 *g, __m128i counter, const unsigned char *in,
    unsigned char *out, const unsigned char *hashed, __m128i hash)
{
	struct wide w;
	hash = wide_rounds(&w, g, counter, hashed, hash);
	__m128i key = load(g->round_keys[g->rounds]);
#define FINISH(i)                                                                                  \
	store(out + (i)*BLOCK,                                                                     \
	    _mm_xor_si128(_mm_aesenclast_si128(w.block[i], key), load(in + (i)*BLOCK)));
	EIGHT(FINISH)
#undef FINISH
	return hash;
}

/*
 * The last len < WIDE bytes. When encrypting, the eight blocks at `pending` (or NULL) are still to
 * be hashed. A last partial block is added to the hash but not multiplied.
 */
INLINE __m128i crypt_tail(const struct gcm_x86 *g, __m128i counter, const unsigned char *in,
    unsigned char *out, size_t len, bool encrypting, const unsigned char *pending, __m128i hash)
{
	struct wide w;
	struct sum s = sum_zero();
	size_t whole = len / BLOCK, rest = len % BLOCK;
	__m128i last = _mm_setzero_si128(), before, after;

	hash = wide_rounds(&w, g, counter, pending, hash);
	__m128i key = load(g->round_keys[g->rounds]);
#define FINISH(i)                                                                                  \
	if ((i) == whole)                                                                          \
		last = w.block[i];                                                                 \
	if ((i) < whole) {                                                                         \
		before = load(in + (i)*BLOCK);                                                     \
		after = _mm_xor_si128(_mm_aesenclast_si128(w.block[i], key), before);              \
		store(out + (i)*BLOCK, after);                                                     \
		after = reversed(encrypting ? after : before);                                     \
		sum_add_power(&s, (i) == 0 ? _mm_xor_si128(after, hash) : after, g, whole - (i));  \
	}
	EIGHT(FINISH)
#undef FINISH
	if (whole != 0)
		hash = sum_reduced(s);
	if (rest != 0) {
		before = load_part(in + whole * BLOCK, rest);
		after = _mm_xor_si128(_mm_aesenclast_si128(last, key), before);
		store_part(out + whole * BLOCK, after, rest);
		hash = _mm_xor_si128(hash, reversed(encrypting ? first_of(after, rest) : before));
	}
	return hash;
}

/* Goes on in a block that an earlier piece has begun; returns how many bytes it took. */
static size_t crypt_begun(
    struct gcm_x86 *g, const unsigned char *in, unsigned char *out, size_t len)
{
	unsigned char stream[BLOCK];
	size_t offset = g->len % BLOCK, count = BLOCK - offset;

	if (count > len)
		count = len;
	store(stream, encrypted(g, counting(counted(counting(load(g->counter)), -1))));
	for (size_t i = 0; i < count; i++) {
		unsigned char before = in[i], after = before ^ stream[offset + i];
		g->hash[offset + i] ^= g->mode == MBEDTLS_GCM_ENCRYPT ? after : before;
		out[i] = after;
	}
	wipe_blocks(stream, 1);
	g->len += count;
	if (g->len % BLOCK == 0)
		store(g->hash, reversed(times_h(g, reversed(load(g->hash)))));
	return count;
}

static __m128i encrypt(const struct gcm_x86 *g, __m128i counter, const unsigned char *in,
    unsigned char *out, size_t len, __m128i hash)
{
	if (len < WIDE)
		return crypt_tail(g, counter, in, out, len, true, NULL, hash);

	crypt_wide(g, counter, in, out, NULL, hash);
	for (len -= WIDE; len >= WIDE; len -= WIDE) {
		counter = counted(counter, 8);
		in += WIDE;
		out += WIDE;
		hash = crypt_wide(g, counter, in, out, out - WIDE, hash);
	}
	if (len == 0)
		return hash_blocks(g, hash, out, 8);
	return crypt_tail(g, counted(counter, 8), in + WIDE, out + WIDE, len, true, out, hash);
}

static __m128i decrypt(const struct gcm_x86 *g, __m128i counter, const unsigned char *in,
    unsigned char *out, size_t len, __m128i hash)
{
	for (; len >= WIDE; len -= WIDE, in += WIDE, out += WIDE) {
		hash = crypt_wide(g, counter, in, out, in, hash);
		counter = counted(counter, 8);
	}
	return len > 0 ? crypt_tail(g, counter, in, out, len, false, NULL, hash) : hash;
}

/* --- The steps of a message ------------------------------------------------------------------- */

void gcm_x86_setkey(struct gcm_x86 *g, const unsigned char *key, unsigned bits, bool is_wide)
{
	g->is_wide = is_wide;
	expand_key(g, key, bits);
	make_powers(g);
}

void gcm_x86_start(struct gcm_x86 *g, int mode, const unsigned char *iv, size_t iv_len)
{
	__m128i first;

	g->mode = (short)mode;
	g->ad_len = 0;
	g->len = 0;
	store(g->hash, _mm_setzero_si128());
	if (iv_len == 12) {
		first = _mm_insert_epi32(load_part(iv, 12), 0x01000000, 3);
	} else {
		__m128i hash = hash_blocks(g, _mm_setzero_si128(), iv, iv_len / BLOCK);
		size_t rest = iv_len % BLOCK;
		if (rest != 0)
			hash = times_h(
			    g, _mm_xor_si128(hash, reversed(load_part(iv + iv_len - rest, rest))));
		hash = _mm_xor_si128(hash, _mm_set_epi64x(0, (long long)((uint64_t)iv_len * 8)));
		first = reversed(times_h(g, hash));
	}
	store(g->tag_mask, encrypted(g, first));
	store(g->counter, counting(counted(counting(first), 1)));
}

void gcm_x86_add(struct gcm_x86 *g, const unsigned char *ad, size_t len)
{
	size_t offset = g->ad_len % BLOCK;
	__m128i hash;

	g->ad_len += len;
	if (offset != 0) {
		for (; len > 0 && offset < BLOCK; len--)
			g->hash[offset++] ^= *ad++;
		if (offset < BLOCK)
			return;
	}
	hash = reversed(load(g->hash));
	if (offset != 0)
		hash = times_h(g, hash);
	hash = hash_blocks(g, hash, ad, len / BLOCK);
	ad += len / BLOCK * BLOCK;
	if (len % BLOCK != 0)
		hash = _mm_xor_si128(hash, reversed(load_part(ad, len % BLOCK)));
	store(g->hash, reversed(hash));
}

void gcm_x86_crypt(struct gcm_x86 *g, const unsigned char *in, unsigned char *out, size_t len)
{
	if (g->len == 0 && g->ad_len % BLOCK != 0)
		store(g->hash, reversed(times_h(g, reversed(load(g->hash)))));
	if (g->len % BLOCK != 0) {
		size_t count = crypt_begun(g, in, out, len);
		in += count;
		out += count;
		len -= count;
	}
#ifdef CONFAB_WIDE_GCM
	if (g->is_wide && len >= GCM_VAES_LEAST) {
		size_t count = len / WIDE * WIDE;
		gcm_vaes_crypt(g, in, out, len / WIDE);
		g->len += count;
		in += count;
		out += count;
		len -= count;
	}
#endif
	if (len == 0)
		return;

	__m128i hash = reversed(load(g->hash)), counter = counting(load(g->counter));
	if (g->mode == MBEDTLS_GCM_ENCRYPT)
		hash = encrypt(g, counter, in, out, len, hash);
	else
		hash = decrypt(g, counter, in, out, len, hash);
	/* Modulo 2^32, as the counter itself. */
	store(g->counter, counting(counted(counter, (int)((len + BLOCK - 1) / BLOCK))));
	store(g->hash, reversed(hash));
	g->len += len;
}

void gcm_x86_tag(struct gcm_x86 *g, unsigned char *tag, size_t len)
{
	__m128i hash = reversed(load(g->hash));
	__m128i lengths = _mm_set_epi64x((long long)(g->ad_len * 8), (long long)(g->len * 8));
	struct sum s = sum_zero();

	if ((g->len != 0 ? g->len : g->ad_len) % BLOCK != 0) {
		sum_add_power(&s, hash, g, 2);
		sum_add_power(&s, lengths, g, 1);
	} else {
		sum_add_power(&s, _mm_xor_si128(hash, lengths), g, 1);
	}
	hash = _mm_xor_si128(reversed(sum_reduced(s)), load(g->tag_mask));
	if (len == BLOCK)
		store(tag, hash);
	else
		store_part(tag, hash, len);
}
