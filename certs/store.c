#include "store.h"

#include "crl.h"
#include "dates.h"
#include "talk.h"
#include "os/clock.h"
#include "os/file.h"

#define LOCK_TRIES 50
#define LOCK_PAUSE_MS 100

const char *store_path(
    const struct store *store, const char *stem, const char *ending, struct buf *to)
{
	struct buf name;

	buf_init(&name, STORE_PATH_MAX);
	buf_put_str(&name, stem);
	buf_put_str(&name, ending);
	buf_clear(to);
	path_join(to, store->dir, buf_text(&name));
	buf_release(&name);
	return buf_text(to);
}

/* Reads a file of the folder into `to`. */
static enum status read_file(const struct store *store, const char *stem, const char *ending,
    struct buf *to, struct error *err)
{
	struct buf path;
	enum status status;

	buf_init(&path, STORE_PATH_MAX);
	status = file_read(store_path(store, stem, ending, &path), to, err);
	buf_release(&path);
	return status;
}

static enum status write_file(const struct store *store, const char *stem, const char *ending,
    struct slice content, enum file_mode mode, bool replace, struct error *err)
{
	struct buf path;
	enum status status;

	buf_init(&path, STORE_PATH_MAX);
	status = file_write(store_path(store, stem, ending, &path), content, mode, replace, err);
	if (status == STATUS_EXISTS)
		error_set(err, status, "%s is there already; --force replaces it", buf_text(&path));
	buf_release(&path);
	return status;
}

static enum status lock(struct store *store, struct error *err)
{
	enum status status = STATUS_EXISTS;

	for (int tries = 0; status == STATUS_EXISTS && tries < LOCK_TRIES; tries++) {
		if (tries > 0)
			clock_sleep_ms(LOCK_PAUSE_MS);
		status = write_file(store, "lock", "", slice_of(""), FILE_PRIVATE, false, err);
	}
	store->is_locked = status == STATUS_OK;
	if (status == STATUS_EXISTS)
		return error_set(err, STATUS_AGAIN,
		    "another confab-certs is changing %s; if none runs, delete its file 'lock'",
		    store->dir);
	return status;
}

static void init_store(struct store *store, const char *dir)
{
	*store = (struct store){.dir = dir};
	index_init(&store->index);
	mbedtls_x509_crt_init(&store->ca);
	mbedtls_pk_init(&store->key);
}

void store_close(struct store *store)
{
	struct buf path;

	if (store->is_locked) {
		buf_init(&path, STORE_PATH_MAX);
		(void)file_remove(store_path(store, "lock", "", &path), NULL);
		buf_release(&path);
	}
	mbedtls_pk_free(&store->key);
	mbedtls_x509_crt_free(&store->ca);
	index_release(&store->index);
}

static enum status load_index(struct store *store, struct error *err)
{
	struct buf text;
	struct error why = {0};
	enum status status;

	buf_init(&text, INDEX_TEXT_MAX);
	status = read_file(store, "issued", ".txt", &text, err);
	if (status == STATUS_NOT_FOUND)
		status = error_set(err, STATUS_NOT_FOUND,
		    "%s has a CA but no record issued.txt: restore it from a backup, or begin anew "
		    "with confab-certs init --force",
		    store->dir);
	else if (status == STATUS_OK) {
		status = index_parse(&store->index, buf_slice(&text), &why);
		if (status != STATUS_OK)
			status = error_set(err, status,
			    "the record issued.txt in %s is damaged (%s): restore it from a backup",
			    store->dir, why.text);
	}
	buf_release(&text);
	return status;
}

static enum status load_ca(struct store *store, struct error *err)
{
	struct buf text;
	struct error why = {0};
	enum status status;

	buf_init(&text, ISSUE_PEM_MAX);
	status = read_file(store, "ca", ".pem", &text, err);
	if (status == STATUS_NOT_FOUND)
		status = error_set(err, STATUS_NOT_FOUND,
		    "there is no CA in %s; make one with confab-certs init, or name its folder "
		    "with --dir",
		    store->dir);
	else if (status == STATUS_OK) {
		status = issue_cert_get(buf_slice(&text), &store->ca, &why);
		if (status != STATUS_OK)
			status = error_set(err, status, "ca.pem in %s: %s", store->dir, why.text);
	}
	buf_release(&text);
	return status;
}

static enum status load_key(struct store *store, struct error *err)
{
	struct buf text, path;
	struct error why = {0};
	enum status status;

