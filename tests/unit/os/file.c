/* Files and folders, in a folder whose name has letters outside of ASCII, and spaces. */
#include "tests/unit/unit.h"

#include "os/file.h"
#include "os/file_stream.h"
#include "os/program.h"

static char folder[256];

static void remove_entry(void *arg, const char *name)
{
	struct buf path;

	(void)arg;
	buf_init(&path, 1000);
	path_join(&path, folder, name);
	file_remove(buf_text(&path), NULL);
	buf_release(&path);
}

/* A folder of its own for each case, in the current one; without files of an earlier run. */
static void make_folder(const char *name)
{
	snprintf(folder, sizeof folder, "unit file %s/Zażółć gęślą", name);
	CHECK_INT(file_make_dir(folder, FILE_PRIVATE, NULL), STATUS_OK);
	CHECK_INT(file_list_dir(folder, remove_entry, NULL, NULL), STATUS_OK);
}

static void remove_file(const char *path)
{
	CHECK_INT(file_remove(path, NULL), STATUS_OK);
}

/* The path of a file in the folder; lent until the next call but two. */
static const char *in_folder(const char *name)
{
	static struct buf paths[3];
	static unsigned turn;
	struct buf *path = &paths[turn++ % 3];

	buf_release(path);
	buf_init(path, 1000);
	path_join(path, folder, name);
	return buf_text(path);
}

static void check_content(const char *path, const char *want)
{
	struct buf got;

	buf_init(&got, 100000);
	CHECK_INT(file_read(path, &got, NULL), STATUS_OK);
	CHECK_STR(buf_text(&got), want);
	buf_release(&got);
}

static void count_entry(void *arg, const char *name)
{
	int *count = arg;

	*count += strcmp(name, "Łódź.txt") == 0 ? 100 : 1;
}

TEST(unit__file__keeps_names_outside_of_ascii)
{
	const char *path;
	int count = 0;

	make_folder("keeps names outside of ascii");
	path = in_folder("Łódź.txt");
	CHECK_INT(file_write(path, slice_of("zażółć"), FILE_PUBLIC, false, NULL), STATUS_OK);
	check_content(path, "zażółć");
	CHECK(file_exists(path));
	/* No temporary file is left beside it. */
	CHECK_INT(file_list_dir(folder, count_entry, &count, NULL), STATUS_OK);
	CHECK_INT(count, 100);
	remove_file(path);
	CHECK(!file_exists(path));
	remove_file(path);
}

TEST(unit__file__replaces_only_when_told)
{
	const char *path;
	struct error err;
	int count = 0;

	make_folder("replaces only when told");
	path = in_folder("f");
	CHECK_INT(file_write(path, slice_of("one"), FILE_PRIVATE, true, NULL), STATUS_OK);
	CHECK_INT(file_write(path, slice_of("two"), FILE_PRIVATE, false, &err), STATUS_EXISTS);
	CHECK(strstr(err.text, path) != NULL);
	check_content(path, "one");
	CHECK_INT(file_write(path, slice_of("three"), FILE_PRIVATE, true, NULL), STATUS_OK);
	check_content(path, "three");
	CHECK_INT(file_write(path, slice_make("", 0), FILE_PUBLIC, true, NULL), STATUS_OK);
	check_content(path, "");
	CHECK_INT(file_list_dir(folder, count_entry, &count, NULL), STATUS_OK);
	CHECK_INT(count, 1);
	remove_file(path);
}

TEST(unit__file__private_is_not_exposed)
{
	const char *path;

	make_folder("private is not exposed");
	path = in_folder("key");
	CHECK_INT(file_write(path, slice_of("secret"), FILE_PRIVATE, false, NULL), STATUS_OK);
	CHECK(!file_is_exposed(path));
	CHECK_INT(file_write(path, slice_of("secret"), FILE_PRIVATE, true, NULL), STATUS_OK);
	CHECK(!file_is_exposed(path));
	check_content(path, "secret");
	CHECK(!file_is_exposed(folder));
	remove_file(path);
	CHECK(!file_is_exposed(path));
}

