/* The control channel: connections, lines from any thread, limits and ends. */
#include "tests/unit/unit.h"

#if !defined(_WIN32)
#include <sys/stat.h>
#endif

#include <stdatomic.h>

#include "control.h"
#include "net/pipe.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/random.h"
#include "os/thread.h"

#define WAIT_MS 10000

static struct error err;

/* What stands behind the channel: answers each line with a reply that has it as a text. */
struct world {
	char dir[64];
	struct control *control;
	struct pipe_client *client;
	struct mutex *mutex;
	struct cond *changed;
	struct control_conn *conn; /* the last one opened */
	unsigned opened, closed, lines;
	bool refuse, is_silent;
	bool keeps; /* connections past their end; the test releases the last one */
};

static struct blob *text_line(const char *text)
{
	struct buf buf;
	struct blob *blob;

	buf_init(&buf, 1 << 20);
	buf_put_fmt(&buf, "%s\n", text);
	blob = blob_new(buf_slice(&buf));
	buf_release(&buf);
	CHECK(blob != NULL);
	return blob;
}

static void *on_open(void *arg, struct control_conn *conn)
{
	struct world *world = arg;

	if (world->refuse)
		return NULL;
	control_send(conn, text_line("{\"event\":\"welcome\"}"));
	mutex_lock(world->mutex);
	world->conn = conn;
	world->opened++;
	cond_wake_all(world->changed);
	mutex_unlock(world->mutex);
	return conn;
}

static bool on_line(void *arg, void *session, struct slice line)
{
	struct world *world = arg;
	char text[256];

	mutex_lock(world->mutex);
	world->lines++;
	cond_wake_all(world->changed);
	mutex_unlock(world->mutex);
	if (world->is_silent)
		return true;
	snprintf(text, sizeof text, "{\"re\":%.*s}", (int)(line.len < 200 ? line.len : 200), line.ptr);
	control_send(session, text_line(text));
	return !slice_is(line, "quit");
}

static void on_close(void *arg, void *session)
{
	struct world *world = arg;

	if (!world->keeps)
		control_release(session);
	mutex_lock(world->mutex);
	world->closed++;
	cond_wake_all(world->changed);
	mutex_unlock(world->mutex);
}

static void wait_for(struct world *world, const unsigned *count, unsigned want)
{
	mutex_lock(world->mutex);
	while (*count < want)
		CHECK(cond_wait_ms(world->changed, world->mutex, WAIT_MS));
	mutex_unlock(world->mutex);
}

static void start_in(struct world *world, unsigned idle_ms)
{
	struct control_ops ops = {on_open, on_line, on_close, world};

	CHECK_INT(control_start(world->dir, &ops, idle_ms, &world->control, &err), STATUS_OK);
}

static void start(struct world *world, unsigned idle_ms)
{
	*world = (struct world){.mutex = mutex_new(), .changed = cond_new()};
	snprintf(world->dir, sizeof world->dir, "control_%016llx.tmp",
	    (unsigned long long)random_u64());
	CHECK_INT(file_make_dir(world->dir, FILE_PRIVATE, NULL), STATUS_OK);
	start_in(world, idle_ms);
}

static void stop(struct world *world)
{
	pipe_client_close(world->client);
	control_stop(world->control);
	CHECK_INT(world->closed, world->opened);
	cond_free(world->changed);
	mutex_free(world->mutex);
	remove(world->dir);
}

static enum status open_client(struct world *world, struct pipe_client **ret)
{
	struct buf path;
	enum status status;

	buf_init(&path, 4096);
	CHECK_INT(pipe_path(world->dir, &path, &err), STATUS_OK);
	status = pipe_client_open(buf_text(&path), WAIT_MS, ret, &err);
	buf_release(&path);
	return status;
}

static void expect(struct pipe_client *client, const char *want)
{
	struct slice line;

	if (pipe_client_read(client, WAIT_MS, &line, &err) != STATUS_OK)
		fprintf(stderr, "%s\n", err.text);
	else if (!slice_is(line, want))
		fprintf(stderr, "got %.*s, not %s\n", (int)line.len, line.ptr, want);
	else
		return;
	exit(1);
}

static void expect_end(struct pipe_client *client)
{
	struct slice line;
	enum status status = STATUS_OK;

	while (status == STATUS_OK)
		status = pipe_client_read(client, WAIT_MS, &line, &err);
	CHECK_INT(status, STATUS_CLOSED);
}

static void send_line(struct pipe_client *client, const char *text)
{
	CHECK_INT(pipe_client_send(client, slice_of(text), WAIT_MS, &err), STATUS_OK);
}

static void connect_client(struct world *world)
{
	CHECK_INT(open_client(world, &world->client), STATUS_OK);
	expect(world->client, "{\"event\":\"welcome\"}");
}

