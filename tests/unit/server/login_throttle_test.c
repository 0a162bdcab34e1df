/*
 * Guessing passwords is slowed down, on virtual time.
 */
#include "tests/unit/unit.h"

#include "base/rng.h"
#include "chat/login_throttle.h"

#define HERE  "192.0.2.1"
#define THERE "192.0.2.2"

static struct login_throttle *begin(void)
{
	struct login_throttle *throttle = login_throttle_new(1);

	CHECK(throttle != NULL);
	return throttle;
}

static int64_t try(struct login_throttle *throttle, const char *address, const char *account,
    uint64_t ms)
{
	return login_throttle_wait(throttle, slice_of(address), slice_of(account), ms);
}

static void succeed(struct login_throttle *throttle, const char *address, const char *account,
    uint64_t ms)
{
	login_throttle_succeeded(throttle, slice_of(address), slice_of(account), ms);
}

static void spend(struct login_throttle *throttle, const char *address, const char *account,
    uint64_t ms, int count)
{
	for (int i = 0; i < count; i++)
		CHECK_INT(try(throttle, address, account, ms), 0);
}

TEST(login_throttle__wait__locks_the_pair_only)
{
	struct login_throttle *throttle = begin();

	spend(throttle, HERE, "alice", 1000, 5);
	CHECK_INT(try(throttle, HERE, "alice", 1000), 30);
	spend(throttle, THERE, "alice", 1000, 5);
	spend(throttle, HERE, "bob", 1000, 5);
	CHECK_INT(try(throttle, HERE, "alice", 1000), 30);
	login_throttle_free(throttle);
}

TEST(login_throttle__wait__bounds_the_address)
{
	static const char *const accounts[] = {"a", "b", "c", "d"};
	struct login_throttle *throttle = begin();

	for (int i = 0; i < 4; i++)
		spend(throttle, HERE, accounts[i], 0, 5);
	CHECK_INT(try(throttle, HERE, "e", 0), 5);
	CHECK_INT(try(throttle, HERE, "a", 0), 30); /* the longer of both */
	CHECK_INT(try(throttle, THERE, "e", 0), 0);
	/* What was refused has cost nothing: neither the address nor the pair. */
	CHECK_INT(try(throttle, HERE, "e", 4999), 1);
	spend(throttle, HERE, "e", 5000, 1);
	CHECK_INT(try(throttle, HERE, "e", 5000), 5);
	login_throttle_free(throttle);
}

TEST(login_throttle__wait__refills)
{
	struct login_throttle *throttle = begin();

	spend(throttle, HERE, "alice", 0, 5);
	CHECK_INT(try(throttle, HERE, "alice", 1), 30);
	CHECK_INT(try(throttle, HERE, "alice", 29000), 1);
	CHECK_INT(try(throttle, HERE, "alice", 29999), 1);
	spend(throttle, HERE, "alice", 30000, 1);
	CHECK_INT(try(throttle, HERE, "alice", 30000), 30);
	spend(throttle, HERE, "alice", 90000, 2);
	CHECK_INT(try(throttle, HERE, "alice", 90000), 30);
	/* Never more than the burst. */
	spend(throttle, HERE, "alice", 900000000, 5);
	CHECK_INT(try(throttle, HERE, "alice", 900000000), 30);
	login_throttle_free(throttle);
}

/* Trying all the time for an hour: 5 and one in 30 s for a pair, 20 and one in 5 s in all. */
TEST(login_throttle__wait__bounds_an_hour)
{
	struct login_throttle *throttle = begin();
	unsigned of_pair = 0, of_address = 0;
	struct rng rng = {7};

	for (uint64_t ms = 0; ms < 3600000; ms += 100)
		of_pair += try(throttle, THERE, "alice", ms) == 0;
	CHECK_INT(of_pair, 5 + 119);
	for (uint64_t ms = 3600000; ms < 7200000; ms += 100) {
		char account[16];

		snprintf(account, sizeof account, "%u", (unsigned)rng_below(&rng, 1000));
		of_address += try(throttle, HERE, account, ms) == 0;
	}
	CHECK_INT(of_address, 20 + 719);
	login_throttle_free(throttle);
}

TEST(login_throttle__succeeded__gives_back)
{
	struct login_throttle *throttle = begin();

	for (int i = 0; i < 1000; i++) {
		spend(throttle, HERE, "alice", 0, 1);
		succeed(throttle, HERE, "alice", 0);
	}
	spend(throttle, HERE, "alice", 0, 5);
	CHECK(try(throttle, HERE, "alice", 0) > 0);
	succeed(throttle, HERE, "alice", 0);
	spend(throttle, HERE, "alice", 0, 1);
	CHECK(try(throttle, HERE, "alice", 0) > 0);

	/* At most what was charged: a success that comes late, or was never tried, makes no more. */
	succeed(throttle, HERE, "alice", 1000000);
	succeed(throttle, THERE, "bob", 1000000);
	spend(throttle, HERE, "alice", 1000000, 5);
	spend(throttle, THERE, "bob", 1000000, 5);
	CHECK_INT(try(throttle, HERE, "alice", 1000000), 30);
	CHECK_INT(try(throttle, THERE, "bob", 1000000), 30);
	login_throttle_free(throttle);
}

