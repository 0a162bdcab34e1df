/* The verbs against a control channel in this process: the whole way on every system. */
#include "tests/unit/unit.h"

#include "admin/admin.h"
#include "admin/channel.h"
#include "admin/files.h"
#include "control.h"
#include "os/file.h"
#include "os/program.h"
#include "wire/message.h"

static struct error err;

/* A server that answers everything with `reply`, if there is one. */
struct world {
	char *dir;
	struct control *control;
	const char *reply; /* members behind "re" */
	char asked[1024];
	bool ends;
};

static void *on_open(void *arg, struct control_conn *conn)
{
	(void)arg;
	return conn;
}

static struct world *world_of_tests;

static bool on_line(void *arg, void *session, struct slice line)
{
	struct world *world = arg;
	struct buf text;

	CHECK(str_copy(world->asked, sizeof world->asked, line));
	if (world->reply != NULL) {
		buf_init(&text, 4096);
		buf_put_fmt(&text, "{\"re\":1,%s}\n", world->reply);
		control_send(session, blob_new(buf_slice(&text)));
		buf_release(&text);
	}
	return !world->ends;
}

static void on_close(void *arg, void *session)
{
	(void)arg;
	control_release(session);
}

static void start(struct world *world, const char *reply)
{
	struct control_ops ops = {on_open, on_line, on_close, world};

	*world = (struct world){.reply = reply};
	CHECK_INT(files_make_work(".", "admin-test", &world->dir, &err), STATUS_OK);
	CHECK_INT(control_start(world->dir, &ops, 0, &world->control, &err), STATUS_OK);
	world_of_tests = world;
}

static void stop(struct world *world)
{
	control_stop(world->control);
	files_remove_work(world->dir);
}

/* Words are cut at blanks; the folder comes last. */
static int run(const char *words)
{
	char *argv[16] = {str_dup(slice_of("confab-server"))};
	struct slice rest = slice_of(words);
	int argc = 1, code;

	while (rest.ptr != NULL)
		argv[argc++] = str_dup(slice_cut(&rest, ' '));
	argv[argc++] = str_dup(slice_of("--data"));
	argv[argc++] = str_dup(slice_of(world_of_tests->dir));
	code = admin_main(argc, argv);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return code;
}

TEST(unit__admin__sends_what_was_asked)
{
	struct world world;

	start(&world, "\"ok\":true");
	CHECK_INT(run("user grant bob"), EXIT_DONE);
	stop(&world);
	CHECK_STR(world.asked, "{\"cmd\":\"grant\",\"id\":1,\"user\":\"bob\",\"admin\":true}");
	start(&world, "\"ok\":true");
	CHECK_INT(run("invitecode create --uses 3 --json"), EXIT_DONE);
	stop(&world);
	CHECK_STR(world.asked, "{\"cmd\":\"invitecode\",\"id\":1,\"action\":\"create\",\"uses\":3}");
}

TEST(unit__admin__sends_a_password)
{
	struct world world;

	start(&world, "\"ok\":true");
	CHECK_INT(file_write("unit_admin.tmp", slice_of("correct horse\n"), FILE_PRIVATE, true, &err),
	    STATUS_OK);
	CHECK_INT(run("user add bob --password-file unit_admin.tmp"), EXIT_DONE);
	stop(&world);
	CHECK_STR(world.asked, "{\"cmd\":\"useradd\",\"id\":1,\"user\":\"bob\","
			       "\"password\":\"correct horse\"}");
	file_remove("unit_admin.tmp", NULL);
}

TEST(unit__admin__exits_by_what_comes_back)
{
	static const struct {
		const char *reply;
		bool ends;
		int exit;
	} rows[] = {
	    {"\"ok\":false,\"error\":\"not_allowed\",\"message\":\"no\"", false, EXIT_REFUSED},
	    {"\"ok\":false,\"error\":\"no_such_user\",\"message\":\"no\"", false, EXIT_NOT_FOUND},
	    {"\"ok\":false,\"error\":\"unknown_to_us\",\"message\":\"no\"", false, EXIT_REFUSED},
	    {"\"ok\":true", true, EXIT_DONE},
	    {NULL, true, EXIT_LOST},
	    {"no JSON", false, EXIT_OTHER},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world world;

		start(&world, rows[i].reply);
		world.ends = rows[i].ends;
		CHECK_INT(run("user delete bob"), rows[i].exit);
		stop(&world);
	}
}

TEST(unit__admin__waits_only_so_long)
{
	struct world world;

	start(&world, NULL);
	CHECK_INT(run("stats --timeout 1"), EXIT_TIMEOUT);
	stop(&world);
}

TEST(unit__admin__sees_whether_a_server_runs)
{
	struct world world;

	start(&world, "\"ok\":true");
	CHECK_INT(admin_channel_probe(world.dir, &err), STATUS_OK);
	CHECK_INT(run("verify"), EXIT_REFUSED);
	control_stop(world.control);
	world.control = NULL;
	CHECK_INT(admin_channel_probe(world.dir, &err), STATUS_NOT_FOUND);
	CHECK_INT(run("verify"), EXIT_NOT_FOUND);
	stop(&world);
}

UNIT_MAIN(CASE(unit__admin__sends_what_was_asked), CASE(unit__admin__sends_a_password),
    CASE(unit__admin__exits_by_what_comes_back), CASE(unit__admin__waits_only_so_long),
    CASE(unit__admin__sees_whether_a_server_runs))
