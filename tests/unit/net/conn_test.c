/*
 * Connections over a loopback TCP socket, both ends in one loop and one thread, so that a case
 * runs as fast as it can and always in the same way.
 */
#include "net/conn.h"


#include "base/buf.h"
#include "net/loop.h"
#include "test_certs.h"
#include "tests/unit/unit.h"

struct end {
	struct conn *conn;
	unsigned opened, lines, too_long, peer_done, timers, ended;
	bool was_open;
	bool echo;		/* sends each line back */
	bool finish_when_done;	/* calls conn_finish in on_peer_done */
	bool abort_on_line;
	bool finish_on_line;
	unsigned pause_after;	/* pauses after so many lines; 0: never */
	bool in_order;		/* each line is the number of those before it */
	size_t bytes;
	unsigned drained, drained_after;
	struct error why;
	char last[64];
};

static struct loop *loop;
static struct end client, server;
static unsigned drained; /* by both */

static void send_text(struct end *end, const char *text)
{
	struct blob *line = blob_new(slice_of(text));

	CHECK(line != NULL);
	conn_send(end->conn, line);
	blob_unref(line);
}

static void send_number(struct end *end, unsigned number)
{
	char text[32];

	snprintf(text, sizeof text, "%u\n", number);
	send_text(end, text);
}

static void on_open(void *arg, struct conn *conn)
{
	struct end *end = arg;

	CHECK(conn == end->conn);
	CHECK_STR(conn_info(conn)->version, "TLSv1.3");
	end->opened++;
}

static void on_line(void *arg, struct conn *conn, struct slice line)
{
	struct end *end = arg;
	char number[32];

	CHECK(end->ended == 0);
	CHECK(line.len > 0);
	snprintf(number, sizeof number, "%u", end->lines);
	if (end->in_order)
		CHECK(slice_is(line, number));
	end->lines++;
	end->bytes += line.len + 1;
	str_copy(end->last, sizeof end->last, line);
	if (end->echo) {
		struct buf copy;
		struct blob *blob;

		buf_init(&copy, line.len + 1);
		CHECK(buf_put_slice(&copy, line) && buf_put_char(&copy, '\n'));
		blob = blob_new(buf_slice(&copy));
		CHECK(blob != NULL);
		conn_send(conn, blob);
		blob_unref(blob);
		buf_release(&copy);
	}
	if (end->pause_after == end->lines)
		conn_pause(conn);
	if (end->finish_on_line)
		conn_finish(conn);
	if (end->abort_on_line)
		conn_abort(conn, NULL);
}

static void on_line_too_long(void *arg, struct conn *conn)
{
	struct end *end = arg;

	end->too_long++;
	send_text(end, "line_too_long\n");
	conn_finish(conn);
}

static void on_peer_done(void *arg, struct conn *conn)
{
	struct end *end = arg;

	end->peer_done++;
	if (end->finish_when_done)
		conn_finish(conn);
}

static void on_timer(void *arg, struct conn *conn)
{
	struct end *end = arg;

	(void)conn;
	end->timers++;
}

static void on_end(void *arg, struct conn *conn, const struct error *why, bool opened)
{
	struct end *end = arg;

	CHECK(conn == end->conn);
	end->ended++;
	end->was_open = opened;
	end->why = *why;
	end->conn = NULL;
}

static void on_drained(void *arg, struct conn *conn)
{
	struct end *end = arg;

	CHECK(conn_backlog(conn) <= 65536);
	end->drained++;
	end->drained_after = drained++;
}

static const struct conn_handlers handlers = {
    on_open, on_line, on_line_too_long, on_peer_done, on_timer, on_end, on_drained};

static void on_wake(void *arg)
{
	++*(unsigned *)arg;
}

static unsigned wakes;

/* A connected pair of sockets. */
static void socket_pair(socket_handle *ret_client, socket_handle *ret_server)
{
	struct socket_address address, peer;
	socket_handle listener;

	CHECK_INT(socket_startup(NULL), STATUS_OK);
	CHECK_INT(socket_listen("127.0.0.1", 0, &listener, &address, NULL), STATUS_OK);
	CHECK_INT(socket_connect("127.0.0.1", address.port, 5000, NULL, ret_client, &peer, NULL),
	    STATUS_OK);
	CHECK_INT(socket_accept(listener, ret_server, &peer), STATUS_OK);
	socket_close(listener);
}

