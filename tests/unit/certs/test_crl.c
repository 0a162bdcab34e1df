/* The revocation list's bytes, as mbedTLS's own reader sees them. */
#include "tests/unit/unit.h"

#include <mbedtls/pem.h>
#include <mbedtls/x509_crl.h>

#include "crl.h"
#include "dates.h"
#include "net/tls.h"

#define NOW_MS INT64_C(1795341600000) /* 2026-11-22T10:00:00Z */

struct ca {
	mbedtls_x509_crt cert;
	mbedtls_pk_context key;
	struct index index;
};

static void make_ca(struct ca *ca)
{
	struct issue_request request = {.kind = CERT_CA,
	    .common_name = "Za\305\274\303\263\305\202\304\207, O=x",
	    .begin_ms = NOW_MS,
	    .end_ms = NOW_MS + 36500 * DATES_DAY_MS};
	struct error err = {0};
	struct buf pem;

	CHECK_INT(tls_startup(&err), STATUS_OK);
	mbedtls_x509_crt_init(&ca->cert);
	mbedtls_pk_init(&ca->key);
	index_init(&ca->index);
	buf_init(&pem, ISSUE_PEM_MAX);
	issue_serial(request.serial);
	CHECK_INT(issue_key_new(&ca->key, &err), STATUS_OK);
	CHECK_INT(issue_cert_put(&request, &ca->key, NULL, &ca->key, &pem, &err), STATUS_OK);
	CHECK_INT(issue_cert_get(buf_slice(&pem), &ca->cert, &err), STATUS_OK);
	buf_release(&pem);
}

static void release_ca(struct ca *ca)
{
	index_release(&ca->index);
	mbedtls_pk_free(&ca->key);
	mbedtls_x509_crt_free(&ca->cert);
	tls_cleanup();
}

static void add(struct ca *ca, const char *serial, int64_t revoked_ms)
{
	char nothing[] = "-";
	struct index_record record = {
	    .kind = CERT_OTHER, .revoked_ms = revoked_ms, .stem = nothing, .names = nothing};

	CHECK(serial_get(slice_of(serial), record.serial));
	CHECK_INT(index_add(&ca->index, &record, NULL), STATUS_OK);
}

static void sign(struct ca *ca, int64_t number, int64_t next_ms, mbedtls_x509_crl *crl)
{
	struct crl_request request = {.ca = &ca->cert,
	    .ca_key = &ca->key,
	    .number = number,
	    .this_ms = NOW_MS,
	    .next_ms = next_ms};
	struct error err = {0};
	struct buf pem;

	buf_init(&pem, CRL_PEM_MAX);
	CHECK_INT(crl_put(&request, &ca->index, &pem, &err), STATUS_OK);
	mbedtls_x509_crl_init(crl);
	CHECK_INT(
	    mbedtls_x509_crl_parse(crl, (const unsigned char *)buf_text(&pem), pem.len + 1), 0);
	buf_release(&pem);
}

static bool has_bytes(const mbedtls_x509_buf *hay, const char *bytes, size_t len)
{
	return slice_contains(slice_make((const char *)hay->p, hay->len), slice_make(bytes, len));
}

TEST(unit__crl__empty_has_no_list)
{
	struct ca ca;
	mbedtls_x509_crl crl;

	make_ca(&ca);
	add(&ca, "0a", 0); /* good ones are not in it */
	sign(&ca, 1, NOW_MS + DATES_DAY_MS, &crl);
	CHECK_INT(crl.version, 2);
	CHECK(crl.entry.serial.p == NULL);
	CHECK_INT(crl.this_update.year, 2026);
	CHECK_INT(crl.next_update.day, 23);
	CHECK(crl.issuer_raw.len == ca.cert.subject_raw.len &&
	      memcmp(crl.issuer_raw.p, ca.cert.subject_raw.p, crl.issuer_raw.len) == 0);
	/* CRL number 1, and the CA's key identifier, as they stand in the bytes. */
	CHECK(has_bytes(&crl.tbs, "\x55\x1d\x14\x04\x03\x02\x01\x01", 8));
	CHECK(has_bytes(&crl.tbs, "\x55\x1d\x23\x04\x18\x30\x16\x80\x14", 9));
	CHECK(has_bytes(&crl.tbs, (const char *)ca.cert.subject_key_id.p, 20));
	mbedtls_x509_crl_free(&crl);
	release_ca(&ca);
}