TEST(unit__file__reads_no_more_than_allowed)
{
	static char big[50000];
	struct buf to;
	struct error err;
	const char *path;

	memset(big, 'x', sizeof big);
	make_folder("reads no more than allowed");
	path = in_folder("big");
	CHECK_INT(
	    file_write(path, slice_make(big, sizeof big), FILE_PUBLIC, false, NULL), STATUS_OK);
	buf_init(&to, sizeof big + 2);
	buf_put_str(&to, "ab");
	CHECK_INT(file_read(path, &to, NULL), STATUS_OK);
	CHECK_INT(to.len, sizeof big + 2);
	CHECK(memcmp(to.ptr, "abxx", 4) == 0);
	buf_release(&to);
	buf_init(&to, sizeof big + 1);
	buf_put_str(&to, "ab");
	CHECK_INT(file_read(path, &to, &err), STATUS_FULL);
	CHECK(strstr(err.text, "larger than") != NULL);
	CHECK_STR(buf_text(&to), "ab");
	buf_release(&to);
	remove_file(path);
}

TEST(unit__file__says_what_is_not_there)
{
	struct buf to;
	struct error err;
	int count = 0;

	make_folder("says what is not there");
	buf_init(&to, 100);
	CHECK_INT(file_read(in_folder("no"), &to, &err), STATUS_NOT_FOUND);
	CHECK(strstr(err.text, "cannot read") != NULL && strstr(err.text, in_folder("no")) != NULL);
	CHECK_INT(file_write(in_folder("no/file"), slice_of(""), FILE_PUBLIC, true, &err),
	    STATUS_NOT_FOUND);
	CHECK_INT(file_write(in_folder("no/file"), slice_of(""), FILE_PRIVATE, true, &err),
	    STATUS_NOT_FOUND);
	CHECK_INT(file_list_dir(in_folder("no"), count_entry, &count, &err), STATUS_NOT_FOUND);
	CHECK_INT(count, 0);
	/* A folder is no file. */
	CHECK(file_read(folder, &to, &err) != STATUS_OK);
	CHECK_INT(to.len, 0);
	buf_release(&to);
}

TEST(unit__file__makes_folders_once)
{
	struct error err;
	const char *path;

	make_folder("makes folders once");
	path = in_folder("a/b/c");
	CHECK_INT(file_make_dir(path, FILE_PRIVATE, NULL), STATUS_OK);
	CHECK_INT(file_make_dir(path, FILE_PUBLIC, NULL), STATUS_OK);
	CHECK(!file_is_exposed(path));
	CHECK_INT(file_make_dir(in_folder("d/"), FILE_PUBLIC, NULL), STATUS_OK);
	CHECK(file_exists(in_folder("d")));
	CHECK_INT(file_write(in_folder("f"), slice_of(""), FILE_PUBLIC, true, NULL), STATUS_OK);
	CHECK(file_make_dir(in_folder("f"), FILE_PUBLIC, &err) != STATUS_OK);
	CHECK(strstr(err.text, "create the folder") != NULL);
	CHECK(file_make_dir(in_folder("f/g"), FILE_PUBLIC, &err) != STATUS_OK);
}

TEST(unit__file__is_locked_by_one)
{
	struct file_lock *lock, *second = NULL;
	struct error err;
	char pid[32];
	const char *path, *names;

	make_folder("is locked by one");
	path = in_folder("the.lock");
	CHECK_INT(file_lock(path, &lock, &err), STATUS_OK);
	CHECK_INT(file_lock(path, &second, &err), STATUS_EXISTS);
	CHECK(second == NULL);
	names = strstr(err.text, "held by process ");
	CHECK(names != NULL);
	snprintf(pid, sizeof pid, "%s\n", names + strlen("held by process "));
	check_content(path, pid);
	file_unlock(lock);
	CHECK_INT(file_lock(path, &lock, &err), STATUS_OK);
	file_unlock(lock);
	file_unlock(NULL);
	CHECK_INT(file_lock(in_folder("none/the.lock"), &lock, &err), STATUS_NOT_FOUND);
	remove_file(path);
}

TEST(unit__file__is_renamed)
{
	const char *from, *to;

	make_folder("is renamed");
	from = in_folder("Łódź.a");
	to = in_folder("Łódź.b");
	CHECK_INT(file_write(from, slice_of("1"), FILE_PRIVATE, false, NULL), STATUS_OK);
	CHECK_INT(file_rename(from, to, false, NULL), STATUS_OK);
	CHECK(!file_exists(from));
	CHECK_INT(file_write(from, slice_of("2"), FILE_PRIVATE, false, NULL), STATUS_OK);
	CHECK_INT(file_rename(from, to, false, NULL), STATUS_EXISTS);
	check_content(to, "1");
	CHECK_INT(file_rename(from, to, true, NULL), STATUS_OK);
	check_content(to, "2");
	CHECK_INT(file_rename(from, to, true, NULL), STATUS_NOT_FOUND);
	remove_file(to);
}

