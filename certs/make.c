/* The verbs that make certificates: init, server, client and renew. */
#include "verbs.h"

#include <stdlib.h>

#include "dates.h"
#include "os/file.h"
#include "store.h"
#include "talk.h"
#include "target.h"

#define CA_DAYS 3652  /* ten years */
#define LEAF_DAYS 397 /* what strict verifiers accept at most, with a little room */
#define CA_NAME_MAX 64

/* A certificate begins a little back, for peers whose clock is slow. */
static void set_times(const struct verb_args *args, int64_t days, struct issue_request *request)
{
	int64_t start = args->has_from ? args->from_ms : args->now_ms;

	request->begin_ms = args->has_from ? start : start - DATES_HOUR_MS;
	request->end_ms = start + (args->days != 0 ? args->days : days) * DATES_DAY_MS;
}

/* An authority's name: any text that a person can read. */
static enum status check_ca_name(const char *name, struct error *err)
{
	struct buf readable;
	bool is_good;

	buf_init(&readable, CA_NAME_MAX);
	talk_put_foreign(&readable, slice_of(name));
	is_good = !readable.failed && readable.len > 0 &&
	          slice_equal(buf_slice(&readable), slice_of(name));
	buf_release(&readable);
	return is_good ? STATUS_OK
	               : error_set(err, STATUS_USAGE,
	                     "the name of a CA has 1 to %d bytes of readable text", CA_NAME_MAX);
}

static void say_made(
    const struct verb_args *args, const char *what, const char *names, int64_t end_ms)
{
	char end[DATES_TEXT_SIZE];

	dates_text(end_ms, end);
	talk_say("made %s %s, good until %s (%lld days)", what, names, end,
	    (long long)dates_days_left(end_ms, args->now_ms));
}

/* The CA's certificate for the key in store->key, which becomes store->ca. */
static enum status put_ca(struct store *store, const struct verb_args *args, const char *name,
    bool with_key, bool replace, struct error *err)
{
	struct issue_request request = {.kind = CERT_CA, .common_name = name};
	struct buf pem;
	enum status status;

	buf_init(&pem, ISSUE_PEM_MAX);
	set_times(args, CA_DAYS, &request);
	issue_serial(request.serial);
	status = issue_cert_put(&request, &store->key, NULL, &store->key, &pem, err);
	if (status == STATUS_OK && with_key)
		status = store_put_key(store, "ca", &store->key, replace, err);
	if (status == STATUS_OK)
		status = store_put_cert(store, "ca", buf_slice(&pem), replace, err);
	if (status == STATUS_OK) {
		mbedtls_x509_crt_free(&store->ca);
		mbedtls_x509_crt_init(&store->ca);
		status = issue_cert_get(buf_slice(&pem), &store->ca, err);
	}
	/* It ends with its CA: a list that ran out sooner would make servers refuse everybody. */
	if (status == STATUS_OK)
		status = store_put_crl(store, args->now_ms, request.end_ms, err);
	if (status == STATUS_OK)
		say_made(args, "the CA", name, request.end_ms);
	buf_release(&pem);
	return status;
}

enum status make_init(struct verb_args *args, struct error *err)
{
	unsigned char random[ISSUE_SERIAL_LEN];
	char name[64];
	struct store store;
	enum status status = args->name != NULL ? check_ca_name(args->name, err) : STATUS_OK;

	if (status != STATUS_OK || (status = store_create(&store, args->dir, err)) != STATUS_OK)
		return status;
	if (!args->force)
		status = store_check_free(&store, "ca", err);
	if (status == STATUS_OK)
		status = issue_key_new(&store.key, err);
	/* A name of its own: a list of revoked certificates is matched to its CA by name. */
	issue_serial(random);
	snprintf(name, sizeof name, "Confab CA %02x%02x%02x%02x", random[1], random[2], random[3],
	    random[4]);
	if (status == STATUS_OK)
		status = put_ca(
		    &store, args, args->name != NULL ? args->name : name, true, args->force, err);
	if (status == STATUS_OK)
		talk_say("ca.pem is for everybody; ca.key stays here and secret");
	store_close(&store);
	return status;
}

