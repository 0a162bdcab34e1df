#include "wire/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/rfc3339.h"
#include "base/utf8.h"

/* Older releases of cJSON read no more of a number; a longer one is refused by all alike. */
#define NUMBER_LEN_MAX 63

/* Objects with more members than this sort their keys to find equal ones. */
#define FEW_KEYS 8

/* --- Bytes that stand for themselves --------------------------------------------------------- */

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
/* Not 0 if one of the eight bytes is 0; or less than `n`, which is at most 128. */
#define HAS_ZERO(x) (((x) - EACH(1)) & ~(x) & EACH(0x80))
#define HAS_LESS(x, n) (((x) - EACH(n)) & ~(x) & EACH(0x80))

#ifdef __SSE2__
/* Whether sixteen bytes all stand for themselves: see plain_len. */
static bool is_plain_16(const char *ptr, bool ascii)
{
	const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)ptr);
	/* No byte is less than 0x20 if the larger of both is always the byte. */
	const __m128i printable = _mm_cmpeq_epi8(_mm_max_epu8(x, _mm_set1_epi8(0x20)), x);
	const __m128i special = _mm_or_si128(
	    _mm_cmpeq_epi8(x, _mm_set1_epi8('"')), _mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));

	return _mm_movemask_epi8(_mm_andnot_si128(special, printable)) == 0xFFFF &&
	       !(ascii && _mm_movemask_epi8(x) != 0);
}
#endif

/* The bytes at the front, several at a time, that a string holds as they are: no control
 * character, quote or backslash, and nothing but ASCII where `ascii` asks for it. At most `len`,
 * and maybe less than there are: the last few are for whoever looks at single bytes. */
static size_t plain_len(const char *ptr, size_t len, bool ascii)
{
	uint64_t refused = ascii ? EACH(0x80) : 0;
	size_t at = 0;

#ifdef __SSE2__
	while (len - at >= 16 && is_plain_16(ptr + at, ascii))
		at += 16;
#endif
	for (; len - at >= 8; at += 8) {
		uint64_t x;

		memcpy(&x, ptr + at, 8);
		if (((x & refused) | HAS_LESS(x, 0x20) | HAS_ZERO(x ^ EACH('"')) |
			HAS_ZERO(x ^ EACH('\\'))) != 0)
			break;
	}
	return at;
}

/* --- The strict look at the bytes ----------------------------------------------------------- */

struct scan {
	const char *at, *end;
	const char *wrong; /* what is wrong at `at`, once something is */
	int depth; /* that containers may have */
};

static bool fail(struct scan *s, const char *wrong)
{
	s->wrong = wrong;
	return false;
}

/* NUL stands for the end: as a byte it is allowed nowhere. */
static char peek(const struct scan *s)
{
	return s->at < s->end ? *s->at : '\0';
}

static bool skip_char(struct scan *s, char c)
{
	if (peek(s) != c)
		return false;
	s->at++;
	return true;
}