TEST(unit__control__carries_lines_both_ways)
{
	struct world world;

	start(&world, 0);
	connect_client(&world);
	for (int i = 0; i < 200; i++) {
		char text[32], want[48];

		snprintf(text, sizeof text, "%d", i);
		snprintf(want, sizeof want, "{\"re\":%d}", i);
		send_line(world.client, text);
		expect(world.client, want);
	}
	stop(&world);
	CHECK_INT(world.lines, 200);
}

TEST(unit__control__is_not_found_without_a_server)
{
	struct world world;
	struct pipe_client *client;

	start(&world, 0);
	control_stop(world.control);
	world.control = NULL;
	CHECK_INT(open_client(&world, &client), STATUS_NOT_FOUND);
	/* And starts again in the same place. */
	start_in(&world, 0);
	connect_client(&world);
	stop(&world);
}

TEST(unit__control__answers_what_was_asked_before_the_end)
{
	struct world world;

	start(&world, 0);
	connect_client(&world);
	send_line(world.client, "1\n2\nquit\n3");
	expect(world.client, "{\"re\":1}");
	expect(world.client, "{\"re\":2}");
	expect(world.client, "{\"re\":quit}");
	expect_end(world.client);
	stop(&world);
}

struct talker {
	struct world *world;
	unsigned number;
};

static void talk(void *arg)
{
	struct talker *talker = arg;

	for (int i = 0; i < 100; i++)
		control_send(talker->world->conn, text_line("{\"event\":\"message\"}"));
}

TEST(unit__control__sends_from_any_thread)
{
	struct world world;
	struct thread *threads[4];
	struct talker talkers[4];

	start(&world, 0);
	connect_client(&world);
	for (unsigned i = 0; i < 4; i++) {
		talkers[i] = (struct talker){&world, i};
		CHECK_INT(thread_start("talk", talk, &talkers[i], &threads[i]), STATUS_OK);
	}
	for (int i = 0; i < 400; i++)
		expect(world.client, "{\"event\":\"message\"}");
	for (int i = 0; i < 4; i++)
		thread_join(threads[i]);
	control_finish(world.conn);
	expect_end(world.client);
	stop(&world);
}

TEST(unit__control__lets_owners_send_to_what_is_over)
{
	struct world world;

	start(&world, 0);
	world.keeps = true;
	connect_client(&world);
	pipe_client_close(world.client);
	world.client = NULL;
	wait_for(&world, &world.closed, 1);
	control_send(world.conn, text_line("{\"event\":\"late\"}"));
	stop(&world);
	control_send(world.conn, text_line("{\"event\":\"later\"}"));
	control_finish(world.conn);
	control_release(world.conn);
}

TEST(unit__control__takes_only_so_many_connections)
{
	struct world world;
	struct pipe_client *clients[PIPE_CONNS_MAX], *more;
	struct slice line;

	start(&world, 0);
	for (int i = 0; i < PIPE_CONNS_MAX; i++) {
		CHECK_INT(open_client(&world, &clients[i]), STATUS_OK);
		expect(clients[i], "{\"event\":\"welcome\"}");
	}
	CHECK_INT(open_client(&world, &more), STATUS_OK);
	CHECK_INT(pipe_client_read(more, WAIT_MS, &line, &err), STATUS_CLOSED);
	pipe_client_close(more);
	pipe_client_close(clients[0]);
	wait_for(&world, &world.closed, 1);
	connect_client(&world);
	for (int i = 1; i < PIPE_CONNS_MAX; i++)
		pipe_client_close(clients[i]);
	stop(&world);
}

TEST(unit__control__can_refuse_a_connection)
{
	struct world world;
	struct slice line;

	start(&world, 0);
	world.refuse = true;
	CHECK_INT(open_client(&world, &world.client), STATUS_OK);
	CHECK_INT(pipe_client_read(world.client, WAIT_MS, &line, &err), STATUS_CLOSED);
	stop(&world);
}

TEST(unit__control__ends_a_line_that_is_too_long)
{
	static char text[PIPE_LINE_MAX + 1];
	struct world world;
	struct slice line;

	start(&world, 0);
	memset(text, 'x', PIPE_LINE_MAX - 1);
	connect_client(&world);
	send_line(world.client, text);
	CHECK_INT(pipe_client_read(world.client, WAIT_MS, &line, &err), STATUS_OK);
	CHECK(slice_starts(line, "{\"re\":xxxx"));
	text[PIPE_LINE_MAX - 1] = 'x';
	pipe_client_send(world.client, slice_of(text), WAIT_MS, &err);
	CHECK_INT(pipe_client_read(world.client, WAIT_MS, &line, &err), STATUS_OK);
	CHECK(slice_starts(line, "{\"re\":null,\"ok\":false,\"error\":\"line_too_long\""));
	expect_end(world.client);
	stop(&world);
}

TEST(unit__control__ends_who_asks_nothing)
{
	struct world world;

	start(&world, 50);
	connect_client(&world);
	expect_end(world.client);
	stop(&world);
}

