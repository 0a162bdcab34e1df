/*
 * The server's small rooms: configuration, throttle, the index of rooms, the mailbox.
 */
#include "tests/unit/unit.h"

#include "base/rng.h"
#include "config.h"
#include "throttle.h"
#include "mailbox.h"
#include "room_index.h"

static enum status parse(struct config *config, const char *text, struct error *err)
{
	config_init(config);
	return config_parse(config, slice_of(text), "server.json", err);
}

TEST(config__parse__comments_and_values)
{
	struct config config;
	struct error err;

	CHECK(parse(&config,
		  "{ // where\n\"listen\": [\"127.0.0.1:0\", \"[::1]:0\"], /* who */\n"
		  "\"guests\": true, \"rate\": 7, \"name\": \"a // b /* c */\","
		  "\"log_format\": \"json\" }",
		  &err) == STATUS_OK);
	CHECK_INT(config.listen_count, 2);
	CHECK_STR(config.listen[1], "[::1]:0");
	CHECK_INT(config_number(&config, CONFIG_guests), 1);
	CHECK_INT(config_number(&config, CONFIG_rate), 7);
	CHECK_INT(config_number(&config, CONFIG_log_format), 1);
	CHECK_STR(config_text(&config, CONFIG_name), "a // b /* c */");
	config_release(&config);
}

TEST(config__parse__unknown_key_names_the_nearest)
{
	struct config config;
	struct error err;

	CHECK(parse(&config, "{\"gusts\": true}", &err) == STATUS_USAGE);
	CHECK_STR(err.text, "server.json: unknown key \"gusts\"; did you mean \"guests\"?");
	config_release(&config);
}

TEST(config__parse__refuses_wrong_values)
{
	static const char *const texts[] = {"{\"guests\": 1}", "{\"rate\": \"7\"}",
	    "{\"rate\": -1}", "{\"rate\": 1.5}", "{\"log_level\": \"loud\"}", "{\"cert\": 3}",
	    "{\"listen\": 8572}", "{\"listen\": [8572]}", "[]", "", "{\"guests\": true",
	    "{\"guests\": true, \"guests\": false}", "{\"max_line\": 100}", "/* {} */"};
	struct config config;
	struct error err;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		CHECK(parse(&config, texts[i], &err) == STATUS_USAGE);
		config_release(&config);
	}
}

TEST(config__load__flags_win)
{
	char program[] = "confab-server", guests[] = "--guests", rate[] = "--rate=9",
	     listen[] = "--listen", address[] = "127.0.0.1:1";
	char *argv[] = {program, guests, rate, listen, address};
	struct config config;
	struct error err;

	config_init(&config);
	CHECK(config_load(&config, 5, argv, &err) == STATUS_OK);
	CHECK(config_parse(&config, slice_of("{\"rate\": 3, \"burst\": 4}"), "f", &err) ==
	      STATUS_OK);
	CHECK_INT(config_number(&config, CONFIG_rate), 9);
	CHECK_INT(config_number(&config, CONFIG_burst), 4);
	CHECK_INT(config_number(&config, CONFIG_guests), 1);
	CHECK_STR(config.listen[0], "127.0.0.1:1");
	config_release(&config);
}

TEST(config__print__reads_back_the_same)
{
	struct config config, again;
	struct error err;
	struct buf first, second;

	CHECK(parse(&config, "{\"guests\": true, \"name\": \"Zażółć \\\"x\\\"\", \"workers\": 3,"
			     "\"listen\": \"[::1]:9\", \"auto_create\": \"no\"}",
		  &err) == STATUS_OK);
	buf_init(&first, 65536);
	buf_init(&second, 65536);
	config_print(&config, &first);
	CHECK(parse(&again, buf_text(&first), &err) == STATUS_OK);
	config_print(&again, &second);
	CHECK_STR(buf_text(&first), buf_text(&second));
	buf_release(&first);
	buf_release(&second);
	config_release(&config);
	config_release(&again);
}

TEST(bucket__take__refills_at_the_rate)
{
	struct bucket bucket;

	bucket_init(&bucket, 3, 1000);
	for (int i = 0; i < 3; i++)
		CHECK_INT(bucket_take(&bucket, 1, 2, 3, 1000), 0);
	CHECK(bucket_take(&bucket, 1, 2, 3, 1000) >= 1);
	CHECK_INT(bucket_take(&bucket, 1, 2, 3, 1500), 0);
	CHECK(bucket_take(&bucket, 1, 2, 3, 1500) >= 1);
	CHECK_INT(bucket_take(&bucket, 1, 0, 3, 1500), 0);
	CHECK_INT(bucket_take(&bucket, 2, 2, 3, 2500), 0);
	CHECK_INT(bucket_take(&bucket, 9, 2, 3, 60000), 0); /* all of the burst is enough */
	CHECK(bucket_take(&bucket, 1, 2, 3, 60000) >= 1);
}

static struct socket_address address_of(bool is_ipv6, unsigned char a, unsigned char last)
{
	struct socket_address address = {.is_ipv6 = is_ipv6};

	address.bytes[0] = a;
	address.bytes[is_ipv6 ? 15 : 3] = last;
	return address;
}

