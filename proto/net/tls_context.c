#include "net/tls_private.h"

#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/sha256.h>
#include <psa/crypto.h>
#include <stdlib.h>

#include "base/buf.h"
#include "net/truststore.h"

#define PEM_BEGIN "-----BEGIN"

/* AES-128-GCM first: by far the fastest with hardware's help. Only authenticated encryption, and
 * keys agreed by ECDHE only. */
static const int ciphersuites[] = {
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};

static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

/* PKCS #1 v1.5 is for TLS 1.2 and for the signatures inside chains. */
static const uint16_t signatures[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
    MBEDTLS_TLS1_3_SIG_NONE,
};

/* mbedTLS's type for this list lacks a const; it never writes to it. */
static const char *protocols[] = {"confab/1", NULL};

enum status tls_startup(struct error *err)
{
	psa_status_t code;

	tls_threads_startup();
	code = psa_crypto_init();
	if (code != PSA_SUCCESS)
		return error_set(err, STATUS_TLS, "the crypto library does not start (PSA code %d)",
		    (int)code);
	return STATUS_OK;
}

void tls_cleanup(void)
{
	mbedtls_psa_crypto_free();
	tls_threads_cleanup();
}

void tls_sha256(struct slice bytes, unsigned char ret[32])
{
	/* Fails only where a hardware engine does, and there is none. */
	if (mbedtls_sha256((const unsigned char *)bytes.ptr, bytes.len, ret, 0) != 0)
		abort();
}

