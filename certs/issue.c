#include "issue.h"

#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/platform_util.h>

#include "dates.h"
#include "os/random.h"

#define DER_MAX 32768 /* bytes of a certificate with as many and as long names as there may be */
#define CN_MAX 64     /* bytes, the upper bound of RFC 5280 */

int issue_random(void *unused, unsigned char *to, size_t len)
{
	(void)unused;
	random_bytes(to, len);
	return 0;
}

enum status issue_error(struct error *err, enum status status, const char *what, int code)
{
	char text[128];

	if (code == MBEDTLS_ERR_X509_ALLOC_FAILED || code == MBEDTLS_ERR_PK_ALLOC_FAILED)
		return error_set(err, STATUS_NOMEM, "out of memory");
	mbedtls_strerror(code, text, sizeof text);
	return error_set(err, status, "%s: %s", what, text);
}

enum status issue_key_new(mbedtls_pk_context *key, struct error *err)
{
	int code = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));

	if (code == 0)
		code = mbedtls_ecp_gen_key(
		    MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), issue_random, NULL);
	return code == 0 ? STATUS_OK : issue_error(err, STATUS_INVALID, "cannot make a key", code);
}

/* mbedTLS wants the NUL behind a PEM text counted in. */
static enum status with_nul(struct slice file, struct buf *copy, struct error *err)
{
	buf_init(copy, file.len + 1);
	buf_put_slice(copy, file);
	buf_put_char(copy, '\0');
	return copy->failed ? error_set(err, STATUS_NOMEM, "out of memory") : STATUS_OK;
}

enum status issue_key_get(struct slice file, mbedtls_pk_context *key, struct error *err)
{
	struct buf copy;
	int code = 0;
	enum status status = with_nul(file, &copy, err);

	if (status == STATUS_OK) {
		code = mbedtls_pk_parse_key(
		    key, (const unsigned char *)copy.ptr, copy.len, NULL, 0, issue_random, NULL);
		if (code != 0)
			status = issue_error(err, STATUS_INVALID,
			    "no private key that can be read (it must be PEM, without a password)",
			    code);
	}
	buf_release_secret(&copy);
	return status;
}

enum status issue_key_put(const mbedtls_pk_context *key, struct buf *to, struct error *err)
{
	unsigned char pem[4096];
	enum status status = STATUS_OK;
	int code = mbedtls_pk_write_key_pem(key, pem, sizeof pem);

	if (code != 0)
		status = issue_error(err, STATUS_INVALID, "cannot write the key", code);
	else if (!buf_put_str(to, (const char *)pem))
		status = error_set(err, STATUS_NOMEM, "out of memory");
	mbedtls_platform_zeroize(pem, sizeof pem);
	return status;
}

enum status issue_cert_get(struct slice file, mbedtls_x509_crt *cert, struct error *err)
{
	struct buf copy;
	int code;
	enum status status = with_nul(file, &copy, err);

	if (status == STATUS_OK) {
		code = mbedtls_x509_crt_parse(cert, (const unsigned char *)copy.ptr, copy.len);
		if (code > 0)
			status = error_set(
			    err, STATUS_INVALID, "%d of its certificates cannot be read", code);
		else if (code < 0)
			status = issue_error(
			    err, STATUS_INVALID, "no certificate that can be read", code);
	}
	buf_release(&copy);
	return status;
}

void issue_serial(unsigned char serial[ISSUE_SERIAL_LEN])
{
	/* A leading zero byte would be left out by some writers and kept by others. */
	do {
		random_bytes(serial, ISSUE_SERIAL_LEN);
		serial[0] &= 0x7f;
	} while (serial[0] == 0);
}

