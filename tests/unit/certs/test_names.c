/* Hosts, addresses, users, and the file names made from them. */
#include "tests/unit/unit.h"

#include "names.h"

static void check_host(const char *text, enum name_kind kind, const char *want)
{
	struct name name;

	CHECK_INT(name_host(slice_of(text), &name, NULL), STATUS_OK);
	CHECK_INT(name.kind, kind);
	CHECK_STR(name.text, want);
}

static void check_no_host(const char *text, const char *advice)
{
	struct error err = {0};
	struct name name = {.text = "as before"};

	CHECK_INT(name_host(slice_of(text), &name, &err), STATUS_USAGE);
	CHECK(slice_contains(slice_of(err.text), slice_of(advice)));
	CHECK_STR(name.text, "as before");
}

static void check_stem(const char *host, const char *want)
{
	struct name name;
	char stem[NAME_STEM_SIZE];

	CHECK_INT(name_host(slice_of(host), &name, NULL), STATUS_OK);
	CHECK_INT(name_stem(&name, stem, NULL), STATUS_OK);
	CHECK_STR(stem, want);
	CHECK(name_is_stem(slice_of(stem)));
}

TEST(unit__host__dns_names)
{
	check_host("chat.example.org", NAME_DNS, "chat.example.org");
	check_host("CHAT.Example.ORG.", NAME_DNS, "chat.example.org");
	check_host("*.example.org", NAME_DNS, "*.example.org");
	check_host("localhost", NAME_DNS, "localhost");
	check_host("xn--bcher-kva.example", NAME_DNS, "xn--bcher-kva.example");
	check_host("3com.example", NAME_DNS, "3com.example");
	check_host("10.example", NAME_DNS, "10.example");
}

TEST(unit__host__addresses)
{
	struct name name;

	check_host("10.0.0.5", NAME_IP, "10.0.0.5");
	check_host("::1", NAME_IP, "::1");
	check_host("[::1]", NAME_IP, "::1");
	check_host("::", NAME_IP, "::");
	check_host("2001:DB8:0:0::1", NAME_IP, "2001:db8::1");
	check_host("1:0:0:2:0:0:0:3", NAME_IP, "1:0:0:2::3");
	check_host("1::", NAME_IP, "1::");
	check_host("1:2:3:4:5:6:7::", NAME_IP, "1:2:3:4:5:6:7:0");
	check_host("::ffff:192.0.2.1", NAME_IP, "::ffff:c000:201");
	CHECK_INT(name_host(slice_of("192.0.2.1"), &name, NULL), STATUS_OK);
	CHECK_INT(name.ip_len, 4);
	CHECK(memcmp(name.ip, "\300\0\2\1", 4) == 0);
	CHECK_INT(name_host(slice_of("ff02::1:2"), &name, NULL), STATUS_OK);
	CHECK_INT(name.ip_len, 16);
	CHECK(memcmp(name.ip, "\377\2\0\0\0\0\0\0\0\0\0\0\0\1\0\2", 16) == 0);
}

TEST(unit__host__refused_with_advice)
{
	char label[70], host[300];

	check_no_host("", "not a host name");
	check_no_host(".", "not a host name");
	check_no_host("a..b", "not a host name");
	check_no_host("-a.b", "not a host name");
	check_no_host("a-.b", "not a host name");
	check_no_host("a b", "not a host name");
	check_no_host("a_b.c", "not a host name");
	check_no_host("*", "not a host name");
	check_no_host("a.*.b", "not a host name");
	check_no_host("*.*.b", "not a host name");
	check_no_host("a,DNS=b", "not a host name");
	check_no_host("a\nb", "not a host name");
	check_no_host("../etc/passwd", "not a host name");
	check_no_host("chat.example.org:8572", "without a port");
	check_no_host("https://chat.example.org", "without a port");
	check_no_host("b\303\274cher.example", "xn--");
	check_no_host("10.0.0.256", "IPv4");
	check_no_host("10.0.0", "IPv4");
	check_no_host("010.0.0.1", "IPv4");
	check_no_host("1.2.3.4.5", "IPv4");
	check_no_host("+1.2.3.4", "IPv4");
	check_no_host("*.10", "IPv4");
	check_no_host(":::", "IPv6");
	check_no_host("1::2::3", "IPv6");
	check_no_host("1:2:3:4:5:6:7", "IPv6");
	check_no_host("1:2:3:4:5:6:7:8:9", "IPv6");
	check_no_host("1:2:3:4:5:6:7:8::", "IPv6");
	check_no_host("12345::", "IPv6");
	check_no_host("1::2:", "IPv6");
	check_no_host("fe80::1%eth0", "IPv6");
	check_no_host("::1.2.3.4.5", "IPv6");
	check_no_host("1:2:3:4:5:6:7:1.2.3.4", "IPv6");

	memset(label, 'a', sizeof label);
	label[64] = '\0';
	check_no_host(label, "not a host name");
	memset(host, 'a', sizeof host);
	for (size_t i = 9; i < sizeof host; i += 10)
		host[i] = '.';
	host[254] = '\0';
	check_no_host(host, "not a host name");
	host[253] = '\0';
	check_host(host, NAME_DNS, host);
}

