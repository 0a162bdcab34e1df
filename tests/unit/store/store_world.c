#include "store_world.h"

#include <inttypes.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/random.h"
#include "tests/unit/unit.h"

static void done(void *arg, uint64_t ticket, enum status status)
{
	struct world *world = arg;
	struct store *store = world->store;

	mutex_lock(world->mutex);
	CHECK(world->told_count < WORLD_TOLD_MAX);
	world->told[world->told_count].ticket = ticket;
	world->told[world->told_count++].status = status;
	cond_wake_all(world->told_more);
	mutex_unlock(world->mutex);
	if (status != STATUS_OK && world->resume_at_once)
		store->ops->resume(store);
}

void world_open(struct world *world, enum store_durability durability)
{
	struct error err = {0};

	if (store_sqlite_open(world->dir, durability, &world->store, &err) != STATUS_OK) {
		fprintf(stderr, "%s\n", err.text);
		CHECK(!"the store opens");
	}
	world->store->done = done;
	world->store->done_arg = world;
}

void world_close(struct world *world)
{
	if (world->store != NULL)
		world->store->ops->close(world->store);
	world->store = NULL;
}

void world_init(struct world *world)
{
	*world = (struct world){.mutex = mutex_new(), .told_more = cond_new()};
	world->told = calloc(WORLD_TOLD_MAX, sizeof *world->told);
	CHECK(world->told != NULL);
	snprintf(world->dir, sizeof world->dir, "unit store %016" PRIx64 "-Zażółć", random_u64());
	world_open(world, STORE_NORMAL);
}

static void remove_one(void *arg, const char *name)
{
	file_remove(world_path(arg, name), NULL);
}

void world_release(struct world *world)
{
	world_close(world);
	file_list_dir(world->dir, remove_one, world, NULL);
	remove(world->dir);
	free(world->told);
	cond_free(world->told_more);
	mutex_free(world->mutex);
}

const char *world_path(const struct world *world, const char *name)
{
	static struct buf paths[4];
	static unsigned turn;
	struct buf *path = &paths[turn++ % 4];

	buf_release(path);
	buf_init(path, 1000);
	path_join(path, world->dir, name);
	return buf_text(path);
}

enum status world_append(struct world *world, const struct store_batch *batch)
{
	return world->store->ops->append(world->store, batch, ++world->next_ticket);
}

enum status world_wait(struct world *world)
{
	enum status status;

	mutex_lock(world->mutex);
	while (world->told_count == 0 ||
	       world->told[world->told_count - 1].ticket != world->next_ticket)
		cond_wait(world->told_more, world->mutex);
	status = world->told[world->told_count - 1].status;
	mutex_unlock(world->mutex);
	return status;
}

static void put(struct world *world, const struct store_batch *batch)
{
	CHECK_INT(world_append(world, batch), STATUS_AGAIN);
	CHECK_INT(world_wait(world), STATUS_OK);
}

void world_entry(struct world *world, uint64_t conversation, int64_t seq, enum store_kind kind,
    int64_t target, const char *text)
{
	struct store_entry entry = {
	    .conversation = conversation,
	    .seq = seq,
	    .time_ms = 1000 * seq,
	    .kind = kind,
	    .author = 7,
	    .target = target,
	    .text = slice_of(text),
	};

	put(world, &(struct store_batch){.entries = &entry, .entry_count = 1});
}

void world_message(struct world *world, uint64_t conversation, int64_t seq, const char *text)
{
	world_entry(world, conversation, seq, STORE_MESSAGE, 0, text);
}

void world_trim(struct world *world, uint64_t conversation, int64_t seq)
{
	struct store_trim trim = {conversation, seq};

	put(world, &(struct store_batch){.trims = &trim, .trim_count = 1});
}

void world_record(struct world *world, enum store_table table, const char *key, const char *value)
{
	struct store_record record = {
	    table, slice_of(key), slice_of(value != NULL ? value : ""), value == NULL};

	put(world, &(struct store_batch){.records = &record, .record_count = 1});
}

static struct buf answer;

static bool take_entry(void *arg, const struct store_entry *entry)
{
	(void)arg;
	buf_put_fmt(&answer, "%" PRId64, entry->seq);
	if (entry->target > 0)
		buf_put_fmt(&answer, ">%" PRId64, entry->target);
	buf_put_char(&answer, ' ');
	buf_put_slice(&answer, entry->text);
	buf_put_char(&answer, '|');
	return true;
}

static enum status read_into_answer(
    struct world *world, const struct store_read *read, struct error *err)
{
	buf_release(&answer);
	buf_init(&answer, 10 << 20);
	return world->store->ops->read(world->store, read, take_entry, NULL, err);
}

const char *world_read(struct world *world, const struct store_read *read)
{
	struct error err = {0};

	if (read_into_answer(world, read, &err) != STATUS_OK) {
		fprintf(stderr, "%s\n", err.text);
		CHECK(!"the store reads");
	}
	return buf_text(&answer);
}

const char *world_range(struct world *world, uint64_t conversation, int64_t after, int64_t before,
    unsigned limit, bool newest)
{
	return world_read(world, &(struct store_read){
	                             .kind = STORE_READ_RANGE,
	                             .conversation = conversation,
	                             .after = after,
	                             .before = before,
	                             .limit = limit,
	                             .newest = newest,
	                         });
}

static bool take_record(void *arg, struct slice key, struct slice value)
{
	(void)arg;
	buf_put_slice(&answer, key);
	buf_put_char(&answer, '=');
	buf_put_slice(&answer, value);
	buf_put_char(&answer, '|');
	return true;
}

const char *world_records(struct world *world, enum store_table table)
{
	buf_release(&answer);
	buf_init(&answer, 10 << 20);
	CHECK_INT(world->store->ops->load(world->store, table, take_record, NULL, NULL), STATUS_OK);
	return buf_text(&answer);
}

static const uint64_t all_conversations[] = {1, 2, 3};

static struct store_read search_for(const char *query)
{
	return (struct store_read){
	    .kind = STORE_SEARCH,
	    .conversations = all_conversations,
	    .conversation_count = 3,
	    .query = slice_of(query),
	    .until_ms = INT64_MAX,
	    .limit = 100,
	};
}

const char *world_search(struct world *world, const char *query)
{
	struct store_read read = search_for(query);

	return world_read(world, &read);
}

enum status world_search_status(struct world *world, const char *query)
{
	struct store_read read = search_for(query);

	return read_into_answer(world, &read, NULL);
}

bool file_has(const char *path, const char *text)
{
	struct buf content;
	bool has;

	buf_init(&content, 1 << 30);
	has = file_read(path, &content, NULL) == STATUS_OK &&
	      slice_contains(buf_slice(&content), slice_of(text));
	buf_release(&content);
	return has;
}
