#include "base/str.h"

#include <stdlib.h>

int slice_compare(struct slice a, struct slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

bool slice_starts(struct slice a, const char *prefix)
{
	size_t len = strlen(prefix);
	return a.len >= len && memcmp(a.ptr, prefix, len) == 0;
}

bool slice_contains(struct slice hay, struct slice needle)
{
	if (needle.len == 0)
		return true;
	for (size_t i = 0; i + needle.len <= hay.len; i++)
		if (memcmp(hay.ptr + i, needle.ptr, needle.len) == 0)
			return true;
	return false;
}

struct slice slice_cut(struct slice *rest, char separator)
{
	struct slice part = *rest;
	const char *at = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;

	if (at == NULL) {
		*rest = slice_make(NULL, 0);
		return part;
	}
	part.len = (size_t)(at - rest->ptr);
	rest->ptr = at + 1;
	rest->len -= part.len + 1;
	return part;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice a)
{
	while (a.len > 0 && is_space(a.ptr[0])) {
		a.ptr++;
		a.len--;
	}
	while (a.len > 0 && is_space(a.ptr[a.len - 1]))
		a.len--;
	return a;
}

bool str_copy(char *to, size_t size, struct slice from)
{
	size_t len = from.len < size ? from.len : size - 1;

	if (len > 0)
		memcpy(to, from.ptr, len);
	to[len] = '\0';
	return len == from.len;
}

char *str_dup(struct slice from)
{
	char *copy = malloc(from.len + 1);

	if (copy != NULL)
		str_copy(copy, from.len + 1, from);
	return copy;
}

bool str_to_int(struct slice text, int64_t min, int64_t max, int64_t *ret)
{
	bool negative = text.len > 0 && text.ptr[0] == '-';
	size_t i = negative ? 1 : 0;
	int64_t value = 0;

	if (i == text.len || text.len > 20)
		return false;
	for (; i < text.len; i++) {
		int digit = text.ptr[i] - '0';

		if (digit < 0 || digit > 9 || value > (INT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (negative)
		value = -value;
	if (value < min || value > max)
		return false;
	*ret = value;
	return true;
}

unsigned str_distance(struct slice a, struct slice b)
{
	unsigned rows[3][65]; /* of the matrix: this one and the two before */

	if (a.len > 64 || b.len > 64)
		return 64;
	for (size_t j = 0; j <= b.len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			unsigned best = above[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] &&
			    a.ptr[i - 2] == b.ptr[j - 1] && rows[(i + 1) % 3][j - 2] + 1 < best)
				best = rows[(i + 1) % 3][j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[a.len % 3][b.len];
}

void secret_wipe(void *ptr, size_t len)
{
	volatile unsigned char *p = ptr;

	while (len-- > 0)
		*p++ = 0;
}
