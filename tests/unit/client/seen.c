/* What a session has seen: what is asked to be replayed, and what of it is new. */
#include "tests/unit/unit.h"

#include "lib/seen.h"

static bool note(struct seen *seen, const char *line, bool catching_up)
{
	struct message message;
	struct error err;
	bool is_new;

	CHECK_INT(message_parse(slice_of(line), &message, &err), STATUS_OK);
	is_new = seen_note(seen, &message, "me", catching_up);
	message_release(&message);
	return is_new;
}

static bool note_message(
    struct seen *seen, const char *where, int seq, const char *second, bool replay)
{
	char line[400];

	snprintf(line, sizeof line,
	    "{\"event\":\"message\",%s,\"seq\":%d,\"from\":\"bob\",\"text\":\"x\","
	    "\"time\":\"2026-11-22T10:00:%s.000Z\"%s}",
	    where, seq, second, replay ? ",\"replay\":true" : "");
	return note(seen, line, replay);
}

static void check_since(const struct seen *seen, size_t max, const char *wanted)
{
	struct json_writer w;
	struct buf line;

	buf_init(&line, 100000);
	json_begin(&w, &line);
	seen_put_since(seen, &w, max);
	json_end(&w);
	CHECK_STR(buf_text(&line), wanted);
	buf_release(&line);
}

static struct seen *make(void)
{
	struct seen *seen;

	CHECK_INT(seen_new(&seen), STATUS_OK);
	seen_set_epoch(seen, slice_of("e"));
	return seen;
}

TEST(unit__seen__names_the_last_of_each_conversation)
{
	struct seen *seen = make();

	check_since(seen, 4096, "{}");
	note_message(seen, "\"room\":\"dev\"", 5, "01", false);
	note_message(seen, "\"to\":\"me\"", 7, "02", false);
	note_message(seen, "\"room\":\"dev\"", 6, "03", false);
	note(seen, "{\"event\":\"presence\",\"user\":\"x\",\"status\":\"away\"}", false);
	note(seen, "{\"event\":\"read\",\"room\":\"dev\",\"seq\":99}", false);
	check_since(seen, 4096, "{\"since\":{\"dev\":6,\"@bob\":7}}");
	note(seen, "{\"event\":\"gone\",\"conversation\":\"dev\"}", false);
	check_since(seen, 4096, "{\"since\":{\"@bob\":7}}");
	seen_free(seen);
}

TEST(unit__seen__starts_at_the_join)
{
	struct seen *seen = make();

	note(seen, "{\"re\":1,\"ok\":true,\"room\":\"dev\",\"seq\":4,\"read\":1}", false);
	note(seen, "{\"re\":1,\"ok\":true,\"room\":\"ram\",\"seq\":4,\"read\":1,\"epoch\":\"x\"}",
	    false);
	note(seen, "{\"re\":1,\"ok\":true,\"room\":\"other\",\"seq\":4}", false);
	note_message(seen, "\"room\":\"ram\"", 5, "01", false);
	check_since(seen, 4096, "{\"since\":{\"dev\":4}}");
	/* A later reply runs ahead of the events that are on their way. */
	note(seen, "{\"re\":2,\"ok\":true,\"room\":\"dev\",\"seq\":9,\"read\":1}", false);
	check_since(seen, 4096, "{\"since\":{\"dev\":4}}");
	seen_free(seen);
}

TEST(unit__seen__drops_what_comes_twice)
{
	struct seen *seen = make();

	CHECK(note_message(seen, "\"room\":\"dev\"", 5, "10", false));
	seen_pause(seen);
	CHECK(!note_message(seen, "\"room\":\"dev\"", 5, "10", true));
	CHECK(note_message(seen, "\"room\":\"dev\"", 6, "11", true));
	CHECK(!note_message(seen, "\"room\":\"dev\"", 6, "11", true));
	/* A conversation not met before: what is older than the loss was there before it. */
	CHECK(!note_message(seen, "\"room\":\"other\"", 1, "09", true));
	CHECK(note_message(seen, "\"room\":\"other\"", 2, "12", true));
	/* Without `catching_up` a replay is one that the program asked for. */
	CHECK(note(seen,
	    "{\"event\":\"message\",\"room\":\"dev\",\"seq\":1,\"from\":\"bob\",\"replay\":true}",
	    false));
	check_since(seen, 4096, "{\"since\":{\"other\":2,\"dev\":6}}");
	seen_free(seen);
}

TEST(unit__seen__forgets_with_the_epoch)
{
	struct seen *seen = make();

	note_message(seen, "\"room\":\"dev\"", 5, "01", false);
	seen_set_epoch(seen, slice_of("e"));
	check_since(seen, 4096, "{\"since\":{\"dev\":5}}");
	seen_set_epoch(seen, slice_of("f"));
	check_since(seen, 4096, "{}");
	seen_free(seen);
}

TEST(unit__seen__is_bounded_and_takes_names_only)
{
	struct seen *seen = make();
	char where[100];
	struct json_writer w;
	struct buf line;

	note_message(seen, "\"room\":\"a\\\":1,\\\"b\"", 5, "01", false);
	note_message(seen, "\"to\":\"No Name\"", 5, "01", false);
	check_since(seen, 4096, "{}");
	for (int i = 0; i < SEEN_MAX + 10; i++) {
		snprintf(where, sizeof where, "\"room\":\"room-%d\"", i);
		note_message(seen, where, 5, "01", false);
	}
	buf_init(&line, 1 << 20);
	json_begin(&w, &line);
	CHECK(seen_put_since(seen, &w, 4000));
	json_end(&w);
	CHECK(line.len <= 4000 && line.len > 3900);
	/* The liveliest first. */
	CHECK(strstr(buf_text(&line), "{\"since\":{\"room-2057\":5,") == line.ptr);
	buf_clear(&line);
	json_begin(&w, &line);
	CHECK(seen_put_since(seen, &w, 1 << 20));
	CHECK(strstr(buf_text(&line), "\"room-9\"") == NULL);
	CHECK(strstr(buf_text(&line), "\"room-10\"") != NULL);
	buf_release(&line);
	seen_free(seen);
}

UNIT_MAIN(CASE(unit__seen__names_the_last_of_each_conversation),
    CASE(unit__seen__starts_at_the_join), CASE(unit__seen__drops_what_comes_twice),
    CASE(unit__seen__forgets_with_the_epoch), CASE(unit__seen__is_bounded_and_takes_names_only))
