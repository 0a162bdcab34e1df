/* Random batches against a model in memory: the store answers every question as the model does,
 * also after it was closed and opened again. */
#include "tests/unit/unit.h"

#include <inttypes.h>

#include "store_world.h"

#define CONVERSATIONS 3
#define ENTRIES_MAX 3000
#define KEYS 20

struct model_entry {
	enum store_kind kind;
	int64_t target;
	char text[80];
};

struct model {
	struct world w;
	uint64_t state;
	struct {
		int64_t last, first;
		struct model_entry entries[ENTRIES_MAX + 1]; /* by seq */
	} talk[CONVERSATIONS + 1];
	char values[KEYS][16];
	bool present[KEYS];
};

static const char *const words[] = {"apple", "Banana", "cherry", "date", "Żurek", "fig"};
static const char *const folded[] = {"apple", "banana", "cherry", "date", "zurek", "fig"};

static unsigned pick(struct model *m, unsigned below)
{
	m->state = m->state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (unsigned)(m->state >> 33) % below;
}

static void make_text(struct model *m, char *to, size_t size)
{
	size_t len = 0;

	to[0] = '\0';
	for (unsigned count = pick(m, 5); count > 0; count--)
		len += (size_t)snprintf(to + len, size - len, "%s ", words[pick(m, 6)]);
}

static void make_entry(struct model *m, struct store_entry *to)
{
	unsigned conversation = 1 + pick(m, CONVERSATIONS), dice = pick(m, 20);
	int64_t last = m->talk[conversation].last, target = 0;
	struct model_entry *entry = &m->talk[conversation].entries[last + 1];
	enum store_kind kind = STORE_MESSAGE;

	if (last > 0 && dice >= 12) {
		target = 1 + pick(m, (unsigned)last);
		kind = dice < 16 ? STORE_EDIT : dice < 18 ? STORE_DELETE : STORE_REACT;
		if (m->talk[conversation].entries[target].kind != STORE_MESSAGE)
			kind = STORE_REACT;
	}
	*entry = (struct model_entry){.kind = kind, .target = target};
	if (kind != STORE_DELETE)
		make_text(m, entry->text, sizeof entry->text);
	*to = (struct store_entry){
	    .conversation = conversation,
	    .seq = ++m->talk[conversation].last,
	    .time_ms = m->talk[conversation].last,
	    .kind = kind,
	    .author = 1 + pick(m, 2),
	    .target = target,
	    .text = slice_of(entry->text),
	};
}

static void model_delete(struct model *m, unsigned conversation, int64_t target)
{
	for (int64_t seq = 1; seq <= m->talk[conversation].last; seq++) {
		struct model_entry *entry = &m->talk[conversation].entries[seq];

		if (seq == target || (entry->kind == STORE_EDIT && entry->target == target))
			entry->text[0] = '\0';
	}
}

static void write_batch(struct model *m)
{
	static char texts[8][80];
	struct store_entry entries[8];
	struct store_record records[3];
	struct store_trim trim;
	struct store_batch batch = {.entries = entries, .records = records, .trims = &trim};
	char keys[3][16];

	for (unsigned count = pick(m, 9); batch.entry_count < count; batch.entry_count++) {
		struct store_entry *entry = &entries[batch.entry_count];

		make_entry(m, entry);
		memcpy(texts[batch.entry_count], entry->text.ptr, entry->text.len);
		entry->text.ptr = texts[batch.entry_count];
		if (entry->kind == STORE_DELETE)
			model_delete(m, (unsigned)entry->conversation, entry->target);
	}
	for (unsigned count = pick(m, 4); batch.record_count < count; batch.record_count++) {
		unsigned key = pick(m, KEYS);

		m->present[key] = pick(m, 4) != 0;
		snprintf(m->values[key], sizeof m->values[key], "%u", pick(m, 1000));
		snprintf(keys[batch.record_count], sizeof keys[0], "key%02u", key);
		records[batch.record_count] = (struct store_record){STORE_MEMBERS,
		    slice_of(keys[batch.record_count]), slice_of(m->values[key]), !m->present[key]};
	}
	if (pick(m, 40) == 0) {
		unsigned conversation = 1 + pick(m, CONVERSATIONS);
		int64_t last = m->talk[conversation].last, seq = pick(m, (unsigned)last + 1);

		trim = (struct store_trim){conversation, seq};
		batch.trim_count = 1;
		if (seq + 1 > m->talk[conversation].first)
			m->talk[conversation].first = seq + 1;
	}
	CHECK_INT(world_append(&m->w, &batch), STATUS_AGAIN);
}

/* --- Questions --- */

static char want[ENTRIES_MAX * 100];
static size_t want_len;

static void want_entry(const struct model_entry *entry, int64_t seq)
{
	char *to = want + want_len;
	size_t room = sizeof want - want_len;

	if (entry->target > 0)
		want_len += (size_t)snprintf(
		    to, room, "%" PRId64 ">%" PRId64 " %s|", seq, entry->target, entry->text);
	else
		want_len += (size_t)snprintf(to, room, "%" PRId64 " %s|", seq, entry->text);
}

