/* The verbs that only look: show and fingerprint. */
#include "verbs.h"

#include <mbedtls/oid.h>
#include <mbedtls/sha256.h>
#include <mbedtls/x509_crl.h>

#include "crl.h"
#include "dates.h"
#include "os/file.h"
#include "store.h"
#include "talk.h"
#include "target.h"

#define DATA_MAX (32 << 20) /* bytes of all that one run prints */

static void put_hex(struct buf *to, const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf_put_fmt(to, "%02x", bytes[i]);
}

static void put_digest(struct buf *to, const mbedtls_x509_buf *bytes)
{
	unsigned char digest[32] = {0};

	if (mbedtls_sha256(bytes->p, bytes->len, digest, 0) != 0)
		to->failed = true;
	put_hex(to, digest, sizeof digest);
}

static void put_label(struct buf *to, const char *label)
{
	buf_put_fmt(to, "  %-12s", label);
}

static void put_dn(struct buf *to, const char *label, const mbedtls_x509_name *name)
{
	/* Longer ones are cut off by mbedTLS's own bound; only foreign ones could be. */
	char text[2048];
	int len = mbedtls_x509_dn_gets(text, sizeof text, name);

	put_label(to, label);
	talk_put_foreign(to, slice_make(text, len > 0 ? (size_t)len : 0));
	buf_put_char(to, '\n');
}

static void put_time(
    struct buf *to, const char *label, const mbedtls_x509_time *time, int64_t now_ms)
{
	char text[DATES_TEXT_SIZE];
	int64_t ms = issue_time_ms(time);

	dates_text(ms, text);
	put_label(to, label);
	buf_put_str(to, text);
	if (now_ms != 0)
		buf_put_fmt(to, " (%lld days)", (long long)dates_days_left(ms, now_ms));
	buf_put_char(to, '\n');
}

static void put_name(struct buf *to, const mbedtls_x509_buf *name)
{
	int kind = name->tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
	struct slice text = slice_make((const char *)name->p, name->len);
	char ip[NAME_TEXT_SIZE];

	if (kind == MBEDTLS_X509_SAN_IP_ADDRESS && name_ip_text(name->p, name->len, ip)) {
		buf_put_fmt(to, "IP %s", ip);
	} else if (kind == MBEDTLS_X509_SAN_DNS_NAME ||
	           kind == MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER) {
		buf_put_str(to, kind == MBEDTLS_X509_SAN_DNS_NAME ? "DNS " : "URI ");
		talk_put_foreign(to, text);
	} else {
		buf_put_str(to, "(a name of another kind)");
	}
}

static void put_usage(struct buf *to, const mbedtls_x509_crt *cert)
{
	static const struct {
		unsigned bit;
		const char *text;
	} usages[] = {{MBEDTLS_X509_KU_DIGITAL_SIGNATURE, "digital signature"},
	    {MBEDTLS_X509_KU_NON_REPUDIATION, "non-repudiation"},
	    {MBEDTLS_X509_KU_KEY_ENCIPHERMENT, "key encipherment"},
	    {MBEDTLS_X509_KU_DATA_ENCIPHERMENT, "data encipherment"},
	    {MBEDTLS_X509_KU_KEY_AGREEMENT, "key agreement"},
	    {MBEDTLS_X509_KU_KEY_CERT_SIGN, "certificate signing"},
	    {MBEDTLS_X509_KU_CRL_SIGN, "CRL signing"}};
	const mbedtls_x509_sequence *purpose = &cert->ext_key_usage;
	const char *separator = "", *text;

	put_label(to, "usage");
	if (issue_is_ca(cert)) {
		buf_put_str(to, "CA");
		/* Stored with one added, so that 0 can mean none. */
		if (cert->MBEDTLS_PRIVATE(max_pathlen) > 0)
			buf_put_fmt(
			    to, " (path length %d)", cert->MBEDTLS_PRIVATE(max_pathlen) - 1);
		separator = ", ";
	}
	for (size_t i = 0; i < sizeof usages / sizeof *usages; i++) {
		if (!mbedtls_x509_crt_has_ext_type(cert, MBEDTLS_X509_EXT_KEY_USAGE) ||
		    mbedtls_x509_crt_check_key_usage(cert, usages[i].bit) != 0)
			continue;
		buf_put_fmt(to, "%s%s", separator, usages[i].text);
		separator = ", ";
	}
	for (; purpose != NULL && purpose->buf.p != NULL; purpose = purpose->next) {
		if (mbedtls_oid_get_extended_key_usage(&purpose->buf, &text) != 0)
			text = "another purpose";
		buf_put_fmt(to, "%s%s", separator, text);
		separator = ", ";
	}
	buf_put_char(to, '\n');
}

static void put_cert(struct buf *to, const mbedtls_x509_crt *cert, int64_t now_ms)
{
	const mbedtls_x509_sequence *name = &cert->subject_alt_names;

	put_dn(to, "subject", &cert->subject);
	put_dn(to, "issuer", &cert->issuer);
	put_label(to, "serial");
	put_hex(to, cert->serial.p, cert->serial.len);
	buf_put_char(to, '\n');
	put_time(to, "from", &cert->valid_from, 0);
	put_time(to, "until", &cert->valid_to, now_ms);
	for (; name != NULL && name->buf.p != NULL; name = name->next) {
		put_label(to, name == &cert->subject_alt_names ? "names" : "");
		put_name(to, &name->buf);
		buf_put_char(to, '\n');
	}
	put_usage(to, cert);
	put_label(to, "key");
	buf_put_fmt(
	    to, "%s %zu bits\n", mbedtls_pk_get_name(&cert->pk), mbedtls_pk_get_bitlen(&cert->pk));
	put_label(to, "certificate");
	put_digest(to, &cert->raw);
	buf_put_char(to, '\n');
	put_label(to, "spki");
	put_digest(to, &cert->pk_raw);
	buf_put_char(to, '\n');
}

