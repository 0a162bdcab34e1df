/*
 * What AES-GCM costs a record: ns of processor time, the key already set, 13 bytes of additional
 * data, in place, as TLS does it. Medians of rounds in which the candidates alternate.
 *
 *   gcm_bench [128|192|256]          the table, for keys of that size (128)
 *   gcm_bench count NAME LEN TIMES   one candidate, sealing TIMES records of LEN bytes and nothing
 *                                    else: for instruction counts (the difference of two TIMES)
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mbedtls/gcm.h>

#ifdef CONFAB_FAST_GCM
#include "crypto/gcm_fast.h"
#endif
#ifdef HAVE_OPENSSL
#include <openssl/evp.h>
#endif

#define RECORD_MAX 16384
#define ROUNDS 15
#define ROUND_NS 2e6

struct record {
	unsigned char iv[12], ad[13], text[RECORD_MAX], tag[16];
	size_t len;
};

struct candidate {
	const char *name;
	bool (*setup)(struct candidate *self, const unsigned char *key, unsigned bits);
	bool (*seal)(struct candidate *self, struct record *r);
	bool (*open)(struct candidate *self, struct record *r);
	mbedtls_gcm_context gcm;
	void *sealer, *opener;
};

static bool mbedtls_setup(struct candidate *self, const unsigned char *key, unsigned bits)
{
#ifdef CONFAB_FAST_GCM
	gcm_fast_allow(strcmp(self->name, "stock") != 0);
#endif
	mbedtls_gcm_init(&self->gcm);
	return mbedtls_gcm_setkey(&self->gcm, MBEDTLS_CIPHER_ID_AES, key, bits) == 0;
}

static bool mbedtls_seal(struct candidate *self, struct record *r)
{
	return mbedtls_gcm_crypt_and_tag(&self->gcm, MBEDTLS_GCM_ENCRYPT, r->len, r->iv,
	           sizeof r->iv, r->ad, sizeof r->ad, r->text, r->text, sizeof r->tag, r->tag) == 0;
}

static bool mbedtls_open(struct candidate *self, struct record *r)
{
	return mbedtls_gcm_auth_decrypt(&self->gcm, r->len, r->iv, sizeof r->iv, r->ad,
	           sizeof r->ad, r->tag, sizeof r->tag, r->text, r->text) == 0;
}

#ifdef HAVE_OPENSSL
static bool openssl_setup(struct candidate *self, const unsigned char *key, unsigned bits)
{
	const EVP_CIPHER *cipher = bits == 128   ? EVP_aes_128_gcm()
	                           : bits == 192 ? EVP_aes_192_gcm()
	                                         : EVP_aes_256_gcm();
	self->sealer = EVP_CIPHER_CTX_new();
	self->opener = EVP_CIPHER_CTX_new();
	return EVP_EncryptInit_ex(self->sealer, cipher, NULL, key, NULL) == 1 &&
	       EVP_DecryptInit_ex(self->opener, cipher, NULL, key, NULL) == 1;
}

static bool openssl_seal(struct candidate *self, struct record *r)
{
	int len;
	return EVP_EncryptInit_ex(self->sealer, NULL, NULL, NULL, r->iv) == 1 &&
	       EVP_EncryptUpdate(self->sealer, NULL, &len, r->ad, sizeof r->ad) == 1 &&
	       EVP_EncryptUpdate(self->sealer, r->text, &len, r->text, (int)r->len) == 1 &&
	       EVP_EncryptFinal_ex(self->sealer, r->text + len, &len) == 1 &&
	       EVP_CIPHER_CTX_ctrl(self->sealer, EVP_CTRL_AEAD_GET_TAG, sizeof r->tag, r->tag) == 1;
}

static bool openssl_open(struct candidate *self, struct record *r)
{
	int len;
	return EVP_DecryptInit_ex(self->opener, NULL, NULL, NULL, r->iv) == 1 &&
	       EVP_DecryptUpdate(self->opener, NULL, &len, r->ad, sizeof r->ad) == 1 &&
	       EVP_DecryptUpdate(self->opener, r->text, &len, r->text, (int)r->len) == 1 &&
	       EVP_CIPHER_CTX_ctrl(self->opener, EVP_CTRL_AEAD_SET_TAG, sizeof r->tag, r->tag) ==
	           1 &&
	       EVP_DecryptFinal_ex(self->opener, r->text + len, &len) == 1;
}
#endif

static struct candidate candidates[] = {
    {.name = "stock", .setup = mbedtls_setup, .seal = mbedtls_seal, .open = mbedtls_open},
#ifdef CONFAB_FAST_GCM
    {.name = "ours", .setup = mbedtls_setup, .seal = mbedtls_seal, .open = mbedtls_open},
#endif
#ifdef HAVE_OPENSSL
    {.name = "openssl", .setup = openssl_setup, .seal = openssl_seal, .open = openssl_open},
#endif
};

#define CANDIDATES (sizeof candidates / sizeof *candidates)

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "gcm_bench: %s failed\n", what);
		exit(1);
	}
}

static double now_ns(void)
{
	struct timespec t;
	must(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0, "the clock");
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Sealing works on whatever the text has become; opening needs a sealed text each time, so its
 * time is that of both, less sealing's. */
static double measured(struct candidate *c, struct record *r, bool opening)
{
	long times = 0;
	double start = now_ns(), spent;

	do {
		for (int i = 0; i < 16; i++, times++) {
			must(c->seal(c, r), c->name);
			if (opening)
				must(c->open(c, r), c->name);
		}
		spent = now_ns() - start;
	} while (spent < ROUND_NS);
	return spent / (double)times;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof *values, compare);
	return values[ROUNDS / 2];
}

static void table(struct record *r)
{
	static const size_t lens[] = {16, 64, 150, 256, 1024, 4096, 16000};
	double seal[CANDIDATES][ROUNDS], both[CANDIDATES][ROUNDS];

	printf("%8s", "bytes");
	for (size_t i = 0; i < CANDIDATES; i++)
		printf("  %9s seal  open", candidates[i].name);
	printf("\n");
	for (size_t n = 0; n < sizeof lens / sizeof *lens; n++) {
		r->len = lens[n];
		for (int round = 0; round < ROUNDS; round++) {
			for (size_t i = 0; i < CANDIDATES; i++) {
				seal[i][round] = measured(&candidates[i], r, false);
				both[i][round] = measured(&candidates[i], r, true);
			}
		}
		printf("%8zu", r->len);
		for (size_t i = 0; i < CANDIDATES; i++) {
			double ns = median(seal[i]);
			printf("  %14.0f %5.0f", ns, median(both[i]) - ns);
		}
		printf("\n");
	}
}

static void count(struct record *r, const char *name, unsigned long times)
{
	for (size_t i = 0; i < CANDIDATES; i++) {
		if (strcmp(candidates[i].name, name) == 0) {
			while (times-- > 0)
				must(candidates[i].seal(&candidates[i], r), name);
			return;
		}
	}
	must(false, "looking for that name");
}

int main(int argc, char **argv)
{
	static struct record record;
	unsigned char key[32];
	bool counting = argc == 5 && strcmp(argv[1], "count") == 0;
	unsigned bits = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 128;

	memset(key, 0x5a, sizeof key);
	for (size_t i = 0; i < CANDIDATES; i++)
		must(candidates[i].setup(&candidates[i], key, bits), "setting the key");
	if (counting) {
		record.len = strtoul(argv[3], NULL, 10);
		must(record.len <= RECORD_MAX, "reading LEN");
		count(&record, argv[2], strtoul(argv[4], NULL, 10));
	} else {
		table(&record);
	}
	return 0;
}
