/*
 * Immutable bytes with a reference count: a serialised line that many connections send. Made
 * once, shared by reference between threads, gone with the last reference.
 */
#ifndef CONFAB_BASE_BLOB_H
#define CONFAB_BASE_BLOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct blob {
	atomic_uint refs;
	unsigned len; /* bytes */
	bool secret;
	char bytes[];
};

/* A copy of `bytes` with one reference, the caller's; NULL without memory. Any thread. */
struct blob *blob_new(struct slice bytes);

/* The same; its bytes are overwritten before the memory goes. */
struct blob *blob_new_secret(struct slice bytes);

/* One more reference, and one less; blob_unref(NULL) is harmless. Any thread. */
struct blob *blob_ref(struct blob *blob);
void blob_unref(struct blob *blob);

static inline struct slice blob_slice(const struct blob *blob)
{
	return slice_make(blob->bytes, blob->len);
}

#endif