static void make_loop(void)
{
	struct loop_handlers loop_handlers = {.on_wake = on_wake, .arg = &wakes};

	CHECK_INT(loop_new(&loop_handlers, &loop, NULL), STATUS_OK);
}

static void make_end(struct end *end, socket_handle socket, struct tls_context *context,
    const char *host)
{
	struct conn_options options = {
	    .handlers = &handlers, .arg = end, .context = context, .host = host, .line_max = 65536};

	CHECK_INT(conn_new(loop, socket, &options, &end->conn), STATUS_OK);
	tls_context_unref(context);
}

static struct tls_context *server_context(enum tls_peer_cert peer_cert)
{
	const struct test_certs *certs = test_certs_usual();

	return test_context(TLS_SERVER, &certs->server, certs->ca.pem, peer_cert);
}

static struct tls_context *client_context(const struct test_cert *own)
{
	return test_context(TLS_CLIENT, own, test_certs_usual()->ca.pem, TLS_PEER_CERT_NONE);
}

/* Runs the loop until the condition holds; a minute at most, which only a broken case needs. */
#define RUN_UNTIL(condition)                                                                       \
	do {                                                                                       \
		uint64_t start_ = loop_now_ms(loop);                                               \
		while (!(condition)) {                                                             \
			CHECK(loop_now_ms(loop) < start_ + 50000);                                 \
			loop_run_once(loop, 1000);                                                 \
		}                                                                                  \
	} while (0)

static void start_with(struct tls_context *client_tls, struct tls_context *server_tls)
{
	socket_handle a, b;

	socket_pair(&a, &b);
	make_loop();
	make_end(&client, a, client_tls, "localhost");
	make_end(&server, b, server_tls, NULL);
}

static void start(void)
{
	start_with(client_context(NULL), server_context(TLS_PEER_CERT_NONE));
	RUN_UNTIL(client.opened && server.opened);
}

/* All must have ended and nothing be left. */
static void stop(void)
{
	RUN_UNTIL(loop_conn_count(loop) == 0);
	CHECK_INT(client.ended, 1);
	CHECK_INT(server.ended, 1);
	loop_free(loop);
	socket_cleanup();
}

static void finish_both(void)
{
	server.finish_when_done = true;
	conn_finish(client.conn);
	conn_finish(client.conn);
	CHECK_INT(client.ended, 0);
	RUN_UNTIL(client.ended && server.ended);
	CHECK_INT(client.why.status, STATUS_OK);
	CHECK_INT(server.why.status, STATUS_OK);
	CHECK_INT(server.peer_done, 1);
	CHECK(client.was_open && server.was_open);
	stop();
}

TEST(conn__send__echo)
{
	uint64_t in, out;

	start();
	server.echo = true;
	send_text(&client, "hello\r\n");
	send_text(&client, "\n\r\nworld\n");
	RUN_UNTIL(client.lines == 2);
	CHECK_STR(client.last, "world");
	conn_traffic(server.conn, &in, &out);
	CHECK(in > 100 && out > 100);
	CHECK_INT(conn_backlog(server.conn), 0);
	finish_both();
}

TEST(conn__send__before_it_is_open)
{
	start_with(client_context(NULL), server_context(TLS_PEER_CERT_NONE));
	server.in_order = true;
	send_number(&client, 0);
	send_number(&client, 1);
	RUN_UNTIL(server.lines == 2);
	finish_both();
}

TEST(conn__send__ten_thousand_each_way)
{
	start();
	client.in_order = server.in_order = true;
	for (unsigned i = 0; i < 10000; i++) {
		send_number(&client, i);
		send_number(&server, i);
	}
	RUN_UNTIL(client.lines == 10000 && server.lines == 10000);
	finish_both();
}

TEST(conn__send__gathers_lines_into_few_records)
{
	uint64_t in, out, before;

	start();
	conn_traffic(client.conn, &in, &before);
	for (unsigned i = 0; i < 1000; i++)
		send_text(&client, "0123456789abcde\n");
	RUN_UNTIL(server.lines == 1000);
	conn_traffic(client.conn, &in, &out);
	/* 16,000 bytes are one record, with its header, padding and tag. */
	CHECK(out - before < 16000 + 2 * 22);
	finish_both();
}

