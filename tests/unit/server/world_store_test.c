/* The tests' store against the server's: the same batches, the same answers. */
#include "tests/unit/unit.h"

#include "base/rng.h"
#include "tests/unit/store/store_world.h"
#include "world_store.h"

#define CONVERSATIONS 3

struct both {
	struct world real;
	struct world_store *store;
	struct rng rng;
	int64_t last[CONVERSATIONS + 1];
	enum store_kind kind[CONVERSATIONS + 1][1000];
};

static unsigned pick(struct both *both, unsigned below)
{
	return (unsigned)rng_below(&both->rng, below);
}

static void put(struct both *both, const struct store_batch *batch)
{
	CHECK(world_append(&both->real, batch) == STATUS_AGAIN);
	CHECK(world_wait(&both->real) == STATUS_OK);
	CHECK(both->store->base.ops->append(&both->store->base, batch, 1) == STATUS_OK);
}

static void put_entry(struct both *both)
{
	static const char *const words[] = {"apple ", "Banana ", "cherry-", "date "};
	unsigned conversation = 1 + pick(both, CONVERSATIONS), dice = pick(both, 10);
	int64_t seq = ++both->last[conversation], target = 0;
	struct store_entry entry = {.conversation = conversation, .seq = seq, .time_ms = seq,
	    .kind = STORE_MESSAGE, .author = 1 + pick(both, 2), .extra = slice_of("x")};
	struct buf text;

	if (seq > 1 && dice > 4)
		target = 1 + pick(both, (unsigned)seq - 1);
	if (target > 0 && both->kind[conversation][target] == STORE_MESSAGE)
		entry.kind = dice < 8 ? STORE_EDIT : dice < 9 ? STORE_DELETE : STORE_REACT;
	if (entry.kind != STORE_MESSAGE)
		entry.target = target;
	buf_init(&text, 100);
	for (unsigned n = pick(both, 4); n > 0 && entry.kind != STORE_DELETE; n--)
		buf_put_str(&text, words[pick(both, 4)]);
	entry.text = buf_slice(&text);
	both->kind[conversation][seq] = entry.kind;
	put(both, &(struct store_batch){.entries = &entry, .entry_count = 1});
	buf_release(&text);
}

static bool print(void *arg, const struct store_entry *entry)
{
	buf_put_fmt(arg, "%d/%lld kind %d of %d about %lld at %lld \"%.*s\" %zu\n",
	    (int)entry->conversation, (long long)entry->seq, (int)entry->kind, (int)entry->author,
	    (long long)entry->target, (long long)entry->time_ms, (int)entry->text.len,
	    entry->text.ptr, entry->extra.len);
	return true;
}

static void compare(struct both *both, const struct store_read *read)
{
	struct store *stores[] = {both->real.store, &both->store->base};
	struct buf answer[2];
	enum status status[2];

	for (int i = 0; i < 2; i++) {
		struct error err;

		buf_init(&answer[i], 1 << 20);
		status[i] = stores[i]->ops->read(stores[i], read, print, &answer[i], &err);
	}
	CHECK(status[0] == status[1]);
	CHECK_STR(buf_text(&answer[1]), buf_text(&answer[0]));
	buf_release(&answer[0]);
	buf_release(&answer[1]);
}

static void compare_some(struct both *both)
{
	static const char *const queries[] = {
	    "apple", "BANANA", "\"apple date\"", "cherry date", "-", "nothing", "date \"banana"};
	static const uint64_t conversations[] = {1, 3};
	struct store_read read = {
	    .kind = (enum store_read_kind)pick(both, 4),
	    .conversation = 1 + pick(both, CONVERSATIONS),
	    .after = pick(both, 80),
	    .limit = 1 + pick(both, 30),
	    .newest = pick(both, 2) == 0,
	    .newer = pick(both, 2) == 0 ? 0 : pick(both, 100),
	    .kinds = pick(both, 2) == 0 ? 0 : 1u << STORE_MESSAGE | 1u << STORE_EDIT,
	    .conversations = conversations,
	    .conversation_count = 2,
	    .query = slice_of(queries[pick(both, 7)]),
	    .author = pick(both, 3),
	    .since_ms = pick(both, 2) * 10,
	    .until_ms = pick(both, 2) == 0 ? INT64_MAX : 100,
	    .offset = pick(both, 3),
	};

	read.before = pick(both, 2) == 0 ? INT64_MAX : read.after + pick(both, 60);
	if (read.kind == STORE_SEARCH)
		read.kinds = 0;
	compare(both, &read);
}

TEST(world_store__read__answers_as_the_real_one)
{
	struct both both = {.rng = {11}};

	world_init(&both.real);
	both.store = world_store_new();
	for (int i = 0; i < 500; i++) {
		put_entry(&both);
		if (i == 300) {
			const struct store_trim trim = {1, 20};

			put(&both, &(struct store_batch){.trims = &trim, .trim_count = 1});
		}
		for (int j = 0; j < 4; j++)
			compare_some(&both);
	}
	both.store->base.ops->close(&both.store->base);
	world_release(&both.real);
}

static bool print_record(void *arg, struct slice key, struct slice value)
{
	buf_put_fmt(arg, "%.*s=%.*s ", (int)key.len, key.ptr, (int)value.len, value.ptr);
	return true;
}

TEST(world_store__append__keeps_records_and_waits)
{
	struct world_store *store = world_store_new();
	struct store *base = &store->base;
	struct store_record records[] = {
	    {STORE_ROOMS, slice_of("b"), slice_of("1"), false},
	    {STORE_ROOMS, slice_of("a"), slice_of("2"), false},
	    {STORE_USERS, slice_of("c"), slice_of("3"), false},
	    {STORE_ROOMS, slice_of("b"), slice_of("4"), false},
	    {STORE_ROOMS, slice_of("a"), slice_of(""), true},
	};
	const struct store_batch batch = {.records = records, .record_count = 4};
	const struct store_batch second = {.records = records + 4, .record_count = 1};
	struct buf text;

	buf_init(&text, 1000);
	CHECK(base->ops->append(base, &batch, 1) == STATUS_OK);
	store->slow = true;
	CHECK(base->ops->append(base, &second, 2) == STATUS_AGAIN);
	CHECK(base->ops->load(base, STORE_ROOMS, print_record, &text, NULL) == STATUS_OK);
	CHECK_STR(buf_text(&text), "a=2 b=4 ");
	buf_clear(&text);
	CHECK(world_store_commit(store) && !world_store_commit(store));
	base->ops->load(base, STORE_ROOMS, print_record, &text, NULL);
	CHECK_STR(buf_text(&text), "b=4 ");
	CHECK(base->ops->append(base, &batch, 3) == STATUS_AGAIN);
	world_store_fail(store, STATUS_NO_SPACE);
	CHECK(base->ops->append(base, &batch, 4) == STATUS_NO_SPACE);
	base->ops->resume(base);
	CHECK(base->ops->append(base, &batch, 5) == STATUS_AGAIN);
	buf_release(&text);
	base->ops->close(base);
}

UNIT_MAIN(CASE(world_store__read__answers_as_the_real_one),
    CASE(world_store__append__keeps_records_and_waits))
