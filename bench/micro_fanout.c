/*
 * Fan-out: lines for a room of 25, from the worker's list of its members to the system call, in one
 * loop: 25 queues, records gathered and sealed, one write each. The peers only read and throw
 * away. (The kernel's part is in the nanoseconds and not in the instructions.)
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "micro.h"
#include "net/conn.h"
#include "room_index.h"
#include "tests/unit/net/tls_pair.h"

#define MEMBERS 25 /* few enough for their handshakes to be done under valgrind */
#define LINE 220 /* bytes of an event with 128 of text */

struct member {
	struct room_guest guest; /* first, as in the server */
	struct conn *conn;
	struct tls *peer; /* the other end, until the handshake is over */
	int fd;
};

struct fanout {
	struct loop *loop;
	struct room_index rooms;
	struct member members[MEMBERS];
	unsigned opened;
	struct blob *line;
};

static void on_open(void *arg, struct conn *conn)
{
	struct fanout *fanout = arg;

	(void)conn;
	fanout->opened++;
}

static void on_line(void *arg, struct conn *conn, struct slice line)
{
	(void)arg, (void)conn, (void)line;
}

static void on_other(void *arg, struct conn *conn)
{
	(void)arg, (void)conn;
}

static void on_end(void *arg, struct conn *conn, const struct error *why, bool opened)
{
	(void)arg, (void)conn, (void)opened;
	fprintf(stderr, "micro: a connection has ended: %s\n", why->text);
	exit(1);
}

static size_t peer_receive(void *arg, void *to, size_t max)
{
	struct member *member = arg;
	ssize_t len = recv(member->fd, to, max, MSG_DONTWAIT);

	return len > 0 ? (size_t)len : 0;
}

static bool peer_send(void *arg, const void *bytes, size_t len)
{
	struct member *member = arg;

	return send(member->fd, bytes, len, 0) == (ssize_t)len;
}

static void enter(struct fanout *fanout, struct member *member, struct tls_context *server,
    struct tls_context *client)
{
	static const struct conn_handlers handlers = {
	    on_open, on_line, on_other, on_other, on_other, on_end, NULL};
	struct conn_options options = {
	    .handlers = &handlers, .arg = fanout, .context = server, .line_max = 65536};
	struct tls_io io = {peer_receive, peer_send, member};
	enum status status = STATUS_AGAIN;
	struct error err;
	int ends[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
	member->fd = ends[1];
	CHECK(conn_new(fanout->loop, (socket_handle)ends[0], &options, &member->conn) == STATUS_OK);
	CHECK(tls_new(client, "localhost", &io, NULL, &member->peer) == STATUS_OK);
	for (int i = 0; i < 20 && status == STATUS_AGAIN; i++) {
		status = tls_handshake(member->peer, &err);
		loop_run_once(fanout->loop, 0);
	}
	CHECK(status == STATUS_OK);
	tls_free(member->peer);
	CHECK(room_index_attach(&fanout->rooms, 0, &member->guest));
}

static void *begin(void)
{
	static const struct loop_handlers nothing;
	struct fanout *fanout = calloc(1, sizeof *fanout);
	struct tls_context *server = pair_usual_server(), *client = pair_usual_client();
	char line[LINE];
	struct error err;

	CHECK(fanout != NULL);
	CHECK(loop_new(&nothing, &fanout->loop, &err) == STATUS_OK);
	for (int i = 0; i < MEMBERS; i++)
		enter(fanout, &fanout->members[i], server, client);
	for (int i = 0; i < 100 && fanout->opened < MEMBERS; i++)
		loop_run_once(fanout->loop, 10);
	CHECK(fanout->opened == MEMBERS);
	tls_context_unref(server);
	tls_context_unref(client);
	memset(line, 'x', sizeof line);
	line[LINE - 1] = '\n';
	fanout->line = blob_new(slice_make(line, sizeof line));
	CHECK(fanout->line != NULL);
	return fanout;
}

static MEASURED void measured_fanout(struct fanout *fanout, unsigned lines)
{
	for (unsigned line = 0; line < lines; line++) {
		uint32_t count;
		struct room_guest *const *guests = room_index_get(&fanout->rooms, 0, &count);

		for (uint32_t i = 0; i < count; i++) {
			struct member *member = (struct member *)guests[i];

			conn_send(member->conn, fanout->line);
			CHECK(conn_backlog(member->conn) < 1 << 22);
		}
	}
	loop_run_once(fanout->loop, 0);
}

/* Empties the sockets; all the bytes of a turn must be there. */
static void drain(struct fanout *fanout, unsigned lines)
{
	static char nowhere[65536];

	for (int i = 0; i < MEMBERS; i++) {
		ssize_t len, sum = 0;

		while ((len = recv(fanout->members[i].fd, nowhere, sizeof nowhere, 0)) > 0)
			sum += len;
		CHECK(sum >= (ssize_t)lines * LINE);
	}
}

static uint64_t run(struct fanout *fanout, unsigned lines, unsigned times)
{
	uint64_t spent = 0;

	drain(fanout, 0);
	for (unsigned i = 0; i < times; i++) {
		uint64_t began = micro_now();

		measured_fanout(fanout, lines);
		spent += micro_now() - began;
		drain(fanout, lines);
	}
	return spent;
}

static uint64_t run_1(void *state, unsigned times)
{
	return run(state, 1, times);
}

static uint64_t run_20(void *state, unsigned times)
{
	return run(state, 20, times);
}

static void end(void *state)
{
	struct fanout *fanout = state;

	blob_unref(fanout->line);
	room_index_release(&fanout->rooms);
	loop_free(fanout->loop); /* cuts the connections off */
	for (int i = 0; i < MEMBERS; i++) {
		close(fanout->members[i].fd);
		free(fanout->members[i].guest.seats);
	}
	free(fanout);
}

const struct micro micro_fanout_1 = {"fanout-1",
    "a line delivered to one of 25 members, alone in its record", MEMBERS, begin, run_1, end};
const struct micro micro_fanout_20 = {"fanout-20",
    "a line delivered to one of 25 members, 20 in a record", MEMBERS * 20, begin, run_20, end};
