#include "net/spin.h"
#include "tests/unit/unit.h"

TEST(unit__spin__a_quiet_loop_sleeps_at_once)
{
	struct spin spin = {0};

	CHECK(!spin_wait(&spin, 1000));
	spin_end(&spin, 1000 + SPIN_NS);
	CHECK(!spin_wait(&spin, 5000000));
}

TEST(unit__spin__after_a_short_wait_the_next_one_spins)
{
	struct spin spin = {0};

	CHECK(!spin_wait(&spin, 1000));
	spin_end(&spin, 1000 + SPIN_NS - 1);
	CHECK(spin_wait(&spin, 2000000));
	CHECK(spin_wait(&spin, 2000000 + SPIN_NS - 1));
	CHECK(!spin_wait(&spin, 2000000 + SPIN_NS));
}

/* The time counts from the wait's beginning, however often it was asked since. */
TEST(unit__spin__a_wait_that_was_slept_through_is_long)
{
	struct spin spin = {0};

	CHECK(!spin_wait(&spin, 1000));
	spin_end(&spin, 2000);
	CHECK(spin_wait(&spin, 10000));
	CHECK(!spin_wait(&spin, 10000 + SPIN_NS));
	spin_end(&spin, 10001 + SPIN_NS);
	CHECK(!spin_wait(&spin, 3000000));
}

/* More to do than one turn takes: there was no wait at all. */
TEST(unit__spin__a_busy_loop_expects_more)
{
	struct spin spin = {0};

	spin_end(&spin, 1000);
	CHECK(spin_wait(&spin, 9000000));
	spin_end(&spin, 9000001);
	spin_end(&spin, 9000002 + SPIN_NS);
	CHECK(spin_wait(&spin, 9900000));
}

UNIT_MAIN(CASE(unit__spin__a_quiet_loop_sleeps_at_once),
    CASE(unit__spin__after_a_short_wait_the_next_one_spins),
    CASE(unit__spin__a_wait_that_was_slept_through_is_long),
    CASE(unit__spin__a_busy_loop_expects_more))
