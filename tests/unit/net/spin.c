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
TEST(unit__spin__in_vain_it_is_not_tried_again)
{
	struct spin spin = {0};

	CHECK(!spin_wait(&spin, 1000));
	spin_end(&spin, 2000);
	CHECK(spin_wait(&spin, 10000));
	CHECK(!spin_wait(&spin, 10000 + SPIN_NS));
	spin_end(&spin, 10000 + SPIN_NS);
	CHECK(!spin_wait(&spin, 3000000));
}

TEST(unit__spin__what_was_not_waited_for_says_nothing)
{
	struct spin spin = {0};

	spin_end(&spin, 1000);
	CHECK(!spin_wait(&spin, 1001));
}

UNIT_MAIN(CASE(unit__spin__a_quiet_loop_sleeps_at_once),
    CASE(unit__spin__after_a_short_wait_the_next_one_spins),
    CASE(unit__spin__in_vain_it_is_not_tried_again),
    CASE(unit__spin__what_was_not_waited_for_says_nothing))
