#include "crl.h"

#include <stdlib.h>

#include <mbedtls/asn1write.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>

#include "dates.h"

#define FRAME_MAX 4096 /* bytes of all but the entries */
#define ENTRY_MAX 48   /* bytes of a serial number, a time and their frame */
#define PEM_BEGIN "-----BEGIN X509 CRL-----\n"
#define PEM_END "-----END X509 CRL-----\n"

static const unsigned char oid_crl_number[] = {0x55, 0x1d, 0x14};

/* mbedTLS writes from the end of a buffer to its front: the last part of a structure comes first,
 * its tag and length last. A failed step sets `code`, and the others then do nothing. */
struct der {
	unsigned char *start, *p;
	int code;
};

static void put_step(struct der *der, int written)
{
	if (der->code == 0 && written < 0)
		der->code = written;
}

static void put_raw(struct der *der, const void *bytes, size_t len)
{
	if (der->code == 0)
		put_step(der, mbedtls_asn1_write_raw_buffer(&der->p, der->start, bytes, len));
}

/* Tag and length in front of everything since `end`. */
static void put_frame(struct der *der, const unsigned char *end, unsigned char tag)
{
	if (der->code == 0)
		put_step(der, mbedtls_asn1_write_len(&der->p, der->start, (size_t)(end - der->p)));
	if (der->code == 0)
		put_step(der, mbedtls_asn1_write_tag(&der->p, der->start, tag));
}

#define TAG_SEQUENCE (MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE)

/* A number of `len` bytes, most significant first. */
static void put_integer(struct der *der, const unsigned char *bytes, size_t len)
{
	static const unsigned char zero = 0;
	const unsigned char *end = der->p;

	while (len > 1 && bytes[0] == 0) {
		bytes++;
		len--;
	}
	put_raw(der, bytes, len);
	if (bytes[0] & 0x80)
		put_raw(der, &zero, 1);
	put_frame(der, end, MBEDTLS_ASN1_INTEGER);
}

/* UTCTime up to 2049 and GeneralizedTime from 2050 on, as RFC 5280 5.1.2.4 wants it. */
static void put_time(struct der *der, int64_t ms)
{
	const unsigned char *end = der->p;
	char text[DATES_COMPACT_SIZE];
	bool is_short;

	dates_compact(ms, text);
	is_short = memcmp(text, "2050", 4) < 0;
	put_raw(der, "Z", 1);
	put_raw(der, text + (is_short ? 2 : 0), sizeof text - 1 - (is_short ? 2 : 0));
	put_frame(der, end, is_short ? MBEDTLS_ASN1_UTC_TIME : MBEDTLS_ASN1_GENERALIZED_TIME);
}

static void put_entry(struct der *der, const struct index_record *record)
{
	const unsigned char *end = der->p;
	unsigned char serial[SERIAL_MAX];
	size_t len = strlen(record->serial) / 2;

	for (size_t i = 0; i < len; i++) {
		char high = record->serial[2 * i], low = record->serial[2 * i + 1];

		serial[i] = (unsigned char)((high <= '9' ? high - '0' : high - 'a' + 10) << 4 |
		                            (low <= '9' ? low - '0' : low - 'a' + 10));
	}
	put_time(der, record->revoked_ms);
	put_integer(der, serial, len);
	put_frame(der, end, TAG_SEQUENCE);
}

/* Left out when it would be empty, as RFC 5280 5.1.2.6 wants it. */
static void put_entries(struct der *der, const struct index *index)
{
	const unsigned char *end = der->p;
	size_t count = 0;

	for (size_t i = index->count; i-- > 0;) {
		if (index->records[i].revoked_ms != 0) {
			put_entry(der, &index->records[i]);
			count++;
		}
	}
	if (count > 0)
		put_frame(der, end, TAG_SEQUENCE);
}

static void put_extension(
    struct der *der, const unsigned char *end, const void *oid, size_t oid_len)
{
	const unsigned char *oid_end;

	put_frame(der, end, MBEDTLS_ASN1_OCTET_STRING);
	oid_end = der->p;
	put_raw(der, oid, oid_len);
	put_frame(der, oid_end, MBEDTLS_ASN1_OID);
	put_frame(der, end, TAG_SEQUENCE);
}

static void put_extensions(struct der *der, const struct crl_request *request)
{
	const unsigned char *end = der->p, *one = der->p;
	const mbedtls_x509_buf *key_id = &request->ca->subject_key_id;
	unsigned char number[8];

	for (int i = 0; i < 8; i++)
		number[i] = (unsigned char)(request->number >> (56 - 8 * i));
	put_integer(der, number, sizeof number);
	put_extension(der, one, oid_crl_number, sizeof oid_crl_number);

	one = der->p;
	put_raw(der, key_id->p, key_id->len);
	put_frame(der, one, MBEDTLS_ASN1_CONTEXT_SPECIFIC | 0);
	put_frame(der, one, TAG_SEQUENCE);
	put_extension(der, one, MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER,
	    MBEDTLS_OID_SIZE(MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER));

	put_frame(der, end, TAG_SEQUENCE);
	put_frame(der, end, MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED | 0);
}