static bool is_asked(const struct store_read *read, const struct model_entry *entry, int64_t seq)
{
	int64_t at = read->kind == STORE_READ_TARGETS ? entry->target : seq;

	if (read->kinds != 0 && (read->kinds >> entry->kind & 1) == 0)
		return false;
	return at > read->after && at < read->before &&
	       (read->kind == STORE_READ_RANGE || entry->target > 0);
}

static void check_read(struct model *m)
{
	unsigned conversation = 1 + pick(m, CONVERSATIONS);
	int64_t last = m->talk[conversation].last, first = m->talk[conversation].first;
	struct store_read read = {
	    .kind = pick(m, 2) ? STORE_READ_RANGE : STORE_READ_TARGETS,
	    .conversation = conversation,
	    .after = (int64_t)pick(m, (unsigned)last + 2) - 1,
	    .limit = 1 + pick(m, 60),
	    .newest = pick(m, 2),
	    .kinds = pick(m, 3) ? 0 : 1u << STORE_EDIT | 1u << STORE_REACT,
	};
	unsigned matches = 0, skip = 0;

	read.before = pick(m, 2) ? INT64_MAX : read.after + 1 + pick(m, 100);
	for (int64_t seq = first; seq <= last; seq++)
		matches += is_asked(&read, &m->talk[conversation].entries[seq], seq);
	if (read.newest && matches > read.limit)
		skip = matches - read.limit;
	want_len = 0;
	want[0] = '\0';
	matches = 0;
	for (int64_t seq = first; seq <= last; seq++) {
		const struct model_entry *entry = &m->talk[conversation].entries[seq];

		if (is_asked(&read, entry, seq) && ++matches > skip && matches <= skip + read.limit)
			want_entry(entry, seq);
	}
	CHECK_STR(world_read(&m->w, &read), want);
}

/* Is there a newer text of the message that this entry belongs to? */
static bool is_superseded(const struct model *m, unsigned conversation, int64_t seq)
{
	const struct model_entry *entry = &m->talk[conversation].entries[seq];
	int64_t message = entry->kind == STORE_EDIT ? entry->target : seq;

	for (int64_t later = seq + 1; later <= m->talk[conversation].last; later++) {
		const struct model_entry *other = &m->talk[conversation].entries[later];

		if (other->kind == STORE_EDIT && other->target == message)
			return true;
	}
	return false;
}

static void check_search(struct model *m)
{
	uint64_t conversation = 1 + pick(m, CONVERSATIONS);
	unsigned word = pick(m, 6);
	struct store_read read = {
	    .kind = STORE_SEARCH,
	    .conversations = &conversation,
	    .conversation_count = 1,
	    .query = slice_of(folded[word]),
	    .until_ms = INT64_MAX,
	    .limit = 1000,
	};

	want_len = 0;
	want[0] = '\0';
	for (int64_t seq = m->talk[conversation].last; seq >= m->talk[conversation].first; seq--) {
		const struct model_entry *entry = &m->talk[conversation].entries[seq];

		if ((entry->kind == STORE_MESSAGE || entry->kind == STORE_EDIT) &&
		    strstr(entry->text, words[word]) != NULL &&
		    !is_superseded(m, (unsigned)conversation, seq))
			want_entry(entry, seq);
	}
	CHECK_STR(world_read(&m->w, &read), want);
}

static void check_state(struct model *m)
{
	int64_t seq, time_ms, first;
	size_t len = 0;

	want[0] = '\0';
	for (unsigned key = 0; key < KEYS; key++)
		if (m->present[key])
			len += (size_t)snprintf(
			    want + len, sizeof want - len, "key%02u=%s|", key, m->values[key]);
	CHECK_STR(world_records(&m->w, STORE_MEMBERS), want);
	for (unsigned i = 1; i <= CONVERSATIONS; i++) {
		CHECK_INT(
		    m->w.store->ops->last(m->w.store, i, &seq, &time_ms, &first, NULL), STATUS_OK);
		CHECK_INT(seq, m->talk[i].last);
		CHECK_INT(first, m->talk[i].first);
	}
}

static void run(uint64_t seed)
{
	struct model *m = calloc(1, sizeof *m);
	struct store_check check;

	CHECK(m != NULL);
	m->state = seed;
	for (unsigned i = 1; i <= CONVERSATIONS; i++)
		m->talk[i].first = 1;
	world_init(&m->w);
	for (int round = 0; round < 60; round++) {
		for (unsigned count = 1 + pick(m, 20); count > 0; count--)
			write_batch(m);
		CHECK_INT(world_wait(&m->w), STATUS_OK);
		if (pick(m, 10) == 0) {
			world_close(&m->w);
			world_open(&m->w, STORE_NORMAL);
		}
		for (int i = 0; i < 5; i++)
			check_read(m);
		check_search(m);
		check_state(m);
	}
	world_close(&m->w);
	CHECK_INT(store_sqlite_verify(m->w.dir, &check, NULL), STATUS_OK);
	world_release(&m->w);
	free(m);
}

TEST(unit__store__answers_as_a_model_does)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		printf("seed %" PRIu64 "\n", seed);
		run(seed);
	}
}

UNIT_MAIN(CASE(unit__store__answers_as_a_model_does))
