/* Passwords from files, descriptors and commands, and how keys make a typed one. */
#include "tests/unit/unit.h"

#if defined(_WIN32)
#include <fcntl.h>
#define make_pipe(ends) _pipe(ends, 4096, _O_BINARY | _O_NOINHERIT)
#else
#include <unistd.h>
#define make_pipe(ends) pipe(ends)
#endif

#include "os/file.h"
#include "os/random.h"
#include "os/secret.h"
#include "os/secret_platform.h"

static struct secret secret;
static struct error err;

static enum status from_file(struct slice content)
{
	char path[64];
	struct secret_source source = {SECRET_FILE, path};
	enum status status;

	/* Cases run side by side in one folder. */
	snprintf(path, sizeof path, "unit_secret_%016llx.tmp", (unsigned long long)random_u64());
	CHECK_INT(file_write(path, content, FILE_PRIVATE, true, NULL), STATUS_OK);
	status = secret_read(&source, "", NULL, &secret, &err);
	file_remove(path, NULL);
	return status;
}

static enum status from_command(const char *command)
{
	struct secret_source source = {SECRET_COMMAND, command};

	return secret_read(&source, "", NULL, &secret, &err);
}

TEST(unit__secret__cuts_one_line_end)
{
	CHECK_INT(from_file(slice_of("pass word\n")), STATUS_OK);
	CHECK_STR(secret.text, "pass word");
	CHECK_INT(from_file(slice_of("pass word\r\n")), STATUS_OK);
	CHECK_STR(secret.text, "pass word");
	CHECK_INT(from_file(slice_of(" a ")), STATUS_OK);
	CHECK_STR(secret.text, " a ");
	CHECK_INT(secret.len, 3);
	secret_release(&secret);
	CHECK_INT(secret.len, 0);
	CHECK_STR(secret.text, "");
}

