/*
 * The AES-GCM context of mbedTLS where ours replaces its own (MBEDTLS_GCM_ALT, switched on by the
 * CMake option CONFAB_FAST_GCM). Included by <mbedtls/gcm.h> and by nothing else; the code is in
 * proto/crypto. A context holds either our state, or mbedTLS's own context where the processor
 * lacks the instructions or the cipher is not AES. It has no pointer into itself and needs no
 * alignment beyond that of a uint64_t.
 */
#ifndef CONFAB_GCM_ALT_H
#define CONFAB_GCM_ALT_H

#include <stdbool.h>
#include <stdint.h>

struct gcm_x86 {
	unsigned char round_keys[15][16];
	unsigned char powers[8][16]; /* H, H^2 … H^8, as gcm_x86.c keeps field elements */
	uint64_t middles[8];         /* of each power: its high half xor its low half */
	unsigned char counter[16];   /* the next counter block */
	unsigned char hash[16]; /* GHASH so far; a last partial block is not multiplied in yet */
	unsigned char tag_mask[16]; /* the encrypted first counter block */
	uint64_t ad_len;            /* bytes */
	uint64_t len;               /* bytes */
	unsigned rounds;
	short mode;   /* MBEDTLS_GCM_ENCRYPT or MBEDTLS_GCM_DECRYPT */
	bool is_wide; /* long texts go through gcm_vaes.c */
};

typedef struct mbedtls_gcm_context {
	union {
		struct gcm_x86 x86;
		uint64_t stock[sizeof(struct gcm_x86) / sizeof(uint64_t)]; /* gcm_stock.h */
	} u;
	int is_x86; /* 0, as after mbedtls_gcm_init: mbedTLS's own */
} mbedtls_gcm_context;

#endif