	buf_init(&text, ISSUE_PEM_MAX);
	buf_init(&path, STORE_PATH_MAX);
	store_path(store, "ca", ".key", &path);
	status = file_read(buf_text(&path), &text, err);
	if (status == STATUS_NOT_FOUND) {
		status = error_set(err, STATUS_NOT_FOUND,
		    "the CA's key %s is not there: bring it back to sign with it", buf_text(&path));
		goto out;
	}
	if (status != STATUS_OK)
		goto out;
	if (file_is_exposed(buf_text(&path)))
		talk_warn("warning: others can read %s, with which anybody can be impersonated; "
		          "make it readable for its owner only",
		    buf_text(&path));
	status = issue_key_get(buf_slice(&text), &store->key, &why);
	if (status != STATUS_OK)
		error_set(err, status, "%s: %s", buf_text(&path), why.text);
	else if (mbedtls_pk_check_pair(&store->ca.pk, &store->key, issue_random, NULL) != 0)
		status = error_set(err, STATUS_INVALID,
		    "%s is not the key of the certificate ca.pem beside it", buf_text(&path));
out:
	buf_release_secret(&text);
	buf_release(&path);
	return status;
}

enum status store_open(struct store *store, const char *dir, enum store_use use, struct error *err)
{
	enum status status;

	init_store(store, dir);
	/* Before the lock, whose own error would not say that a CA is missing. */
	status = load_ca(store, err);
	if (status == STATUS_OK && use == STORE_SIGN)
		status = lock(store, err);
	if (status == STATUS_OK)
		status = load_index(store, err);
	if (status == STATUS_OK && use == STORE_SIGN)
		status = load_key(store, err);
	if (status != STATUS_OK)
		store_close(store);
	return status;
}

enum status store_create(struct store *store, const char *dir, struct error *err)
{
	struct error why = {0};
	enum status status;

	init_store(store, dir);
	status = file_make_dir(dir, FILE_PRIVATE, &why);
	if (status != STATUS_OK)
		error_set(err, status, "%s; --dir names another folder", why.text);
	else
		status = lock(store, err);
	if (status != STATUS_OK)
		store_close(store);
	return status;
}

enum status store_check_free(const struct store *store, const char *stem, struct error *err)
{
	static const char *const endings[] = {".pem", ".key"};
	enum status status = STATUS_OK;
	struct buf path;

	buf_init(&path, STORE_PATH_MAX);
	for (int i = 0; status == STATUS_OK && i < 2; i++)
		if (file_exists(store_path(store, stem, endings[i], &path)))
			status = error_set(err, STATUS_EXISTS,
			    "%s is there already; --force replaces it", buf_text(&path));
	buf_release(&path);
	return status;
}

static enum status say_path(
    const struct store *store, const char *stem, const char *ending, struct error *err)
{
	struct buf path;
	enum status status;

	buf_init(&path, STORE_PATH_MAX);
	status = talk_path(store_path(store, stem, ending, &path), err);
	buf_release(&path);
	return status;
}

enum status store_put_cert(
    const struct store *store, const char *stem, struct slice pem, bool replace, struct error *err)
{
	enum status status = write_file(store, stem, ".pem", pem, FILE_PUBLIC, replace, err);

	return status == STATUS_OK ? say_path(store, stem, ".pem", err) : status;
}

enum status store_put_key(const struct store *store, const char *stem,
    const mbedtls_pk_context *key, bool replace, struct error *err)
{
	struct buf pem;
	enum status status;

	buf_init(&pem, ISSUE_PEM_MAX);
	status = issue_key_put(key, &pem, err);
	if (status == STATUS_OK)
		status =
		    write_file(store, stem, ".key", buf_slice(&pem), FILE_PRIVATE, replace, err);
	buf_release_secret(&pem);
	return status == STATUS_OK ? say_path(store, stem, ".key", err) : status;
}

enum status store_put_index(const struct store *store, struct error *err)
{
	struct buf text;
	enum status status;

	buf_init(&text, INDEX_TEXT_MAX);
	status = index_put(&store->index, &text);
	if (status == STATUS_OK)
		status =
		    write_file(store, "issued", ".txt", buf_slice(&text), FILE_PRIVATE, true, err);
	else
		error_set(err, status, "the record has grown too long for the memory there is");
	buf_release(&text);
	return status;
}

enum status store_put_crl(struct store *store, int64_t now_ms, int64_t next_ms, struct error *err)
{
	struct crl_request request = {.ca = &store->ca, .ca_key = &store->key};
	struct buf pem;
	enum status status;

	request.number = ++store->index.crl_number;
	/* Somebody's clock is an hour slow, and refuses a list from the future. */
	request.this_ms = now_ms - DATES_HOUR_MS;
	request.next_ms = next_ms;
	status = store_put_index(store, err);
	if (status != STATUS_OK)
		return status;
	buf_init(&pem, CRL_PEM_MAX);
	status = crl_put(&request, &store->index, &pem, err);
	if (status == STATUS_OK)
		status = write_file(store, "crl", ".pem", buf_slice(&pem), FILE_PUBLIC, true, err);
	buf_release(&pem);
	return status == STATUS_OK ? say_path(store, "crl", ".pem", err) : status;
}