static void put_crl(struct buf *to, const mbedtls_x509_crl *crl, int64_t now_ms)
{
	const mbedtls_x509_crl_entry *entry = &crl->entry;
	char text[DATES_TEXT_SIZE];

	put_dn(to, "issuer", &crl->issuer);
	put_time(to, "signed", &crl->this_update, 0);
	put_time(to, "until", &crl->next_update, now_ms);
	for (; entry != NULL && entry->serial.p != NULL; entry = entry->next) {
		put_label(to, "revoked");
		put_hex(to, entry->serial.p, entry->serial.len);
		dates_text(issue_time_ms(&entry->revocation_date), text);
		buf_put_fmt(to, " %s\n", text);
	}
	if (crl->entry.serial.p == NULL) {
		put_label(to, "revoked");
		buf_put_str(to, "nothing\n");
	}
}

static enum status show_crl(
    struct buf *file, const char *path, int64_t now_ms, struct buf *to, struct error *err)
{
	mbedtls_x509_crl crl;
	int code;
	enum status status = STATUS_OK;

	mbedtls_x509_crl_init(&crl);
	/* The NUL that buf_text adds is what mbedTLS wants to see behind a PEM text. */
	code = mbedtls_x509_crl_parse(&crl, (const unsigned char *)buf_text(file), file->len + 1);
	if (code != 0)
		status = issue_error(err, STATUS_INVALID, path, code);
	else
		put_crl(to, &crl, now_ms);
	mbedtls_x509_crl_free(&crl);
	return status;
}

static enum status show_certs(
    const struct buf *file, const char *path, int64_t now_ms, struct buf *to, struct error *err)
{
	mbedtls_x509_crt certs;
	struct error why = {0};
	enum status status;

	mbedtls_x509_crt_init(&certs);
	status = issue_cert_get(buf_slice(file), &certs, &why);
	if (status != STATUS_OK)
		error_set(err, status, "%s: %s", path, why.text);
	for (const mbedtls_x509_crt *cert = &certs; status == STATUS_OK && cert != NULL;
	     cert = cert->next) {
		if (cert != &certs)
			buf_put_char(to, '\n');
		put_cert(to, cert, now_ms);
	}
	mbedtls_x509_crt_free(&certs);
	return status;
}

static enum status show_one(
    const struct verb_args *args, const char *word, struct buf *to, struct error *err)
{
	struct buf path, file;
	enum status status;

	buf_init(&path, STORE_PATH_MAX);
	buf_init(&file, CRL_PEM_MAX);
	status = target_path(args->dir, word, &path, err);
	if (status == STATUS_OK)
		status = file_read(buf_text(&path), &file, err);
	if (status == STATUS_OK) {
		buf_put_fmt(to, "%s\n", buf_text(&path));
		status = slice_contains(buf_slice(&file), slice_of("-----BEGIN X509 CRL"))
		             ? show_crl(&file, buf_text(&path), args->now_ms, to, err)
		             : show_certs(&file, buf_text(&path), args->now_ms, to, err);
	}
	buf_release(&file);
	buf_release(&path);
	return status;
}

static enum status fingerprint_one(
    const struct verb_args *args, const char *word, struct buf *to, struct error *err)
{
	mbedtls_x509_crt cert;
	struct buf path;
	enum status status;

	mbedtls_x509_crt_init(&cert);
	buf_init(&path, STORE_PATH_MAX);
	status = target_cert(args->dir, word, &cert, err);
	if (status == STATUS_OK)
		status = target_path(args->dir, word, &path, err);
	if (status == STATUS_OK) {
		buf_put_str(to, "certificate sha256 ");
		put_digest(to, &cert.raw);
		buf_put_fmt(to, " %s\nspki sha256 ", buf_text(&path));
		put_digest(to, &cert.pk_raw);
		buf_put_fmt(to, " %s\n", buf_text(&path));
	}
	buf_release(&path);
	mbedtls_x509_crt_free(&cert);
	return status;
}

/* Prints what `one` has to say about each word, or about the CA without any. */
static enum status each(struct verb_args *args,
    enum status (*one)(const struct verb_args *, const char *, struct buf *, struct error *),
    struct error *err)
{
	struct buf data;
	enum status status = STATUS_OK;

	if (args->count == 0)
		args->words[args->count++] = "ca";
	buf_init(&data, DATA_MAX);
	for (size_t i = 0; status == STATUS_OK && i < args->count; i++)
		status = one(args, args->words[i], &data, err);
	if (status == STATUS_OK)
		status = talk_data(&data, err);
	buf_release(&data);
	return status;
}

enum status show_details(struct verb_args *args, struct error *err)
{
	return each(args, show_one, err);
}

enum status show_fingerprints(struct verb_args *args, struct error *err)
{
	return each(args, fingerprint_one, err);
}
