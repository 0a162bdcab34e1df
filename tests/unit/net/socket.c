/* Sockets, on the loopback addresses of this machine only. */
#include "tests/unit/unit.h"

#include "net/socket.h"
#include "net/socket_platform.h"
#include "net/truststore.h"
#include "os/clock.h"
#include "os/thread.h"

static void check_split(const char *text, const char *host, int port)
{
	char got[64];
	uint16_t got_port = 8572;
	struct error err = {.text = ""};

	CHECK_INT(socket_split(text, got, sizeof got, &got_port, &err), STATUS_OK);
	CHECK_STR(got, host);
	CHECK_INT(got_port, port);
}

TEST(unit__split__takes_hosts_and_ports)
{
	check_split("chat.example.org", "chat.example.org", 8572);
	check_split("chat.example.org:1", "chat.example.org", 1);
	check_split("192.0.2.1:65535", "192.0.2.1", 65535);
	check_split("0.0.0.0:0", "0.0.0.0", 0);
	check_split("::1", "::1", 8572);
	check_split("2001:db8::1%eth0", "2001:db8::1%eth0", 8572);
	check_split("[::1]", "::1", 8572);
	check_split("[::]:443", "::", 443);
	check_split("zażółć.example:7", "zażółć.example", 7);
}

TEST(unit__split__refuses_the_rest)
{
	static const char *const bad[] = {"", ":", ":80", "host:", "host:x", "host:65536",
	    "host:-1", "host:1 ", "[", "[]", "[::1", "[::1]80", "[::1]:", "[::1]:x", "a b:1",
	    "host\n:1", "]:1", "a]:1", "[a[]:1", "host:+1"};
	char host[16] = "kept";
	uint16_t port = 7;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct error err = {.text = ""};

		CHECK_INT(socket_split(bad[i], host, sizeof host, &port, &err), STATUS_USAGE);
		CHECK(strlen(err.text) > 20);
	}
	CHECK_INT(
	    socket_split("a.name.too.long.for.it", host, sizeof host, &port, NULL), STATUS_USAGE);
	CHECK_STR(host, "kept");
	CHECK_INT(port, 7);
}

/* Tries until it is no longer "not now". */
static enum status receive_some(socket_handle from, void *to, size_t max, size_t *got)
{
	enum status status;

	while ((status = socket_receive(from, to, max, got)) == STATUS_AGAIN)
		clock_sleep_ms(1);
	return status;
}

static void talk(socket_handle a, socket_handle b)
{
	char text[16];
	size_t len = 0;

	CHECK_INT(socket_receive(b, text, sizeof text, &len), STATUS_AGAIN);
	CHECK_INT(socket_send(a, "hello", 5, &len), STATUS_OK);
	CHECK_INT(len, 5);
	CHECK_INT(receive_some(b, text, sizeof text, &len), STATUS_OK);
	CHECK(slice_is(slice_make(text, len), "hello"));
	/* After our end the peer reads the end, and can still send. */
	socket_shutdown_send(a);
	CHECK_INT(receive_some(b, text, sizeof text, &len), STATUS_EOF);
	CHECK_INT(socket_send(b, "bye", 3, &len), STATUS_OK);
	CHECK_INT(receive_some(a, text, sizeof text, &len), STATUS_OK);
	CHECK(slice_is(slice_make(text, len), "bye"));
	socket_close(b);
	CHECK_INT(receive_some(a, text, sizeof text, &len), STATUS_EOF);
}

static void listen_and_talk(const char *host)
{
	socket_handle listener, client, server;
	struct socket_address address, peer, from;
	struct error err = {.text = ""};
	enum status status = socket_listen(host, 0, &listener, &address, &err);

	if (status == STATUS_ADDR_NOT_AVAILABLE)
		return; /* this machine has no IPv6, and it was said so */
	CHECK_STR(err.text, "");
	CHECK(address.port != 0);
	CHECK_STR(address.host, host);
	CHECK_INT(socket_connect(host, address.port, 5000, NULL, &client, &peer, &err), STATUS_OK);
	CHECK_STR(peer.text, address.text);
	CHECK_INT(socket_accept(listener, &server, &from), STATUS_OK);
	CHECK_STR(from.host, host);
	CHECK_INT(from.is_ipv6, address.is_ipv6);
	talk(client, server);
	socket_close(client);
	socket_close(listener);
}

