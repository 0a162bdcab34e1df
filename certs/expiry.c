/* The verb status: what ends when, from the record, the CA's own files, or other files. */
#include "verbs.h"

#include <mbedtls/x509_crl.h>

#include "crl.h"
#include "dates.h"
#include "os/file.h"
#include "store.h"
#include "talk.h"
#include "target.h"

#define DATA_MAX (64 << 20) /* bytes of the table */

struct table {
	struct verb_args *args;
	struct store store;
	bool is_open;
	struct buf data;
};

struct row {
	const char *kind, *file, *names, *serial;
	int64_t begin_ms, end_ms;
	bool is_former, is_revoked;
};

static void put_head(struct table *table)
{
	buf_put_fmt(&table->data, "%-8s %6s  %-20s  %-6s  ", "STATE", "DAYS", "UNTIL", "KIND");
	if (table->args->all)
		buf_put_fmt(&table->data, "%-32s  ", "SERIAL");
	buf_put_str(&table->data, "FILE NAMES\n");
}

static void put_row(struct table *table, const struct row *row)
{
	int64_t days = dates_days_left(row->end_ms, table->args->now_ms);
	bool counts = !row->is_former && !row->is_revoked;
	const char *state = "ok";
	char end[DATES_TEXT_SIZE];

	if (row->is_revoked)
		state = "revoked";
	else if (days < 0)
		state = "expired";
	else if (row->is_former)
		state = "former";
	else if (days < table->args->warn)
		state = "soon";
	else if (row->begin_ms > table->args->now_ms)
		state = "early";
	if (counts && days < table->args->warn)
		table->args->is_below_warn = true;
	dates_text(row->end_ms, end);
	buf_put_fmt(
	    &table->data, "%-8s %6lld  %-20s  %-6s  ", state, (long long)days, end, row->kind);
	if (table->args->all)
		buf_put_fmt(&table->data, "%-32s  ", row->serial);
	buf_put_str(&table->data, row->file);
	if (row->names[0] != '\0') {
		buf_put_char(&table->data, ' ');
		talk_put_foreign(&table->data, slice_of(row->names));
	}
	buf_put_char(&table->data, '\n');
}

static void put_record(struct table *table, const struct index_record *record)
{
	struct row row = {.kind = cert_kind_text(record->kind),
	    .file = record->stem,
	    .names = record->names,
	    .serial = record->serial,
	    .begin_ms = record->begin_ms,
	    .end_ms = record->end_ms,
	    .is_former = !record->is_current,
	    .is_revoked = record->revoked_ms != 0};

	put_row(table, &row);
}

static void put_cert(struct table *table, const char *word, const mbedtls_x509_crt *cert)
{
	char names[MBEDTLS_X509_MAX_DN_NAME_SIZE * 4];
	char serial[SERIAL_TEXT_SIZE];
	struct row row = {.kind = issue_is_ca(cert) ? "CA" : "file",
	    .file = word,
	    .names = names,
	    .serial = serial,
	    .begin_ms = issue_time_ms(&cert->valid_from),
	    .end_ms = issue_time_ms(&cert->valid_to)};

	if (mbedtls_x509_dn_gets(names, sizeof names, &cert->subject) < 0)
		names[0] = '\0';
	issue_serial_text(cert->serial.p, cert->serial.len, serial);
	put_row(table, &row);
}

static enum status put_file(struct table *table, const char *word, struct error *err)
{
	mbedtls_x509_crt certs;
	enum status status;

	mbedtls_x509_crt_init(&certs);
	status = target_cert(table->args->dir, word, &certs, err);
	for (const mbedtls_x509_crt *cert = &certs; status == STATUS_OK && cert != NULL;
	     cert = cert->next)
		put_cert(table, word, cert);
	mbedtls_x509_crt_free(&certs);
	return status;
}

/* When the list ends, servers that were given it refuse every certificate. */
static enum status put_crl(struct table *table, struct error *err)
{
	struct buf path, file;
	struct row row = {.kind = "CRL", .file = "crl", .names = "", .serial = "-"};
	mbedtls_x509_crl crl;
	enum status status;
	int code;

	buf_init(&path, STORE_PATH_MAX);
	buf_init(&file, CRL_PEM_MAX);
	mbedtls_x509_crl_init(&crl);
	status = file_read(store_path(&table->store, "crl", ".pem", &path), &file, err);
	if (status == STATUS_NOT_FOUND)
		error_set(
		    err, status, "%s is gone; confab-certs crl makes it again", buf_text(&path));
	if (status == STATUS_OK) {
		code = mbedtls_x509_crl_parse(
		    &crl, (const unsigned char *)buf_text(&file), file.len + 1);
		if (code != 0)
			status = issue_error(err, STATUS_INVALID,
			    "crl.pem is damaged (confab-certs crl makes it again)", code);
	}
	if (status == STATUS_OK) {
		row.begin_ms = issue_time_ms(&crl.this_update);
		row.end_ms = issue_time_ms(&crl.next_update);
		put_row(table, &row);
	}
	mbedtls_x509_crl_free(&crl);
	buf_release(&file);
	buf_release(&path);
	return status;
}

static enum status open_once(struct table *table, struct error *err)
{
	enum status status = STATUS_OK;

	if (!table->is_open)
		status = store_open(&table->store, table->args->dir, STORE_READ, err);
	table->is_open = status == STATUS_OK;
	return status;
}

static enum status put_all(struct table *table, struct error *err)
{
	enum status status = open_once(table, err);

	if (status != STATUS_OK)
		return status;
	put_cert(table, "ca", &table->store.ca);
	status = put_crl(table, err);
	for (size_t i = 0; status == STATUS_OK && i < table->store.index.count; i++) {
		const struct index_record *record = &table->store.index.records[i];

		if (record->is_current || table->args->all)
			put_record(table, record);
	}
	return status;
}

static enum status put_word(struct table *table, const char *word, struct error *err)
{
	struct index_record *record = NULL;
	bool is_serial;
	enum status status;

	if (target_is_file(word))
		return put_file(table, word, err);
	status = open_once(table, err);
	if (status != STATUS_OK)
		return status;
	if (strcmp(word, "ca") == 0) {
		put_cert(table, "ca", &table->store.ca);
		return STATUS_OK;
	}
	if (strcmp(word, "crl") == 0)
		return put_crl(table, err);
	status = target_record(&table->store, word, &record, &is_serial, err);
	if (status == STATUS_OK)
		put_record(table, record);
	return status;
}

enum status expiry_show(struct verb_args *args, struct error *err)
{
	struct table table = {.args = args};
	enum status status = STATUS_OK;

	buf_init(&table.data, DATA_MAX);
	put_head(&table);
	if (args->count == 0)
		status = put_all(&table, err);
	for (size_t i = 0; status == STATUS_OK && i < args->count; i++)
		status = put_word(&table, args->words[i], err);
	if (status == STATUS_OK)
		status = talk_data(&table.data, err);
	if (status == STATUS_OK && args->is_below_warn)
		talk_say("something ends in less than %lld days; confab-certs renew makes it last",
		    (long long)args->warn);
	if (table.is_open)
		store_close(&table.store);
	buf_release(&table.data);
	return status;
}
