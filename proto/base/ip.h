/*
 * IP addresses as numbers: reading their text, and what counts as one address where somebody's
 * share is bounded. Pure; any thread.
 */
#ifndef CONFAB_BASE_IP_H
#define CONFAB_BASE_IP_H

#include <stdbool.h>

#include "base/str.h"

struct ip {
	unsigned char bytes[16]; /* network order; IPv4 in the first four */
	bool is_ipv6;
};

/* Reads "192.0.2.1" or "2001:db8::1", without port or brackets; a zone ("%eth0") is passed over.
 * False leaves *ret alone. */
bool ip_parse(struct slice text, struct ip *ret);

/* The bytes that count as one address, a part of `bytes`: of IPv6 the first 64 bits, because
 * whoever has a /64 has all of its 2^64 addresses; an IPv4 address, also one that is written as
 * IPv6 (::ffff:192.0.2.1), as a whole. So 8 or 4 bytes. */
struct slice ip_network(const unsigned char *bytes, bool is_ipv6);

#endif