void tls_context_fingerprint(const mbedtls_x509_crt *cert, char to[TLS_FINGERPRINT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[32];

	tls_sha256(slice_make((const char *)cert->raw.p, cert->raw.len), hash);
	for (size_t i = 0; i < sizeof hash; i++) {
		to[2 * i] = digits[hash[i] >> 4];
		to[2 * i + 1] = digits[hash[i] & 15];
	}
	to[TLS_FINGERPRINT_SIZE - 1] = '\0';
}

/* --- files ------------------------------------------------------------------------------------ */

/* mbedTLS's parsers tell PEM from DER by a NUL at the end, which must be counted. The copy may be
 * a key, so it is wiped. */
static bool with_nul(struct slice file, struct buf *copy)
{
	bool is_pem = slice_contains(file, slice_of(PEM_BEGIN));

	buf_init(copy, file.len + 1);
	return buf_put_slice(copy, file) && (!is_pem || buf_put_char(copy, '\0'));
}

static const char *name_or(const char *name, const char *otherwise)
{
	return name != NULL ? name : otherwise;
}

static enum status bad_file(int code, const char *name, const char *what, struct error *err)
{
	char text[128];

	if (code == MBEDTLS_ERR_X509_ALLOC_FAILED || code == MBEDTLS_ERR_PK_ALLOC_FAILED)
		return error_set(err, STATUS_NOMEM, "%s: out of memory", name);
	mbedtls_strerror(code, text, sizeof text);
	return error_set(err, STATUS_INVALID, "%s holds no %s that can be read, neither as PEM nor "
	    "as DER (%s)", name, what, text);
}

/* Certificates of a file. Some of a bundle of authorities may be of kinds that mbedTLS does not
 * know; `all` asks for every single one. */
static enum status parse_certs(mbedtls_x509_crt *chain, struct slice file, const char *name,
    bool all, struct error *err)
{
	struct buf copy;
	int code = MBEDTLS_ERR_X509_ALLOC_FAILED;

	if (with_nul(file, &copy))
		code = mbedtls_x509_crt_parse(chain, (const unsigned char *)copy.ptr, copy.len);
	buf_release(&copy);
	if (code < 0 || chain->raw.p == NULL)
		return bad_file(code, name, "certificate", err);
	if (code > 0 && all)
		return error_set(err, STATUS_INVALID,
		    "%s: %d of its certificates cannot be read; make the file anew", name, code);
	return STATUS_OK;
}

static enum status parse_key(struct tls_context *context, struct slice file, const char *name,
    struct error *err)
{
	struct buf copy;
	int code = MBEDTLS_ERR_PK_ALLOC_FAILED;

	if (with_nul(file, &copy))
		code = mbedtls_pk_parse_key(&context->key, (const unsigned char *)copy.ptr,
		    copy.len, NULL, 0, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
	buf_release_secret(&copy);
	if (code == MBEDTLS_ERR_PK_PASSWORD_REQUIRED || code == MBEDTLS_ERR_PK_PASSWORD_MISMATCH)
		return error_set(err, STATUS_INVALID,
		    "%s is protected by a password; store the key without one, readable by its "
		    "owner only", name);
	if (code != 0)
		return bad_file(code, name, "private key (EC or RSA)", err);
	return STATUS_OK;
}

static void put_subject(const mbedtls_x509_name *subject, char *to, size_t size)
{
	if (mbedtls_x509_dn_gets(to, size, subject) < 0)
		str_copy(to, size, slice_of("?"));
}

/* Each certificate must be issued by the one behind it: peers may refuse another order. */
static enum status check_chain(const mbedtls_x509_crt *cert, const char *name, struct error *err)
{
	for (unsigned number = 1; cert->next != NULL; cert = cert->next, number++) {
		const mbedtls_x509_buf *issuer = &cert->issuer_raw;
		const mbedtls_x509_buf *next = &cert->next->subject_raw;
		char text[128];

		if (issuer->len == next->len && memcmp(issuer->p, next->p, next->len) == 0)
			continue;
		put_subject(&cert->subject, text, sizeof text);
		return error_set(err, STATUS_INVALID, "%s: the chain is out of order: certificate "
		    "%u (%s) is not issued by the one behind it; put the own certificate first, "
		    "then each issuer", name, number, text);
	}
	return STATUS_OK;
}

static enum status load_own(struct tls_context *context, const struct tls_options *options,
    struct error *err)
{
	const char *cert_name = name_or(options->cert_name, "the certificate");
	const char *key_name = name_or(options->key_name, "the key");
	enum status status;

	if (options->cert.len == 0 || options->key.len == 0) {
		if (options->cert.len == 0 && options->key.len == 0 && options->role == TLS_CLIENT)
			return STATUS_OK;
		return error_set(err, STATUS_INVALID, "%s is missing or empty: a certificate and "
		    "its key are needed together", options->cert.len == 0 ? cert_name : key_name);
	}
	status = parse_certs(&context->cert, options->cert, cert_name, true, err);
	if (status == STATUS_OK)
		status = parse_key(context, options->key, key_name, err);
	if (status != STATUS_OK)
		return status;
	if (mbedtls_pk_check_pair(&context->cert.pk, &context->key, mbedtls_psa_get_random,
		MBEDTLS_PSA_RANDOM_STATE) != 0)
		return error_set(err, STATUS_INVALID, "the key in %s does not belong to the first "
		    "certificate in %s", key_name, cert_name);
	/* mbedTLS would pass such a certificate over and refuse every client for want of one. */
	if (options->role == TLS_SERVER &&
	    mbedtls_x509_crt_check_extended_key_usage(&context->cert, MBEDTLS_OID_SERVER_AUTH,
		MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) != 0)
		return error_set(err, STATUS_INVALID, "%s is not made for a server (its extended "
		    "key usage lacks serverAuth)", cert_name);
	context->has_cert = true;
	return check_chain(&context->cert, cert_name, err);
}

/* One unreadable certificate of the system's store is no reason to trust none of the others. */
static void add_system_ca(void *arg, struct slice der_or_pem)
{
	struct tls_context *context = arg;
	struct buf copy;

	if (with_nul(der_or_pem, &copy))
		(void)mbedtls_x509_crt_parse(&context->ca, (const unsigned char *)copy.ptr,
		    copy.len);
	buf_release(&copy);
}

static enum status load_crl(struct tls_context *context, const struct tls_options *options,
    struct error *err)
{
	struct buf copy;
	int code = MBEDTLS_ERR_X509_ALLOC_FAILED;

	if (with_nul(options->crl, &copy))
		code = mbedtls_x509_crl_parse(&context->crl, (const unsigned char *)copy.ptr,
		    copy.len);
	buf_release(&copy);
	if (code != 0 || context->crl.raw.p == NULL)
		return bad_file(code, name_or(options->crl_name, "the CRL"),
		    "list of withdrawn certificates (CRL)", err);
	return STATUS_OK;
}

static enum status load_trust(struct tls_context *context, const struct tls_options *options,
    struct error *err)
{
	bool wanted = options->role == TLS_CLIENT || options->peer_cert != TLS_PEER_CERT_NONE;
	enum status status = STATUS_OK;

	if (options->ca.len > 0)
		status = parse_certs(&context->ca, options->ca,
		    name_or(options->ca_name, "the CA file"), false, err);
	if (status == STATUS_OK && options->ca_from_system) {
		status = truststore_each(add_system_ca, context, err);
		if (options->ca.len > 0 && status == STATUS_NOT_FOUND)
			status = STATUS_OK;
	}
	if (status == STATUS_OK && options->crl.len > 0)
		status = load_crl(context, options, err);
	if (status == STATUS_OK && wanted && context->ca.raw.p == NULL)
		status = error_set(err, STATUS_NOT_FOUND, "no certificate authority to trust: "
		    "give one with %s", options->role == TLS_CLIENT ? "--ca" : "--client-ca");
	return status;
}

/* --- configuration ---------------------------------------------------------------------------- */

static int configure_tickets(struct tls_context *context)
{
	mbedtls_ssl_config *config = &context->config;

	if (context->role == TLS_CLIENT) {
		mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
		return 0;
	}
	/* Where every client must show a certificate, every ticket would be declined. */
	if (context->peer_cert == TLS_PEER_CERT_REQUIRED)
		return 0;
	return tls_ticket_configure(&context->tickets, config);
}

static int configure(struct tls_context *context)
{
	mbedtls_ssl_config *config = &context->config;
	int code = mbedtls_ssl_config_defaults(config,
	    context->role == TLS_SERVER ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
	    MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);

	if (code != 0)
		return code;
	mbedtls_ssl_conf_rng(config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
	mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_3);
	mbedtls_ssl_conf_ciphersuites(config, ciphersuites);
	mbedtls_ssl_conf_groups(config, groups);
	mbedtls_ssl_conf_sig_algs(config, signatures);
	mbedtls_ssl_conf_cert_profile(config, &mbedtls_x509_crt_profile_default);
	mbedtls_ssl_conf_tls13_key_exchange_modes(config, context->role == TLS_SERVER ?
	    MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ALL :
	    MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
	if (context->ca.raw.p != NULL)
		mbedtls_ssl_conf_ca_chain(config, &context->ca,
		    context->crl.raw.p != NULL ? &context->crl : NULL);
	/* On a server mbedTLS lets every certificate pass and tls.c refuses the bad ones: only so
	 * are "none shown" and "a bad one shown" told apart, each with its proper alert. */
	if (context->role == TLS_CLIENT)
		mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
	else
		mbedtls_ssl_conf_authmode(config, context->peer_cert == TLS_PEER_CERT_NONE ?
		    MBEDTLS_SSL_VERIFY_NONE : MBEDTLS_SSL_VERIFY_OPTIONAL);
	code = mbedtls_ssl_conf_alpn_protocols(config, protocols);
	if (code == 0 && context->has_cert)
		code = mbedtls_ssl_conf_own_cert(config, &context->cert, &context->key);
	return code == 0 ? configure_tickets(context) : code;
}

static void free_context(struct tls_context *context)
{
	mbedtls_ssl_config_free(&context->config);
	tls_ticket_release(&context->tickets);
	mbedtls_pk_free(&context->key);
	mbedtls_x509_crt_free(&context->cert);
	mbedtls_x509_crt_free(&context->ca);
	mbedtls_x509_crl_free(&context->crl);
	free(context);
}

enum status tls_context_new(const struct tls_options *options, struct tls_context **ret,
    struct error *err)
{
	struct tls_context *context = calloc(1, sizeof *context);
	enum status status;

	if (context == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	atomic_init(&context->refs, 1);
	context->role = options->role;
	context->peer_cert = options->role == TLS_SERVER ? options->peer_cert : TLS_PEER_CERT_NONE;
	mbedtls_ssl_config_init(&context->config);
	mbedtls_pk_init(&context->key);
	mbedtls_x509_crt_init(&context->cert);
	mbedtls_x509_crt_init(&context->ca);
	mbedtls_x509_crl_init(&context->crl);
	tls_ticket_init(&context->tickets);

	status = load_own(context, options, err);
	if (status == STATUS_OK)
		status = load_trust(context, options, err);
	if (status == STATUS_OK) {
		int code = configure(context);

		if (code != 0)
			status = error_set(err, STATUS_NOMEM, "TLS cannot be set up (mbedTLS code "
			    "-0x%x)", (unsigned)-code);
	}
	if (status != STATUS_OK) {
		free_context(context);
		return status;
	}
	*ret = context;
	return STATUS_OK;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
	atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
	return context;
}

void tls_context_unref(struct tls_context *context)
{
	if (context != NULL &&
	    atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) == 1)
		free_context(context);
}

/* Days from 1970-01-01 to a day of the Gregorian calendar. Years are counted from March on, so
 * that a leap day is the last of its year. */
static int64_t days_to(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = month <= 2 ? month + 9 : month - 3;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static int64_t seconds_to(const mbedtls_x509_time *when)
{
	return days_to(when->year, when->mon, when->day) * 86400 + when->hour * 3600 +
	    when->min * 60 + when->sec;
}

int64_t tls_context_own_days(const struct tls_context *context, bool *ret_begun)
{
	int64_t left;

	*ret_begun = true;
	if (!context->has_cert)
		return INT64_MAX;
	*ret_begun = mbedtls_x509_time_is_past(&context->cert.valid_from) != 0;
	left = seconds_to(&context->cert.valid_to) - (int64_t)time(NULL);
	/* Rounded down, so that the last second of validity is day 0 and the next one day -1. */
	return left >= 0 ? left / 86400 : -((-left + 86399) / 86400);
}
