#include "base/blob.h"

#include <limits.h>
#include <stdlib.h>

struct blob *blob_new(struct slice bytes)
{
	struct blob *blob;

	if (bytes.len > UINT_MAX)
		return NULL;
	blob = malloc(sizeof *blob + bytes.len);
	if (blob == NULL)
		return NULL;
	atomic_init(&blob->refs, 1);
	blob->len = (unsigned)bytes.len;
	blob->secret = false;
	if (bytes.len > 0)
		memcpy(blob->bytes, bytes.ptr, bytes.len);
	return blob;
}

struct blob *blob_new_secret(struct slice bytes)
{
	struct blob *blob = blob_new(bytes);

	if (blob != NULL)
		blob->secret = true;
	return blob;
}

struct blob *blob_ref(struct blob *blob)
{
	atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
	return blob;
}

void blob_unref(struct blob *blob)
{
	if (blob == NULL ||
	    atomic_fetch_sub_explicit(&blob->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (blob->secret)
		secret_wipe(blob->bytes, blob->len);
	free(blob);
}