/* on_drained comes right behind a connection's write. */
TEST(conn__hurry__leaves_first)
{
	start();
	for (int hurried = 0; hurried < 2; hurried++) {
		struct end *first = hurried ? &server : &client;

		send_text(&client, "first\n");
		send_text(&server, "second\n");
		if (hurried)
			conn_hurry(server.conn);
		send_text(&server, "third\n"); /* which changes nothing */
		conn_tell_drained(client.conn, 0);
		conn_tell_drained(server.conn, 0);
		RUN_UNTIL(client.drained == hurried + 1u && server.drained == hurried + 1u);
		CHECK_INT(first->drained_after, drained - 2);
	}
	finish_both();
}

/* A line larger than a record, to both sides of a record's end. */
TEST(conn__send__long_lines)
{
	static char line[60001];

	start();
	server.echo = true;
	for (size_t len = 15990; len <= 16010; len++) {
		memset(line, 'x', len);
		line[len - 1] = '\n';
		line[len] = '\0';
		send_text(&client, line);
	}
	memset(line, 'y', 60000);
	line[59999] = '\n';
	line[60000] = '\0';
	send_text(&client, line);
	RUN_UNTIL(client.lines == 22);
	CHECK_INT(client.bytes, 21 * 16000 + 60000);
	finish_both();
}

static void fill(struct end *end, unsigned from, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		send_number(end, from + i);
}

TEST(conn__pause__slow_reader_loses_nothing)
{
	static char line[8192];
	unsigned sent = 0;

	start();
	memset(line, 'z', sizeof line - 2);
	line[sizeof line - 2] = '\n';
	conn_pause(server.conn);
	/* Until neither socket buffer takes any more. */
	for (int quiet = 0; quiet < 10;) {
		size_t before = conn_backlog(client.conn);

		if (before < 4000000)
			for (int i = 0; i < 50; i++, sent++)
				send_text(&client, line);
		loop_run_once(loop, 0);
		quiet = conn_backlog(client.conn) >= before && before >= 4000000 ? quiet + 1 : 0;
	}
	CHECK_INT(server.lines, 0);
	conn_tell_drained(client.conn, 65536);
	loop_run_once(loop, 0);
	CHECK_INT(client.drained, 0);
	conn_resume(server.conn);
	RUN_UNTIL(server.lines == sent);
	CHECK_INT(conn_backlog(client.conn), 0);
	CHECK_INT(client.drained, 1);
	conn_tell_drained(client.conn, 65536); /* with nothing waiting, in this turn */
	RUN_UNTIL(client.drained == 2);
	finish_both();
}

TEST(conn__pause__inside_on_line)
{
	start();
	server.in_order = true;
	server.pause_after = 3;
	fill(&client, 0, 500);
	RUN_UNTIL(server.lines == 3);
	for (int i = 0; i < 20; i++)
		loop_run_once(loop, 1);
	CHECK_INT(server.lines, 3);
	conn_resume(server.conn);
	CHECK_INT(server.lines, 3); /* not from within the call */
	RUN_UNTIL(server.lines == 500);
	finish_both();
}

TEST(conn__pause__goodbye_waits_behind_lines)
{
	start();
	server.in_order = true;
	server.pause_after = 3;
	server.finish_when_done = true;
	fill(&client, 0, 300);
	conn_finish(client.conn);
	RUN_UNTIL(server.lines == 3);
	for (int i = 0; i < 20; i++)
		loop_run_once(loop, 1);
	CHECK_INT(server.peer_done, 0);
	conn_resume(server.conn);
	RUN_UNTIL(server.peer_done == 1);
	CHECK_INT(server.lines, 300);
	stop();
	CHECK_INT(server.why.status, STATUS_OK);
	CHECK_INT(client.why.status, STATUS_OK);
}

TEST(conn__finish__sends_what_is_queued)
{
	start();
	client.in_order = true;
	client.finish_when_done = true;
	fill(&server, 0, 50000);
	conn_finish(server.conn);
	send_text(&server, "too late\n");
	RUN_UNTIL(client.ended && server.ended);
	CHECK_INT(client.lines, 50000);
	CHECK_INT(client.why.status, STATUS_OK);
	CHECK_INT(server.why.status, STATUS_OK);
	stop();
}

