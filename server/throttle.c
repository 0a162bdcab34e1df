#include "throttle.h"

#include <stdlib.h>

#include "base/ip.h"
#include "base/rng.h"
#include "base/tree.h"
#include "os/random.h"
#include "os/thread.h"

struct address {
	struct tree_node node;
	char key[16];
	unsigned count;
};

struct throttle {
	struct mutex *mutex;
	struct tree addresses;
	struct rng rng;
	unsigned per_address, in_all, count;
};

struct throttle *throttle_new(unsigned per_address, unsigned in_all)
{
	struct throttle *throttle = calloc(1, sizeof *throttle);

	if (throttle == NULL)
		return NULL;
	throttle->mutex = mutex_new();
	throttle->rng.state = random_u64();
	throttle->per_address = per_address;
	throttle->in_all = in_all;
	return throttle;
}

void throttle_free(struct throttle *throttle)
{
	struct tree_node *node;

	if (throttle == NULL)
		return;
	while ((node = tree_first(&throttle->addresses)) != NULL) {
		tree_remove(&throttle->addresses, node);
		free(tree_entry(node, struct address, node));
	}
	mutex_free(throttle->mutex);
	free(throttle);
}

static struct slice key_of(const struct socket_address *address)
{
	return ip_network(address->bytes, address->is_ipv6);
}

static enum throttle_answer enter(struct throttle *throttle, const struct socket_address *peer)
{
	struct slice key = key_of(peer);
	struct address *address =
	    tree_entry(tree_find(&throttle->addresses, key), struct address, node);

	if (throttle->in_all > 0 && throttle->count >= throttle->in_all)
		return THROTTLE_ALL;
	if (address == NULL) {
		address = calloc(1, sizeof *address);
		if (address == NULL)
			return THROTTLE_ALL;
		memcpy(address->key, key.ptr, key.len);
		tree_put(&throttle->addresses, &address->node, slice_make(address->key, key.len),
		    (uint32_t)rng_next(&throttle->rng));
	} else if (throttle->per_address > 0 && address->count >= throttle->per_address) {
		return THROTTLE_ADDRESS;
	}
	address->count++;
	throttle->count++;
	return THROTTLE_OK;
}

enum throttle_answer throttle_enter(struct throttle *throttle, const struct socket_address *peer)
{
	enum throttle_answer answer;

	mutex_lock(throttle->mutex);
	answer = enter(throttle, peer);
	mutex_unlock(throttle->mutex);
	return answer;
}

void throttle_leave(struct throttle *throttle, const struct socket_address *peer)
{
	struct address *address;

	mutex_lock(throttle->mutex);
	address = tree_entry(tree_find(&throttle->addresses, key_of(peer)), struct address, node);
	throttle->count--;
	if (address != NULL && --address->count == 0) {
		tree_remove(&throttle->addresses, &address->node);
		free(address);
	}
	mutex_unlock(throttle->mutex);
}

void bucket_init(struct bucket *bucket, unsigned burst, uint64_t now_ms)
{
	bucket->tokens = burst;
	bucket->at_ms = now_ms;
}

unsigned bucket_take(struct bucket *bucket, unsigned count, unsigned rate, unsigned burst,
    uint64_t now_ms)
{
	double wanted = count < burst ? count : burst;

	if (rate == 0)
		return 0;
	bucket->tokens += (double)(now_ms - bucket->at_ms) * rate / 1000.0;
	bucket->at_ms = now_ms;
	if (bucket->tokens > burst)
		bucket->tokens = burst;
	if (bucket->tokens < wanted)
		return 1 + (unsigned)((wanted - bucket->tokens) / rate);
	bucket->tokens -= wanted;
	return 0;
}
