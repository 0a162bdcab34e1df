#include "index.h"

#include <stdio.h>
#include <stdlib.h>

#include "dates.h"

static const char *const kind_texts[] = {"CA", "server", "client", "other"};

const char *cert_kind_text(enum cert_kind kind)
{
	return kind_texts[kind];
}

bool serial_get(struct slice text, char to[SERIAL_TEXT_SIZE])
{
	size_t len = 0;

	while (text.len > 0 && text.ptr[0] == '0') {
		text.ptr++;
		text.len--;
	}
	if (text.len == 0 || text.len > 2 * SERIAL_MAX)
		return false;
	if (text.len % 2 != 0)
		to[len++] = '0';
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c >= 'A' && c <= 'F')
			c = (char)(c - 'A' + 'a');
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
		to[len++] = c;
	}
	to[len] = '\0';
	/* With its top bit set a number of 20 bytes takes 21 on the wire. */
	return len < 2 * SERIAL_MAX || to[0] < '8';
}

void index_init(struct index *index)
{
	*index = (struct index){0};
}

static void release_record(struct index_record *record)
{
	free(record->stem);
	free(record->names);
}

void index_release(struct index *index)
{
	for (size_t i = 0; i < index->count; i++)
		release_record(&index->records[i]);
	free(index->records);
	index_init(index);
}

struct index_record *index_find_serial(struct index *index, struct slice serial)
{
	char wanted[SERIAL_TEXT_SIZE];

	if (!serial_get(serial, wanted))
		return NULL;
	for (size_t i = index->count; i-- > 0;)
		if (strcmp(index->records[i].serial, wanted) == 0)
			return &index->records[i];
	return NULL;
}

struct index_record *index_find_stem(struct index *index, const char *stem)
{
	for (size_t i = index->count; i-- > 0;)
		if (index->records[i].is_current && strcmp(index->records[i].stem, stem) == 0)
			return &index->records[i];
	return NULL;
}

static enum status append(struct index *index, const struct index_record *record, struct error *err)
{
	struct index_record copy = *record;

	if (index->count == INDEX_RECORDS_MAX)
		return error_set(err, STATUS_FULL,
		    "the folder's record is full (%d certificates): begin a new CA in another one",
		    INDEX_RECORDS_MAX);
	if (index->count == index->cap) {
		size_t cap = index->cap == 0 ? 16 : index->cap * 2;
		struct index_record *records = realloc(index->records, cap * sizeof *records);

		if (records == NULL)
			return error_set(err, STATUS_NOMEM, "out of memory");
		index->records = records;
		index->cap = cap;
	}
	copy.stem = str_dup(slice_of(record->stem));
	copy.names = str_dup(slice_of(record->names));
	if (copy.stem == NULL || copy.names == NULL) {
		release_record(&copy);
		return error_set(err, STATUS_NOMEM, "out of memory");
	}
	index->records[index->count++] = copy;
	return STATUS_OK;
}

enum status index_add(struct index *index, const struct index_record *record, struct error *err)
{
	struct index_record *former;
	enum status status;

	if (index_find_serial(index, slice_of(record->serial)) != NULL)
		return error_set(err, STATUS_EXISTS, "serial number %s is in the record already",
		    record->serial);
	former = record->is_current ? index_find_stem(index, record->stem) : NULL;
	if (former != NULL)
		former->is_current = false;
	status = append(index, record, err);
	if (status != STATUS_OK && former != NULL)
		former->is_current = true;
	return status;
}

static bool get_kind(struct slice word, enum cert_kind *ret)
{
	for (int kind = CERT_SERVER; kind <= CERT_OTHER; kind++) {
		if (slice_is(word, kind_texts[kind])) {
			*ret = (enum cert_kind)kind;
			return true;
		}
	}
	return false;
}

static bool are_names(enum cert_kind kind, struct slice names)
{
	struct name name;
	int count = 0;

	if (kind == CERT_OTHER)
		return slice_is(names, "-");
	if (kind == CERT_CLIENT)
		return name_user(names, &name, NULL) == STATUS_OK;
	while (names.ptr != NULL) {
		struct slice part = slice_cut(&names, ',');

		/* Only the spelling that we write ourselves. */
		if (++count > INDEX_NAMES_MAX || name_host(part, &name, NULL) != STATUS_OK ||
		    !slice_is(part, name.text))
			return false;
	}
	return true;
}

/* Does the stem belong to the first name? A wrong one would let a line of the record point at
 * another certificate's files. */
static bool is_stem_of(enum cert_kind kind, struct slice names, struct slice stem)
{
	char wanted[NAME_STEM_SIZE];
	struct name name;
	struct slice first = slice_cut(&names, ',');

	if (kind == CERT_OTHER)
		return slice_is(stem, "-");
	if (kind == CERT_CLIENT)
		(void)name_user(first, &name, NULL);
	else
		(void)name_host(first, &name, NULL);
	return name_stem(&name, wanted, NULL) == STATUS_OK && slice_is(stem, wanted);
}

