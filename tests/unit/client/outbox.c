/* The outbox: what its files hold, torn and damaged ones, bounds, and who owns which file. */
#include "tests/unit/unit.h"

#include "cli/outbox_file.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/file_journal.h"

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

static void make_folder(const char *name)
{
	snprintf(folder, sizeof folder, "unit outbox %s/Zażółć", name);
	CHECK_INT(file_make_dir(folder, FILE_PRIVATE, NULL), STATUS_OK);
	CHECK_INT(file_list_dir(folder, remove_entry, NULL, NULL), STATUS_OK);
}

static void count_entry(void *arg, const char *name)
{
	(void)name;
	++*(int *)arg;
}

static int count_files(void)
{
	int count = 0;

	CHECK_INT(file_list_dir(folder, count_entry, &count, NULL), STATUS_OK);
	return count;
}

static void write_file(const char *name, const char *text)
{
	struct buf path;

	buf_init(&path, 1000);
	path_join(&path, folder, name);
	CHECK_INT(file_write(buf_text(&path), slice_of(text), FILE_PRIVATE, true, NULL), STATUS_OK);
	buf_release(&path);
}

static struct outbox *open_outbox(void)
{
	struct outbox *outbox;
	struct error err = {.status = STATUS_OK};

	if (outbox_open(folder, &outbox, NULL, &err) != STATUS_OK) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	return outbox;
}

static void put(struct outbox *outbox, const char *text)
{
	CHECK_INT(outbox_put(outbox, "dev", 0, slice_of(text), NULL), STATUS_OK);
}

static struct outbox_message *first_of(struct outbox *outbox)
{
	struct list *queue = outbox_queue(outbox);

	CHECK(!list_is_empty(queue));
	return list_entry(queue->next, struct outbox_message, node);
}

/* The texts that wait, with a space behind each. */
static void check_queue(struct outbox *outbox, const char *want)
{
	struct list *queue = outbox_queue(outbox);
	struct buf got;

	buf_init(&got, 10000);
	for (struct list *node = queue->next; node != queue; node = node->next) {
		buf_put_slice(&got, list_entry(node, struct outbox_message, node)->text);
		buf_put_char(&got, ' ');
	}
	CHECK_STR(buf_text(&got), want);
	buf_release(&got);
}

static void close_outbox(struct outbox *outbox)
{
	CHECK_INT(outbox_close(outbox, NULL), STATUS_OK);
}

/* --- A file -------------------------------------------------------------------------------- */

static void free_all(struct outbox_reading *reading)
{
	struct list *node;

	while ((node = list_take(&reading->messages)) != NULL)
		free(list_entry(node, struct outbox_message, node));
}

#define LINE(id, text)                                                                             \
	"{\"id\":" id ",\"nonce\":\"n" id "\",\"time\":1,\"to\":\"dev\",\"text\":\"" text "\"}\n"

static void check_file(const char *file, const char *want, unsigned broken, size_t whole)
{
	struct outbox_reading reading;
	struct buf got;

	buf_init(&got, 1000);
	CHECK_INT(outbox_file_read(slice_of(file), &reading), STATUS_OK);
	for (struct list *n = reading.messages.next; n != &reading.messages; n = n->next) {
		struct outbox_message *message = list_entry(n, struct outbox_message, node);

		buf_put_fmt(&got, "%s%s ", message->text.ptr, message->sent ? "*" : "");
	}
	CHECK_STR(buf_text(&got), want);
	CHECK_INT(reading.broken, broken);
	CHECK_INT(reading.whole, whole);
	buf_release(&got);
	free_all(&reading);
}

TEST(unit__outbox_file_read__keeps_what_is_not_done)
{
	const char *file = LINE("0", "a") LINE("1", "b") LINE("4", "c")
	    LINE("5", "d") "{\"done\":[0,3]}\n{\"sent\":[4,5]}\n{\"back\":[5,5]}\n";

	check_file(file, "c* d ", 0, strlen(file));
	check_file("", "", 0, 0);
	check_file("{\"done\":[0,99]}\n", "", 0, 16);
}