TEST(unit__control__waits_with_who_is_owed_a_reply)
{
	struct world world;
	struct slice line;

	start(&world, 50);
	world.is_silent = true;
	connect_client(&world);
	send_line(world.client, "1");
	CHECK_INT(pipe_client_read(world.client, 300, &line, &err), STATUS_TIMEOUT);
	control_send(world.conn, text_line("{\"re\":1}"));
	expect(world.client, "{\"re\":1}");
	expect_end(world.client);
	stop(&world);
}

TEST(unit__control__ends_who_does_not_read)
{
	struct world world;
	char *text = malloc(100001);

	CHECK(text != NULL);
	memset(text, 'x', 100000);
	text[100000] = '\0';
	start(&world, 0);
	world.keeps = true;
	connect_client(&world);
	for (int i = 0; i < 60; i++)
		control_send(world.conn, text_line(text));
	wait_for(&world, &world.closed, 1);
	control_release(world.conn);
	stop(&world);
	free(text);
}

TEST(unit__control__stop_lets_the_last_lines_leave)
{
	struct world world;

	start(&world, 0);
	connect_client(&world);
	control_send(world.conn, text_line("{\"event\":\"goodbye\"}"));
	control_stop(world.control);
	world.control = NULL;
	expect(world.client, "{\"event\":\"goodbye\"}");
	expect_end(world.client);
	stop(&world);
}

#if defined(_WIN32)
static void check_name(const char *dir, const char *want)
{
	struct buf path;

	buf_init(&path, 4096);
	CHECK_INT(pipe_path(dir, &path, &err), STATUS_OK);
	CHECK_STR(buf_text(&path), want);
	buf_release(&path);
}

TEST(unit__control__has_a_place_of_its_own)
{
	struct world world;
	struct buf path;
	char dir[80];

	start(&world, 0);
	buf_init(&path, 4096);
	CHECK_INT(pipe_path(world.dir, &path, &err), STATUS_OK);
	CHECK(slice_starts(buf_slice(&path), "\\\\.\\pipe\\confab-"));
	snprintf(dir, sizeof dir, ".\\%s\\", world.dir);
	check_name(dir, buf_text(&path));
	dir[2] = 'C';
	check_name(dir, buf_text(&path));
	buf_release(&path);
	stop(&world);
}
#else
TEST(unit__control__has_a_place_of_its_own)
{
	struct world world;
	struct stat info;
	char path[128];
	FILE *file;

	start(&world, 0);
	snprintf(path, sizeof path, "%s/control.sock", world.dir);
	CHECK_INT(stat(path, &info), 0);
	CHECK_INT(info.st_mode & 0777, 0600);
	/* What is no socket is left alone. */
	control_stop(world.control);
	CHECK(stat(path, &info) != 0);
	file = fopen(path, "w");
	CHECK(file != NULL);
	fclose(file);
	{
		struct control_ops ops = {on_open, on_line, on_close, &world};

		CHECK_INT(control_start(world.dir, &ops, 0, &world.control, &err), STATUS_EXISTS);
		CHECK_INT(remove(path), 0);
		CHECK_INT(chmod(world.dir, 0777), 0);
		CHECK_INT(control_start(world.dir, &ops, 0, &world.control, &err), STATUS_ACCESS);
	}
	world.control = NULL;
	CHECK_INT(chmod(world.dir, 0755), 0);
	start_in(&world, 0);
	stop(&world);
}
#endif

TEST(unit__control__tells_of_a_path_that_is_too_long)
{
	struct control_ops ops = {on_open, on_line, on_close, NULL};
	struct world world;
	char dir[256];

	start(&world, 0);
	control_stop(world.control);
	world.control = NULL;
	snprintf(dir, sizeof dir, "%s/%0120d", world.dir, 7);
	CHECK_INT(file_make_dir(dir, FILE_PRIVATE, NULL), STATUS_OK);
#if defined(_WIN32)
	ops.arg = &world;
	CHECK_INT(control_start(dir, &ops, 0, &world.control, &err), STATUS_OK);
#else
	CHECK_INT(control_start(dir, &ops, 0, &world.control, &err), STATUS_INVALID);
	CHECK(strstr(err.text, "too long") != NULL);
#endif
	remove(dir);
	stop(&world);
}

UNIT_MAIN(CASE(unit__control__carries_lines_both_ways),
    CASE(unit__control__is_not_found_without_a_server),
    CASE(unit__control__answers_what_was_asked_before_the_end),
    CASE(unit__control__sends_from_any_thread),
    CASE(unit__control__lets_owners_send_to_what_is_over),
    CASE(unit__control__takes_only_so_many_connections), CASE(unit__control__can_refuse_a_connection),
    CASE(unit__control__ends_a_line_that_is_too_long), CASE(unit__control__ends_who_asks_nothing),
    CASE(unit__control__waits_with_who_is_owed_a_reply), CASE(unit__control__ends_who_does_not_read),
    CASE(unit__control__stop_lets_the_last_lines_leave),
    CASE(unit__control__has_a_place_of_its_own),
    CASE(unit__control__tells_of_a_path_that_is_too_long))
