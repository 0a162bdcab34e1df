/*
 * What the store does in a second: appends in full and normal durability with 1 to 1000 tickets
 * open at a time, the disk's own flush beside it, pages of a long conversation, and searching.
 *
 *     store-bench [ENTRIES [FOLDER]]     entries of the long conversation (default 1000000)
 *     store-bench lone PAUSE FOLDER      only how long a lone append takes, in full durability, one
 *                                        each PAUSE ms: the median, in microseconds
 */
#include <inttypes.h>
#include <stdlib.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/program.h"
#include "os/random.h"
#include "os/thread.h"
#include "store/store_sqlite.h"

#define SECONDS_NS UINT64_C(2000000000) /* each measurement's length */

static struct mutex *mutex;
static struct cond *told;
static uint64_t last_told;
static char dir[512];

static void done(void *arg, uint64_t ticket, enum status status)
{
	(void)arg;
	if (status != STATUS_OK)
		abort();
	mutex_lock(mutex);
	last_told = ticket;
	cond_wake_all(told);
	mutex_unlock(mutex);
}

static void wait_for(uint64_t ticket)
{
	mutex_lock(mutex);
	while (last_told < ticket)
		cond_wait(told, mutex);
	mutex_unlock(mutex);
}

static struct store *open_store(enum store_durability durability)
{
	struct store *store;
	struct error err;

	if (store_sqlite_open(dir, durability, &store, &err) != STATUS_OK) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	store->done = done;
	return store;
}

static uint64_t ticket;

static void append(struct store *store, uint64_t conversation, int64_t seq, const char *text)
{
	struct store_entry entry = {
	    .conversation = conversation,
	    .seq = seq,
	    .time_ms = INT64_C(1790000000000) + seq,
	    .kind = STORE_MESSAGE,
	    .author = 1 + (uint64_t)seq % 50,
	    .text = slice_of(text),
	};
	struct store_batch batch = {.entries = &entry, .entry_count = 1};

	if (store->ops->append(store, &batch, ++ticket) != STATUS_AGAIN)
		abort();
}

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* The middle and the 99th percentile of some times, in microseconds. */
static void print_times(const char *what, uint64_t *ns, size_t count)
{
	qsort(ns, count, sizeof *ns, compare);
	printf("%-44s p50 %8.1f us   p99 %8.1f us   max %8.1f us\n", what,
	    (double)ns[count / 2] / 1e3, (double)ns[count * 99 / 100] / 1e3,
	    (double)ns[count - 1] / 1e3);
}

static void measure_flush(void)
{
	static uint64_t ns[100];
	char path[600];

	snprintf(path, sizeof path, "%s/flush", dir);
	for (size_t i = 0; i < 100; i++) {
		uint64_t begin = clock_mono_ns();

		if (file_write(path, slice_make(dir, sizeof dir), FILE_PRIVATE, true, NULL) !=
		    STATUS_OK)
			exit(1);
		ns[i] = clock_mono_ns() - begin;
	}
	print_times("the disk: a new file, flushed, and its folder", ns, 100);
	file_remove(path, NULL);
}

static void measure_appends(
    enum store_durability durability, uint64_t open_tickets, uint64_t conversation)
{
	static uint64_t ns[1000000];
	struct store *store = open_store(durability);
	uint64_t begin = clock_mono_ns(), now = begin, count = 0, rounds = 0;
	char what[80];

	while (now - begin < SECONDS_NS && rounds < 1000000) {
		for (uint64_t i = 0; i < open_tickets; i++)
			append(store, conversation, (int64_t)++count,
			    "a message of about one hundred bytes, as people write them when they "
			    "talk to each other, more or less");
		wait_for(ticket);
		ns[rounds++] = clock_mono_ns() - now;
		now = clock_mono_ns();
	}
	snprintf(what, sizeof what, "append, %s, %4" PRIu64 " open: %8.0f/s",
	    durability == STORE_FULL ? "full  " : "normal", open_tickets,
	    (double)count * 1e9 / (double)(now - begin));
	print_times(what, ns, rounds);
	store->ops->close(store);
}

/* As a lone sender's: nothing else is written meanwhile, and all has gone to sleep. */
static void measure_lone(unsigned pause_ms)
{
	static uint64_t ns[300];
	struct store *store = open_store(STORE_FULL);

	for (size_t i = 0; i < 300; i++) {
		uint64_t begin;

		clock_sleep_ms(pause_ms);
		begin = clock_mono_ns();
		append(store, 1, (int64_t)i + 1,
		    "a message of about one hundred bytes, as people write them when they talk to "
		    "each other, more or less");
		wait_for(ticket);
		ns[i] = clock_mono_ns() - begin;
	}
	qsort(ns, 300, sizeof *ns, compare);
	printf("%.1f\n", (double)ns[150] / 1e3);
	store->ops->close(store);
}

