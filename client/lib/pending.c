#include "lib/pending.h"

#include <stdlib.h>

void pending_init(struct pending *pending)
{
	list_init(&pending->list);
	pending->count = 0;
	pending->last_number = 0;
}

void pending_release(struct pending *pending)
{
	struct pending_request *request;

	while ((request = pending_take_first(pending)) != NULL)
		free(request);
}

static bool same(const struct request_id *a, const struct request_id *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == REQUEST_ID_INT)
		return a->number == b->number;
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static struct pending_request *find(struct pending *pending, const struct request_id *id)
{
	for (struct list *node = pending->list.next; node != &pending->list; node = node->next) {
		struct pending_request *request = list_entry(node, struct pending_request, node);

		if (same(&request->id, id))
			return request;
	}
	return NULL;
}

struct request_id pending_number(struct pending *pending)
{
	struct request_id id = {.kind = REQUEST_ID_INT};

	do {
		pending->last_number =
		    pending->last_number < PROTO_INT_MAX ? pending->last_number + 1 : 1;
		id.number = pending->last_number;
	} while (find(pending, &id) != NULL);
	return id;
}

enum status pending_put(
    struct pending *pending, const struct request_id *id, confab_reply_fn *fn, void *arg)
{
	struct pending_request *request;

	if (pending->count >= CONFAB_PENDING_MAX)
		return STATUS_FULL;
	if (find(pending, id) != NULL)
		return STATUS_EXISTS;
	request = malloc(sizeof *request);
	if (request == NULL)
		return STATUS_NOMEM;
	request->id = *id;
	request->fn = fn;
	request->arg = arg;
	list_put(&pending->list, &request->node);
	pending->count++;
	return STATUS_OK;
}

static struct pending_request *take(struct pending *pending, struct pending_request *request)
{
	list_remove(&request->node);
	pending->count--;
	return request;
}

struct pending_request *pending_take(struct pending *pending, const struct request_id *id)
{
	struct pending_request *request = find(pending, id);

	return request != NULL ? take(pending, request) : NULL;
}

struct pending_request *pending_take_first(struct pending *pending)
{
	if (list_is_empty(&pending->list))
		return NULL;
	return take(pending, list_entry(pending->list.next, struct pending_request, node));
}
