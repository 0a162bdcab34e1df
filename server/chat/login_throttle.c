#include "chat/login_throttle.h"

#include <stdlib.h>

#include "base/ip.h"
#include "base/list.h"
#include "base/rng.h"
#include "base/tree.h"

#define ADDRESS_MAX 64 /* bytes; what is longer is cut */
#define ACCOUNT_MAX 64
#define KEY_MAX	    (2 + ADDRESS_MAX + ACCOUNT_MAX)

/* A bucket that is not full. Tokens are not counted: `full_ms`, when it will be full again, says
 * as much, and is a whole number. */
struct login_bucket {
	struct tree_node by_key, by_time;
	struct list used; /* in the order of the last charge */
	uint64_t full_ms;
	unsigned char time_key[16]; /* full_ms and a number that no other has, for the order */
	char key[];
};

struct table {
	struct tree by_key, by_time;
	struct list used;
	uint64_t refill_ms; /* for one token */
	unsigned burst;
};

struct login_throttle {
	struct table addresses, pairs;
	struct rng rng;
	uint64_t now_ms; /* the latest that was ever passed in */
	uint64_t charged;
};

/* The keys of both tables: the pair's starts with the address's. */
struct keys {
	char bytes[KEY_MAX];
	struct slice address, pair;
};

static void table_init(struct table *table, unsigned burst, uint64_t refill_ms)
{
	list_init(&table->used);
	table->burst = burst;
	table->refill_ms = refill_ms;
}

struct login_throttle *login_throttle_new(uint64_t seed)
{
	struct login_throttle *throttle = calloc(1, sizeof *throttle);

	if (throttle == NULL)
		return NULL;
	throttle->rng.state = seed;
	table_init(&throttle->addresses, 20, 5000);
	table_init(&throttle->pairs, 5, 30000);
	return throttle;
}

static void forget(struct table *table, struct login_bucket *bucket)
{
	tree_remove(&table->by_key, &bucket->by_key);
	tree_remove(&table->by_time, &bucket->by_time);
	list_remove(&bucket->used);
	free(bucket);
}

/* All that are full again. */
static void forget_full(struct table *table, uint64_t now_ms)
{
	struct tree_node *node;

	while ((node = tree_first(&table->by_time)) != NULL) {
		struct login_bucket *bucket = tree_entry(node, struct login_bucket, by_time);

		if (bucket->full_ms > now_ms)
			break;
		forget(table, bucket);
	}
}

void login_throttle_free(struct login_throttle *throttle)
{
	if (throttle == NULL)
		return;
	forget_full(&throttle->addresses, UINT64_MAX);
	forget_full(&throttle->pairs, UINT64_MAX);
	free(throttle);
}

static void put_bytes(struct keys *keys, size_t *len, struct slice bytes)
{
	if (bytes.len > 0)
		memcpy(keys->bytes + *len, bytes.ptr, bytes.len);
	*len += bytes.len;
}

static struct slice cut_to(struct slice text, size_t max)
{
	return slice_make(text.ptr, text.len < max ? text.len : max);
}

/* Kind and length of the address stand first, so that no two pairs have the same key. */
static void make_keys(struct keys *keys, struct slice address, struct slice account)
{
	struct ip ip;
	struct slice network = cut_to(address, ADDRESS_MAX);
	size_t len = 2;

	keys->bytes[0] = 't';
	if (ip_parse(address, &ip)) {
		network = ip_network(ip.bytes, ip.is_ipv6);
		keys->bytes[0] = 'i';
	}
	keys->bytes[1] = (char)network.len;
	put_bytes(keys, &len, network);
	keys->address = slice_make(keys->bytes, len);
	put_bytes(keys, &len, cut_to(account, ACCOUNT_MAX));
	keys->pair = slice_make(keys->bytes, len);
}

static struct login_bucket *find(const struct table *table, struct slice key)
{
	return tree_entry(tree_find(&table->by_key, key), struct login_bucket, by_key);
}

/* The milliseconds until there is a token: a bucket lacks at most all of them. */
static uint64_t wait_ms(const struct table *table, struct slice key, uint64_t now_ms)
{
	const struct login_bucket *bucket = find(table, key);
	uint64_t usable_ms = (table->burst - 1) * table->refill_ms;

	if (bucket == NULL || bucket->full_ms <= now_ms + usable_ms)
		return 0;
	return bucket->full_ms - now_ms - usable_ms;
}

