/*
 * The text of IP addresses, and what counts as one.
 */
#include "tests/unit/unit.h"

#include "base/ip.h"

static bool parses_as(const char *text, const char *hex)
{
	struct ip ip;
	char got[33];
	size_t len;

	if (!ip_parse(slice_of(text), &ip))
		return false;
	len = ip.is_ipv6 ? 16 : 4;
	for (size_t i = 0; i < len; i++)
		snprintf(got + 2 * i, 3, "%02x", ip.bytes[i]);
	CHECK_STR(got, hex);
	return true;
}

TEST(ip__parse__addresses)
{
	CHECK(parses_as("192.0.2.1", "c0000201"));
	CHECK(parses_as("0.0.0.0", "00000000"));
	CHECK(parses_as("255.255.255.255", "ffffffff"));
	CHECK(parses_as("::", "00000000000000000000000000000000"));
	CHECK(parses_as("::1", "00000000000000000000000000000001"));
	CHECK(parses_as("1::", "00010000000000000000000000000000"));
	CHECK(parses_as("2001:db8::1", "20010db8000000000000000000000001"));
	CHECK(parses_as("2001:DB8:0:0:8:800:200C:417A", "20010db80000000000080800200c417a"));
	CHECK(parses_as("1:2:3:4:5:6:7::", "00010002000300040005000600070000"));
	CHECK(parses_as("::2:3:4:5:6:7:8", "00000002000300040005000600070008"));
	CHECK(parses_as("fe80::1%eth0", "fe800000000000000000000000000001"));
	CHECK(parses_as("::ffff:192.0.2.1", "00000000000000000000ffffc0000201"));
	CHECK(parses_as("1:2:3:4:5:6:192.0.2.1", "000100020003000400050006c0000201"));
}

TEST(ip__parse__refuses_the_rest)
{
	static const char *const texts[] = {"", "%eth0", ".", "1", "1.2.3", "1.2.3.4.5", "1.2.3.4.",
	    ".1.2.3.4", "1..3.4", "256.1.1.1", "1.2.3.0004", "1.2.3.-4", "1.2.3.+4", "1.2.3. 4",
	    "1.2.3.4:80", "localhost", ":", ":::", "1:2", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
	    "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1::2::3", ":1:2:3:4:5:6:7:8",
	    "1:2:3:4:5:6:7:", "1::2:", "12345::", "g::", "[::1]", "1.2.3.4::", "1:2.3.4.5::",
	    "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "::1.2.3.4:5"};
	struct ip ip = {.bytes = {9}};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		if (ip_parse(slice_of(texts[i]), &ip))
			fprintf(stderr, "\"%s\" was taken\n", texts[i]);
		CHECK(!ip_parse(slice_of(texts[i]), &ip));
		CHECK_INT(ip.bytes[0], 9);
	}
	CHECK(!ip_parse(slice_make(NULL, 0), &ip));
	CHECK(!ip_parse(slice_make("1.2.3.4\0", 8), &ip));
}

static bool same_network(const char *a, const char *b)
{
	struct ip ips[2];

	CHECK(ip_parse(slice_of(a), &ips[0]) && ip_parse(slice_of(b), &ips[1]));
	return slice_equal(ip_network(ips[0].bytes, ips[0].is_ipv6),
	    ip_network(ips[1].bytes, ips[1].is_ipv6));
}

TEST(ip__network__counts_a_64)
{
	CHECK(same_network("192.0.2.1", "192.0.2.1"));
	CHECK(!same_network("192.0.2.1", "192.0.2.2"));
	CHECK(same_network("2001:db8::1", "2001:db8::ffff:0:0:2"));
	CHECK(!same_network("2001:db8::1", "2001:db8:0:1::1"));
	CHECK(same_network("::ffff:192.0.2.1", "192.0.2.1"));
	CHECK(!same_network("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
	CHECK(!same_network("::1", "0.0.0.1"));
}

UNIT_MAIN(CASE(ip__parse__addresses), CASE(ip__parse__refuses_the_rest),
    CASE(ip__network__counts_a_64))