TEST(conn__finish__answers_after_the_peers_goodbye)
{
	start();
	client.in_order = true;
	conn_finish(client.conn);
	RUN_UNTIL(server.peer_done == 1);
	fill(&server, 0, 10);
	conn_finish(server.conn);
	RUN_UNTIL(client.ended && server.ended);
	CHECK_INT(server.why.status, STATUS_OK);
	CHECK_INT(client.why.status, STATUS_OK);
	CHECK_INT(client.lines, 0); /* thrown away: it had finished */
	stop();
}

TEST(conn__finish__both_at_once)
{
	start();
	conn_finish(client.conn);
	conn_finish(server.conn);
	RUN_UNTIL(client.ended && server.ended);
	CHECK_INT(client.why.status, STATUS_OK);
	CHECK_INT(server.why.status, STATUS_OK);
	CHECK_INT(server.peer_done, 0);
	stop();
}

TEST(conn__finish__inside_on_line)
{
	start();
	server.finish_on_line = true;
	client.finish_when_done = true;
	fill(&client, 0, 200);
	RUN_UNTIL(client.ended && server.ended);
	CHECK_INT(server.lines, 1);
	CHECK_INT(server.why.status, STATUS_OK);
	stop();
}

/* Neither answers nor reads after our goodbye: bounded by 2 s. */
TEST(conn__finish__peer_stays_silent)
{
	start();
	conn_finish(server.conn);
	RUN_UNTIL(server.ended);
	CHECK_INT(server.why.status, STATUS_TIMEOUT);
	conn_abort(client.conn, NULL);
	stop();
}

TEST(conn__finish__peer_never_reads)
{
	static char line[65536];

	start();
	memset(line, 'z', sizeof line - 2);
	line[sizeof line - 2] = '\n';
	conn_pause(client.conn);
	while (conn_backlog(server.conn) < 16000000)
		send_text(&server, line);
	conn_finish(server.conn);
	RUN_UNTIL(server.ended);
	CHECK_INT(server.why.status, STATUS_TIMEOUT);
	CHECK(strstr(server.why.text, "did not take") != NULL);
	conn_abort(client.conn, NULL);
	stop();
}

TEST(conn__end__peer_vanishes)
{
	start();
	send_text(&client, "last\n");
	RUN_UNTIL(server.lines == 1);
	conn_abort(client.conn, NULL);
	CHECK_INT(client.ended, 0);
	RUN_UNTIL(client.ended && server.ended);
	CHECK_INT(client.why.status, STATUS_CLOSED);
	CHECK_INT(server.why.status, STATUS_TRUNCATED);
	CHECK_INT(server.peer_done, 0);
	stop();
}

/* After our goodbye a missing one of the peer is no truncation. */
TEST(conn__end__peer_closes_without_goodbye_after_ours)
{
	start();
	conn_finish(server.conn);
	RUN_UNTIL(client.peer_done == 1);
	conn_abort(client.conn, NULL);
	RUN_UNTIL(client.ended && server.ended);
	CHECK_INT(server.why.status, STATUS_OK);
	stop();
}

TEST(conn__end__line_too_long)
{
	static char line[70000];

	start();
	client.finish_when_done = true;
	conn_set_line_max(server.conn, 4096);
	memset(line, 'x', 4095);
	line[4095] = '\n';
	send_text(&client, line);
	RUN_UNTIL(server.lines == 1);
	memset(line, 'x', sizeof line - 2);
	line[sizeof line - 2] = '\n';
	send_text(&client, line);
	send_text(&client, "next\n");
	RUN_UNTIL(client.ended && server.ended);
	CHECK_INT(server.too_long, 1);
	CHECK_INT(server.lines, 1);
	CHECK_STR(client.last, "line_too_long");
	CHECK_INT(server.why.status, STATUS_OK);
	stop();
}

TEST(conn__abort__inside_on_line)
{
	start();
	server.abort_on_line = true;
	fill(&client, 0, 200);
	RUN_UNTIL(client.ended && server.ended);
	CHECK_INT(server.lines, 1);
	CHECK_INT(server.why.status, STATUS_CLOSED);
	CHECK(client.why.status == STATUS_TRUNCATED || client.why.status == STATUS_RESET);
	stop();
}

