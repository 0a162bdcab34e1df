/* The parts of libconfab that need no connection, and its refusals before there is one. */
#include "tests/unit/unit.h"

#include "lib/backoff.h"
#include "lib/confab.h"
#include "lib/pending.h"
#include "lib/session.h"

TEST(unit__backoff__bounds_double_to_a_minute)
{
	static const unsigned wanted[] = {500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};

	for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++)
		CHECK_INT(backoff_bound_ms(i), wanted[i]);
	CHECK_INT(backoff_bound_ms(4000000000u), 60000);
}

TEST(unit__backoff__delay_uses_all_of_the_bound_and_no_more)
{
	struct rng rng = {.state = 42};

	for (unsigned failures = 0; failures < 12; failures++) {
		uint64_t bound = backoff_bound_ms(failures), least = bound, most = 0;

		for (int i = 0; i < 2000; i++) {
			uint64_t delay = backoff_delay_ms(failures, &rng);

			least = delay < least ? delay : least;
			most = delay > most ? delay : most;
		}
		CHECK(most <= bound);
		CHECK(least < bound / 20 + 1);
		CHECK(most > bound - bound / 20 - 1);
	}
}

static struct request_id text_id(const char *text)
{
	struct request_id id = {.kind = REQUEST_ID_TEXT};

	id.len = (unsigned char)strlen(text);
	memcpy(id.text, text, id.len);
	return id;
}

TEST(unit__pending__finds_replies_in_any_order)
{
	struct pending pending;
	struct request_id one, two, word = text_id("x"), other = text_id("y");
	int a, b, c;
	struct pending_request *request;

	pending_init(&pending);
	one = pending_number(&pending);
	CHECK_INT(pending_put(&pending, &one, NULL, &a), STATUS_OK);
	two = pending_number(&pending);
	CHECK(two.number != one.number);
	CHECK_INT(pending_put(&pending, &two, NULL, &b), STATUS_OK);
	CHECK_INT(pending_put(&pending, &word, NULL, &c), STATUS_OK);
	CHECK_INT(pending_put(&pending, &word, NULL, &c), STATUS_EXISTS);
	CHECK(pending_take(&pending, &other) == NULL);
	request = pending_take(&pending, &word);
	CHECK(request != NULL && request->arg == &c);
	free(request);
	request = pending_take(&pending, &two);
	CHECK(request != NULL && request->arg == &b);
	free(request);
	CHECK(pending_take(&pending, &two) == NULL);
	CHECK_INT(pending.count, 1);
	pending_release(&pending);
	CHECK_INT(pending.count, 0);
}

TEST(unit__pending__numbers_avoid_those_of_the_caller)
{
	struct pending pending;
	struct request_id taken = {.kind = REQUEST_ID_INT, .number = 1};

	pending_init(&pending);
	CHECK_INT(pending_put(&pending, &taken, NULL, NULL), STATUS_OK);
	CHECK_INT(pending_number(&pending).number, 2);
	pending_release(&pending);
}

TEST(unit__pending__is_bounded)
{
	struct pending pending;

	pending_init(&pending);
	for (int i = 0; i < CONFAB_PENDING_MAX; i++) {
		struct request_id id = pending_number(&pending);

		CHECK_INT(pending_put(&pending, &id, NULL, NULL), STATUS_OK);
	}
	struct request_id more = pending_number(&pending);
	CHECK_INT(pending_put(&pending, &more, NULL, NULL), STATUS_FULL);
	pending_release(&pending);
}

TEST(unit__session_refusal__sorts_error_codes)
{
	CHECK_INT(session_refusal(slice_of("auth_failed")), STATUS_AUTH);
	CHECK_INT(session_refusal(slice_of("not_logged_in")), STATUS_AUTH);
	CHECK_INT(session_refusal(slice_of("name_taken")), STATUS_AUTH);
	CHECK_INT(session_refusal(slice_of("no_such_room")), STATUS_NOT_FOUND);
	CHECK_INT(session_refusal(slice_of("no_such_user")), STATUS_NOT_FOUND);
	CHECK_INT(session_refusal(slice_of("not_member")), STATUS_REFUSED);
	CHECK_INT(session_refusal(slice_of("something_new")), STATUS_REFUSED);
}

TEST(unit__confab_new__refuses_what_cannot_work)
{
	char error[200];
	struct confab *c = NULL;
	struct confab_options options = {.size = 1};

	CHECK_INT(confab_startup(error, sizeof error), CONFAB_OK);
	CHECK_INT(confab_new(&options, &c, error, sizeof error), CONFAB_USAGE);
	options.size = sizeof options;
	options.user = "No User";
	CHECK_INT(confab_new(&options, &c, error, sizeof error), CONFAB_USAGE);
	CHECK(strstr(error, "No User") != NULL);
	options.user = "alice";
	options.server = "host:99999";
	CHECK(confab_new(&options, &c, NULL, 0) == CONFAB_USAGE);
	options.server = "localhost";
	options.ca_file = "no/such/file.pem";
	CHECK_INT(confab_new(&options, &c, error, sizeof error), CONFAB_FILE);
	CHECK(strstr(error, "no/such/file.pem") != NULL);
	options.ca_file = NULL;
	options.cert_file = "alice.pem";
	CHECK_INT(confab_new(&options, &c, error, sizeof error), CONFAB_USAGE);
	CHECK(strstr(error, "key") != NULL);
	CHECK(c == NULL);
	confab_cleanup();
}

UNIT_MAIN(CASE(unit__backoff__bounds_double_to_a_minute),
    CASE(unit__backoff__delay_uses_all_of_the_bound_and_no_more),
    CASE(unit__pending__finds_replies_in_any_order),
    CASE(unit__pending__numbers_avoid_those_of_the_caller), CASE(unit__pending__is_bounded),
    CASE(unit__session_refusal__sorts_error_codes),
    CASE(unit__confab_new__refuses_what_cannot_work))