static void put_number(unsigned char to[8], uint64_t number)
{
	for (int i = 0; i < 8; i++)
		to[i] = (unsigned char)(number >> (56 - 8 * i));
}

/* Puts a bucket, which is in neither order now, where `full_ms` belongs. */
static void put_by_time(struct login_throttle *throttle, struct table *table,
    struct login_bucket *bucket)
{
	put_number(bucket->time_key, bucket->full_ms);
	put_number(bucket->time_key + 8, throttle->charged++);
	tree_put(&table->by_time, &bucket->by_time,
	    slice_make((const char *)bucket->time_key, sizeof bucket->time_key),
	    (uint32_t)rng_next(&throttle->rng));
}

static void move(struct login_throttle *throttle, struct table *table, struct login_bucket *bucket,
    uint64_t full_ms)
{
	tree_remove(&table->by_time, &bucket->by_time);
	bucket->full_ms = full_ms;
	put_by_time(throttle, table, bucket);
}

/* The bucket of `key`, which is made if it is full so far; NULL without memory. */
static struct login_bucket *need(struct login_throttle *throttle, struct table *table,
    struct slice key)
{
	struct login_bucket *bucket = find(table, key);

	if (bucket != NULL)
		return bucket;
	bucket = malloc(sizeof *bucket + key.len);
	if (bucket == NULL)
		return NULL;
	if (table->by_key.count >= LOGIN_THROTTLE_MAX)
		forget(table, list_entry(table->used.next, struct login_bucket, used));
	memcpy(bucket->key, key.ptr, key.len);
	bucket->full_ms = throttle->now_ms;
	list_init(&bucket->used);
	list_put(&table->used, &bucket->used);
	tree_put(&table->by_key, &bucket->by_key, slice_make(bucket->key, key.len),
	    (uint32_t)rng_next(&throttle->rng));
	put_by_time(throttle, table, bucket);
	return bucket;
}

static void charge(struct login_throttle *throttle, struct table *table,
    struct login_bucket *bucket)
{
	list_remove(&bucket->used);
	list_put(&table->used, &bucket->used);
	move(throttle, table, bucket, bucket->full_ms + table->refill_ms);
}

static void give_back(struct login_throttle *throttle, struct table *table, struct slice key)
{
	struct login_bucket *bucket = find(table, key);

	/* What was charged may have been refilled since: a time in the past is as good as now. */
	if (bucket != NULL)
		move(throttle, table, bucket, bucket->full_ms - table->refill_ms);
}

static void set_time(struct login_throttle *throttle, uint64_t mono_ms)
{
	if (mono_ms > throttle->now_ms)
		throttle->now_ms = mono_ms;
	forget_full(&throttle->addresses, throttle->now_ms);
	forget_full(&throttle->pairs, throttle->now_ms);
}

int64_t login_throttle_wait(struct login_throttle *throttle, struct slice address,
    struct slice account, uint64_t mono_ms)
{
	struct keys keys;
	struct login_bucket *of_address, *of_pair;
	uint64_t ms, ms_of_pair;

	set_time(throttle, mono_ms);
	make_keys(&keys, address, account);
	ms = wait_ms(&throttle->addresses, keys.address, throttle->now_ms);
	ms_of_pair = wait_ms(&throttle->pairs, keys.pair, throttle->now_ms);
	if (ms < ms_of_pair)
		ms = ms_of_pair;
	if (ms > 0)
		return (int64_t)((ms + 999) / 1000);

	of_address = need(throttle, &throttle->addresses, keys.address);
	of_pair = need(throttle, &throttle->pairs, keys.pair);
	if (of_address == NULL || of_pair == NULL)
		return 1; /* one that was made stands there as full, and goes with the next call */
	charge(throttle, &throttle->addresses, of_address);
	charge(throttle, &throttle->pairs, of_pair);
	return 0;
}

void login_throttle_succeeded(struct login_throttle *throttle, struct slice address,
    struct slice account, uint64_t mono_ms)
{
	struct keys keys;

	set_time(throttle, mono_ms);
	make_keys(&keys, address, account);
	give_back(throttle, &throttle->addresses, keys.address);
	give_back(throttle, &throttle->pairs, keys.pair);
}