TEST(throttle__enter__counts_addresses_and_networks)
{
	struct throttle *throttle = throttle_new(2, 4);
	struct socket_address four = address_of(false, 10, 1), other = address_of(false, 10, 2);
	struct socket_address six = address_of(true, 32, 1), same = address_of(true, 32, 2);

	CHECK(throttle_enter(throttle, &four) == THROTTLE_OK);
	CHECK(throttle_enter(throttle, &four) == THROTTLE_OK);
	CHECK(throttle_enter(throttle, &four) == THROTTLE_ADDRESS);
	throttle_leave(throttle, &four);
	CHECK(throttle_enter(throttle, &four) == THROTTLE_OK);
	CHECK(throttle_enter(throttle, &six) == THROTTLE_OK);
	CHECK(throttle_enter(throttle, &same) == THROTTLE_OK); /* the second of one /64 */
	CHECK(throttle_enter(throttle, &other) == THROTTLE_ALL);
	throttle_leave(throttle, &four);
	CHECK(throttle_enter(throttle, &same) == THROTTLE_ADDRESS);
	CHECK(throttle_enter(throttle, &other) == THROTTLE_OK);
	throttle_free(throttle);
}

TEST(room_index__random__agrees_with_a_matrix)
{
	enum { GUESTS = 40, ROOMS = 30 };
	static bool in[ROOMS][GUESTS];
	struct room_guest guests[GUESTS] = {{0}};
	struct room_index index = {0};
	struct rng rng = {3};

	for (int step = 0; step < 20000; step++) {
		uint32_t room = (uint32_t)rng_below(&rng, ROOMS), count;
		unsigned g = (unsigned)rng_below(&rng, GUESTS), expected = 0;
		struct room_guest *const *list;

		if (rng_below(&rng, 100) == 0) {
			room_index_leave_all(&index, &guests[g]);
			for (int r = 0; r < ROOMS; r++)
				in[r][g] = false;
		} else if (in[room][g]) {
			room_index_detach(&index, room, &guests[g]);
			in[room][g] = false;
		} else {
			CHECK(room_index_attach(&index, room, &guests[g]));
			in[room][g] = true;
		}
		list = room_index_get(&index, room, &count);
		for (unsigned i = 0; i < GUESTS; i++)
			expected += in[room][i];
		CHECK_INT(count, expected);
		for (uint32_t i = 0; i < count; i++)
			CHECK(in[room][list[i] - guests]);
	}
	for (unsigned g = 0; g < GUESTS; g++)
		room_index_leave_all(&index, &guests[g]);
	room_index_release(&index);
}

TEST(mailbox__take__gives_all_in_order)
{
	struct mailbox mailbox;
	struct chat_item *items;
	struct mailbox_socket *sockets;

	mailbox_init(&mailbox);
	for (uint32_t i = 0; i < 5; i++) {
		struct chat_item *item = calloc(1, sizeof *item);

		CHECK(item != NULL);
		item->slot = i;
		item->line = blob_new(slice_of("12345"));
		CHECK(mailbox_put_item(&mailbox, item) == (i == 0));
	}
	CHECK_INT(atomic_load(&mailbox.bytes), 25);
	CHECK(mailbox_take(&mailbox, 1, &items, &sockets));
	CHECK(sockets == NULL);
	for (uint32_t i = 0; i < 5; i++) {
		struct chat_item *next = items->next;

		CHECK_INT(items->slot, i);
		chat_item_free(items);
		items = next;
	}
	CHECK(items == NULL);
	CHECK_INT(atomic_load(&mailbox.bytes), 0);
	mailbox_release(&mailbox);
}

TEST(mailbox__take__leaves_sockets_for_later)
{
	struct mailbox mailbox;
	struct chat_item *items;
	struct mailbox_socket sockets[5] = {0}, *first;

	mailbox_init(&mailbox);
	for (int i = 0; i < 4; i++)
		CHECK(mailbox_put_socket(&mailbox, &sockets[i]) == (i == 0));
	CHECK(!mailbox_take(&mailbox, 3, &items, &first));
	CHECK(items == NULL && first == &sockets[0] && sockets[0].next == &sockets[1] &&
	      sockets[1].next == &sockets[2] && sockets[2].next == NULL);
	CHECK(!mailbox_put_socket(&mailbox, &sockets[4]));
	CHECK(mailbox_take(&mailbox, 2, &items, &first));
	CHECK(first == &sockets[3] && sockets[3].next == &sockets[4] && sockets[4].next == NULL);
	CHECK(mailbox_take(&mailbox, 2, &items, &first));
	CHECK(first == NULL);
	CHECK(mailbox_put_socket(&mailbox, &sockets[0]));
	CHECK(mailbox_take(&mailbox, 1, &items, &first) && first == &sockets[0]);
	mailbox_release(&mailbox);
}

UNIT_MAIN(CASE(config__parse__comments_and_values),
    CASE(config__parse__unknown_key_names_the_nearest), CASE(config__parse__refuses_wrong_values),
    CASE(config__load__flags_win), CASE(config__print__reads_back_the_same),
    CASE(bucket__take__refills_at_the_rate), CASE(throttle__enter__counts_addresses_and_networks),
    CASE(room_index__random__agrees_with_a_matrix), CASE(mailbox__take__gives_all_in_order),
    CASE(mailbox__take__leaves_sockets_for_later))