static void skip_space(struct scan *s)
{
	while (s->at < s->end &&
	       (*s->at == ' ' || *s->at == '\t' || *s->at == '\r' || *s->at == '\n'))
		s->at++;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool skip_digits(struct scan *s)
{
	if (!is_digit(peek(s)))
		return fail(s, "a digit is expected");
	while (is_digit(peek(s)))
		s->at++;
	return true;
}

static bool scan_number(struct scan *s)
{
	const char *start = s->at;

	skip_char(s, '-');
	/* A zero in front stands alone: 01 is no number. */
	if (!skip_char(s, '0') && !skip_digits(s))
		return false;
	if (skip_char(s, '.') && !skip_digits(s))
		return false;
	if (skip_char(s, 'e') || skip_char(s, 'E')) {
		if (!skip_char(s, '+'))
			skip_char(s, '-');
		if (!skip_digits(s))
			return false;
	}
	if (s->at - start > NUMBER_LEN_MAX)
		return fail(s, "a number has more than 63 characters");
	return true;
}

static bool scan_hex4(struct scan *s, unsigned *ret)
{
	unsigned value = 0;

	for (int i = 0; i < 4; i++, s->at++) {
		char c = peek(s);

		if (is_digit(c))
			value = value << 4 | (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (unsigned)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value << 4 | (unsigned)(c - 'A' + 10);
		else
			return fail(s, "four hexadecimal digits are expected behind \\u");
	}
	*ret = value;
	return true;
}

/* Behind "\u". A pair of surrogates is one character; a half of one is none. */
static bool scan_code_unit(struct scan *s)
{
	unsigned high, low;

	if (!scan_hex4(s, &high))
		return false;
	if (high == 0)
		return fail(s, "\\u0000 is not allowed");
	if (high >= 0xDC00 && high <= 0xDFFF)
		return fail(s, "a low surrogate stands alone");
	if (high < 0xD800 || high > 0xDBFF)
		return true;
	if (!skip_char(s, '\\') || !skip_char(s, 'u'))
		return fail(s, "a high surrogate stands alone");
	if (!scan_hex4(s, &low))
		return false;
	if (low < 0xDC00 || low > 0xDFFF)
		return fail(s, "a high surrogate stands alone");
	return true;
}

/* Behind the backslash. */
static bool scan_escape(struct scan *s)
{
	char c = peek(s);

	if (c == '\0' || strchr("\"\\/bfnrtu", c) == NULL)
		return fail(s, "there is no such escape");
	s->at++;
	return c != 'u' || scan_code_unit(s);
}

static bool scan_string(struct scan *s)
{
	if (!skip_char(s, '"'))
		return fail(s, "a string is expected");
	s->at += plain_len(s->at, (size_t)(s->end - s->at), true);
	while (s->at < s->end) {
		unsigned char c = (unsigned char)*s->at;

		if (c == '"') {
			s->at++;
			return true;
		}
		if (c == '\\') {
			s->at++;
			if (!scan_escape(s))
				return false;
		} else if (c < 0x20) {
			return fail(s, "a control character in a string has to be escaped");
		} else if (c < 0x80) {
			s->at++;
		} else {
			size_t len = utf8_next(slice_make(s->at, (size_t)(s->end - s->at)), NULL);

			if (len == 0)
				return fail(s, "this is not UTF-8");
			s->at += len;
		}
	}
	return fail(s, "a string does not end");
}

static bool scan_word(struct scan *s, const char *word)
{
	for (; *word != '\0'; word++)
		if (!skip_char(s, *word))
			return fail(s, "a value is expected");
	return true;
}

static bool scan_container(struct scan *s, int depth);

/* `depth` counts the containers around the value. */
static bool scan_value(struct scan *s, int depth)
{
	skip_space(s);
	switch (peek(s)) {
	case '{':
	case '[':
		/* The one recursion; its end is this comparison. */
		if (depth >= s->depth)
			return fail(s, "this is nested too deep");
		return scan_container(s, depth + 1);
	case '"':
		return scan_string(s);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		if (peek(s) == '-' || is_digit(peek(s)))
			return scan_number(s);
		return fail(s, s->at == s->end ? "the text ends too early" : "a value is expected");
	}
}

static bool scan_container(struct scan *s, int depth)
{
	bool is_object = *s->at++ == '{';
	char close = is_object ? '}' : ']';

	skip_space(s);
	if (skip_char(s, close))
		return true;
	for (;;) {
		skip_space(s);
		if (is_object) {
			if (!scan_string(s))
				return false;
			skip_space(s);
			if (!skip_char(s, ':'))
				return fail(s, "a colon is expected");
		}
		if (!scan_value(s, depth))
			return false;
		skip_space(s);
		if (skip_char(s, close))
			return true;
		if (!skip_char(s, ','))
			return fail(s, "a comma or the end of the array or object is expected");
	}
}

static bool scan_text(struct scan *s)
{
	if (s->end - s->at >= 3 && memcmp(s->at, "\xEF\xBB\xBF", 3) == 0)
		return fail(s, "a byte order mark is not allowed");
	if (!scan_value(s, 0))
		return false;
	skip_space(s);
	return s->at == s->end || fail(s, "something follows the value");
}

/* --- What only the tree shows ---------------------------------------------------------------- */

static void sift_down(const char **keys, size_t root, size_t count)
{
	const char *moving = keys[root];

	for (size_t child; (child = root * 2 + 1) < count; root = child) {
		if (child + 1 < count && strcmp(keys[child], keys[child + 1]) < 0)
			child++;
		if (strcmp(moving, keys[child]) >= 0)
			break;
		keys[root] = keys[child];
	}
	keys[root] = moving;
}

/* A heap sort: no C library has to promise that its qsort stays fast when the keys are chosen by
 * somebody who wants it to be slow. */
static void sort_keys(const char **keys, size_t count)
{
	for (size_t i = count / 2; i-- > 0;)
		sift_down(keys, i, count);
	for (size_t last = count; last-- > 1;) {
		const char *largest = keys[0];

		keys[0] = keys[last];
		keys[last] = largest;
		sift_down(keys, 0, last);
	}
}

static enum status key_twice(const char *key, struct error *err)
{
	struct slice shown = utf8_cut(slice_of(key), 32);

	return error_set(err, STATUS_INVALID, "the key \"%.*s\" stands twice in one object",
	    (int)shown.len, shown.ptr);
}

static enum status check_keys(const cJSON *object, size_t count, struct error *err)
{
	enum status status = STATUS_OK;
	const char **keys;
	size_t i = 0;

	if (count <= FEW_KEYS) {
		for (const cJSON *a = object->child; a != NULL; a = a->next)
			for (const cJSON *b = a->next; b != NULL; b = b->next)
				if (str_equal(a->string, b->string))
					return key_twice(a->string, err);
		return STATUS_OK;
	}
	keys = malloc(count * sizeof *keys);
	if (keys == NULL)
		return error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
	for (const cJSON *member = object->child; member != NULL; member = member->next)
		keys[i++] = member->string;
	sort_keys(keys, count);
	for (i = 1; i < count && status == STATUS_OK; i++)
		if (strcmp(keys[i - 1], keys[i]) == 0)
			status = key_twice(keys[i], err);
	free(keys);
	return status;
}

/* As deep as the text was found to be, which has a bound. */
static enum status check_tree(const cJSON *value, struct error *err)
{
	size_t count = 0;

	/* A double cannot hold 1e999, and what came back for it would be another value. */
	if (cJSON_IsNumber(value) && !isfinite(value->valuedouble))
		return error_set(err, STATUS_INVALID, "a number is too large");
	for (const cJSON *child = value->child; child != NULL; child = child->next, count++) {
		enum status status = check_tree(child, err);

		if (status != STATUS_OK)
			return status;
	}
	return cJSON_IsObject(value) ? check_keys(value, count, err) : STATUS_OK;
}

enum status json_parse(struct slice text, struct json **ret, struct error *err)
{
	return json_parse_deep(text, JSON_DEPTH_MAX, ret, err);
}

enum status json_parse_deep(struct slice text, int depth, struct json **ret, struct error *err)
{
	struct scan scan;
	cJSON *root;
	enum status status;

	if (text.len == 0)
		return error_set(err, STATUS_INVALID, "at byte 1: there is no text");
	scan = (struct scan){text.ptr, text.ptr + text.len, NULL, depth};
	if (!scan_text(&scan))
		return error_set(err, STATUS_INVALID, "at byte %zu: %s",
		    (size_t)(scan.at - text.ptr) + 1, scan.wrong);
	root = cJSON_ParseWithLengthOpts(text.ptr, text.len, NULL, false);
	if (root == NULL)
		return error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
	status = check_tree(root, err);
	if (status != STATUS_OK) {
		json_free_secret((struct json *)root);
		return status;
	}
	*ret = (struct json *)root;
	return STATUS_OK;
}

/* --- Reading the tree ------------------------------------------------------------------------ */

static const cJSON *node(const struct json *value)
{
	return (const cJSON *)value;
}

void json_free(struct json *root)
{
	cJSON_Delete((cJSON *)root);
}

static void wipe_texts(cJSON *value)
{
	if (cJSON_IsString(value))
		secret_wipe(value->valuestring, strlen(value->valuestring));
	for (cJSON *child = value->child; child != NULL; child = child->next)
		wipe_texts(child);
}

void json_free_secret(struct json *root)
{
	if (root != NULL)
		wipe_texts((cJSON *)root);
	json_free(root);
}

enum json_type json_type(const struct json *value)
{
	switch (node(value)->type & 0xFF) {
	case cJSON_False:
	case cJSON_True:
		return JSON_BOOL;
	case cJSON_Number:
		return JSON_NUMBER;
	case cJSON_String:
		return JSON_STRING;
	case cJSON_Array:
		return JSON_ARRAY;
	case cJSON_Object:
		return JSON_OBJECT;
	default:
		return JSON_NULL;
	}
}

const struct json *json_get(const struct json *object, const char *key)
{
	if (object == NULL || json_type(object) != JSON_OBJECT)
		return NULL;
	for (const cJSON *member = node(object)->child; member != NULL; member = member->next)
		if (str_equal(member->string, key))
			return (const struct json *)member;
	return NULL;
}

const struct json *json_first(const struct json *container)
{
	return container != NULL ? (const struct json *)node(container)->child : NULL;
}

const struct json *json_next(const struct json *member)
{
	return (const struct json *)node(member)->next;
}

struct slice json_key(const struct json *member)
{
	return slice_of(node(member)->string != NULL ? node(member)->string : "");
}

struct slice json_text(const struct json *value)
{
	if (value == NULL || json_type(value) != JSON_STRING)
		return slice_make(NULL, 0);
	return slice_of(node(value)->valuestring);
}

static bool is_int(double number)
{
	return number >= -999999999999999.0 && number <= 999999999999999.0 &&
	       number == (double)(int64_t)number;
}

bool json_int(const struct json *value, int64_t *ret)
{
	if (value == NULL || json_type(value) != JSON_NUMBER || !is_int(node(value)->valuedouble))
		return false;
	*ret = (int64_t)node(value)->valuedouble;
	return true;
}

bool json_is_true(const struct json *value)
{
	return value != NULL && cJSON_IsTrue(node(value));
}

/* --- Printing -------------------------------------------------------------------------------- */

static void put_int(struct buf *to, int64_t value)
{
	char digits[24];
	size_t at = sizeof digits;
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (value < 0)
		digits[--at] = '-';
	buf_put(to, digits + at, sizeof digits - at);
}

/* The fewest digits that read back as the same double. printf differs by locale in the decimal
 * point, and by system in the zeros of an exponent: both are made alike. */
static void put_double(struct buf *to, double value)
{
	char text[40];
	const char *p = text;

	for (int precision = 15; precision <= 17; precision++) {
		snprintf(text, sizeof text, "%.*g", precision, value);
		if (strtod(text, NULL) == value)
			break;
	}
	while (*p == '-' || is_digit(*p))
		buf_put_char(to, *p++);
	if (*p != '\0' && *p != 'e') {
		buf_put_char(to, '.');
		while (*p != '\0' && !is_digit(*p))
			p++;
		while (is_digit(*p))
			buf_put_char(to, *p++);
	}
	if (*p != 'e')
		return;
	buf_put_char(to, *p++);
	if (*p == '-')
		buf_put_char(to, '-');
	while (*p == '+' || *p == '-' || *p == '0')
		p++;
	buf_put_str(to, p);
}

static void put_escape(struct buf *to, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char escape[6] = {'\\', (char)c, '0', '0', hex[c >> 4], hex[c & 15]};
	size_t len = 2;

	switch (c) {
	case '"':
	case '\\':
		break;
	case '\b':
		escape[1] = 'b';
		break;
	case '\f':
		escape[1] = 'f';
		break;
	case '\n':
		escape[1] = 'n';
		break;
	case '\r':
		escape[1] = 'r';
		break;
	case '\t':
		escape[1] = 't';
		break;
	default:
		escape[1] = 'u';
		len = 6;
	}
	buf_put(to, escape, len);
}

static bool is_escaped(char c)
{
	return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

void json_put_quoted(struct buf *to, struct slice text)
{
	size_t i = plain_len(text.ptr, text.len, false);
	size_t plain = 0; /* where the bytes begin that are copied as they are */
	char *at;

	while (i < text.len && !is_escaped(text.ptr[i]))
		i++;
	if (i == text.len) {
		at = buf_reserve(to, text.len + 2);
		if (at == NULL)
			return;
		at[0] = '"';
		if (text.len > 0)
			memcpy(at + 1, text.ptr, text.len);
		at[text.len + 1] = '"';
		to->len += text.len + 2;
		return;
	}
	buf_put_char(to, '"');
	for (; i < text.len; i++) {
		if (!is_escaped(text.ptr[i]))
			continue;
		buf_put(to, text.ptr + plain, i - plain);
		put_escape(to, (unsigned char)text.ptr[i]);
		plain = i + 1;
	}
	buf_put(to, text.ptr + plain, text.len - plain);
	buf_put_char(to, '"');
}

/* As deep as check_tree. A full buffer ends it early, so that a large value costs no more than
 * what it may. */
static void put_value(struct buf *to, const cJSON *value)
{
	bool is_object = cJSON_IsObject(value);

	if (cJSON_IsString(value)) {
		json_put_quoted(to, slice_of(value->valuestring));
	} else if (cJSON_IsNumber(value)) {
		if (is_int(value->valuedouble))
			put_int(to, (int64_t)value->valuedouble);
		else
			put_double(to, value->valuedouble);
	} else if (is_object || cJSON_IsArray(value)) {
		buf_put_char(to, is_object ? '{' : '[');
		for (const cJSON *child = value->child; child != NULL && !to->failed;
		    child = child->next) {
			if (child != value->child)
				buf_put_char(to, ',');
			if (is_object) {
				json_put_quoted(to, slice_of(child->string));
				buf_put_char(to, ':');
			}
			put_value(to, child);
		}
		buf_put_char(to, is_object ? '}' : ']');
	} else {
		buf_put_str(to, cJSON_IsNull(value) ? "null" :
		    cJSON_IsTrue(value) ? "true" : "false");
	}
}

enum status json_print(const struct json *value, struct buf *to)
{
	put_value(to, node(value));
	return to->failed ? STATUS_FULL : STATUS_OK;
}

/* --- Writing --------------------------------------------------------------------------------- */

static void put_key(struct json_writer *w, const char *key)
{
	size_t comma = w->need_comma, len = key != NULL ? strlen(key) : 0;
	size_t all = comma + (key != NULL ? len + 3 : 0);
	char *at;

	w->need_comma = true;
	if (all == 0)
		return;
	at = buf_reserve(w->to, all);
	if (at == NULL)
		return;
	if (comma > 0)
		*at++ = ',';
	if (key != NULL) {
		at[0] = '"';
		memcpy(at + 1, key, len);
		at[len + 1] = '"';
		at[len + 2] = ':';
	}
	w->to->len += all;
}

static void open_container(struct json_writer *w, const char *key, char bracket)
{
	put_key(w, key);
	buf_put_char(w->to, bracket);
	w->need_comma = false;
}

static void close_container(struct json_writer *w, char bracket)
{
	buf_put_char(w->to, bracket);
	w->need_comma = true;
}

void json_begin(struct json_writer *w, struct buf *to)
{
	*w = (struct json_writer){.to = to};
	open_container(w, NULL, '{');
}

void json_end(struct json_writer *w)
{
	close_container(w, '}');
}

void json_open_object(struct json_writer *w, const char *key)
{
	open_container(w, key, '{');
}

void json_close_object(struct json_writer *w)
{
	close_container(w, '}');
}

void json_open_array(struct json_writer *w, const char *key)
{
	open_container(w, key, '[');
}

void json_close_array(struct json_writer *w)
{
	close_container(w, ']');
}

void json_put_text(struct json_writer *w, const char *key, struct slice text)
{
	put_key(w, key);
	json_put_quoted(w->to, text);
}

void json_put_str(struct json_writer *w, const char *key, const char *text)
{
	json_put_text(w, key, slice_of(text));
}

void json_put_int(struct json_writer *w, const char *key, int64_t value)
{
	put_key(w, key);
	put_int(w->to, value);
}

void json_put_bool(struct json_writer *w, const char *key, bool value)
{
	put_key(w, key);
	buf_put_str(w->to, value ? "true" : "false");
}

void json_put_null(struct json_writer *w, const char *key)
{
	put_key(w, key);
	buf_put_str(w->to, "null");
}

void json_put_time(struct json_writer *w, const char *key, int64_t unix_ms)
{
	char time[RFC3339_SIZE];

	rfc3339_put(unix_ms, time);
	json_put_str(w, key, time);
}

void json_put_raw(struct json_writer *w, const char *key, struct slice raw)
{
	put_key(w, key);
	buf_put_slice(w->to, raw);
}
