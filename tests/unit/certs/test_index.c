/* The record of what was issued: round trips, look-ups, and hostile files. */
#include "tests/unit/unit.h"

#include "index.h"

#define HEAD "confab-certs 1 crl 3\n"
#define ROW(serial, kind, state, revoked, stem, names)                                             \
	serial " " kind " " state " 2026-11-22T10:00:00Z 2027-12-24T10:00:00Z " revoked " " stem   \
	       " " names "\n"
#define ALICE ROW("0a01", "client", "current", "-", "client-alice", "alice")

static const char good[] = HEAD ROW("7f00000000000000000000000000000001", "server", "former",
    "2026-11-23T10:00:00Z", "_.b.org", "*.b.org,::1")
    ALICE ROW("0b", "other", "former", "2026-11-23T10:00:00Z", "-", "-");

static enum status parse(struct index *index, const char *text, struct error *err)
{
	return index_parse(index, slice_of(text), err);
}

TEST(unit__index__round_trip)
{
	struct index index;
	struct error err = {0};
	struct buf text;

	index_init(&index);
	buf_init(&text, INDEX_TEXT_MAX);
	CHECK_INT(parse(&index, good, &err), STATUS_OK);
	CHECK_INT(index.count, 3);
	CHECK_INT(index.crl_number, 3);
	CHECK_INT(index_put(&index, &text), STATUS_OK);
	CHECK_STR(buf_text(&text), good);
	buf_release(&text);
	index_release(&index);
}

TEST(unit__index__empty)
{
	struct index index;
	struct error err = {0};

	index_init(&index);
	CHECK_INT(parse(&index, "confab-certs 1 crl 0\n", &err), STATUS_OK);
	CHECK_INT(index.count, 0);
	CHECK(index_find_stem(&index, "a") == NULL);
	index_release(&index);
}

TEST(unit__index__look_up)
{
	struct index index;
	struct error err = {0};

	index_init(&index);
	CHECK_INT(parse(&index, good, &err), STATUS_OK);
	CHECK_STR(index_find_stem(&index, "client-alice")->names, "alice");
	CHECK(index_find_stem(&index, "_.b.org") == NULL); /* former */
	CHECK(index_find_serial(&index, slice_of("0A01")) == &index.records[1]);
	CHECK(index_find_serial(&index, slice_of("00000a01")) == &index.records[1]);
	CHECK(index_find_serial(&index, slice_of("a01")) == &index.records[1]);
	CHECK(index_find_serial(&index, slice_of("0a02")) == NULL);
	CHECK(index_find_serial(&index, slice_of("alice")) == NULL);
	index_release(&index);
}

TEST(unit__index__new_takes_the_place)
{
	struct index index;
	struct error err = {0};
	char stem[] = "client-alice", names[] = "alice";
	struct index_record record = {.serial = "0c",
	    .kind = CERT_CLIENT,
	    .is_current = true,
	    .begin_ms = 1000,
	    .end_ms = 2000,
	    .stem = stem,
	    .names = names};

	index_init(&index);
	CHECK_INT(parse(&index, good, &err), STATUS_OK);
	CHECK_INT(index_add(&index, &record, &err), STATUS_OK);
	CHECK(!index.records[1].is_current);
	CHECK(index_find_stem(&index, "client-alice") == &index.records[3]);
	CHECK_INT(index_add(&index, &record, &err), STATUS_EXISTS);
	CHECK(index_find_stem(&index, "client-alice") == &index.records[3]);
	CHECK_INT(index.count, 4);
	index_release(&index);
}