TEST(unit__outbox_file_read__ignores_a_torn_last_line)
{
	const char *file = LINE("0", "a") LINE("1", "b");
	char torn[400];
	size_t one = strlen(LINE("0", "a"));

	for (size_t len = 0; len < strlen(file); len++) {
		memcpy(torn, file, len);
		torn[len] = '\0';
		check_file(torn, len < one ? "" : "a ", 0, len < one ? 0 : one);
	}
}

TEST(unit__outbox_file_read__leaves_out_what_is_damaged)
{
	/* No text, an id that falls, no object, a mark of another kind, an unknown line, no JSON.
	 */
	check_file(LINE("0", "") LINE("3", "a")
	               LINE("3", "b") "7\n{\"done\":3}\n{\"x\":1}\n\n" LINE("4", "c"),
	    "a c ", 6,
	    2 * strlen(LINE("0", "a")) + 2 * strlen(LINE("0", "")) +
	        strlen("7\n{\"done\":3}\n{\"x\":1}\n\n") + 1);
}

TEST(unit__outbox_file_put__is_read_back)
{
	const char *text = "zażółć \"x\"\n\\ \x1b";
	struct outbox_message *message = outbox_message_new("@bob", slice_of(text));
	struct outbox_reading reading;
	struct buf file;

	CHECK(message != NULL);
	message->id = 12;
	message->time_ms = INT64_C(1767225600000);
	memcpy(message->nonce, "abc", 4);
	buf_init(&file, 10000);
	outbox_file_put(&file, message);
	free(message);
	CHECK_INT(outbox_file_read(buf_slice(&file), &reading), STATUS_OK);
	CHECK_INT(reading.count, 1);
	CHECK_INT(reading.next_id, 13);
	message = list_entry(reading.messages.next, struct outbox_message, node);
	CHECK_STR(message->text.ptr, text);
	CHECK_STR(message->target, "@bob");
	CHECK_STR(message->nonce, "abc");
	CHECK_INT(message->time_ms, INT64_C(1767225600000));
	free_all(&reading);
	buf_release(&file);
}

/* --- An outbox ----------------------------------------------------------------------------- */

TEST(unit__outbox__keeps_what_is_not_done)
{
	struct outbox *outbox;
	char nonce[OUTBOX_NONCE_SIZE];

	make_folder("keeps");
	outbox = open_outbox();
	put(outbox, "a");
	put(outbox, "b");
	put(outbox, "c");
	outbox_done(outbox, first_of(outbox));
	memcpy(nonce, first_of(outbox)->nonce, sizeof nonce);
	close_outbox(outbox);
	outbox = open_outbox();
	check_queue(outbox, "b c ");
	CHECK_STR(first_of(outbox)->nonce, nonce);
	CHECK(first_of(outbox)->earlier);
	put(outbox, "d");
	check_queue(outbox, "b c d ");
	close_outbox(outbox);
	CHECK_INT(count_files(), 1);
	outbox = open_outbox();
	check_queue(outbox, "b c d ");
	while (outbox_count(outbox) > 0)
		outbox_done(outbox, first_of(outbox));
	CHECK_INT(outbox_flush(outbox, false, NULL), STATUS_OK);
	close_outbox(outbox);
	CHECK_INT(count_files(), 0);
}

TEST(unit__outbox__of_another_process_is_left_alone)
{
	struct outbox *one, *two, *three;

	make_folder("another");
	one = open_outbox();
	put(one, "a");
	CHECK_INT(outbox_flush(one, false, NULL), STATUS_OK);
	two = open_outbox();
	check_queue(two, "");
	put(two, "b");
	close_outbox(two);
	close_outbox(one);
	CHECK_INT(count_files(), 2);
	/* Small files become one, in the order of their making. */
	three = open_outbox();
	CHECK_INT(outbox_count(three), 2);
	CHECK_INT(count_files(), 1);
	close_outbox(three);
}

