/*
 * Load for a durable room: users who log in by certificate are in one room; some of them send,
 * with so many messages unanswered at once, and everybody receives everything. What is measured is
 * the time from a message to its acknowledgement, which says that it is stored, and how many of
 * these come in a second. bench/durable.py starts the server and makes the certificates.
 *
 *   durable-load PORT FOLDER MEMBERS SENDERS IN_FLIGHT SECONDS BYTES [PAUSE [HISTORY]]
 *
 * PAUSE: ms between an answer and the same sender's next message, with one in flight; 0 if not said.
 * HISTORY: the room's, "none" for one that is not stored; "full" if not said.
 * FOLDER holds ca.pem and client-u0.pem, client-u0.key, client-u1.pem, … Prints one JSON object. One thread.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/conn.h"
#include "os/clock.h"
#include "os/file.h"
#include "wire/message.h"

#define SLOTS 4096 /* of times of messages on their way, for each sender; a power of two */
#define BUCKETS 100000
#define BUCKET_US 10

struct member {
	struct load *load;
	struct conn *conn;
	struct tls_context *context;
	unsigned index;
	bool in_room;
	unsigned open; /* unanswered */
	uint64_t next; /* id of the next message */
	uint64_t *sent_us;
};

struct load {
	struct loop *loop;
	struct member *members;
	unsigned count, senders, in_flight, pause_ms, joined, ended;
	const char *history;
	struct buf text, line;
	uint64_t began_us, end_us, last_us;
	bool running, stopping;
	uint64_t acknowledged, delivered, latency[BUCKETS];
};

static uint64_t now_us(void)
{
	return clock_mono_ns() / 1000;
}

static void die(const char *what)
{
	fprintf(stderr, "durable-load: %s\n", what);
	exit(1);
}

static void send_text(struct member *member, const char *text)
{
	struct blob *line = blob_new(slice_of(text));

	if (line == NULL)
		die("out of memory");
	conn_send(member->conn, line);
	blob_unref(line);
}

static void send_message(struct member *member)
{
	struct load *load = member->load;
	struct json_writer w;
	struct blob *line;

	buf_clear(&load->line);
	json_begin(&w, &load->line);
	json_put_str(&w, "cmd", "send");
	json_put_int(&w, "id", (int64_t)member->next);
	json_put_str(&w, "room", "bench");
	json_put_text(&w, "text", buf_slice(&load->text));
	json_end(&w);
	buf_put_char(&load->line, '\n');
	line = blob_new(buf_slice(&load->line));
	if (line == NULL)
		die("out of memory");
	member->sent_us[member->next % SLOTS] = now_us();
	member->next++;
	member->open++;
	conn_send(member->conn, line);
	blob_unref(line);
}

static void begin(struct load *load)
{
	load->running = true;
	load->began_us = now_us();
	for (unsigned i = 0; i < load->senders; i++)
		for (unsigned j = 0; j < load->in_flight; j++)
			send_message(&load->members[i]);
}