void issue_serial_text(const unsigned char *serial, size_t len, char to[SERIAL_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	size_t at = 0;

	/* The encoding of a number whose top bit is set begins with a zero byte. */
	while (len > 1 && serial[0] == 0) {
		serial++;
		len--;
	}
	for (size_t i = 0; i < len && i < SERIAL_MAX; i++) {
		to[at++] = digits[serial[i] >> 4];
		to[at++] = digits[serial[i] & 15];
	}
	to[at] = '\0';
}

bool issue_is_ca(const mbedtls_x509_crt *cert)
{
	return mbedtls_x509_crt_get_ca_istrue(cert) == 1;
}

int64_t issue_time_ms(const mbedtls_x509_time *time)
{
	const int parts[6] = {time->year, time->mon, time->day, time->hour, time->min, time->sec};
	int64_t ms = 0;

	/* What is no date ends before everything else. */
	return dates_of_parts(parts, &ms) ? ms : 0;
}

/* "CN=…" with each byte escaped, so that no name can be taken for two. */
static void put_subject(const char *common_name, struct buf *to)
{
	buf_put_str(to, "CN=");
	for (const char *c = common_name; *c != '\0'; c++)
		buf_put_fmt(to, "\\%02x", (unsigned)(unsigned char)*c);
}

static const char *common_name_of(const struct issue_request *request)
{
	if (request->kind == CERT_CA)
		return request->common_name;
	/* The names that count stand in the extension; this one is for people, and bounded. */
	return strlen(request->names[0].text) <= CN_MAX ? request->names[0].text : "Confab server";
}

static int set_names(mbedtls_x509write_cert *writer, const struct issue_request *request,
    mbedtls_x509_san_list *list)
{
	static const char scheme[] = "confab:user/";
	/* mbedTLS wants what is not const, and copies it before this function returns. */
	unsigned char uri[sizeof scheme + NAME_TEXT_SIZE];
	unsigned char text[INDEX_NAMES_MAX][NAME_TEXT_SIZE];

	for (size_t i = 0; i < request->count; i++) {
		const struct name *name = &request->names[i];
		mbedtls_x509_subject_alternative_name *node = &list[i].node;
		mbedtls_x509_buf *value = &node->san.unstructured_name;

		/* mbedTLS writes the list from its end: its head is our last name. */
		list[i].next = i > 0 ? &list[i - 1] : NULL;
		switch (name->kind) {
		case NAME_IP:
			node->type = MBEDTLS_X509_SAN_IP_ADDRESS;
			memcpy(text[i], name->ip, name->ip_len);
			value->p = text[i];
			value->len = name->ip_len;
			break;
		case NAME_DNS:
			node->type = MBEDTLS_X509_SAN_DNS_NAME;
			value->len = strlen(name->text);
			memcpy(text[i], name->text, value->len);
			value->p = text[i];
			break;
		case NAME_USER:
			node->type = MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER;
			value->len =
			    (size_t)snprintf((char *)uri, sizeof uri, "%s%s", scheme, name->text);
			value->p = uri;
			break;
		}
	}
	return mbedtls_x509write_crt_set_subject_alternative_name(
	    writer, &list[request->count - 1]);
}

static int set_purpose(mbedtls_x509write_cert *writer, enum cert_kind kind)
{
	static unsigned char server_auth[] = MBEDTLS_OID_SERVER_AUTH;
	static unsigned char client_auth[] = MBEDTLS_OID_CLIENT_AUTH;
	mbedtls_asn1_sequence purpose = {.buf = {.tag = MBEDTLS_ASN1_OID}};
	int code;

	if (kind == CERT_CA)
		return mbedtls_x509write_crt_set_key_usage(
		    writer, MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN);
	purpose.buf.p = kind == CERT_SERVER ? server_auth : client_auth;
	purpose.buf.len = MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH);
	code = mbedtls_x509write_crt_set_key_usage(writer, MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
	return code != 0 ? code : mbedtls_x509write_crt_set_ext_key_usage(writer, &purpose);
}

static int set_subjects(
    mbedtls_x509write_cert *writer, const struct issue_request *request, const mbedtls_x509_crt *ca)
{
	struct buf subject;
	char issuer[MBEDTLS_X509_MAX_DN_NAME_SIZE * 4];
	int code;

	buf_init(&subject, 4096);
	put_subject(common_name_of(request), &subject);
	code = mbedtls_x509write_crt_set_subject_name(writer, buf_text(&subject));
	if (code == 0 && ca == NULL) {
		code = mbedtls_x509write_crt_set_issuer_name(writer, buf_text(&subject));
	} else if (code == 0) {
		code = mbedtls_x509_dn_gets(issuer, sizeof issuer, &ca->subject);
		if (code > 0)
			code = mbedtls_x509write_crt_set_issuer_name(writer, issuer);
	}
	buf_release(&subject);
	return code;
}

static int set_all(mbedtls_x509write_cert *writer, const struct issue_request *request,
    mbedtls_x509_san_list *list, const mbedtls_x509_crt *ca)
{
	char begin[DATES_COMPACT_SIZE], end[DATES_COMPACT_SIZE];
	unsigned char serial[ISSUE_SERIAL_LEN];
	int code;

	memcpy(serial, request->serial, sizeof serial);
	dates_compact(request->begin_ms, begin);
	dates_compact(request->end_ms, end);
	mbedtls_x509write_crt_set_md_alg(writer, MBEDTLS_MD_SHA256);
	if ((code = mbedtls_x509write_crt_set_serial_raw(writer, serial, sizeof serial)) != 0 ||
	    (code = mbedtls_x509write_crt_set_validity(writer, begin, end)) != 0 ||
	    (code = set_subjects(writer, request, ca)) != 0 ||
	    (code = mbedtls_x509write_crt_set_basic_constraints(
	         writer, request->kind == CERT_CA, 0)) != 0 ||
	    (code = set_purpose(writer, request->kind)) != 0 ||
	    (code = mbedtls_x509write_crt_set_subject_key_identifier(writer)) != 0 ||
	    (code = mbedtls_x509write_crt_set_authority_key_identifier(writer)) != 0)
		return code;
	return request->count == 0 ? 0 : set_names(writer, request, list);
}

/* Reads the certificate back and verifies it: a CA that another tool made with habits that we do
 * not follow must be refused here, not by every client later. */
static enum status check_made(struct slice pem, const mbedtls_x509_crt *ca, struct error *err)
{
	/* Which days it is good for is the caller's wish. */
	const uint32_t dates = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE;
	mbedtls_x509_crt made, root;
	uint32_t flags = 0;
	int code = 0;
	enum status status;

	mbedtls_x509_crt_init(&made);
	mbedtls_x509_crt_init(&root);
	status = issue_cert_get(pem, &made, err);
	if (status == STATUS_OK) {
		code = mbedtls_x509_crt_parse_der(&root, ca != NULL ? ca->raw.p : made.raw.p,
		    ca != NULL ? ca->raw.len : made.raw.len);
		if (code == 0)
			code =
			    mbedtls_x509_crt_verify(&made, &root, NULL, NULL, &flags, NULL, NULL);
		if (code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED && (flags & ~dates) == 0)
			code = 0;
		if (code != 0)
			status = issue_error(err, STATUS_INVALID,
			    "this CA cannot issue it (was it made by confab-certs init?)", code);
	}
	mbedtls_x509_crt_free(&root);
	mbedtls_x509_crt_free(&made);
	return status;
}

enum status issue_cert_put(const struct issue_request *request, mbedtls_pk_context *key,
    const mbedtls_x509_crt *ca, mbedtls_pk_context *ca_key, struct buf *to, struct error *err)
{
	mbedtls_x509write_cert writer;
	mbedtls_x509_san_list list[INDEX_NAMES_MAX] = {0};
	unsigned char *pem = malloc(DER_MAX);
	size_t start = to->len;
	enum status status = STATUS_OK;
	int code;

	if (pem == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	mbedtls_x509write_crt_init(&writer);
	mbedtls_x509write_crt_set_subject_key(&writer, key);
	mbedtls_x509write_crt_set_issuer_key(&writer, ca_key);
	code = set_all(&writer, request, list, ca);
	if (code == 0)
		code = mbedtls_x509write_crt_pem(&writer, pem, DER_MAX, issue_random, NULL);
	if (code != 0)
		status = issue_error(err, STATUS_INVALID, "cannot write the certificate", code);
	else if (!buf_put_str(to, (const char *)pem))
		status = error_set(err, STATUS_NOMEM, "out of memory");
	if (status == STATUS_OK)
		status = check_made(slice_make(to->ptr + start, to->len - start), ca, err);
	mbedtls_x509write_crt_free(&writer);
	free(pem);
	return status;
}