static uint64_t found;

static bool count_entry(void *arg, const struct store_entry *entry)
{
	(void)arg;
	(void)entry;
	found++;
	return true;
}

static void fill(struct store *store, uint64_t conversation, int64_t entries)
{
	uint64_t begin = clock_mono_ns();
	char text[200];

	for (int64_t i = 1; i <= entries; i++) {
		snprintf(text, sizeof text,
		    "message number%" PRId64 " about topic%" PRIu64 " and word%" PRIu64
		    " with some common words in it",
		    i, random_u64() % 1000, random_u64() % 100000);
		append(store, conversation, i, text);
		if (i % 1000 == 0)
			wait_for(ticket - 1000);
	}
	wait_for(ticket);
	printf("filling: %" PRId64 " entries in %.1f s\n", entries,
	    (double)(clock_mono_ns() - begin) / 1e9);
}

static void measure_pages(struct store *store, uint64_t conversation, int64_t entries)
{
	static uint64_t ns[2000];
	struct store_read read = {
	    .kind = STORE_READ_RANGE, .conversation = conversation, .limit = 50, .newest = true};

	for (size_t i = 0; i < 2000; i++) {
		uint64_t begin = clock_mono_ns();

		read.before = 51 + (int64_t)(random_u64() % (uint64_t)(entries - 50));
		if (store->ops->read(store, &read, count_entry, NULL, NULL) != STATUS_OK)
			exit(1);
		ns[i] = clock_mono_ns() - begin;
	}
	print_times("page of 50 anywhere", ns, 2000);
}

static void measure_search(struct store *store, uint64_t conversation, const char *query)
{
	static uint64_t ns[50];
	struct store_read read = {
	    .kind = STORE_SEARCH,
	    .conversations = &conversation,
	    .conversation_count = 1,
	    .query = slice_of(query),
	    .until_ms = INT64_MAX,
	    .limit = 50,
	};
	char what[80];

	for (size_t i = 0; i < 50; i++) {
		uint64_t begin = clock_mono_ns();

		found = 0;
		if (store->ops->read(store, &read, count_entry, NULL, NULL) != STATUS_OK)
			exit(1);
		ns[i] = clock_mono_ns() - begin;
	}
	snprintf(what, sizeof what, "search %s: %" PRIu64 " found", query, found);
	print_times(what, ns, 50);
}

static void remove_one(void *arg, const char *name)
{
	char path[800];

	(void)arg;
	snprintf(path, sizeof path, "%s/%s", dir, name);
	file_remove(path, NULL);
}

static void measure_all(int64_t entries)
{
	static const uint64_t open_tickets[] = {1, 10, 100, 1000};
	uint64_t begin, conversation = 1;
	struct store *store;

	measure_flush();
	for (size_t i = 0; i < 4; i++)
		measure_appends(STORE_FULL, open_tickets[i], ++conversation);
	for (size_t i = 0; i < 4; i++)
		measure_appends(STORE_NORMAL, open_tickets[i], ++conversation);
	store = open_store(STORE_NORMAL);
	fill(store, ++conversation, entries);
	begin = clock_mono_ns();
	measure_search(store, conversation, "number1");
	printf("the first search and the index's catching up: %.1f s\n",
	    (double)(clock_mono_ns() - begin) / 1e9);
	measure_pages(store, conversation, entries);
	measure_search(store, conversation, "number77777");
	measure_search(store, conversation, "topic7");
	measure_search(store, conversation, "topic7 word77");
	measure_search(store, conversation, "common words");
	measure_search(store, conversation, "\"common words\" number5");
	store->ops->close(store);
}

int main(int argc, char **argv)
{
	int64_t entries = 1000000, pause_ms = 0;
	const char *folder;
	bool is_lone;

	program_start(&argc, &argv);
	is_lone = argc == 4 && strcmp(argv[1], "lone") == 0;
	if (is_lone ? !str_to_int(slice_of(argv[2]), 1, 1000, &pause_ms)
		    : argc > 1 && !str_to_int(slice_of(argv[1]), 100, 100000000, &entries))
		return EXIT_USAGE;
	folder = is_lone ? argv[3] : argc > 2 ? argv[2] : ".";
	snprintf(dir, sizeof dir, "%s/store-bench-%016" PRIx64, folder, random_u64());
	mutex = mutex_new();
	told = cond_new();
	if (file_make_dir(dir, FILE_PRIVATE, NULL) != STATUS_OK)
		return EXIT_OTHER;
	if (is_lone)
		measure_lone((unsigned)pause_ms);
	else
		measure_all(entries);
	file_list_dir(dir, remove_one, NULL, NULL);
	remove(dir);
	return EXIT_DONE;
}
