/* The verbs that withdraw certificates: revoke and crl. */
#include "verbs.h"

#include "dates.h"
#include "store.h"
#include "talk.h"
#include "target.h"

/* One run: all or nothing is revoked, so what was done is only said when it is written. */
struct revoking {
	struct store store;
	int64_t now_ms;
	bool may_be_unknown; /* serial numbers that the record does not know */
	int count;
	struct buf said;
};

static void revoke_record(struct revoking *run, struct index_record *record)
{
	if (record->revoked_ms != 0) {
		talk_say("certificate %s of %s is revoked already", record->serial, record->stem);
		return;
	}
	record->revoked_ms = run->now_ms;
	run->count++;
	buf_put_fmt(&run->said, "revoked %s of %s\n", record->serial, record->stem);
}

/* All that still count: a former certificate may have the same key, and is still good. */
static void revoke_stem(struct revoking *run, const char *stem)
{
	const struct index *index = &run->store.index;

	for (size_t i = 0; i < index->count; i++) {
		struct index_record *record = &index->records[i];

		if (strcmp(record->stem, stem) == 0 &&
		    (record->is_current ||
		        (record->revoked_ms == 0 && record->end_ms > run->now_ms)))
			revoke_record(run, record);
	}
}

/* A certificate that the record does not know, as after its restore from an old backup. */
static enum status revoke_unknown(struct revoking *run, const char *serial, struct error *err)
{
	char nothing[] = "-";
	struct index_record record = {
	    .kind = CERT_OTHER, .revoked_ms = run->now_ms, .stem = nothing, .names = nothing};
	enum status status;

	if (!serial_get(slice_of(serial), record.serial))
		return error_set(err, STATUS_INVALID, "'%s' is no serial number", serial);
	status = index_add(&run->store.index, &record, err);
	if (status == STATUS_OK) {
		run->count++;
		buf_put_fmt(
		    &run->said, "revoked %s, which the record did not know\n", record.serial);
	}
	return status;
}

/* Whether it still is good does not matter: its day may have been changed, its signature not. */
static bool is_issued_here(struct store *store, mbedtls_x509_crt *cert)
{
	const uint32_t dates = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE;
	uint32_t flags = 0;
	int code = mbedtls_x509_crt_verify(cert, &store->ca, NULL, NULL, &flags, NULL, NULL);

	return code == 0 || (code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED && (flags & ~dates) == 0);
}

static enum status revoke_file(struct revoking *run, const char *word, struct error *err)
{
	struct store *store = &run->store;
	char serial[SERIAL_TEXT_SIZE];
	mbedtls_x509_crt cert;
	struct index_record *record;
	enum status status;

	mbedtls_x509_crt_init(&cert);
	status = target_cert(store->dir, word, &cert, err);
	if (status != STATUS_OK)
		goto out;
	issue_serial_text(cert.serial.p, cert.serial.len, serial);
	record = index_find_serial(&store->index, slice_of(serial));
	if (issue_is_ca(&cert) || !is_issued_here(store, &cert))
		status = error_set(err, STATUS_INVALID,
		    "%s was not issued by the CA in %s, which cannot revoke it", word, store->dir);
	else if (record != NULL)
		revoke_record(run, record);
	else
		status = revoke_unknown(run, serial, err);
out:
	mbedtls_x509_crt_free(&cert);
	return status;
}

static enum status revoke_one(struct revoking *run, const char *word, struct error *err)
{
	struct index_record *record = NULL;
	bool is_serial = false;
	char serial[SERIAL_TEXT_SIZE];
	enum status status;

	if (target_is_file(word))
		return revoke_file(run, word, err);
	if (strcmp(word, "ca") == 0)
		return error_set(err, STATUS_USAGE,
		    "a CA cannot revoke itself: make a new one with confab-certs init in another "
		    "folder, and take its ca.pem from everybody");
	status = target_record(&run->store, word, &record, &is_serial, err);
	if (status == STATUS_NOT_FOUND && run->may_be_unknown && serial_get(slice_of(word), serial))
		return revoke_unknown(run, serial, err);
	if (status != STATUS_OK)
		return status;
	if (is_serial)
		revoke_record(run, record);
	else
		revoke_stem(run, record->stem);
	return STATUS_OK;
}

static void say_revoked(struct revoking *run)
{
	struct slice rest = buf_slice(&run->said);

	while (rest.len > 0) {
		struct slice line = slice_cut(&rest, '\n');

		talk_say("%.*s", (int)line.len, line.ptr);
	}
	talk_say("give each server this crl.pem with --crl, and start it again");
}

enum status revoke_certs(struct verb_args *args, struct error *err)
{
	struct revoking run = {.now_ms = args->now_ms, .may_be_unknown = args->force};
	struct store *store = &run.store;
	enum status status = store_open(store, args->dir, STORE_SIGN, err);

	if (status != STATUS_OK)
		return status;
	buf_init(&run.said, 1 << 20);
	for (size_t i = 0; status == STATUS_OK && i < args->count; i++)
		status = revoke_one(&run, args->words[i], err);
	if (status == STATUS_OK && run.count > 0) {
		status =
		    store_put_crl(store, args->now_ms, issue_time_ms(&store->ca.valid_to), err);
		if (status == STATUS_OK)
			say_revoked(&run);
	}
	buf_release(&run.said);
	store_close(store);
	return status;
}

enum status revoke_sign_list(struct verb_args *args, struct error *err)
{
	char end[DATES_TEXT_SIZE];
	struct store store;
	int64_t next_ms;
	enum status status = store_open(&store, args->dir, STORE_SIGN, err);

	if (status != STATUS_OK)
		return status;
	next_ms = args->days != 0 ? args->now_ms + args->days * DATES_DAY_MS
	                          : issue_time_ms(&store.ca.valid_to);
	status = store_put_crl(&store, args->now_ms, next_ms, err);
	if (status == STATUS_OK) {
		dates_text(next_ms, end);
		talk_say("signed revocation list %lld, good until %s",
		    (long long)store.index.crl_number, end);
	}
	store_close(&store);
	return status;
}
