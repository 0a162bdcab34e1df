#include "crypto/sha256_x86.h"

#include <immintrin.h>

/* The instructions want the state as two vectors, a b e f and c d g h, the first in the highest
 * place, and do two rounds each, of four words that are in one vector. */

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline __m128i load(const void *from)
{
	return _mm_loadu_si128((const __m128i_u *)from);
}

/* Words 4i to 4i + 3 of the block; they are big-endian. */
static inline __m128i load_words(const unsigned char *block, int i)
{
	const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);

	return _mm_shuffle_epi8(load(block + 16 * i), order);
}

/* The next four words of the message schedule, from the sixteen before them. */
static inline __m128i next_words(__m128i w0, __m128i w1, __m128i w2, __m128i w3)
{
	__m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));

	return _mm_sha256msg2_epu32(sum, w3);
}

/* Rounds 4i to 4i + 3. */
static inline void four_rounds(__m128i *abef, __m128i *cdgh, __m128i words, int i)
{
	__m128i sum = _mm_add_epi32(words, load(round_constants + 4 * i));

	*cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, sum);
	*abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

/* Sixteen rounds, for which the words are made before: as the words they are of 16 rounds ago. */
static inline void sixteen_rounds(__m128i *abef, __m128i *cdgh, __m128i w[4], int i)
{
	w[0] = next_words(w[0], w[1], w[2], w[3]);
	four_rounds(abef, cdgh, w[0], i);
	w[1] = next_words(w[1], w[2], w[3], w[0]);
	four_rounds(abef, cdgh, w[1], i + 1);
	w[2] = next_words(w[2], w[3], w[0], w[1]);
	four_rounds(abef, cdgh, w[2], i + 2);
	w[3] = next_words(w[3], w[0], w[1], w[2]);
	four_rounds(abef, cdgh, w[3], i + 3);
}

void sha256_x86_block(uint32_t state[8], const unsigned char block[64])
{
	__m128i cdab = _mm_shuffle_epi32(load(state), 0xb1);
	__m128i efgh = _mm_shuffle_epi32(load(state + 4), 0x1b);
	__m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
	__m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
	const __m128i abef_before = abef, cdgh_before = cdgh;
	__m128i w[4], feba, dchg;

	for (int i = 0; i < 4; i++)
		w[i] = load_words(block, i);
	for (int i = 0; i < 4; i++)
		four_rounds(&abef, &cdgh, w[i], i);
	sixteen_rounds(&abef, &cdgh, w, 4);
	sixteen_rounds(&abef, &cdgh, w, 8);
	sixteen_rounds(&abef, &cdgh, w, 12);
	abef = _mm_add_epi32(abef, abef_before);
	cdgh = _mm_add_epi32(cdgh, cdgh_before);

	feba = _mm_shuffle_epi32(abef, 0x1b);
	dchg = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128((__m128i_u *)state, _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128((__m128i_u *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}