static enum status parse_line(struct index *index, struct slice line, struct error *err)
{
	struct index_record record = {0};
	struct slice serial = slice_cut(&line, ' '), kind = slice_cut(&line, ' ');
	struct slice state = slice_cut(&line, ' '), begin = slice_cut(&line, ' ');
	struct slice end = slice_cut(&line, ' '), revoked = slice_cut(&line, ' ');
	struct slice stem = slice_cut(&line, ' '), names = line;
	char stem_text[NAME_STEM_SIZE];
	enum status status;

	if (names.ptr == NULL || !serial_get(serial, record.serial) ||
	    !slice_is(serial, record.serial) || !get_kind(kind, &record.kind) ||
	    !dates_get(begin, &record.begin_ms) || !dates_get(end, &record.end_ms) ||
	    !are_names(record.kind, names) || !is_stem_of(record.kind, names, stem))
		return STATUS_INVALID;
	record.is_current = slice_is(state, "current");
	if (!record.is_current && !slice_is(state, "former"))
		return STATUS_INVALID;
	if (!slice_is(revoked, "-") &&
	    (!dates_get(revoked, &record.revoked_ms) || record.revoked_ms == 0))
		return STATUS_INVALID;
	str_copy(stem_text, sizeof stem_text, stem);
	record.stem = stem_text;
	record.names = str_dup(names);
	if (record.names == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	status = append(index, &record, err);
	free(record.names);
	return status;
}

static int compare_serials(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, because comparing each with each would make a long record slow to read. */
static enum status check_unique(const struct index *index, struct error *err)
{
	const char **serials;
	enum status status = STATUS_OK;

	if (index->count < 2)
		return STATUS_OK;
	serials = malloc(index->count * sizeof *serials);
	if (serials == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	for (size_t i = 0; i < index->count; i++)
		serials[i] = index->records[i].serial;
	qsort(serials, index->count, sizeof *serials, compare_serials);
	for (size_t i = 1; status == STATUS_OK && i < index->count; i++)
		if (strcmp(serials[i - 1], serials[i]) == 0)
			status = error_set(
			    err, STATUS_INVALID, "serial number %s stands twice", serials[i]);
	free(serials);
	return status;
}

static bool parse_head(struct slice line, int64_t *ret)
{
	static const char start[] = "confab-certs 1 crl ";

	return slice_starts(line, start) &&
	       str_to_int(slice_make(line.ptr + sizeof start - 1, line.len - (sizeof start - 1)), 0,
	           INT64_C(1) << 53, ret);
}

static enum status parse(struct index *index, struct slice text, struct error *err)
{
	enum status status;
	int line_number = 1;

	if (!parse_head(slice_cut(&text, '\n'), &index->crl_number))
		return error_set(err, STATUS_INVALID, "line 1 is not that of such a record");
	if (text.ptr == NULL)
		return error_set(err, STATUS_INVALID, "line 1 is cut short");
	/* Every line is ended, so that one cut short is seen. */
	while (text.len > 0) {
		struct slice line = slice_cut(&text, '\n');

		line_number++;
		if (text.ptr == NULL)
			return error_set(err, STATUS_INVALID, "line %d is cut short", line_number);
		status = parse_line(index, line, err);
		if (status == STATUS_INVALID)
			return error_set(err, status, "line %d makes no sense", line_number);
		if (status != STATUS_OK)
			return status;
	}
	return check_unique(index, err);
}

enum status index_parse(struct index *index, struct slice text, struct error *err)
{
	enum status status;

	index_release(index);
	status = parse(index, text, err);
	if (status != STATUS_OK)
		index_release(index);
	return status;
}

enum status index_put(const struct index *index, struct buf *to)
{
	buf_put_fmt(to, "confab-certs 1 crl %lld\n", (long long)index->crl_number);
	for (size_t i = 0; i < index->count; i++) {
		const struct index_record *record = &index->records[i];
		char begin[DATES_TEXT_SIZE], end[DATES_TEXT_SIZE], revoked[DATES_TEXT_SIZE] = "-";

		dates_text(record->begin_ms, begin);
		dates_text(record->end_ms, end);
		if (record->revoked_ms != 0)
			dates_text(record->revoked_ms, revoked);
		buf_put_fmt(to, "%s %s %s %s %s %s %s %s\n", record->serial,
		    kind_texts[record->kind], record->is_current ? "current" : "former", begin, end,
		    revoked, record->stem, record->names);
	}
	return to->failed ? STATUS_NOMEM : STATUS_OK;
}
