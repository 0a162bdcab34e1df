/*
 * Bounds against abuse that belong to no room: connections per address (an IPv6 /64 counts as
 * one), and a token bucket for requests. The counts are shared by listeners and workers and have
 * a lock of their own; a bucket belongs to its connection.
 */
#ifndef CONFAB_SERVER_THROTTLE_H
#define CONFAB_SERVER_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/socket.h"

struct throttle;

/* `per_address` connections of one address, `in_all` of everybody; 0: no limit. NULL without
 * memory. */
struct throttle *throttle_new(unsigned per_address, unsigned in_all);
void throttle_free(struct throttle *throttle);

enum throttle_answer { THROTTLE_OK, THROTTLE_ADDRESS, THROTTLE_ALL };

/* Counts a connection in, if it may be; a counted one must be counted out again. Any thread. */
enum throttle_answer throttle_enter(struct throttle *throttle, const struct socket_address *address);
void throttle_leave(struct throttle *throttle, const struct socket_address *address);

/* So many requests a second on average, and so many at once. rate 0: no limit. */
struct bucket {
	double tokens;
	uint64_t at_ms;
};

void bucket_init(struct bucket *bucket, unsigned burst, uint64_t now_ms);

/* Takes `count` tokens, at most the burst; if there are fewer, none is taken and the answer is the
 * seconds to wait (at least 1), else 0. */
unsigned bucket_take(struct bucket *bucket, unsigned count, unsigned rate, unsigned burst,
    uint64_t now_ms);

#endif