TEST(conn__abort__says_why)
{
	struct error why = {STATUS_FULL, "too slow"};

	start();
	conn_abort(server.conn, &why);
	conn_abort(server.conn, NULL);
	conn_finish(server.conn);
	conn_pause(server.conn);
	conn_resume(server.conn);
	conn_set_timer(server.conn, 1);
	send_text(&server, "no\n");
	RUN_UNTIL(client.ended && server.ended);
	CHECK_INT(server.why.status, STATUS_FULL);
	CHECK_STR(server.why.text, "too slow");
	stop();
}

TEST(conn__timer__put_off_and_stopped)
{
	uint64_t start_ms;

	start();
	start_ms = loop_now_ms(loop);
	conn_set_timer(server.conn, 20);
	for (unsigned i = 0; i < 1000; i++)
		conn_set_timer(server.conn, 60);
	RUN_UNTIL(server.timers == 1);
	CHECK(loop_now_ms(loop) >= start_ms + 60);
	conn_set_timer(server.conn, 50000);
	conn_set_timer(server.conn, 10); /* earlier than it was armed for */
	RUN_UNTIL(server.timers == 2);
	conn_set_timer(server.conn, 10);
	conn_set_timer(server.conn, 0);
	conn_set_timer(client.conn, 40);
	RUN_UNTIL(client.timers == 1);
	CHECK_INT(server.timers, 2);
	finish_both();
}

/* --- handshakes that fail --------------------------------------------------------------------- */

TEST(conn__handshake__stranger_hears_why)
{
	struct test_cert stranger;

	test_certs_usual();
	test_cert_make(&stranger,
	    &(struct test_cert_options){.name = "mallory", .for_client = true});
	start_with(client_context(&stranger), server_context(TLS_PEER_CERT_OPTIONAL));
	/* Unread bytes at the server must not turn its alert into a reset. */
	fill(&client, 0, 100);
	RUN_UNTIL(client.ended && server.ended);
	CHECK_INT(server.why.status, STATUS_TLS_VERIFY);
	CHECK(!server.was_open);
	CHECK_INT(client.why.status, STATUS_TLS);
	CHECK(strstr(client.why.text, "unknown CA (alert 48)") != NULL);
	stop();
}

TEST(conn__handshake__server_of_another_authority)
{
	struct test_cert other;

	test_certs_usual();
	test_cert_make(&other, &(struct test_cert_options){.name = "Other", .is_ca = true});
	start_with(test_context(TLS_CLIENT, NULL, other.pem, TLS_PEER_CERT_NONE),
	    server_context(TLS_PEER_CERT_NONE));
	RUN_UNTIL(client.ended && server.ended);
	CHECK_INT(client.why.status, STATUS_TLS_VERIFY);
	CHECK(!client.was_open);
	CHECK(strstr(server.why.text, "the client refused our certificate: unknown CA") != NULL);
	stop();
}

/* A server of ours and a raw socket that never speaks TLS. */
static socket_handle start_raw(unsigned handshake_ms)
{
	socket_handle a, b;
	struct conn_options options = {.handlers = &handlers, .arg = &server,
	    .context = server_context(TLS_PEER_CERT_NONE), .line_max = 4096,
	    .handshake_ms = handshake_ms};

	socket_pair(&a, &b);
	make_loop();
	CHECK_INT(conn_new(loop, b, &options, &server.conn), STATUS_OK);
	tls_context_unref(options.context);
	return a;
}

static void stop_raw(socket_handle raw, enum status status)
{
	RUN_UNTIL(server.ended);
	CHECK_INT(server.why.status, status);
	CHECK(!server.was_open);
	CHECK_INT(loop_conn_count(loop), 0);
	loop_free(loop);
	socket_close(raw);
	socket_cleanup();
}

TEST(conn__handshake__plain_text)
{
	size_t sent;
	socket_handle raw = start_raw(0);

	CHECK_INT(socket_send(raw, "GET / HTTP/1.1\r\n\r\n", 18, &sent), STATUS_OK);
	RUN_UNTIL(server.ended);
	CHECK(strstr(server.why.text, "HTTP") != NULL);
	stop_raw(raw, STATUS_NOT_TLS);
}

TEST(conn__handshake__silence)
{
	stop_raw(start_raw(50), STATUS_TIMEOUT);
}

TEST(conn__handshake__half_a_hello)
{
	size_t sent;
	socket_handle raw = start_raw(0);

	CHECK_INT(socket_send(raw, "\x16\x03\x01\x00\xff\x01", 6, &sent), STATUS_OK);
	socket_shutdown_send(raw);
	stop_raw(raw, STATUS_TRUNCATED);
}