TEST(unit__socket__talks_over_ipv4)
{
	CHECK_INT(socket_startup(NULL), STATUS_OK);
	listen_and_talk("127.0.0.1");
	socket_cleanup();
}

TEST(unit__socket__talks_over_ipv6)
{
	CHECK_INT(socket_startup(NULL), STATUS_OK);
	listen_and_talk("::1");
	socket_cleanup();
}

TEST(unit__socket__writes_addresses)
{
	socket_handle listener;
	struct socket_address address;
	char want[64];

	CHECK_INT(socket_startup(NULL), STATUS_OK);
	CHECK_INT(socket_listen("127.0.0.1", 0, &listener, &address, NULL), STATUS_OK);
	snprintf(want, sizeof want, "127.0.0.1:%u", address.port);
	CHECK_STR(address.text, want);
	CHECK(memcmp(address.bytes, "\x7F\0\0\1", 4) == 0 && !address.is_ipv6);
	socket_close(listener);
	if (socket_listen("::1", 0, &listener, &address, NULL) == STATUS_OK) {
		snprintf(want, sizeof want, "[::1]:%u", address.port);
		CHECK_STR(address.text, want);
		CHECK(address.bytes[15] == 1 && address.is_ipv6);
		socket_close(listener);
	}
	socket_cleanup();
}

TEST(unit__socket__names_a_port_in_use)
{
	socket_handle listener, second = SOCKET_NONE;
	struct socket_address address;
	struct error err;

	CHECK_INT(socket_startup(NULL), STATUS_OK);
	CHECK_INT(socket_listen("127.0.0.1", 0, &listener, &address, NULL), STATUS_OK);
	CHECK_INT(
	    socket_listen("127.0.0.1", address.port, &second, &address, &err), STATUS_ADDR_IN_USE);
	CHECK(strstr(err.text, address.text) != NULL);
	CHECK(second == SOCKET_NONE);
	socket_close(second);
	socket_close(listener);
	/* And is free again afterwards. */
	CHECK_INT(socket_listen("127.0.0.1", address.port, &listener, &address, NULL), STATUS_OK);
	socket_close(listener);
	socket_cleanup();
}

TEST(unit__socket__refuses_addresses_that_are_not_here)
{
	socket_handle listener;
	struct socket_address address;
	struct error err;

	CHECK_INT(socket_startup(NULL), STATUS_OK);
	CHECK_INT(
	    socket_listen("203.0.113.77", 0, &listener, &address, &err), STATUS_ADDR_NOT_AVAILABLE);
	CHECK(strstr(err.text, "203.0.113.77") != NULL);
	socket_cleanup();
}

TEST(unit__socket__both_kinds_share_a_port)
{
	socket_handle v4, v6;
	struct socket_address address, other;

	CHECK_INT(socket_startup(NULL), STATUS_OK);
	if (socket_listen("::1", 0, &v6, &address, NULL) == STATUS_OK) {
		CHECK_INT(socket_listen("127.0.0.1", address.port, &v4, &other, NULL), STATUS_OK);
		socket_close(v4);
		socket_close(v6);
	}
	socket_cleanup();
}

TEST(unit__connect__reports_a_refusal)
{
	socket_handle listener, client = SOCKET_NONE;
	struct socket_address address, peer;
	struct error err;

	CHECK_INT(socket_startup(NULL), STATUS_OK);
	CHECK_INT(socket_listen("127.0.0.1", 0, &listener, &address, NULL), STATUS_OK);
	socket_close(listener);
	CHECK_INT(socket_connect("127.0.0.1", address.port, 5000, NULL, &client, &peer, &err),
	    STATUS_CONN_REFUSED);
	CHECK(strstr(err.text, address.text) != NULL);
	CHECK(client == SOCKET_NONE);
	socket_cleanup();
}

TEST(unit__connect__tries_all_addresses_of_a_name)
{
	socket_handle listener, client;
	struct socket_address address, peer;
	struct error err = {.text = ""};

	CHECK_INT(socket_startup(NULL), STATUS_OK);
	CHECK_INT(socket_listen("127.0.0.1", 0, &listener, &address, NULL), STATUS_OK);
	/* "localhost" may be ::1 first, where nobody listens. */
	CHECK_INT(socket_connect("localhost", address.port, 10000, NULL, &client, &peer, &err),
	    STATUS_OK);
	CHECK_STR(peer.host, "127.0.0.1");
	socket_close(client);
	socket_close(listener);
	socket_cleanup();
}