/* What one certificate is to be, for issue_one. */
struct wish {
	enum cert_kind kind;
	struct name names[INDEX_NAMES_MAX];
	size_t count;
	char stem[NAME_STEM_SIZE];
	mbedtls_pk_context *key;
	bool is_new_key; /* to be written */
	bool replace;
};

static void put_names(const struct wish *wish, const char *separator, struct buf *to)
{
	for (size_t i = 0; i < wish->count; i++) {
		if (i > 0)
			buf_put_str(to, separator);
		buf_put_str(to, wish->names[i].text);
	}
}

/* Nothing that it signed outlives a CA, so nothing is promised beyond its end. */
static void clamp_end(const struct store *store, struct issue_request *request)
{
	int64_t ca_end_ms = issue_time_ms(&store->ca.valid_to);

	if (request->end_ms <= ca_end_ms)
		return;
	request->end_ms = ca_end_ms;
	talk_warn(
	    "warning: it ends with the CA, which confab-certs renew ca would make last longer");
}

static enum status put_record(struct store *store, const struct wish *wish,
    const struct issue_request *request, struct error *err)
{
	struct index_record record = {.kind = wish->kind, .is_current = true};
	char stem[NAME_STEM_SIZE];
	struct buf names;
	enum status status;

	buf_init(&names, INDEX_NAMES_MAX * NAME_TEXT_SIZE);
	put_names(wish, ",", &names);
	str_copy(stem, sizeof stem, slice_of(wish->stem));
	issue_serial_text(request->serial, sizeof request->serial, record.serial);
	record.begin_ms = request->begin_ms;
	record.end_ms = request->end_ms;
	record.stem = stem;
	buf_put_char(&names, '\0');
	record.names = names.ptr;
	status = names.failed ? error_set(err, STATUS_NOMEM, "out of memory")
	                      : index_add(&store->index, &record, err);
	buf_release(&names);
	return status == STATUS_OK ? store_put_index(store, err) : status;
}

static void say_issued(const struct verb_args *args, const struct wish *wish, int64_t end_ms)
{
	struct buf names;

	buf_init(&names, INDEX_NAMES_MAX * (NAME_TEXT_SIZE + 2));
	put_names(wish, ", ", &names);
	say_made(args,
	    wish->kind == CERT_SERVER ? "a server's certificate for" : "a certificate for user",
	    buf_text(&names), end_ms);
	buf_release(&names);
}

static enum status issue_one(
    struct store *store, const struct verb_args *args, const struct wish *wish, struct error *err)
{
	struct issue_request request = {
	    .kind = wish->kind, .names = wish->names, .count = wish->count};
	struct buf pem;
	enum status status;

	buf_init(&pem, ISSUE_PEM_MAX);
	set_times(args, LEAF_DAYS, &request);
	clamp_end(store, &request);
	issue_serial(request.serial);
	if (request.begin_ms >= request.end_ms)
		status = error_set(
		    err, STATUS_USAGE, "it would begin after its end: the CA ends before --from");
	else
		status = issue_cert_put(&request, wish->key, &store->ca, &store->key, &pem, err);
	if (status == STATUS_OK)
		status = put_record(store, wish, &request, err);
	if (status == STATUS_OK && wish->is_new_key)
		status = store_put_key(store, wish->stem, wish->key, wish->replace, err);
	if (status == STATUS_OK)
		status = store_put_cert(store, wish->stem, buf_slice(&pem), wish->replace, err);
	if (status == STATUS_OK)
		say_issued(args, wish, request.end_ms);
	buf_release(&pem);
	return status;
}

/* With a new key, into files that are not there or may be replaced. */
static enum status issue_new(
    struct store *store, const struct verb_args *args, struct wish *wish, struct error *err)
{
	mbedtls_pk_context key;
	enum status status = STATUS_OK;

	mbedtls_pk_init(&key);
	wish->key = &key;
	wish->is_new_key = true;
	wish->replace = wish->replace || args->force;
	if (!wish->replace)
		status = store_check_free(store, wish->stem, err);
	if (status == STATUS_OK)
		status = issue_key_new(&key, err);
	if (status == STATUS_OK)
		status = issue_one(store, args, wish, err);
	mbedtls_pk_free(&key);
	return status;
}

