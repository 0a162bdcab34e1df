/* Log lines, read back from a file that stands for standard error. */
#include "tests/unit/unit.h"

#include "base/rfc3339.h"
#include "base/utf8.h"
#include "os/file.h"
#include "os/log.h"
#include "os/random.h"

static char name[64];

/* From here on standard error is a file, and a failed check says nothing but its exit code. */
static void catch_lines(void)
{
	snprintf(name, sizeof name, "unit log %016llx", (unsigned long long)random_u64());
	if (freopen(name, "wb", stderr) == NULL)
		exit(2);
}

/* The one line since catch_lines, without its newline. */
static struct slice caught(struct buf *to)
{
	struct slice rest, line;

	buf_init(to, 100000);
	CHECK_INT(file_read(name, to, NULL), STATUS_OK);
	rest = buf_slice(to);
	line = slice_cut(&rest, '\n');
	CHECK(rest.ptr != NULL && rest.len == 0);
	CHECK(utf8_is_valid(line));
	return line;
}

static void done(struct buf *to)
{
	buf_release(to);
	fclose(stderr);
	file_remove(name, NULL);
}

static void check_time(struct slice text)
{
	int64_t time;

	CHECK(rfc3339_get(text, &time));
}

TEST(unit__log__writes_text)
{
	struct buf to;
	struct slice line;

	catch_lines();
	log_debug("conn", "not wanted");
	log_info("listener", "listening on %s:%d", "[::]", 8572);
	line = caught(&to);
	check_time(slice_make(line.ptr, 24));
	CHECK(slice_is(
	    slice_make(line.ptr + 24, line.len - 24), " info  listener: listening on [::]:8572"));
	done(&to);
}

TEST(unit__log__writes_json)
{
	struct buf to;
	struct slice line;

	log_setup(LOG_DEBUG, true);
	catch_lines();
	log_error("core", "say \"%s\" and \\", "Zażółć");
	line = caught(&to);
	CHECK(slice_starts(line, "{\"time\":\""));
	check_time(slice_make(line.ptr + 9, 24));
	CHECK(slice_is(slice_make(line.ptr + 33, line.len - 33),
	    "\",\"level\":\"error\",\"area\":\"core\","
	    "\"text\":\"say \\\"Zażółć\\\" and \\\\\"}"));
	done(&to);
}

TEST(unit__log__replaces_hostile_bytes)
{
	struct buf to;
	struct slice line;

	catch_lines();
	log_warn("conn", "%s", "a\nb\x1B[31m\x80\xC5 \xE2\x80\xAE!");
	line = caught(&to);
	CHECK(slice_is(slice_make(line.ptr + 24, line.len - 24),
	    " warn  conn: a\uFFFDb\uFFFD[31m\uFFFD\uFFFD \uFFFD!"));
	done(&to);
}

static void check_long_line(bool json, const char *pattern, const char *end)
{
	struct buf text, to;
	struct slice line;

	buf_init(&text, 100000);
	for (int i = 0; i < 5000; i++)
		buf_put_str(&text, pattern);
	log_setup(LOG_INFO, json);
	catch_lines();
	log_info("conn", "%s", buf_text(&text));
	line = caught(&to);
	CHECK(line.len + 1 <= 2048 && line.len > 2035);
	CHECK(slice_is(slice_make(line.ptr + line.len - strlen(end), strlen(end)), end));
	done(&to);
	buf_release(&text);
}

TEST(unit__log__cuts_long_text)
{
	check_long_line(false, "ż", "ż");
}

TEST(unit__log__cuts_long_json_and_ends_it)
{
	check_long_line(true, "\"", "\\\"\"}");
}

TEST(unit__log__survives_a_closed_standard_error)
{
	fclose(stderr);
	log_error("conn", "nobody hears this");
}

UNIT_MAIN(CASE(unit__log__writes_text), CASE(unit__log__writes_json),
    CASE(unit__log__replaces_hostile_bytes), CASE(unit__log__cuts_long_text),
    CASE(unit__log__cuts_long_json_and_ends_it), CASE(unit__log__survives_a_closed_standard_error))
