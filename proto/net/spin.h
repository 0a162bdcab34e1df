/*
 * Whether a loop with nothing to do should look again or sleep: pure arithmetic on the times it is
 * given, so that it can be tested without any.
 *
 * Going to sleep and being woken take longer than a peer on a fast network needs for its answer,
 * the more so on a virtual machine. So a loop that last waited for a line, and carried it out, in
 * a short time expects the next one as soon, and spins; but no longer than SPIN_NS, about what a
 * sleep costs, so that a wrong guess costs no more than a sleep (competitive spinning). After a
 * long wait the next one sleeps at once, so that a quiet loop costs nothing; and so does a loop
 * that has much to do with what it is told, for that gathers more while it sleeps. What else there
 * is, such as handshakes, whose peers have to compute, neither begins nor ends a wait.
 */
#ifndef CONFAB_NET_SPIN_H
#define CONFAB_NET_SPIN_H

#include <stdbool.h>
#include <stdint.h>

#define SPIN_NS 50000

/* All zero: not waiting, and nothing expected. One thread's. */
struct spin {
	uint64_t since_ns; /* of a steady clock: when the wait for a line began */
	bool is_waiting;
	bool is_expected; /* an early end of it */
};

/* There is nothing to do at `now_ns`. True: look again at once, then ask here again; false: sleep.
 */
static inline bool spin_wait(struct spin *spin, uint64_t now_ns)
{
	if (!spin->is_waiting) {
		spin->is_waiting = true;
		spin->since_ns = now_ns;
	}
	return spin->is_expected && now_ns - spin->since_ns < SPIN_NS;
}

/* A line has come and was carried out. */
static inline void spin_end(struct spin *spin, uint64_t now_ns)
{
	spin->is_expected = spin->is_waiting && now_ns - spin->since_ns < SPIN_NS;
	spin->is_waiting = false;
}

#endif
