/*
 * Eight counter blocks are in four registers, the first of two in the lower half. (Sixteen in eight
 * were no faster: there are not enough registers left to hash beside them.) Powers of H lie in
 * the context by rising exponent, and the earlier block wants the higher one: the halves are
 * swapped. The two halves of the sums are added before the one reduction. All else is as in
 * gcm_x86.c.
 */
#include "crypto/gcm_vaes.h"

#include <stdint.h>

#include <mbedtls/gcm.h>

#include "crypto/gcm_blocks.h"

struct pairs {
	__m256i pair[4];
};

struct pair_sum {
	__m256i high, low, middle;
};

INLINE __m256i load_pair(const void *from)
{
	return _mm256_loadu_si256((const __m256i *)from);
}

INLINE __m256i both(const unsigned char block[BLOCK])
{
	return _mm256_broadcastsi128_si256(load(block));
}

INLINE __m256i reversed_pair(__m256i x)
{
	return _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(REVERSED));
}

INLINE __m256i folded_pair(__m256i x)
{
	return _mm256_xor_si256(x, _mm256_shuffle_epi32(x, 0x4e));
}

/* Adds the blocks of x times H^power and H^(power - 1); power is 8, 6, 4 or 2. */
INLINE void add_powers(struct pair_sum *s, __m256i x, const struct gcm_x86 *g, int power)
{
	__m256i y = _mm256_permute4x64_epi64(load_pair(g->powers[power - 2]), 0x4e);

	s->low = _mm256_xor_si256(s->low, _mm256_clmulepi64_epi128(x, y, 0x00));
	s->high = _mm256_xor_si256(s->high, _mm256_clmulepi64_epi128(x, y, 0x11));
	s->middle = _mm256_xor_si256(
	    s->middle, _mm256_clmulepi64_epi128(folded_pair(x), folded_pair(y), 0x00));
}

INLINE __m128i halves_added(__m256i x)
{
	return _mm_xor_si128(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
}

INLINE __m128i reduced(struct pair_sum s)
{
	return sum_reduced(
	    (struct sum){halves_added(s.high), halves_added(s.low), halves_added(s.middle)});
}

/* The pair of the eight blocks at `hashed` that begins with block 2i. */
INLINE void hash_pair(
    struct pair_sum *s, const struct gcm_x86 *g, const unsigned char *hashed, int i, __m128i hash)
{
	__m256i x = reversed_pair(load_pair(hashed + i * 2 * BLOCK));

	if (i == 0)
		x = _mm256_xor_si256(x, _mm256_zextsi128_si256(hash));
	add_powers(s, x, g, 8 - 2 * i);
}

INLINE struct pair_sum no_sum(void)
{
	return (struct pair_sum){
	    _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
}

INLINE __m128i hash_group(const struct gcm_x86 *g, const unsigned char *hashed, __m128i hash)
{
	struct pair_sum s = no_sum();

#define HASH(i) hash_pair(&s, g, hashed, i, hash);
	FOUR(HASH)
#undef HASH
	return reduced(s);
}

INLINE void round_of(struct pairs *w, __m256i key)
{
#define ENCRYPT(i) w->pair[i] = _mm256_aesenc_epi128(w->pair[i], key);
	FOUR(ENCRYPT)
#undef ENCRYPT
}

/* Eight blocks; unless hashed is NULL, the eight there are hashed along the way, and read before
 * anything is written. */
INLINE __m128i crypt_group(const struct gcm_x86 *g, __m256i counters, const unsigned char *in,
    unsigned char *out, const unsigned char *hashed, __m128i hash)
{
	struct pairs w;
	struct pair_sum s = no_sum();
	__m256i key = both(g->round_keys[0]);

#define START(i)                                                                                   \
	w.pair[i] = _mm256_xor_si256(                                                              \
	    _mm256_shuffle_epi8(                                                                   \
	        _mm256_add_epi32(counters, _mm256_set_epi32(2 * (i), 0, 0, 0, 2 * (i), 0, 0, 0)),  \
	        _mm256_broadcastsi128_si256(COUNTING)),                                            \
	    key);
	FOUR(START)
#undef START
#define ROUNDS_AND_HASH(i)                                                                         \
	round_of(&w, both(g->round_keys[2 * (i) + 1]));                                            \
	if (hashed != NULL)                                                                        \
		hash_pair(&s, g, hashed, i, hash);                                                 \
	round_of(&w, both(g->round_keys[2 * (i) + 2]));
	FOUR(ROUNDS_AND_HASH)
#undef ROUNDS_AND_HASH
	for (unsigned i = 9; i < g->rounds; i++)
		round_of(&w, both(g->round_keys[i]));
	if (hashed != NULL)
		hash = reduced(s);
	key = both(g->round_keys[g->rounds]);
#define FINISH(i)                                                                                  \
	_mm256_storeu_si256((__m256i *)(void *)(out + (i)*2 * BLOCK),                              \
	    _mm256_xor_si256(                                                                      \
	        _mm256_aesenclast_epi128(w.pair[i], key), load_pair(in + (i)*2 * BLOCK)));
	FOUR(FINISH)
#undef FINISH
	return hash;
}

void gcm_vaes_crypt(struct gcm_x86 *g, const unsigned char *in, unsigned char *out, size_t groups)
{
	const __m256i eight = _mm256_set_epi32(8, 0, 0, 0, 8, 0, 0, 0);
	__m128i first = counting(load(g->counter)), hash = reversed(load(g->hash));
	__m256i counters = _mm256_set_m128i(counted(first, 1), first);

	if (g->mode == MBEDTLS_GCM_ENCRYPT) {
		/* What comes out is hashed along with the next group. */
		crypt_group(g, counters, in, out, NULL, hash);
		for (size_t i = 1; i < groups; i++) {
			counters = _mm256_add_epi32(counters, eight);
			in += WIDE;
			out += WIDE;
			hash = crypt_group(g, counters, in, out, out - WIDE, hash);
		}
		counters = _mm256_add_epi32(counters, eight);
		hash = hash_group(g, out, hash);
	} else {
		for (size_t i = 0; i < groups; i++, in += WIDE, out += WIDE) {
			hash = crypt_group(g, counters, in, out, in, hash);
			counters = _mm256_add_epi32(counters, eight);
		}
	}
	store(g->counter, counting(_mm256_castsi256_si128(counters)));
	store(g->hash, reversed(hash));
}