TEST(unit__outbox__writes_before_it_is_closed)
{
	struct outbox *one, *two;

	/* As after a kill: what was flushed is there, the rest is not. */
	make_folder("writes");
	one = open_outbox();
	put(one, "a");
	put(one, "b");
	CHECK(outbox_is_unwritten(one));
	CHECK_INT(outbox_flush(one, true, NULL), STATUS_OK);
	CHECK(!outbox_is_unwritten(one));
	outbox_done(one, first_of(one));
	outbox_sent(one, first_of(one));
	CHECK_INT(outbox_flush(one, false, NULL), STATUS_OK);
	outbox_back(one, first_of(one));
	outbox_sent(one, first_of(one));
	close_outbox(one);
	two = open_outbox();
	check_queue(two, "b ");
	CHECK(first_of(two)->sent && outbox_is_doubtful(first_of(two), clock_unix_ms()));
	outbox_back(two, first_of(two));
	CHECK(!outbox_is_doubtful(first_of(two), clock_unix_ms()));
	CHECK(outbox_is_doubtful(first_of(two), clock_unix_ms() + OUTBOX_AGE_MAX_MS + 1000));
	CHECK(outbox_is_doubtful(first_of(two), clock_unix_ms() - 3600000));
	close_outbox(two);
}

TEST(unit__outbox__takes_a_copy_once)
{
	struct outbox *outbox;
	unsigned broken = 0;

	make_folder("copies");
	write_file("0000-1.jsonl", LINE("0", "a") LINE("1", "b") "rubbish\n");
	write_file("0000-2.jsonl", LINE("0", "a") LINE("2", "c") "{\"sent\":[0,0]}\n{\"id\":7,");
	write_file("notes.txt", "not ours\n");
	CHECK_INT(outbox_open(folder, &outbox, &broken, NULL), STATUS_OK);
	check_queue(outbox, "a b c ");
	CHECK(first_of(outbox)->sent);
	CHECK_INT(broken, 1);
	CHECK_INT(count_files(), 2);
	close_outbox(outbox);
}

TEST(unit__outbox__is_bounded_by_bytes)
{
	static char text[100000];
	struct outbox *outbox;
	struct error err = {.status = STATUS_OK};
	enum status status;
	size_t count = 0;

	make_folder("bytes");
	memset(text, 'x', sizeof text - 1);
	outbox = open_outbox();
	do {
		status = outbox_put(outbox, "dev", 0, slice_of(text), &err);
		count += status == STATUS_OK;
	} while (status == STATUS_OK);
	CHECK_INT(status, STATUS_FULL);
	CHECK(strstr(err.text, "16 MiB") != NULL);
	CHECK(count > 100 && count <= 168);
	close_outbox(outbox);
	/* So many bytes are several files, which stay as they are. */
	CHECK(count_files() > 10);
	outbox = open_outbox();
	CHECK_INT(outbox_count(outbox), count);
	CHECK_INT(outbox_put(outbox, "dev", 0, slice_of(text), &err), STATUS_FULL);
	for (size_t i = 0; i < 50; i++)
		outbox_done(outbox, first_of(outbox));
	CHECK_INT(outbox_flush(outbox, false, NULL), STATUS_OK);
	CHECK_INT(outbox_put(outbox, "dev", 0, slice_of(text), &err), STATUS_OK);
	while (outbox_count(outbox) > 0)
		outbox_done(outbox, first_of(outbox));
	close_outbox(outbox);
	CHECK_INT(count_files(), 0);
}

TEST(unit__outbox__is_bounded_by_count)
{
	struct outbox *outbox;
	struct error err = {.status = STATUS_OK};

	CHECK_INT(outbox_open(NULL, &outbox, NULL, &err), STATUS_OK);
	for (int i = 0; i < OUTBOX_COUNT_MAX; i++)
		put(outbox, "x");
	CHECK_INT(outbox_put(outbox, "dev", 0, slice_of("x"), &err), STATUS_FULL);
	CHECK(!outbox_is_kept(outbox));
	outbox_done(outbox, first_of(outbox));
	put(outbox, "y");
	close_outbox(outbox);
}