/* The command line that uses what was made. */
static void say_use(const struct store *store, const struct wish *wish)
{
	static const char *const server[][3] = {{" --cert ", NULL, ".pem"},
	    {" --key ", NULL, ".key"}, {" --client-ca ", "ca", ".pem"}, {" --crl ", "crl", ".pem"},
	    {NULL}};
	static const char *const client[][3] = {{" --ca ", "ca", ".pem"},
	    {" --cert ", NULL, ".pem"}, {" --key ", NULL, ".key"}, {NULL}};
	const char *const(*part)[3] = wish->kind == CERT_SERVER ? server : client;
	struct buf line, path;

	buf_init(&line, 4 * STORE_PATH_MAX);
	buf_init(&path, STORE_PATH_MAX);
	buf_put_str(
	    &line, wish->kind == CERT_SERVER ? "confab-server" : "confab chat --server HOST");
	for (; (*part)[0] != NULL; part++) {
		buf_put_str(&line, (*part)[0]);
		talk_put_word(&line, store_path(store, (*part)[1] != NULL ? (*part)[1] : wish->stem,
		                         (*part)[2], &path));
	}
	talk_say("use it with: %s", buf_text(&line));
	buf_release(&path);
	buf_release(&line);
}

/* One more name, unless it is there already. */
static enum status add_host(struct wish *wish, const char *word, struct error *err)
{
	struct name name;
	enum status status = name_host(slice_of(word), &name, err);

	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < wish->count; i++)
		if (strcmp(wish->names[i].text, name.text) == 0)
			return STATUS_OK;
	if (wish->count == INDEX_NAMES_MAX)
		return error_set(
		    err, STATUS_USAGE, "a certificate carries at most %d names", INDEX_NAMES_MAX);
	wish->names[wish->count++] = name;
	return STATUS_OK;
}

/* Who connects to localhost may spell it as an address: the name brings both along. */
static enum status add_loopback(struct wish *wish, struct error *err)
{
	bool is_local = false;
	enum status status = STATUS_OK;

	for (size_t i = 0; i < wish->count; i++)
		is_local = is_local || strcmp(wish->names[i].text, "localhost") == 0;
	if (is_local)
		status = add_host(wish, "127.0.0.1", err);
	if (is_local && status == STATUS_OK)
		status = add_host(wish, "::1", err);
	return status;
}

/* Opens the folder, issues what is wished for and says how it is used. */
static enum status make_new(struct verb_args *args, struct wish *wish, struct error *err)
{
	struct store store;
	enum status status = name_stem(&wish->names[0], wish->stem, err);

	if (status != STATUS_OK ||
	    (status = store_open(&store, args->dir, STORE_SIGN, err)) != STATUS_OK)
		return status;
	status = issue_new(&store, args, wish, err);
	if (status == STATUS_OK)
		say_use(&store, wish);
	store_close(&store);
	return status;
}

enum status make_server(struct verb_args *args, struct error *err)
{
	struct wish *wish = calloc(1, sizeof *wish);
	enum status status = STATUS_OK;

	if (wish == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	wish->kind = CERT_SERVER;
	if (args->count == 0)
		args->words[args->count++] = "localhost";
	for (size_t i = 0; status == STATUS_OK && i < args->count; i++)
		status = add_host(wish, args->words[i], err);
	if (status == STATUS_OK)
		status = add_loopback(wish, err);
	if (status == STATUS_OK)
		status = make_new(args, wish, err);
	free(wish);
	return status;
}

enum status make_client(struct verb_args *args, struct error *err)
{
	struct wish *wish = calloc(1, sizeof *wish);
	enum status status;

	if (wish == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	wish->kind = CERT_CLIENT;
	wish->count = 1;
	status = name_user(slice_of(args->words[0]), &wish->names[0], err);
	if (status == STATUS_OK)
		status = make_new(args, wish, err);
	free(wish);
	return status;
}

static enum status renew_ca(struct store *store, const struct verb_args *args, struct error *err)
{
	const mbedtls_x509_name *subject = &store->ca.subject;
	char name[CA_NAME_MAX * 4 + 1];