TEST(unit__crl__serials_and_numbers)
{
	struct ca ca;
	mbedtls_x509_crl crl;
	const mbedtls_x509_crl_entry *entry;

	make_ca(&ca);
	add(&ca, "80", NOW_MS);
	add(&ca, "0102030405060708090a0b0c0d0e0f1011121314", NOW_MS);
	add(&ca, "7f", 0);
	sign(&ca, 255, NOW_MS + DATES_DAY_MS, &crl);
	entry = &crl.entry;
	/* A top bit that is set is a sign on the wire, so a zero byte goes before it. */
	CHECK_INT(entry->serial.len, 2);
	CHECK(memcmp(entry->serial.p, "\x00\x80", 2) == 0);
	entry = entry->next;
	CHECK_INT(entry->serial.len, 20);
	CHECK(entry->next == NULL || entry->next->serial.p == NULL);
	CHECK(has_bytes(&crl.tbs, "\x55\x1d\x14\x04\x04\x02\x02\x00\xff", 9));
	mbedtls_x509_crl_free(&crl);
	release_ca(&ca);
}

TEST(unit__crl__times_after_2049)
{
	struct ca ca;
	mbedtls_x509_crl crl;

	make_ca(&ca);
	sign(&ca, 1, NOW_MS + 9000 * DATES_DAY_MS, &crl);
	CHECK_INT(crl.next_update.year, 2051);
	CHECK(has_bytes(&crl.tbs,
	    "\x17\x0d"
	    "261122100000Z",
	    15));
	CHECK(has_bytes(&crl.tbs,
	    "\x18\x0f"
	    "2051",
	    6));
	mbedtls_x509_crl_free(&crl);
	release_ca(&ca);
}

TEST(unit__crl__refuses_the_revoked_only)
{
	struct issue_request request = {
	    .kind = CERT_CLIENT, .count = 1, .begin_ms = NOW_MS, .end_ms = NOW_MS + DATES_DAY_MS};
	struct name name;
	struct ca ca;
	mbedtls_x509_crl crl;
	mbedtls_x509_crt certs[2];
	struct error err = {0};

	make_ca(&ca);
	CHECK_INT(name_user(slice_of("alice"), &name, NULL), STATUS_OK);
	request.names = &name;
	for (int i = 0; i < 2; i++) {
		char serial[SERIAL_TEXT_SIZE];
		struct buf pem;

		buf_init(&pem, ISSUE_PEM_MAX);
		issue_serial(request.serial);
		CHECK_INT(
		    issue_cert_put(&request, &ca.key, &ca.cert, &ca.key, &pem, &err), STATUS_OK);
		mbedtls_x509_crt_init(&certs[i]);
		CHECK_INT(issue_cert_get(buf_slice(&pem), &certs[i], &err), STATUS_OK);
		issue_serial_text(request.serial, sizeof request.serial, serial);
		add(&ca, serial, i == 0 ? NOW_MS : 0);
		buf_release(&pem);
	}
	sign(&ca, 1, NOW_MS + 36000 * DATES_DAY_MS, &crl);
	for (int i = 0; i < 2; i++) {
		uint32_t flags = 0;

		(void)mbedtls_x509_crt_verify(&certs[i], &ca.cert, &crl, NULL, &flags, NULL, NULL);
		CHECK_INT(flags & MBEDTLS_X509_BADCERT_REVOKED,
		    i == 0 ? MBEDTLS_X509_BADCERT_REVOKED : 0);
		/* That the list is taken as the CA's own. */
		CHECK_INT(flags & MBEDTLS_X509_BADCRL_NOT_TRUSTED, 0);
		mbedtls_x509_crt_free(&certs[i]);
	}
	mbedtls_x509_crl_free(&crl);
	release_ca(&ca);
}

TEST(unit__crl__two_thousand)
{
	struct ca ca;
	mbedtls_x509_crl crl;
	int count = 0;

	make_ca(&ca);
	for (int i = 0; i < 2000; i++) {
		char nothing[] = "-";
		struct index_record record = {
		    .kind = CERT_OTHER, .revoked_ms = NOW_MS, .stem = nothing, .names = nothing};

		snprintf(record.serial, sizeof record.serial, "7%031x", (unsigned)i);
		CHECK_INT(index_add(&ca.index, &record, NULL), STATUS_OK);
	}
	sign(&ca, 1, NOW_MS + DATES_DAY_MS, &crl);
	for (const mbedtls_x509_crl_entry *entry = &crl.entry; entry != NULL; entry = entry->next)
		count += entry->serial.p != NULL;
	CHECK_INT(count, 2000);
	mbedtls_x509_crl_free(&crl);
	release_ca(&ca);
}

UNIT_MAIN(CASE(unit__crl__empty_has_no_list), CASE(unit__crl__serials_and_numbers),
    CASE(unit__crl__times_after_2049), CASE(unit__crl__refuses_the_revoked_only),
    CASE(unit__crl__two_thousand))
