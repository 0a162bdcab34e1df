#include "store/store.h"

#include <stdlib.h>

static enum status memory_append(
    struct store *store, const struct store_batch *batch, uint64_t ticket)
{
	(void)store;
	(void)batch;
	(void)ticket;
	return STATUS_OK;
}

static void memory_resume(struct store *store)
{
	(void)store;
}

static enum status memory_read(struct store *store, const struct store_read *read,
    store_entry_fn *fn, void *arg, struct error *err)
{
	(void)store;
	(void)read;
	(void)fn;
	(void)arg;
	(void)err;
	return STATUS_OK;
}

static enum status memory_load(struct store *store, enum store_table table,
    bool (*fn)(void *arg, struct slice key, struct slice value), void *arg, struct error *err)
{
	(void)store;
	(void)table;
	(void)fn;
	(void)arg;
	(void)err;
	return STATUS_OK;
}

static enum status memory_last(struct store *store, uint64_t conversation, int64_t *ret_seq,
    int64_t *ret_time_ms, int64_t *ret_first, struct error *err)
{
	(void)store;
	(void)conversation;
	(void)err;
	*ret_seq = 0;
	*ret_time_ms = 0;
	*ret_first = 1;
	return STATUS_OK;
}

static void memory_close(struct store *store)
{
	free(store);
}

static enum status memory_list(struct store *store, enum store_table table, struct slice before,
    unsigned limit, bool (*fn)(void *arg, struct slice key, struct slice value), void *arg,
    struct error *err)
{
	(void)before;
	(void)limit;
	return memory_load(store, table, fn, arg, err);
}

struct store *store_memory_new(void)
{
	static const struct store_ops ops = {
	    memory_append,
	    memory_resume,
	    memory_read,
	    memory_load,
	    memory_last,
	    memory_close,
	    memory_list,
	    NULL,
	};
	struct store *store = calloc(1, sizeof *store);

	if (store != NULL)
		store->ops = &ops;
	return store;
}