TEST(unit__connect__names_a_host_that_is_unknown)
{
	socket_handle client;
	struct socket_address peer;
	struct error err;

	CHECK_INT(socket_startup(NULL), STATUS_OK);
	CHECK_INT(socket_connect("no-such-host.invalid", 1, 20000, NULL, &client, &peer, &err),
	    STATUS_RESOLVE);
	CHECK(strstr(err.text, "no-such-host.invalid") != NULL);
	CHECK_INT(socket_connect("\xFF\xFE", 1, 20000, NULL, &client, &peer, &err), STATUS_RESOLVE);
	socket_cleanup();
}

/* A name service that answers when the test lets it. */
struct slow {
	struct mutex *mutex;
	struct cond *changed;
	bool may_end, is_released;
};

static void slow_run(void *arg)
{
	struct slow *slow = arg;

	mutex_lock(slow->mutex);
	while (!slow->may_end)
		cond_wait(slow->changed, slow->mutex);
	mutex_unlock(slow->mutex);
}

static void slow_release(void *arg)
{
	struct slow *slow = arg;

	mutex_lock(slow->mutex);
	slow->is_released = true;
	cond_wake_all(slow->changed);
	mutex_unlock(slow->mutex);
}

static void check_slow(uint64_t timeout_ms, const atomic_bool *cancel, enum status want)
{
	/* The other thread may still be on its way out of the lock when this returns. */
	static struct slow slow;

	slow = (struct slow){mutex_new(), cond_new(), false, false};
	CHECK_INT(socket_platform_run(
	              slow_run, slow_release, &slow, clock_mono_ms() + timeout_ms, cancel),
	    want);
	mutex_lock(slow.mutex);
	CHECK(!slow.is_released);
	slow.may_end = true;
	cond_wake_all(slow.changed);
	while (!slow.is_released)
		cond_wait(slow.changed, slow.mutex);
	mutex_unlock(slow.mutex);
}

TEST(unit__resolve__ends_at_its_time_while_the_name_service_is_silent)
{
	check_slow(10, NULL, STATUS_TIMEOUT);
}

TEST(unit__resolve__ends_when_cancelled)
{
	static const atomic_bool cancel = true;

	check_slow(1000000, &cancel, STATUS_INTERRUPTED);
}

TEST(unit__resolve__hands_a_quick_answer_over)
{
	struct slow slow = {mutex_new(), cond_new(), true, false};

	CHECK_INT(
	    socket_platform_run(slow_run, slow_release, &slow, clock_mono_ms() + 1000000, NULL),
	    STATUS_OK);
	CHECK(!slow.is_released);
	cond_free(slow.changed);
	mutex_free(slow.mutex);
}

TEST(unit__connect__shares_its_time_among_addresses)
{
	CHECK_INT(socket_platform_share(1000, 11000, 1), 11000);
	CHECK_INT(socket_platform_share(1000, 11000, 4), 3500);
	CHECK_INT(socket_platform_share(1000, 11000, 100), 2000);
	CHECK_INT(socket_platform_share(1000, 1500, 4), 1500);
	CHECK_INT(socket_platform_share(2000, 1500, 4), 2000);
}

TEST(unit__connect__ends_when_cancelled)
{
	static const atomic_bool cancel = true;
	socket_handle client = SOCKET_NONE;
	struct socket_address peer;
	struct error err;

	CHECK_INT(socket_startup(NULL), STATUS_OK);
	CHECK_INT(socket_connect("localhost", 9, 1000000, &cancel, &client, &peer, &err),
	    STATUS_INTERRUPTED);
	CHECK(client == SOCKET_NONE);
	socket_cleanup();
}

struct accepting {
	socket_handle listener;
	enum status status;
};

static void accept_one(void *arg)
{
	struct accepting *accepting = arg;
	socket_handle got;
	struct socket_address peer;

	accepting->status = socket_accept(accepting->listener, &got, &peer);
}