static void put_algorithm(struct der *der, const char *oid, size_t oid_len, bool is_rsa)
{
	if (der->code == 0)
		put_step(der, mbedtls_asn1_write_algorithm_identifier_ext(
		                  &der->p, der->start, oid, oid_len, 0, is_rsa));
}

/* The part that is signed. */
static void put_body(struct der *der, const struct crl_request *request, const struct index *index,
    const char *oid, size_t oid_len, bool is_rsa)
{
	static const unsigned char version_2 = 1;
	const unsigned char *end = der->p;

	put_extensions(der, request);
	put_entries(der, index);
	put_time(der, request->next_ms);
	put_time(der, request->this_ms);
	put_raw(der, request->ca->subject_raw.p, request->ca->subject_raw.len);
	put_algorithm(der, oid, oid_len, is_rsa);
	put_integer(der, &version_2, 1);
	put_frame(der, end, TAG_SEQUENCE);
}

/* The body, its algorithm, its signature. What is signed stands in front of the signature, which
 * is written first: so the body is made in a buffer of its own. */
static int put_list(struct der *list, struct der *body, const unsigned char *body_end,
    const struct crl_request *request, const struct index *index)
{
	const unsigned char *end = list->p;
	const bool is_rsa = mbedtls_pk_can_do(request->ca_key, MBEDTLS_PK_RSA) != 0;
	unsigned char hash[32], sig[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
	const unsigned char *bits;
	static const unsigned char no_unused_bits = 0;
	const char *oid;
	size_t oid_len, sig_len;
	int code;

	code = mbedtls_oid_get_oid_by_sig_alg(
	    is_rsa ? MBEDTLS_PK_RSA : MBEDTLS_PK_ECDSA, MBEDTLS_MD_SHA256, &oid, &oid_len);
	if (code != 0)
		return code;
	put_body(body, request, index, oid, oid_len, is_rsa);
	if (body->code != 0)
		return body->code;
	code = mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), body->p,
	    (size_t)(body_end - body->p), hash);
	if (code == 0)
		code = mbedtls_pk_sign(request->ca_key, MBEDTLS_MD_SHA256, hash, sizeof hash, sig,
		    sizeof sig, &sig_len, issue_random, NULL);
	if (code != 0)
		return code;
	bits = list->p;
	put_raw(list, sig, sig_len);
	put_raw(list, &no_unused_bits, 1);
	put_frame(list, bits, MBEDTLS_ASN1_BIT_STRING);
	put_algorithm(list, oid, oid_len, is_rsa);
	put_raw(list, body->p, (size_t)(body_end - body->p));
	put_frame(list, end, TAG_SEQUENCE);
	return list->code;
}

static enum status put_pem(const unsigned char *der, size_t len, struct buf *to, struct error *err)
{
	size_t max = len * 2 + 256, written = 0;
	char *room = buf_reserve(to, max);
	int code;

	if (room == NULL)
		return error_set(
		    err, STATUS_NOMEM, "the revocation list is too long to be written");
	code = mbedtls_pem_write_buffer(
	    PEM_BEGIN, PEM_END, der, len, (unsigned char *)room, max, &written);
	if (code != 0)
		return issue_error(err, STATUS_INVALID, "cannot write the revocation list", code);
	to->len += written - 1; /* without its NUL */
	return STATUS_OK;
}

enum status crl_put(
    const struct crl_request *request, const struct index *index, struct buf *to, struct error *err)
{
	size_t size = FRAME_MAX;
	struct der list = {0}, body = {0};
	enum status status;
	int code;

	for (size_t i = 0; i < index->count; i++)
		if (index->records[i].revoked_ms != 0)
			size += ENTRY_MAX;
	list.start = malloc(size);
	body.start = malloc(size);
	if (list.start == NULL || body.start == NULL) {
		status = error_set(err, STATUS_NOMEM, "out of memory");
		goto out;
	}
	list.p = list.start + size;
	body.p = body.start + size;
	code = put_list(&list, &body, body.start + size, request, index);
	status = code == 0
	             ? put_pem(list.p, (size_t)(list.start + size - list.p), to, err)
	             : issue_error(err, STATUS_INVALID, "cannot sign the revocation list", code);
out:
	free(body.start);
	free(list.start);
	return status;
}
