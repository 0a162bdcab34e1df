/*
 * Strings: a slice lends bytes it does not own (not NUL-terminated); the helpers copy, compare,
 * cut and read numbers without the traps of the C library. Pure; any thread.
 */
#ifndef CONFAB_BASE_STR_H
#define CONFAB_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *ptr;
	size_t len; /* bytes */
};

static inline struct slice slice_of(const char *text)
{
	return (struct slice){text, strlen(text)};
}

static inline struct slice slice_make(const char *ptr, size_t len)
{
	return (struct slice){ptr, len};
}

/* Names that are compared with many mostly differ in their first byte: a look at it saves the
 * calls. */
static inline bool slice_is(struct slice a, const char *text)
{
	return a.len == 0 ? *text == '\0' :
			    *a.ptr == *text && a.len == strlen(text) &&
				memcmp(a.ptr, text, a.len) == 0;
}

static inline bool str_equal(const char *a, const char *b)
{
	return *a == *b && strcmp(a, b) == 0;
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Bytewise order, shorter first where one is the start of the other: <0, 0, >0. */
int slice_compare(struct slice a, struct slice b);

bool slice_starts(struct slice a, const char *prefix);

/* Is `needle` somewhere in `hay`? An empty needle is everywhere. */
bool slice_contains(struct slice hay, struct slice needle);

/* Cuts the part before the first `separator` off the front of `rest` and returns it; without a
 * separator that is all, and `rest` becomes empty with ptr NULL, which ends a loop. */
struct slice slice_cut(struct slice *rest, char separator);

/* Without white space (space, tab, CR, LF) at both ends. */
struct slice slice_trim(struct slice a);

/* Copies at most size-1 bytes and ends them with NUL; true if all fitted. size > 0. */
bool str_copy(char *to, size_t size, struct slice from);

/* A NUL-terminated copy on the heap, the caller's to free(); NULL without memory. */
char *str_dup(struct slice from);

/* The whole of `text` as a decimal number from `min` to `max`; false leaves *ret alone. */
bool str_to_int(struct slice text, int64_t min, int64_t max, int64_t *ret);

/* Number of slips between two names, for "did you mean": a byte more, less or another, or two
 * neighbours swapped (optimal string alignment). Texts longer than 64 bytes count as far away. */
unsigned str_distance(struct slice a, struct slice b);

/* Overwrites memory in a way that the compiler does not remove. */
void secret_wipe(void *ptr, size_t len);

#endif