TEST(unit__accept__ends_when_told)
{
	CHECK_INT(socket_startup(NULL), STATUS_OK);
	/* Before, while and after it blocks: which of them it is, the threads decide. */
	for (int round = 0; round < 20; round++) {
		struct accepting accepting = {SOCKET_NONE, STATUS_OK};
		struct socket_address address;
		struct thread *thread;

		CHECK_INT(
		    socket_listen("127.0.0.1", 0, &accepting.listener, &address, NULL), STATUS_OK);
		CHECK_INT(thread_start("accept", accept_one, &accepting, &thread), STATUS_OK);
		if (round % 2 == 0)
			clock_sleep_ms(2);
		socket_listen_stop(accepting.listener);
		thread_join(thread);
		CHECK_INT(accepting.status, STATUS_CLOSED);
		accept_one(&accepting);
		CHECK_INT(accepting.status, STATUS_CLOSED);
		socket_close(accepting.listener);
	}
	socket_cleanup();
}

TEST(unit__accept__takes_a_burst)
{
	enum { COUNT = 40 };
	socket_handle listener, clients[COUNT], servers[COUNT];
	struct socket_address address, peer;

	CHECK_INT(socket_startup(NULL), STATUS_OK);
	CHECK_INT(socket_listen("127.0.0.1", 0, &listener, &address, NULL), STATUS_OK);
	for (int i = 0; i < COUNT; i++)
		CHECK_INT(
		    socket_connect("127.0.0.1", address.port, 5000, NULL, &clients[i], &peer, NULL),
		    STATUS_OK);
	for (int i = 0; i < COUNT; i++)
		CHECK_INT(socket_accept(listener, &servers[i], &peer), STATUS_OK);
	for (int i = 0; i < COUNT; i++) {
		socket_close(clients[i]);
		socket_close(servers[i]);
	}
	socket_close(listener);
	socket_cleanup();
}

TEST(unit__send__answers_again_when_the_peer_does_not_read)
{
	static char bytes[65536];
	socket_handle listener, client, server;
	struct socket_address address, peer;
	enum status status = STATUS_OK;
	size_t len;

	CHECK_INT(socket_startup(NULL), STATUS_OK);
	CHECK_INT(socket_listen("127.0.0.1", 0, &listener, &address, NULL), STATUS_OK);
	CHECK_INT(
	    socket_connect("127.0.0.1", address.port, 5000, NULL, &client, &peer, NULL), STATUS_OK);
	CHECK_INT(socket_accept(listener, &server, &peer), STATUS_OK);
	for (int i = 0; i < 10000 && status == STATUS_OK; i++)
		status = socket_send(client, bytes, sizeof bytes, &len);
	CHECK_INT(status, STATUS_AGAIN);
	/* Closing with bytes unread is a reset for the one that sent them. */
	socket_close(server);
	do
		status = socket_send(client, bytes, sizeof bytes, &len);
	while (status == STATUS_OK || status == STATUS_AGAIN);
	CHECK_INT(status, STATUS_RESET);
	socket_close(client);
	socket_close(listener);
	socket_close(SOCKET_NONE);
	socket_cleanup();
}

static void count_certificates(void *arg, struct slice der_or_pem)
{
	if (der_or_pem.len > 0)
		++*(int *)arg;
}

TEST(unit__truststore__has_some_or_says_where_it_looked)
{
	struct error err = {.text = ""};
	int count = 0;
	enum status status = truststore_each(count_certificates, &count, &err);

	CHECK(status == STATUS_OK || status == STATUS_NOT_FOUND);
	CHECK((status == STATUS_OK) == (count > 0));
	CHECK((status == STATUS_OK) || strlen(err.text) > 20);
}

UNIT_MAIN(CASE(unit__split__takes_hosts_and_ports), CASE(unit__split__refuses_the_rest),
    CASE(unit__socket__talks_over_ipv4), CASE(unit__socket__talks_over_ipv6),
    CASE(unit__socket__writes_addresses), CASE(unit__socket__names_a_port_in_use),
    CASE(unit__socket__refuses_addresses_that_are_not_here),
    CASE(unit__socket__both_kinds_share_a_port), CASE(unit__connect__reports_a_refusal),
    CASE(unit__connect__tries_all_addresses_of_a_name),
    CASE(unit__connect__names_a_host_that_is_unknown),
    CASE(unit__resolve__ends_at_its_time_while_the_name_service_is_silent),
    CASE(unit__resolve__ends_when_cancelled), CASE(unit__resolve__hands_a_quick_answer_over),
    CASE(unit__connect__shares_its_time_among_addresses), CASE(unit__connect__ends_when_cancelled),
    CASE(unit__accept__ends_when_told), CASE(unit__accept__takes_a_burst),
    CASE(unit__send__answers_again_when_the_peer_does_not_read),
    CASE(unit__truststore__has_some_or_says_where_it_looked))