TEST(login_throttle__wait__counts_networks)
{
	struct login_throttle *throttle = begin();

	spend(throttle, "2001:db8::1", "alice", 0, 3);
	spend(throttle, "2001:db8:0:0:ffff::2", "alice", 0, 2);
	CHECK_INT(try(throttle, "2001:DB8::3%eth0", "alice", 0), 30);
	spend(throttle, "2001:db8:0:1::1", "alice", 0, 5);
	spend(throttle, "::ffff:192.0.2.1", "bob", 0, 5);
	CHECK_INT(try(throttle, HERE, "bob", 0), 30);
	spend(throttle, THERE, "bob", 0, 1);
	/* What is no address counts by its text. */
	spend(throttle, "local", "bob", 0, 5);
	CHECK_INT(try(throttle, "local", "bob", 0), 30);
	spend(throttle, "loca", "lbob", 0, 5);
	spend(throttle, "", "bob", 0, 5);
	spend(throttle, "", "", 0, 5);
	CHECK_INT(try(throttle, "", "", 0), 30);
	login_throttle_free(throttle);
}

TEST(login_throttle__wait__cuts_long_names)
{
	struct login_throttle *throttle = begin();
	char longer[200];

	memset(longer, 'x', sizeof longer);
	for (size_t i = 0; i < 5; i++)
		CHECK_INT(login_throttle_wait(throttle, slice_make(longer, 100 + i),
			      slice_make(longer, 64 + i), 0),
		    0);
	CHECK_INT(login_throttle_wait(throttle, slice_make(longer, 64), slice_make(longer, 64), 0),
	    30);
	CHECK_INT(login_throttle_wait(throttle, slice_make(longer, 64), slice_make(longer, 63), 0),
	    0);
	login_throttle_free(throttle);
}

static void address_text(char ret[32], unsigned i)
{
	snprintf(ret, 32, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
}

TEST(login_throttle__wait__forgets_the_longest_unused)
{
	struct login_throttle *throttle = begin();
	char address[32];

	spend(throttle, HERE, "alice", 0, 5);
	spend(throttle, THERE, "alice", 0, 4);
	for (unsigned i = 0; i < LOGIN_THROTTLE_MAX - 2; i++) {
		address_text(address, i);
		spend(throttle, address, "alice", 0, 1);
	}
	/* All are in use, none is full: HERE's is the oldest, and THERE's was used since. */
	CHECK_INT(try(throttle, HERE, "alice", 0), 30);
	spend(throttle, THERE, "alice", 0, 1);
	spend(throttle, "198.51.100.1", "alice", 0, 1);
	CHECK_INT(try(throttle, THERE, "alice", 0), 30);
	spend(throttle, HERE, "alice", 0, 5);
	CHECK_INT(try(throttle, HERE, "alice", 0), 30);
	login_throttle_free(throttle);
}

TEST(login_throttle__wait__forgets_the_full_first)
{
	struct login_throttle *throttle = begin();
	char address[32];

	spend(throttle, HERE, "alice", 0, 5); /* the oldest, and not full before 150 s */
	for (unsigned i = 0; i < LOGIN_THROTTLE_MAX - 1; i++) {
		address_text(address, i);
		spend(throttle, address, "alice", 1000, 1);
	}
	for (unsigned i = 0; i < LOGIN_THROTTLE_MAX - 1; i++) {
		address_text(address, 0x800000 + i);
		spend(throttle, address, "alice", 31000, 1);
	}
	spend(throttle, HERE, "alice", 31000, 1);
	CHECK_INT(try(throttle, HERE, "alice", 31000), 29);
	login_throttle_free(throttle);
}

TEST(login_throttle__wait__time_goes_backwards)
{
	struct login_throttle *throttle = begin();

	spend(throttle, HERE, "alice", 1000000, 4);
	spend(throttle, HERE, "alice", 5, 1);
	CHECK_INT(try(throttle, HERE, "alice", 0), 30);
	CHECK_INT(try(throttle, HERE, "alice", 1000000), 30);
	succeed(throttle, HERE, "alice", 3);
	spend(throttle, HERE, "alice", 2, 1);
	CHECK_INT(try(throttle, HERE, "alice", 1029000), 1);
	spend(throttle, HERE, "alice", 1030000, 1);
	login_throttle_free(throttle);
}

/* Against a model that counts tokens, with few addresses and accounts. */
TEST(login_throttle__random__agrees_with_a_model)
{
	static const char *const addresses[] = {HERE, THERE, "2001:db8::1"};
	static const char *const accounts[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
	struct login_throttle *throttle = begin();
	uint64_t now = 0, address_full[3] = {0}, pair_full[3][8] = {{0}};
	struct rng rng = {11};

	for (int step = 0; step < 50000; step++) {
		size_t a = (size_t)rng_below(&rng, 3), b = (size_t)rng_below(&rng, 8);
		uint64_t *address = &address_full[a], *pair = &pair_full[a][b];
		bool may;

		now += rng_below(&rng, 4000);
		if (*address < now)
			*address = now;
		if (*pair < now)
			*pair = now;
		may = *address - now <= 19 * 5000 && *pair - now <= 4 * 30000;
		CHECK_INT(try(throttle, addresses[a], accounts[b], now) == 0, may);
		if (!may)
			continue;
		*address += 5000;
		*pair += 30000;
		if (rng_below(&rng, 4) == 0) {
			succeed(throttle, addresses[a], accounts[b], now);
			*address -= 5000;
			*pair -= 30000;
		}
	}
	login_throttle_free(throttle);
	login_throttle_free(NULL);
}

UNIT_MAIN(CASE(login_throttle__wait__locks_the_pair_only),
    CASE(login_throttle__wait__bounds_the_address), CASE(login_throttle__wait__refills),
    CASE(login_throttle__wait__bounds_an_hour), CASE(login_throttle__succeeded__gives_back),
    CASE(login_throttle__wait__counts_networks), CASE(login_throttle__wait__cuts_long_names),
    CASE(login_throttle__wait__forgets_the_longest_unused),
    CASE(login_throttle__wait__forgets_the_full_first),
    CASE(login_throttle__wait__time_goes_backwards),
    CASE(login_throttle__random__agrees_with_a_model))