TEST(unit__path__joins_with_one_separator)
{
	struct buf path;

	buf_init(&path, 100);
	path_join(&path, "a/", "b");
	CHECK_STR(buf_text(&path), "a/b");
	buf_clear(&path);
	path_join(&path, "", "b");
	CHECK_STR(buf_text(&path), "b");
	buf_clear(&path);
	path_join(&path, "a", "b");
	CHECK_INT(path.len, 3);
	CHECK(buf_text(&path)[1] == '/' || buf_text(&path)[1] == '\\');
	buf_release(&path);
}

TEST(unit__path__knows_the_standard_folders)
{
	static const enum path_dir all[] = {
	    PATH_CONFIG_USER, PATH_CONFIG_SYSTEM, PATH_DATA_USER, PATH_DATA_SYSTEM};
	struct error err;
	struct buf path;

	buf_init(&path, 1000);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		enum status status;

		buf_clear(&path);
		status = path_standard(all[i], &path, &err);
		CHECK(status == STATUS_OK || status == STATUS_NOT_FOUND);
		if (status == STATUS_OK)
			CHECK(strstr(buf_text(&path), "onfab") != NULL);
	}
	buf_release(&path);
}

TEST(unit__stream__gives_back_what_was_put)
{
	const char *path = "unit_stream.tmp";
	struct file_stream *stream;
	char text[16];
	size_t len;

	file_remove(path, NULL);
	CHECK_INT(file_stream_create(path, &stream, NULL), STATUS_OK);
	CHECK_INT(file_stream_put(stream, slice_of("one "), NULL), STATUS_OK);
	CHECK_INT(file_stream_put(stream, slice_of("two"), NULL), STATUS_OK);
	CHECK_INT(file_stream_sync(stream, NULL), STATUS_OK);
	file_stream_close(stream);
	CHECK_INT(file_stream_create(path, &stream, NULL), STATUS_EXISTS);
	CHECK_INT(file_stream_open(path, &stream, NULL), STATUS_OK);
	CHECK_INT(file_stream_get(stream, text, 5, &len, NULL), STATUS_OK);
	CHECK_INT(len, 5);
	CHECK_INT(file_stream_get(stream, text + 5, sizeof text - 5, &len, NULL), STATUS_OK);
	CHECK_INT(len, 2);
	CHECK(memcmp(text, "one two", 7) == 0);
	CHECK_INT(file_stream_get(stream, text, sizeof text, &len, NULL), STATUS_OK);
	CHECK_INT(len, 0);
	file_stream_close(stream);
	file_remove(path, NULL);
	CHECK_INT(file_stream_open(path, &stream, NULL), STATUS_NOT_FOUND);
}

TEST(unit__path__is_made_full)
{
	struct buf path, again;

	buf_init(&path, 16384);
	buf_init(&again, 16384);
	CHECK_INT(path_make_full("some/file", &path, NULL), STATUS_OK);
	CHECK(path.len > strlen("some/file"));
	CHECK(slice_contains(buf_slice(&path), slice_of("some/file")));
	CHECK_INT(path_make_full(buf_text(&path), &again, NULL), STATUS_OK);
	CHECK_STR(buf_text(&again), buf_text(&path));
	buf_release(&path);
	buf_release(&again);
}

TEST(unit__dir__goes_when_it_is_empty)
{
	CHECK_INT(file_make_dir("unit_dir.tmp/inner", FILE_PRIVATE, NULL), STATUS_OK);
	CHECK(file_remove_dir("unit_dir.tmp", NULL) != STATUS_OK);
	CHECK_INT(file_remove_dir("unit_dir.tmp/inner", NULL), STATUS_OK);
	CHECK_INT(file_remove_dir("unit_dir.tmp", NULL), STATUS_OK);
	CHECK_INT(file_remove_dir("unit_dir.tmp", NULL), STATUS_OK);
	CHECK(!file_exists("unit_dir.tmp"));
}

UNIT_MAIN(CASE(unit__stream__gives_back_what_was_put), CASE(unit__path__is_made_full),
    CASE(unit__dir__goes_when_it_is_empty), CASE(unit__file__keeps_names_outside_of_ascii), CASE(unit__file__replaces_only_when_told),
    CASE(unit__file__private_is_not_exposed), CASE(unit__file__reads_no_more_than_allowed),
    CASE(unit__file__says_what_is_not_there), CASE(unit__file__makes_folders_once),
    CASE(unit__file__is_locked_by_one), CASE(unit__file__is_renamed),
    CASE(unit__path__joins_with_one_separator), CASE(unit__path__knows_the_standard_folders))
