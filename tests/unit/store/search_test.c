/* Searching: words and phrases, never syntax; what was edited, erased or trimmed is not found. */
#include "tests/unit/unit.h"

#include "store_world.h"

TEST(unit__search__folds_case_and_diacritics)
{
	struct world w;

	world_init(&w);
	world_message(&w, 1, 1, "Zażółć gęślą jaźń");
	world_message(&w, 1, 2, "Crème brûlée, café");
	world_message(&w, 2, 1, "zazolc cafe");
	CHECK_STR(world_search(&w, "ZAZOLC"), "1 zazolc cafe|");
	CHECK_STR(world_search(&w, "CREME cafe"), "2 Crème brûlée, café|");
	CHECK_STR(world_search(&w, "jazn"), "1 Zażółć gęślą jaźń|");
	CHECK_STR(world_search(&w, "GĘŚLĄ"), "1 Zażółć gęślą jaźń|");
	CHECK_STR(world_search(&w, "cafe"), "1 zazolc cafe|2 Crème brûlée, café|");
	world_release(&w);
}

TEST(unit__search__takes_words_and_phrases)
{
	struct world w;

	world_init(&w);
	world_message(&w, 1, 1, "the quick brown fox");
	world_message(&w, 1, 2, "the brown quick dog");
	CHECK_STR(world_search(&w, "quick brown"), "2 the brown quick dog|1 the quick brown fox|");
	CHECK_STR(world_search(&w, "\"quick brown\""), "1 the quick brown fox|");
	CHECK_STR(world_search(&w, "\"quick brown\" the"), "1 the quick brown fox|");
	CHECK_STR(world_search(&w, "\"quick brown"), "1 the quick brown fox|");
	CHECK_STR(world_search(&w, "brown\"quick dog\""), "2 the brown quick dog|");
	CHECK_STR(world_search(&w, "quick-brown"), "1 the quick brown fox|");
	CHECK_STR(world_search(&w, "quick !! dog"), "2 the brown quick dog|");
	CHECK_STR(world_search(&w, "quick nothing"), "");
	CHECK_STR(world_search(&w, "qui"), "");
	world_release(&w);
}

TEST(unit__search__has_no_syntax)
{
	static const char *const hostile[] = {"a OR b", "NOT a", "a NOT b", "NEAR(a b)", "a*", "^a",
	    "text : a", "place : c1", "{place text} : a", "(a", "a)", "a + b",
	    "'; DROP TABLE entry;", "\"a\" OR \"b\"", "-a", "a:b", "\"\" a", "\"a\"\"b\"", "\\\" a",
	    "a\x01\x02 b", "\xFF\xFE a", "rank MATCH a", "search", "AND", "c1", "a7"};
	static const char *const empty[] = {
	    "", " ", "\"", "\"\"", "!!!", "* ( ) :", "\"!\" ...", "\t\n"};
	struct world w;
	char many[1000];

	world_init(&w);
	world_message(&w, 1, 1, "or not near");
	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
		CHECK_INT(world_search_status(&w, hostile[i]), STATUS_OK);
		CHECK_STR(world_search(&w, hostile[i]), "");
	}
	CHECK_STR(world_search(&w, "OR NOT NEAR"), "1 or not near|");
	for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
		CHECK_INT(world_search_status(&w, empty[i]), STATUS_INVALID);
	for (size_t i = 0; i < sizeof many; i += 2)
		memcpy(many + i, "a ", 2);
	many[sizeof many - 1] = '\0';
	CHECK_INT(world_search_status(&w, many), STATUS_INVALID);
	world_release(&w);
}

TEST(unit__search__takes_a_nul_for_a_space)
{
	struct world w;
	const uint64_t where = 1;
	struct store_read read = {
	    .kind = STORE_SEARCH,
	    .conversations = &where,
	    .conversation_count = 1,
	    .query = {"one\0two", 7},
	    .until_ms = INT64_MAX,
	    .limit = 10,
	};

	world_init(&w);
	world_message(&w, 1, 1, "one two");
	world_message(&w, 1, 2, "one");
	CHECK_STR(world_read(&w, &read), "1 one two|");
	world_release(&w);
}

TEST(unit__search__sees_edits_and_not_what_was_before)
{
	struct world w;

	world_init(&w);
	world_message(&w, 1, 1, "apple");
	CHECK_STR(world_search(&w, "apple"), "1 apple|");
	world_entry(&w, 1, 2, STORE_EDIT, 1, "banana");
	CHECK_STR(world_search(&w, "apple"), "");
	CHECK_STR(world_search(&w, "banana"), "2>1 banana|");
	world_entry(&w, 1, 3, STORE_EDIT, 1, "cherry");
	world_entry(&w, 1, 4, STORE_EDIT, 1, "apple");
	CHECK_STR(world_search(&w, "banana"), "");
	CHECK_STR(world_search(&w, "cherry"), "");
	CHECK_STR(world_search(&w, "apple"), "4>1 apple|");
	world_entry(&w, 1, 5, STORE_DELETE, 1, "");
	CHECK_STR(world_search(&w, "apple"), "");
	/* Not searched: what is no message. */
	world_entry(&w, 1, 6, STORE_REACT, 1, "apple");
	CHECK_STR(world_search(&w, "apple"), "");
	world_release(&w);
}

