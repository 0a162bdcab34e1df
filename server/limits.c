#include "limits.h"

#include <stdlib.h>

#include "base/rng.h"
#include "base/tree.h"
#include "os/random.h"
#include "os/thread.h"

struct address {
	struct tree_node node;
	char key[16];
	unsigned count;
};

struct limits {
	struct mutex *mutex;
	struct tree addresses;
	struct rng rng;
	unsigned per_address, in_all, count;
};

struct limits *limits_new(unsigned per_address, unsigned in_all)
{
	struct limits *limits = calloc(1, sizeof *limits);

	if (limits == NULL)
		return NULL;
	limits->mutex = mutex_new();
	limits->rng.state = random_u64();
	limits->per_address = per_address;
	limits->in_all = in_all;
	return limits;
}

void limits_free(struct limits *limits)
{
	struct tree_node *node;

	if (limits == NULL)
		return;
	while ((node = tree_first(&limits->addresses)) != NULL) {
		tree_remove(&limits->addresses, node);
		free(tree_entry(node, struct address, node));
	}
	mutex_free(limits->mutex);
	free(limits);
}

/* What counts as one address: whoever has an IPv6 /64 has all of its 2^64. */
static struct slice key_of(const struct socket_address *address)
{
	return slice_make((const char *)address->bytes, address->is_ipv6 ? 8 : 4);
}

static enum limits_answer enter(struct limits *limits, const struct socket_address *peer)
{
	struct slice key = key_of(peer);
	struct address *address =
	    tree_entry(tree_find(&limits->addresses, key), struct address, node);

	if (limits->in_all > 0 && limits->count >= limits->in_all)
		return LIMITS_ALL;
	if (address == NULL) {
		address = calloc(1, sizeof *address);
		if (address == NULL)
			return LIMITS_ALL;
		memcpy(address->key, key.ptr, key.len);
		tree_put(&limits->addresses, &address->node, slice_make(address->key, key.len),
		    (uint32_t)rng_next(&limits->rng));
	} else if (limits->per_address > 0 && address->count >= limits->per_address) {
		return LIMITS_ADDRESS;
	}
	address->count++;
	limits->count++;
	return LIMITS_OK;
}

enum limits_answer limits_enter(struct limits *limits, const struct socket_address *peer)
{
	enum limits_answer answer;

	mutex_lock(limits->mutex);
	answer = enter(limits, peer);
	mutex_unlock(limits->mutex);
	return answer;
}

void limits_leave(struct limits *limits, const struct socket_address *peer)
{
	struct address *address;

	mutex_lock(limits->mutex);
	address = tree_entry(tree_find(&limits->addresses, key_of(peer)), struct address, node);
	limits->count--;
	if (address != NULL && --address->count == 0) {
		tree_remove(&limits->addresses, &address->node);
		free(address);
	}
	mutex_unlock(limits->mutex);
}

void bucket_init(struct bucket *bucket, unsigned burst, uint64_t now_ms)
{
	bucket->tokens = burst;
	bucket->at_ms = now_ms;
}

unsigned bucket_take(struct bucket *bucket, unsigned rate, unsigned burst, uint64_t now_ms)
{
	if (rate == 0)
		return 0;
	bucket->tokens += (double)(now_ms - bucket->at_ms) * rate / 1000.0;
	bucket->at_ms = now_ms;
	if (bucket->tokens > burst)
		bucket->tokens = burst;
	if (bucket->tokens < 1.0)
		return 1 + (unsigned)((1.0 - bucket->tokens) / rate);
	bucket->tokens -= 1.0;
	return 0;
}