TEST(unit__secret__refuses_what_is_no_line_of_text)
{
	static const char *const bad[] = {"", "\n", "a\nb\n", "a\n\n", "\xff\n", "\xc5"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_INT(from_file(slice_of(bad[i])), STATUS_INVALID);
	CHECK_INT(from_file(slice_make("a\0b\n", 4)), STATUS_INVALID);
}

TEST(unit__secret__has_a_bound)
{
	char text[SECRET_MAX + 40];

	memset(text, 'x', sizeof text);
	text[SECRET_MAX] = '\n';
	CHECK_INT(from_file(slice_make(text, SECRET_MAX + 1)), STATUS_OK);
	CHECK_INT(secret.len, SECRET_MAX);
	text[SECRET_MAX] = 'x';
	text[SECRET_MAX + 1] = '\n';
	CHECK_INT(from_file(slice_make(text, SECRET_MAX + 2)), STATUS_INVALID);
	CHECK(strstr(err.text, "longer than 256 bytes") != NULL);
	CHECK_INT(from_file(slice_make(text, sizeof text)), STATUS_INVALID);
	CHECK(strstr(err.text, "256 bytes") != NULL);
}

TEST(unit__secret__tells_of_a_missing_file)
{
	struct secret_source source = {SECRET_FILE, "no/such/file"};

	CHECK_INT(secret_read(&source, "", NULL, &secret, &err), STATUS_NOT_FOUND);
	CHECK(strstr(err.text, "no/such/file") != NULL);
}

TEST(unit__secret__reads_a_descriptor)
{
	struct secret_source source = {SECRET_FD, NULL};
	char number[16];
	int ends[2];

	CHECK_INT(make_pipe(ends), 0);
	CHECK_INT(write(ends[1], "through ", 8), 8);
	CHECK_INT(write(ends[1], "a pipe\n", 7), 7);
	close(ends[1]);
	snprintf(number, sizeof number, "%d", ends[0]);
	source.value = number;
	CHECK_INT(secret_read(&source, "", NULL, &secret, &err), STATUS_OK);
	CHECK_STR(secret.text, "through a pipe");
	close(ends[0]);
#if !defined(_WIN32)
	/* Windows' runtime ends the process for this mistake under some of its settings. */
	CHECK_INT(secret_read(&source, "", NULL, &secret, &err), STATUS_IO);
#endif
	source.value = "three";
	CHECK_INT(secret_read(&source, "", NULL, &secret, &err), STATUS_USAGE);
}

TEST(unit__secret__takes_what_a_command_prints)
{
	CHECK_INT(from_command("echo from \"the  shell\""), STATUS_OK);
#if defined(_WIN32)
	CHECK_STR(secret.text, "from \"the  shell\"");
#else
	CHECK_STR(secret.text, "from the  shell");
#endif
}

TEST(unit__secret__tells_how_a_command_failed)
{
	CHECK_INT(from_command("exit 3"), STATUS_IO);
	CHECK(strstr(err.text, "exit code 3") != NULL);
	CHECK_INT(from_command("echo one&& echo two"), STATUS_INVALID);
	CHECK_INT(from_command("cd ."), STATUS_INVALID);
}

TEST(unit__secret__reads_no_more_of_a_command_than_fits)
{
#if defined(_WIN32)
	static const char lines[] = "for /L %i in (1,1,20000) do @echo 0123456789";
#else
	static const char lines[] =
	    "i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i + 1)); done";
#endif
	CHECK_INT(from_command(lines), STATUS_INVALID);
}

TEST(unit__secret__takes_one_source_only)
{
	struct secret_source source = {0};

	CHECK_INT(secret_take_option(&source, "user", "x", &err), STATUS_NOT_FOUND);
	CHECK_INT(secret_take_option(&source, "password-fd", "3", &err), STATUS_OK);
	CHECK_INT(source.from, SECRET_FD);
	CHECK_STR(source.value, "3");
	CHECK_INT(secret_take_option(&source, "password-file", "x", &err), STATUS_USAGE);
	source = (struct secret_source){0};
	CHECK_INT(secret_take_option(&source, "password-command", "", &err), STATUS_USAGE);
}

static enum status type(struct secret_line *line, const char *keys)
{
	enum status status = STATUS_AGAIN;

	for (; *keys != '\0' && status == STATUS_AGAIN; keys++)
		status = secret_line_put(line, (unsigned char)*keys);
	return status;
}

TEST(unit__secret__is_edited_by_keys)
{
	struct secret_line line = {0};

	CHECK_INT(type(&line, "abc\x7f\b"), STATUS_AGAIN);
	CHECK_STR(line.secret.text, "a");
	CHECK_INT(type(&line, "\x15z\xc5\x82\xc4\x87\x7f\x1b\r"), STATUS_OK);
	CHECK_STR(line.secret.text, "z\xc5\x82");
	CHECK_INT(type(&line, "\x04"), STATUS_AGAIN);
	CHECK_INT(type(&line, "\x15\x7f\x04"), STATUS_INTERRUPTED);
	CHECK_INT(type(&line, "x\x03"), STATUS_INTERRUPTED);
}

TEST(unit__secret__is_bounded_when_typed)
{
	struct secret_line line = {0};

	for (int i = 0; i < SECRET_MAX; i++)
		CHECK_INT(secret_line_put(&line, 'x'), STATUS_AGAIN);
	CHECK(!line.is_full);
	CHECK_INT(secret_line_put(&line, 'x'), STATUS_AGAIN);
	CHECK(line.is_full);
	CHECK_INT(line.secret.len, SECRET_MAX);
	CHECK_INT(secret_line_put(&line, SECRET_KEY_KILL), STATUS_AGAIN);
	CHECK(!line.is_full);
}

UNIT_MAIN(CASE(unit__secret__cuts_one_line_end),
    CASE(unit__secret__refuses_what_is_no_line_of_text), CASE(unit__secret__has_a_bound),
    CASE(unit__secret__tells_of_a_missing_file), CASE(unit__secret__reads_a_descriptor),
    CASE(unit__secret__takes_what_a_command_prints),
    CASE(unit__secret__tells_how_a_command_failed),
    CASE(unit__secret__reads_no_more_of_a_command_than_fits),
    CASE(unit__secret__takes_one_source_only), CASE(unit__secret__is_edited_by_keys),
    CASE(unit__secret__is_bounded_when_typed))
