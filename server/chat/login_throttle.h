/*
 * May somebody at this address try a password of this account now? Guessing is slowed down by two
 * buckets: one of the address, and one of the address and the account together. There is none of
 * the account alone, because whoever wanted to lock somebody out would only have to guess wrong in
 * their name. An IPv6 address counts by its /64 (base/ip.h).
 *
 *     a pair of address and account    5 at once, then one in 30 s
 *     an address                      20 at once, then one in 5 s
 *
 * Remembers only buckets that are not full, at most LOGIN_THROTTLE_MAX of each kind; beyond that
 * the one that was used longest ago is forgotten. What an attacker gains by filling the tables: the
 * one of pairs takes hundreds of addresses that try all the time; then pairs are forgotten early,
 * and each address may spend on one account what it may spend in all, one try in 5 s. The one of
 * addresses takes as many addresses as it holds; whoever has more is slowed down no longer here,
 * and by the pool's queue for hashing alone. Nobody else is locked out by either.
 *
 * Pure: time is passed in, and one that goes backwards counts as standing still. One thread at a
 * time.
 */
#ifndef CONFAB_SERVER_CHAT_LOGIN_THROTTLE_H
#define CONFAB_SERVER_CHAT_LOGIN_THROTTLE_H

#include <stdint.h>

#include "base/str.h"

#define LOGIN_THROTTLE_MAX 16384 /* addresses, and pairs: a few MiB if all are in use */

struct login_throttle;

/* `seed` is random and secret (see base/tree.h). NULL without memory. */
struct login_throttle *login_throttle_new(uint64_t seed);
void login_throttle_free(struct login_throttle *throttle);

/* 0: it may be tried, and the try is charged at once, so that many at the same time gain nothing.
 * Else the seconds to wait, at least 1, and nothing is charged. `address` is text without
 * port; `account` is in the form in which names are compared, and only its first 64 bytes
 * count. Without memory the answer is 1. */
int64_t login_throttle_wait(struct login_throttle *throttle, struct slice address,
    struct slice account, uint64_t mono_ms);

/* Gives back what login_throttle_wait charged: the password was right, or it was never looked at
 * (the server was too busy, the connection ended). After a wrong one nothing is to be called. */
void login_throttle_succeeded(struct login_throttle *throttle, struct slice address,
    struct slice account, uint64_t mono_ms);

#endif