TEST(unit__search__passes_over_what_is_before_the_first)
{
	struct world w;
	const uint64_t where[] = {2, 1};
	const int64_t firsts[] = {1, 3};
	struct store_read read = {
	    .kind = STORE_SEARCH,
	    .conversations = where,
	    .firsts = firsts,
	    .conversation_count = 2,
	    .query = {"word", 4},
	    .until_ms = INT64_MAX,
	    .limit = 10,
	};

	world_init(&w);
	world_message(&w, 2, 1, "word two");
	for (int i = 1; i <= 4; i++)
		world_message(&w, 1, i, "word one");
	/* Of an edit the message counts. */
	world_entry(&w, 1, 5, STORE_EDIT, 2, "word old");
	world_entry(&w, 1, 6, STORE_EDIT, 3, "word new");
	CHECK_STR(world_read(&w, &read), "6>3 word new|4 word one|1 word two|");
	read.offset = 2;
	CHECK_STR(world_read(&w, &read), "1 word two|");
	world_release(&w);
}

TEST(unit__search__looks_where_it_is_told)
{
	struct world w;
	uint64_t where[100] = {2};
	struct store_read read = {
	    .kind = STORE_SEARCH,
	    .conversations = where,
	    .conversation_count = 1,
	    .query = {"word", 4},
	    .until_ms = INT64_MAX,
	    .limit = 3,
	};

	world_init(&w);
	for (int i = 1; i <= 5; i++) {
		world_message(&w, 1, i, "word one");
		world_message(&w, 2, i, "word two");
		world_message(&w, 12, i, "word twelve");
	}
	CHECK_STR(world_read(&w, &read), "5 word two|4 word two|3 word two|");
	read.offset = 3;
	CHECK_STR(world_read(&w, &read), "2 word two|1 word two|");
	read.offset = 5;
	CHECK_STR(world_read(&w, &read), "");
	read.offset = 0;
	read.since_ms = 2000;
	read.until_ms = 3000;
	CHECK_STR(world_read(&w, &read), "3 word two|2 word two|");
	read.author = 8;
	CHECK_STR(world_read(&w, &read), "");
	read.author = 7;
	/* More conversations than are looked up in the index. */
	for (uint64_t i = 0; i < 100; i++)
		where[i] = 1000 - i;
	where[50] = 2;
	read.conversation_count = 100;
	CHECK_STR(world_read(&w, &read), "3 word two|2 word two|");
	where[50] = 900;
	CHECK_STR(world_read(&w, &read), "");
	read.conversation_count = 0;
	CHECK_STR(world_read(&w, &read), "");
	world_release(&w);
}

TEST(unit__search__catches_up)
{
	struct world w;
	char text[40];

	world_init(&w);
	for (int i = 1; i <= 300; i++) {
		struct store_entry entries[20];

		snprintf(text, sizeof text, "token%d", i);
		for (int j = 0; j < 20; j++)
			entries[j] = (struct store_entry){.conversation = 1,
			    .seq = (i - 1) * 20 + j + 1,
			    .kind = STORE_MESSAGE,
			    .author = 1,
			    .text = j == 19 ? slice_of(text) : slice_of("filler text")};
		CHECK_INT(
		    world_append(&w, &(struct store_batch){.entries = entries, .entry_count = 20}),
		    STATUS_AGAIN);
		if (i % 100 == 0) {
			CHECK_INT(world_wait(&w), STATUS_OK);
			CHECK(strstr(world_search(&w, text), text) != NULL);
		}
	}
	/* What was not indexed when the store was closed is afterwards. */
	world_close(&w);
	world_open(&w, STORE_NORMAL);
	CHECK_STR(world_search(&w, "token1"), "20 token1|");
	CHECK_STR(world_search(&w, "token300"), "6000 token300|");
	world_release(&w);
}

UNIT_MAIN(CASE(unit__search__folds_case_and_diacritics),
    CASE(unit__search__takes_words_and_phrases), CASE(unit__search__has_no_syntax),
    CASE(unit__search__takes_a_nul_for_a_space),
    CASE(unit__search__sees_edits_and_not_what_was_before),
    CASE(unit__search__passes_over_what_is_before_the_first),
    CASE(unit__search__looks_where_it_is_told), CASE(unit__search__catches_up))
