#include "target.h"

#include "os/file.h"

struct stems {
	char stem[3][NAME_STEM_SIZE];
	size_t count;
};

static void add_stem(struct stems *stems, const char *stem)
{
	for (size_t i = 0; i < stems->count; i++)
		if (strcmp(stems->stem[i], stem) == 0)
			return;
	str_copy(stems->stem[stems->count++], NAME_STEM_SIZE, slice_of(stem));
}

/* All file names that the word may stand for: as it is, as a host, as a user. */
static void find_stems(const char *word, struct stems *ret)
{
	struct name name;
	char stem[NAME_STEM_SIZE];

	ret->count = 0;
	if (name_is_stem(slice_of(word)))
		add_stem(ret, word);
	if (name_host(slice_of(word), &name, NULL) == STATUS_OK &&
	    name_stem(&name, stem, NULL) == STATUS_OK)
		add_stem(ret, stem);
	if (name_user(slice_of(word), &name, NULL) == STATUS_OK &&
	    name_stem(&name, stem, NULL) == STATUS_OK)
		add_stem(ret, stem);
}

/* Names of files that settle what is meant: no host's files are called so. */
static bool is_clear(const char *stem)
{
	return strcmp(stem, "ca") == 0 || strcmp(stem, "crl") == 0 ||
	       slice_starts(slice_of(stem), "client-");
}

static enum status refuse_two(const char *a, const char *b, struct error *err)
{
	return error_set(err, STATUS_USAGE, "that could be %s or %s: say which of the two", a, b);
}

bool target_is_file(const char *word)
{
	static const char *const endings[] = {".pem", ".crt", ".cer", ".der"};
	size_t len = strlen(word);

	if (strpbrk(word, "/\\") != NULL)
		return true;
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (len > 4 && strcmp(word + len - 4, endings[i]) == 0)
			return true;
	return false;
}

static enum status find_file(const char *dir, const char *word, struct buf *to, struct error *err)
{
	buf_clear(to);
	buf_put_str(to, word);
	if (!file_exists(buf_text(to)) && strpbrk(word, "/\\") == NULL) {
		buf_clear(to);
		path_join(to, dir, word);
	}
	if (!file_exists(buf_text(to)))
		return error_set(err, STATUS_NOT_FOUND, "there is no file %s", word);
	return STATUS_OK;
}

enum status target_path(const char *dir, const char *word, struct buf *to, struct error *err)
{
	const struct store folder = {.dir = dir};
	struct stems stems;
	const char *found = NULL;

	if (target_is_file(word))
		return find_file(dir, word, to, err);
	find_stems(word, &stems);
	for (size_t i = 0; i < stems.count; i++) {
		if (!file_exists(store_path(&folder, stems.stem[i], ".pem", to)))
			continue;
		if (found != NULL)
			return refuse_two(found, stems.stem[i], err);
		found = stems.stem[i];
		if (is_clear(found))
			break;
	}
	if (found == NULL)
		return error_set(
		    err, STATUS_NOT_FOUND, "there is no certificate of %s in %s", word, dir);
	store_path(&folder, found, ".pem", to);
	return STATUS_OK;
}

enum status target_cert(
    const char *dir, const char *word, mbedtls_x509_crt *cert, struct error *err)
{
	struct buf path, text;
	struct error why = {0};
	enum status status;

	buf_init(&path, STORE_PATH_MAX);
	buf_init(&text, ISSUE_PEM_MAX);
	status = target_path(dir, word, &path, err);
	if (status == STATUS_OK)
		status = file_read(buf_text(&path), &text, err);
	if (status == STATUS_OK) {
		status = issue_cert_get(buf_slice(&text), cert, &why);
		if (status != STATUS_OK)
			error_set(err, status, "%s: %s", buf_text(&path), why.text);
	}
	buf_release(&text);
	buf_release(&path);
	return status;
}

enum status target_record(struct store *store, const char *word, struct index_record **ret,
    bool *ret_is_serial, struct error *err)
{
	struct index_record *found = NULL, *record;
	struct stems stems;

	find_stems(word, &stems);
	for (size_t i = 0; i < stems.count; i++) {
		record = index_find_stem(&store->index, stems.stem[i]);
		if (record != NULL && found != NULL)
			return refuse_two(found->stem, record->stem, err);
		if (record != NULL)
			found = record;
		if (record != NULL && is_clear(record->stem))
			break;
	}
	*ret_is_serial = found == NULL;
	if (found == NULL)
		found = index_find_serial(&store->index, slice_of(word));
	if (found == NULL)
		return error_set(err, STATUS_NOT_FOUND,
		    "nothing was issued to %s here; confab-certs status --all lists what was",
		    word);
	*ret = found;
	return STATUS_OK;
}