TEST(unit__index__hostile_refused)
{
	static const char *const bad[] = {
	    "",
	    "\n",
	    "confab-certs 2 crl 3\n",
	    "confab-certs 1 crl -1\n",
	    "confab-certs 1 crl 99999999999999999999\n",
	    "confab-certs 1 crl 3",
	    HEAD "\n",
	    HEAD "0a\n",
	    HEAD "0a server current\n",
	    HEAD ROW("", "client", "current", "-", "client-alice", "alice"),
	    HEAD ROW("a01", "client", "current", "-", "client-alice", "alice"),
	    HEAD ROW("0A01", "client", "current", "-", "client-alice", "alice"),
	    HEAD ROW("000a01", "client", "current", "-", "client-alice", "alice"),
	    HEAD ROW("00", "client", "current", "-", "client-alice", "alice"),
	    HEAD ROW("zz", "client", "current", "-", "client-alice", "alice"),
	    HEAD ROW("0102030405060708090a0b0c0d0e0f101112131415", "client", "current", "-",
	        "client-alice", "alice"),
	    HEAD ROW("ff02030405060708090a0b0c0d0e0f1011121314", "client", "current", "-",
	        "client-alice", "alice"),
	    HEAD ROW("0a01", "CA", "current", "-", "ca", "ca"),
	    HEAD ROW("0a01", "client", "new", "-", "client-alice", "alice"),
	    HEAD ROW("0a01", "client", "current", "never", "client-alice", "alice"),
	    HEAD ROW("0a01", "client", "current", "1970-01-01T00:00:00Z", "client-alice", "alice"),
	    HEAD ROW("0a01", "client", "current", "-", "client-bob", "alice"),
	    HEAD ROW("0a01", "client", "current", "-", "../../etc/passwd", "alice"),
	    HEAD ROW("0a01", "client", "current", "-", "client-alice", "Alice"),
	    HEAD ROW("0a01", "client", "current", "-", "client-alice", "alice,bob"),
	    HEAD ROW("0a01", "client", "current", "-", "client-alice", ""),
	    HEAD ROW("0a01", "server", "current", "-", "ca", "ca"),
	    HEAD ROW("0a01", "server", "current", "-", "a", "a,"),
	    HEAD ROW("0a01", "server", "current", "-", "a", "a,B"),
	    HEAD ROW("0a01", "server", "current", "-", "a", "a b"),
	    HEAD ROW("0a01", "server", "current", "-", "a", "a,0:0::1"),
	    HEAD ROW("0a01", "other", "current", "-", "a", "a"),
	    HEAD "0a01 client current 2026-13-22T10:00:00Z 2027-12-24T10:00:00Z - client-a a\n",
	    HEAD "0a01 client current 2026-11-22T10:00:00Z - - client-alice alice\n",
	    HEAD ALICE ALICE,
	    HEAD "0a01 client current 2026-11-22T10:00:00Z 2027-12-24T10:00:00Z - client-a a",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct index index;
		struct error err = {0};

		index_init(&index);
		if (parse(&index, bad[i], &err) != STATUS_INVALID || err.text[0] == '\0') {
			fprintf(stderr, "taken or without a reason: %s\n", bad[i]);
			exit(1);
		}
		CHECK_INT(index.count, 0);
		index_release(&index);
	}
}

TEST(unit__index__nul_and_cut_anywhere)
{
	char text[sizeof good];
	struct index index;

	index_init(&index);
	for (size_t i = 0; i + 1 < sizeof good; i++) {
		/* Cut at the end of a line it is a shorter record, which nobody can tell. */
		bool is_whole = i > 0 && good[i - 1] == '\n';

		CHECK_INT(index_parse(&index, slice_make(good, i), NULL),
		    is_whole ? STATUS_OK : STATUS_INVALID);
		memcpy(text, good, sizeof good);
		text[i] = '\0';
		CHECK_INT(
		    index_parse(&index, slice_make(text, sizeof good - 1), NULL), STATUS_INVALID);
	}
	CHECK_INT(index_parse(&index, slice_make(NULL, 0), NULL), STATUS_INVALID);
	index_release(&index);
}

TEST(unit__index__too_many_names)
{
	struct index index;
	struct buf text;

	index_init(&index);
	for (int count = INDEX_NAMES_MAX; count <= INDEX_NAMES_MAX + 1; count++) {
		buf_init(&text, 1 << 20);
		buf_put_str(&text,
		    HEAD "0a server current 2026-11-22T10:00:00Z 2027-12-24T10:00:00Z - a a");
		for (int i = 1; i < count; i++)
			buf_put_fmt(&text, ",a%d", i);
		buf_put_char(&text, '\n');
		CHECK_INT(index_parse(&index, buf_slice(&text), NULL),
		    count <= INDEX_NAMES_MAX ? STATUS_OK : STATUS_INVALID);
		buf_release(&text);
	}
	index_release(&index);
}

UNIT_MAIN(CASE(unit__index__round_trip), CASE(unit__index__empty), CASE(unit__index__look_up),
    CASE(unit__index__new_takes_the_place), CASE(unit__index__hostile_refused),
    CASE(unit__index__nul_and_cut_anywhere), CASE(unit__index__too_many_names))
