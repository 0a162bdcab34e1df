/*
 * mbedTLS as Confab wants it: changes to the library's default configuration, read after it by
 * everything that includes an mbedTLS header. Reasons and measurements: docs/DESIGN.md, "TLS".
 */
#ifndef CONFAB_MBEDTLS_USER_CONFIG_H
#define CONFAB_MBEDTLS_USER_CONFIG_H

/* Workers share the configuration, the ticket keys and the PSA key store (TLS 1.3 needs it). */
#define MBEDTLS_THREADING_C
#if defined(_WIN32)
#define MBEDTLS_THREADING_ALT
#else
#define MBEDTLS_THREADING_PTHREAD
#endif

/* Formally verified X25519, three times as fast as the generic one. */
#define MBEDTLS_ECDH_VARIANT_EVEREST_ENABLED

/* AES-GCM of our own (proto/crypto), ten times as fast; off with the CMake option of that name. */
#if defined(CONFAB_FAST_GCM)
#define MBEDTLS_GCM_ALT
#endif

/* Likewise SHA-256's inner part, six times as fast where the processor has instructions for it: a
 * quarter of a handshake that resumes is hashing. */
#if defined(CONFAB_FAST_SHA256)
#define MBEDTLS_SHA256_PROCESS_ALT
#endif

/* proto/crypto/ecp_points.c: P-256; for other curves mbedTLS's own run. */
#if defined(CONFAB_FAST_P256)
#define MBEDTLS_ECP_INTERNAL_ALT
#define MBEDTLS_ECP_DOUBLE_JAC_ALT
#define MBEDTLS_ECP_ADD_MIXED_ALT
#endif

/* Buffers given to PSA are never shared with another process: no copies into bounce buffers. */
#define MBEDTLS_PSA_ASSUME_EXCLUSIVE_BUFFERS

/* Global counters written by every field operation: false sharing, and a data race. */
#undef MBEDTLS_SELF_TEST
#undef MBEDTLS_DEBUG_C

/* Sockets, files and clocks of our own: paths are UTF-8 and PEM is parsed from memory. */
#undef MBEDTLS_NET_C
#undef MBEDTLS_TIMING_C
#undef MBEDTLS_FS_IO
#undef MBEDTLS_PSA_ITS_FILE_C
#undef MBEDTLS_PSA_CRYPTO_STORAGE_C

/* Never spoken here. */
#undef MBEDTLS_SSL_PROTO_DTLS
#undef MBEDTLS_SSL_DTLS_ANTI_REPLAY
#undef MBEDTLS_SSL_DTLS_HELLO_VERIFY
#undef MBEDTLS_SSL_DTLS_CLIENT_PORT_REUSE
#undef MBEDTLS_SSL_DTLS_CONNECTION_ID
#undef MBEDTLS_SSL_COOKIE_C
#undef MBEDTLS_SSL_RENEGOTIATION
#undef MBEDTLS_SSL_CONTEXT_SERIALIZATION
#undef MBEDTLS_SSL_ENCRYPT_THEN_MAC
#undef MBEDTLS_SSL_CACHE_C
#undef MBEDTLS_SSL_EARLY_DATA

/* ECDHE with a certificate, and nothing else, agrees on keys. */
#undef MBEDTLS_DHM_C
#undef MBEDTLS_ECJPAKE_C
#undef MBEDTLS_KEY_EXCHANGE_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_DHE_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_ECDHE_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_RSA_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_RSA_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_DHE_RSA_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_ECDH_ECDSA_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_ECDH_RSA_ENABLED

/* Old ciphers and small curves. */
#undef MBEDTLS_DES_C
#undef MBEDTLS_CAMELLIA_C
#undef MBEDTLS_ARIA_C
#undef MBEDTLS_CIPHER_MODE_CFB
#undef MBEDTLS_CIPHER_MODE_OFB
#undef MBEDTLS_CIPHER_MODE_XTS
#undef MBEDTLS_ECP_DP_SECP192R1_ENABLED
#undef MBEDTLS_ECP_DP_SECP224R1_ENABLED
#undef MBEDTLS_ECP_DP_SECP192K1_ENABLED
#undef MBEDTLS_ECP_DP_SECP224K1_ENABLED
#undef MBEDTLS_ECP_DP_SECP256K1_ENABLED
#undef MBEDTLS_RIPEMD160_C
#undef MBEDTLS_LMS_C

#endif