	if (args->new_key)
		return error_set(err, STATUS_USAGE,
		    "a CA with a new key is a new CA: make it with confab-certs init in another "
		    "folder");
	/* Only our own kind has one name and nothing else. */
	if (subject->next != NULL ||
	    !str_copy(
	        name, sizeof name, slice_make((const char *)subject->val.p, subject->val.len)))
		return error_set(err, STATUS_INVALID, "this CA was not made by confab-certs init");
	return put_ca(store, args, name, false, true, err);
}

/* What the record says that the certificate carries. */
static enum status wish_of(const struct index_record *record, struct wish *wish, struct error *err)
{
	struct slice rest = slice_of(record->names);
	enum status status = STATUS_OK;

	wish->kind = record->kind;
	wish->replace = true;
	str_copy(wish->stem, sizeof wish->stem, slice_of(record->stem));
	if (record->kind == CERT_OTHER)
		return error_set(
		    err, STATUS_NOT_FOUND, "the record does not tell what it was issued for");
	while (status == STATUS_OK && rest.ptr != NULL && wish->count < INDEX_NAMES_MAX) {
		struct slice part = slice_cut(&rest, ',');
		struct name *name = &wish->names[wish->count++];

		status = record->kind == CERT_CLIENT ? name_user(part, name, err)
		                                     : name_host(part, name, err);
	}
	return status;
}

static enum status renew_with_key(
    struct store *store, const struct verb_args *args, struct wish *wish, struct error *err)
{
	mbedtls_pk_context key;
	struct buf path, text;
	struct error why = {0};
	enum status status;

	mbedtls_pk_init(&key);
	buf_init(&path, STORE_PATH_MAX);
	buf_init(&text, ISSUE_PEM_MAX);
	store_path(store, wish->stem, ".key", &path);
	status = file_read(buf_text(&path), &text, &why);
	if (status == STATUS_OK)
		status = issue_key_get(buf_slice(&text), &key, &why);
	if (status != STATUS_OK)
		error_set(err, status, "cannot keep the key %s (%s); --new-key makes another",
		    buf_text(&path), why.text);
	wish->key = &key;
	if (status == STATUS_OK)
		status = issue_one(store, args, wish, err);
	buf_release_secret(&text);
	buf_release(&path);
	mbedtls_pk_free(&key);
	return status;
}

static enum status find_record(
    struct store *store, const char *word, struct index_record **ret, struct error *err)
{
	char serial[SERIAL_TEXT_SIZE];
	mbedtls_x509_crt cert;
	bool is_serial;
	enum status status;

	if (!target_is_file(word))
		return target_record(store, word, ret, &is_serial, err);
	mbedtls_x509_crt_init(&cert);
	status = target_cert(store->dir, word, &cert, err);
	if (status == STATUS_OK) {
		issue_serial_text(cert.serial.p, cert.serial.len, serial);
		*ret = index_find_serial(&store->index, slice_of(serial));
		if (*ret == NULL)
			status = error_set(err, STATUS_NOT_FOUND,
			    "%s was not issued by the CA in %s", word, store->dir);
	}
	mbedtls_x509_crt_free(&cert);
	return status;
}

static enum status renew_one(
    struct store *store, const struct verb_args *args, const char *word, struct error *err)
{
	struct wish *wish;
	struct index_record *record = NULL;
	enum status status;

	if (strcmp(word, "ca") == 0)
		return renew_ca(store, args, err);
	status = find_record(store, word, &record, err);
	if (status != STATUS_OK)
		return status;
	if (record->revoked_ms != 0 && !args->new_key)
		return error_set(err, STATUS_INVALID,
		    "the certificate of %s is revoked, so its key is not used again; "
		    "--new-key makes another",
		    record->stem);
	wish = calloc(1, sizeof *wish);
	if (wish == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	status = wish_of(record, wish, err);
	if (status == STATUS_OK)
		status = args->new_key ? issue_new(store, args, wish, err)
		                       : renew_with_key(store, args, wish, err);
	free(wish);
	return status;
}

enum status make_renewed(struct verb_args *args, struct error *err)
{
	struct store store;
	enum status status = store_open(&store, args->dir, STORE_SIGN, err);

	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; status == STATUS_OK && i < args->count; i++)
		status = renew_one(&store, args, args->words[i], err);
	store_close(&store);
	return status;
}