TEST(unit__user__rule)
{
	struct name name;

	CHECK_INT(name_user(slice_of("alice"), &name, NULL), STATUS_OK);
	CHECK_INT(name.kind, NAME_USER);
	CHECK_INT(name_user(slice_of("0.a_b-c"), &name, NULL), STATUS_OK);
	CHECK_INT(name_user(slice_of("abcdefghijklmnopqrstuvwxyz012345"), &name, NULL), STATUS_OK);
	CHECK_INT(
	    name_user(slice_of("abcdefghijklmnopqrstuvwxyz0123456"), &name, NULL), STATUS_USAGE);
	CHECK_INT(name_user(slice_of(""), &name, NULL), STATUS_USAGE);
	CHECK_INT(name_user(slice_of("Alice"), &name, NULL), STATUS_USAGE);
	CHECK_INT(name_user(slice_of(".a"), &name, NULL), STATUS_USAGE);
	CHECK_INT(name_user(slice_of("a/b"), &name, NULL), STATUS_USAGE);
	CHECK_INT(name_user(slice_make("a\0b", 3), &name, NULL), STATUS_USAGE);
}

TEST(unit__stem__no_collisions)
{
	struct name user;
	char stem[NAME_STEM_SIZE], host[300];

	check_stem("chat.example.org", "chat.example.org");
	check_stem("*.example.org", "_.example.org");
	check_stem("2001:db8::1", "2001_db8__1");
	check_stem("::1", "__1");
	check_stem("ca", "_ca");
	check_stem("ca.example", "_ca.example");
	check_stem("crl", "_crl");
	check_stem("client-alice", "_client-alice");
	check_stem("con", "_con");
	check_stem("nul.example.org", "_nul.example.org");
	check_stem("com1", "_com1");
	check_stem("comx", "comx");
	CHECK_INT(name_user(slice_of("ca"), &user, NULL), STATUS_OK);
	CHECK_INT(name_stem(&user, stem, NULL), STATUS_OK);
	CHECK_STR(stem, "client-ca");

	memset(host, 'a', sizeof host);
	for (size_t i = 9; i < sizeof host; i += 10)
		host[i] = '.';
	host[201] = '\0';
	CHECK_INT(name_host(slice_of(host), &user, NULL), STATUS_OK);
	CHECK_INT(name_stem(&user, stem, NULL), STATUS_USAGE);
}

TEST(unit__stem__what_is_read)
{
	CHECK(name_is_stem(slice_of("client-alice")));
	CHECK(!name_is_stem(slice_of("")));
	CHECK(!name_is_stem(slice_of("..")));
	CHECK(!name_is_stem(slice_of("a/b")));
	CHECK(!name_is_stem(slice_of("a\\b")));
	CHECK(!name_is_stem(slice_of("-a")));
	CHECK(!name_is_stem(slice_of("A")));
}

UNIT_MAIN(CASE(unit__host__dns_names), CASE(unit__host__addresses),
    CASE(unit__host__refused_with_advice), CASE(unit__user__rule), CASE(unit__stem__no_collisions),
    CASE(unit__stem__what_is_read))