static void count(struct load *load, uint64_t us)
{
	size_t bucket = us / BUCKET_US;

	load->latency[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
	load->acknowledged++;
}

static void on_open(void *arg, struct conn *conn)
{
	struct member *member = arg;
	char text[200];

	(void)conn;
	send_text(member, "{\"cmd\":\"login\",\"id\":\"login\"}\n");
	/* The first makes the room; `history` is a field that `join` does not know. */
	snprintf(text, sizeof text,
	    "{\"cmd\":\"%s\",\"room\":\"bench\",\"history\":\"%s\",\"id\":\"join\"}\n",
	    member->index == 0 ? "create" : "join", member->load->history);
	send_text(member, text);
}

/* Enough of a reply is known by its beginning: reading all as JSON would measure ourselves. */
static void on_reply(struct member *member, struct slice line)
{
	struct load *load = member->load;
	uint64_t id, now = now_us();

	if (!slice_contains(line, slice_of("\"ok\":true"))) {
		fprintf(stderr, "%.*s\n", (int)line.len, line.ptr);
		die("refused");
	}
	if (slice_starts(line, "{\"re\":\"join\"")) {
		member->in_room = true;
		if (++load->joined == load->count)
			begin(load);
		return;
	}
	if (slice_starts(line, "{\"re\":\""))
		return;
	id = strtoull(line.ptr + 6, NULL, 10);
	member->open--;
	if (now < load->end_us || !load->stopping)
		count(load, now - member->sent_us[id % SLOTS]);
	load->last_us = now;
	if (load->stopping)
		return;
	if (load->pause_ms > 0)
		conn_set_timer(member->conn, load->pause_ms);
	else
		send_message(member);
}

static void on_line(void *arg, struct conn *conn, struct slice line)
{
	struct member *member = arg;

	(void)conn;
	if (slice_starts(line, "{\"re\""))
		on_reply(member, line);
	else if (slice_starts(line, "{\"event\":\"message\""))
		member->load->delivered++;
}

static void on_line_too_long(void *arg, struct conn *conn)
{
	(void)arg;
	(void)conn;
	die("a line is too long");
}

static void on_peer_done(void *arg, struct conn *conn)
{
	(void)arg;
	conn_finish(conn);
}

static void on_timer(void *arg, struct conn *conn)
{
	struct member *member = arg;

	(void)conn;
	if (!member->load->stopping)
		send_message(member);
}

static void on_end(void *arg, struct conn *conn, const struct error *why, bool opened)
{
	struct member *member = arg;

	(void)conn;
	(void)opened;
	if (!member->load->stopping) {
		fprintf(stderr, "%s\n", why->text);
		die("a connection ended");
	}
	member->load->ended++;
	member->conn = NULL;
}

static void read_file(const char *folder, const char *name, struct buf *to)
{
	char path[1024];
	struct error err;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	buf_init(to, 1 << 20);
	if (file_read(path, to, &err) != STATUS_OK)
		die(err.text);
}

static void connect_member(struct member *member, const char *folder, uint16_t port)
{
	static const struct conn_handlers handlers = {
	    on_open, on_line, on_line_too_long, on_peer_done, on_timer, on_end, NULL};
	struct conn_options options = {
	    .handlers = &handlers, .arg = member, .host = "localhost", .line_max = 1 << 20};
	struct tls_options tls = {.role = TLS_CLIENT};
	struct buf ca, cert, key;
	struct socket_address peer;
	socket_handle socket;
	struct error err;
	char name[32];

	read_file(folder, "ca.pem", &ca);
	snprintf(name, sizeof name, "client-u%u.pem", member->index);
	read_file(folder, name, &cert);
	snprintf(name, sizeof name, "client-u%u.key", member->index);
	read_file(folder, name, &key);
	tls.ca = buf_slice(&ca);
	tls.cert = buf_slice(&cert);
	tls.key = buf_slice(&key);
	if (tls_context_new(&tls, &member->context, &err) != STATUS_OK ||
	    socket_connect("127.0.0.1", port, 5000, NULL, &socket, &peer, &err) != STATUS_OK)
		die(err.text);
	options.context = member->context;
	if (conn_new(member->load->loop, socket, &options, &member->conn) != STATUS_OK)
		die("out of memory");
	buf_release(&ca);
	buf_release(&cert);
	buf_release(&key);
}

static uint64_t percentile(const struct load *load, double part)
{
	uint64_t wanted = (uint64_t)((double)load->acknowledged * part), seen = 0;

	for (size_t i = 0; i < BUCKETS; i++) {
		seen += load->latency[i];
		if (seen > wanted)
			return (i + 1) * BUCKET_US;
	}
	return (uint64_t)BUCKETS * BUCKET_US;
}

static void report(const struct load *load)
{
	double seconds = (double)(load->end_us - load->began_us) / 1e6;

	printf("{\"acknowledged\":%llu,\"per_second\":%.0f,\"delivered\":%llu,\"seconds\":%.3f,"
	       "\"p50_us\":%llu,\"p99_us\":%llu}\n",
	    (unsigned long long)load->acknowledged, (double)load->acknowledged / seconds,
	    (unsigned long long)load->delivered, seconds,
	    (unsigned long long)percentile(load, 0.5),
	    (unsigned long long)percentile(load, 0.99));
}

static bool is_answered(const struct load *load)
{
	for (unsigned i = 0; i < load->senders; i++)
		if (load->members[i].open > 0)
			return false;
	return true;
}

static void run(struct load *load, uint64_t seconds)
{
	uint64_t limit = clock_mono_ms() + 60000 + seconds * 1000;

	while (!load->running && clock_mono_ms() < limit)
		loop_run_once(load->loop, 100);
	if (!load->running)
		die("not everybody could join");
	load->end_us = load->began_us + seconds * 1000000;
	/* A lone sender's answer must not wait for this program to wake up. */
	while (now_us() < load->end_us)
		loop_run_once(load->loop, load->pause_ms > 0 ? 0 : 10);
	load->stopping = true;
	while (!is_answered(load) && clock_mono_ms() < limit)
		loop_run_once(load->loop, 10);
	for (unsigned i = 0; i < load->count; i++)
		if (load->members[i].conn != NULL)
			conn_finish(load->members[i].conn);
	while (load->ended < load->count && clock_mono_ms() < limit)
		loop_run_once(load->loop, 10);
}

/* A number of the command line. */
static unsigned number(const char *text)
{
	int64_t value;

	if (!str_to_int(slice_of(text), 0, 1000000, &value))
		die("PORT FOLDER MEMBERS SENDERS IN_FLIGHT SECONDS BYTES: a number is none");
	return (unsigned)value;
}

int main(int argc, char **argv)
{
	static struct load load;
	struct loop_handlers handlers = {0};
	struct error err;

	if (argc < 8 || argc > 10)
		die("PORT FOLDER MEMBERS SENDERS IN_FLIGHT SECONDS BYTES [PAUSE [HISTORY]]");
	load.count = number(argv[3]);
	load.senders = number(argv[4]);
	load.in_flight = number(argv[5]);
	load.pause_ms = argc > 8 ? number(argv[8]) : 0;
	load.history = argc > 9 ? argv[9] : "full";
	if (load.senders > load.count || load.in_flight > SLOTS)
		die("more senders than members, or too many at once");
	if (load.pause_ms > 0 && load.in_flight != 1)
		die("with a pause each sender has one message in flight");
	if (socket_startup(&err) != STATUS_OK || tls_startup(&err) != STATUS_OK ||
	    loop_new(&handlers, &load.loop, &err) != STATUS_OK)
		die(err.text);
	buf_init(&load.text, 8192);
	buf_init(&load.line, 65536);
	for (unsigned i = number(argv[7]); i > 0; i--)
		buf_put_char(&load.text, 'x');
	load.members = calloc(load.count, sizeof *load.members);
	for (unsigned i = 0; i < load.count; i++) {
		struct member *member = &load.members[i];

		*member = (struct member){.load = &load, .index = i};
		member->sent_us = calloc(SLOTS, sizeof *member->sent_us);
		connect_member(member, argv[2], (uint16_t)number(argv[1]));
		/* The others join when the first has made the room. */
		do
			loop_run_once(load.loop, i == 0 ? 10 : 0);
		while (i == 0 && !member->in_room);
	}
	run(&load, number(argv[6]));
	report(&load);
	return 0;
}