TEST(conn__handshake__abandoned_by_us)
{
	socket_handle raw = start_raw(0);

	conn_finish(server.conn);
	CHECK_INT(server.ended, 0);
	stop_raw(raw, STATUS_CLOSED);
}

TEST(conn__handshake__many_at_once_take_turns)
{
	static struct end many[40];
	struct tls_context *client_tls = client_context(NULL);
	struct tls_context *server_tls = server_context(TLS_PEER_CERT_NONE);
	unsigned opened = 0;

	make_loop();
	for (size_t i = 0; i < 40; i += 2) {
		socket_handle a, b;

		socket_pair(&a, &b);
		make_end(&many[i], a, tls_context_ref(client_tls), "127.0.0.1");
		make_end(&many[i + 1], b, tls_context_ref(server_tls), NULL);
	}
	tls_context_unref(client_tls);
	tls_context_unref(server_tls);
	while (opened < 40) {
		loop_run_once(loop, 1000);
		opened = 0;
		for (size_t i = 0; i < 40; i++)
			opened += many[i].opened;
	}
	CHECK_INT(loop_conn_count(loop), 40);
	/* Cut off without callbacks. */
	loop_free(loop);
	for (size_t i = 0; i < 40; i++)
		CHECK_INT(many[i].ended, 0);
}

/* --- the loop --------------------------------------------------------------------------------- */

static unsigned timer_runs;

static void on_loop_timer(void *arg)
{
	(void)arg;
	if (++timer_runs == 3)
		loop_stop(loop);
	loop_wake(loop);
}

TEST(loop__run__timer_wakes_and_stops)
{
	struct loop_timer *timer, *forgotten;

	make_loop();
	CHECK_INT(loop_timer_new(loop, on_loop_timer, NULL, &timer), STATUS_OK);
	CHECK_INT(loop_timer_new(loop, on_loop_timer, NULL, &forgotten), STATUS_OK);
	loop_timer_start(forgotten, 60000, 0);
	loop_timer_start(timer, 1, 1);
	loop_run(loop);
	CHECK_INT(timer_runs, 3);
	CHECK(wakes >= 1 && wakes <= 3);
	loop_timer_free(timer);
	loop_timer_free(NULL);
	loop_free(loop);
}

TEST(loop__run_once__does_not_block)
{
	make_loop();
	loop_wake(loop);
	loop_wake(loop);
	RUN_UNTIL(wakes > 0);
	CHECK_INT(wakes, 1);
	loop_run_once(loop, 0);
	loop_run_once(loop, 1);
	CHECK_INT(wakes, 1);
	loop_free(loop);
}

UNIT_MAIN(
    CASE(conn__send__echo),
    CASE(conn__send__before_it_is_open),
    CASE(conn__send__ten_thousand_each_way),
    CASE(conn__send__gathers_lines_into_few_records),
    CASE(conn__hurry__leaves_first),
    CASE(conn__send__long_lines),
    CASE(conn__pause__slow_reader_loses_nothing),
    CASE(conn__pause__inside_on_line),
    CASE(conn__pause__goodbye_waits_behind_lines),
    CASE(conn__finish__sends_what_is_queued),
    CASE(conn__finish__answers_after_the_peers_goodbye),
    CASE(conn__finish__both_at_once),
    CASE(conn__finish__inside_on_line),
    CASE(conn__finish__peer_stays_silent),
    CASE(conn__finish__peer_never_reads),
    CASE(conn__end__peer_vanishes),
    CASE(conn__end__peer_closes_without_goodbye_after_ours),
    CASE(conn__end__line_too_long),
    CASE(conn__abort__inside_on_line),
    CASE(conn__abort__says_why),
    CASE(conn__timer__put_off_and_stopped),
    CASE(conn__handshake__stranger_hears_why),
    CASE(conn__handshake__server_of_another_authority),
    CASE(conn__handshake__plain_text),
    CASE(conn__handshake__silence),
    CASE(conn__handshake__half_a_hello),
    CASE(conn__handshake__abandoned_by_us),
    CASE(conn__handshake__many_at_once_take_turns),
    CASE(loop__run__timer_wakes_and_stops),
    CASE(loop__run_once__does_not_block))