/* A window of messages moves through it: what is done goes, however much passes. */
TEST(unit__outbox__does_not_grow_with_what_passes)
{
	struct outbox *outbox;
	int most = 0;

	make_folder("passes");
	outbox = open_outbox();
	for (int i = 0; i < 200000; i++) {
		put(outbox, "a line that is as long as lines of logs often are, about this much");
		if (outbox_count(outbox) > 64)
			outbox_done(outbox, first_of(outbox));
		if (i % 64 == 0)
			CHECK_INT(outbox_flush(outbox, false, NULL), STATUS_OK);
		if (i % 6400 == 0 && count_files() > most)
			most = count_files();
	}
	CHECK(most <= 2);
	close_outbox(outbox);
	outbox = open_outbox();
	CHECK_INT(outbox_count(outbox), 64);
	while (outbox_count(outbox) > 0)
		outbox_done(outbox, first_of(outbox));
	close_outbox(outbox);
}

TEST(unit__outbox_path__is_one_of_every_file_system)
{
	struct buf path;
	const char *end;

	buf_init(&path, 4096);
	CHECK_INT(outbox_path("[fe80::1%Eth0]:8572", "con.x", &path, NULL), STATUS_OK);
	end = strstr(buf_text(&path), "outbox");
	CHECK(end != NULL);
	CHECK_STR(end + 7, "@con.x@%5Bfe80%3A%3A1%25eth0%5D,8572");
	buf_release(&path);
}

/* --- The file below ------------------------------------------------------------------------ */

TEST(unit__file_journal__belongs_to_one)
{
	struct file_journal *one, *two;
	struct buf path, text;

	make_folder("journal");
	buf_init(&path, 1000);
	buf_init(&text, 1000);
	path_join(&path, folder, "a");
	CHECK_INT(file_journal_open(buf_text(&path), &one, NULL), STATUS_OK);
	CHECK_INT(file_journal_open(buf_text(&path), &two, NULL), STATUS_EXISTS);
	CHECK_INT(file_journal_put(one, slice_of("abc"), NULL), STATUS_OK);
	CHECK_INT(file_journal_put(one, slice_of("def"), NULL), STATUS_OK);
	CHECK_INT(file_journal_cut(one, 4, NULL), STATUS_OK);
	CHECK_INT(file_journal_put(one, slice_of("gh"), NULL), STATUS_OK);
	CHECK_INT(file_journal_sync(one, NULL), STATUS_OK);
	CHECK_INT(file_read(buf_text(&path), &text, NULL), STATUS_OK);
	CHECK_STR(buf_text(&text), "abcdgh");
	CHECK(!file_is_exposed(buf_text(&path)));
	file_journal_close(one);
	CHECK_INT(file_journal_open(buf_text(&path), &two, NULL), STATUS_OK);
	CHECK_INT(file_journal_size(two), 6);
	file_journal_remove(two);
	CHECK(!file_exists(buf_text(&path)));
	buf_release(&path);
	buf_release(&text);
}

UNIT_MAIN(CASE(unit__outbox_file_read__keeps_what_is_not_done),
    CASE(unit__outbox_file_read__ignores_a_torn_last_line),
    CASE(unit__outbox_file_read__leaves_out_what_is_damaged),
    CASE(unit__outbox_file_put__is_read_back), CASE(unit__outbox__keeps_what_is_not_done),
    CASE(unit__outbox__of_another_process_is_left_alone),
    CASE(unit__outbox__writes_before_it_is_closed), CASE(unit__outbox__takes_a_copy_once),
    CASE(unit__outbox__is_bounded_by_bytes), CASE(unit__outbox__is_bounded_by_count),
    CASE(unit__outbox__does_not_grow_with_what_passes),
    CASE(unit__outbox_path__is_one_of_every_file_system), CASE(unit__file_journal__belongs_to_one))
