/*
 * What gcm_x86.c and gcm_vaes.c share: blocks in registers, counters, and the reduction of what
 * GHASH has summed. Everything is inlined, so that each file has it with its own instructions.
 */
#ifndef CONFAB_CRYPTO_GCM_BLOCKS_H
#define CONFAB_CRYPTO_GCM_BLOCKS_H

#include <immintrin.h>

#define BLOCK 16
#define WIDE (8 * BLOCK)

#define INLINE static inline __attribute__((always_inline))

/* X(0) … X(3) or X(7): loops that must become straight code, with the blocks in registers. */
#define FOUR(X) X(0) X(1) X(2) X(3)
#define EIGHT(X) FOUR(X) X(4) X(5) X(6) X(7)

INLINE __m128i load(const void *from)
{
	return _mm_loadu_si128((const __m128i *)from);
}

INLINE void store(void *to, __m128i x)
{
	_mm_storeu_si128((__m128i *)to, x);
}

#define REVERSED _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

INLINE __m128i reversed(__m128i x)
{
	return _mm_shuffle_epi8(x, REVERSED);
}

/*
 * Counter blocks: 96 bits that stay and a 32-bit number, which wraps. Reversing that number's bytes
 * makes of the block a vector that can be counted with, and back.
 */
#define COUNTING _mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)

INLINE __m128i counting(__m128i block)
{
	return _mm_shuffle_epi8(block, COUNTING);
}

INLINE __m128i counted(__m128i counter, int count)
{
	return _mm_add_epi32(counter, _mm_set_epi32(count, 0, 0, 0));
}

/* A sum of products of 256 bits, not reduced: high, low, and what lies between (Karatsuba). */
struct sum {
	__m128i high, low, middle;
};

/* Modulo x^128 + x^7 + x^2 + x + 1, in two steps of 64 bits. */
INLINE __m128i sum_reduced(struct sum s)
{
	const __m128i polynomial = _mm_set_epi64x(0, (long long)0xc200000000000000);
	__m128i middle = _mm_xor_si128(s.middle, _mm_xor_si128(s.high, s.low));
	__m128i low = _mm_xor_si128(s.low, _mm_slli_si128(middle, 8));
	__m128i high = _mm_xor_si128(s.high, _mm_srli_si128(middle, 8));
	for (int i = 0; i < 2; i++)
		low = _mm_xor_si128(
		    _mm_shuffle_epi32(low, 0x4e), _mm_clmulepi64_si128(low, polynomial, 0x00));
	return _mm_xor_si128(high, low);
}

#endif
