/* Profiles, commands as words, and what others wrote on a person's terminal. */
#include "tests/unit/unit.h"

#include "cli/settings.h"
#include "cli/show.h"
#include "cli/words.h"

/* --- Profiles ------------------------------------------------------------------------------ */

static const char two_profiles[] =
    "{\"default\":\"work\",\"profiles\":{"
    "\"work\":{\"server\":\"chat.example.org\",\"user\":\"alice\",\"ca\":\"my ca.pem\"},"
    "\"home\":{\"server\":\"[::1]:9000\",\"cert\":\"c.pem\",\"key\":\"k.pem\"}}}";

TEST(unit__settings_parse__takes_the_default_profile)
{
	struct settings settings = {.value = {NULL}};
	struct error err;
	char name[64];

	CHECK_INT(settings_parse(slice_of(two_profiles), NULL, &settings, name, &err), STATUS_OK);
	CHECK_STR(name, "work");
	CHECK_STR(settings.value[SETTINGS_SERVER], "chat.example.org");
	CHECK_STR(settings.value[SETTINGS_USER], "alice");
	CHECK_STR(settings.value[SETTINGS_CA], "my ca.pem");
	CHECK(settings.value[SETTINGS_CERT] == NULL);
	settings_release(&settings);
}

TEST(unit__settings_parse__takes_the_profile_named)
{
	struct settings settings = {.value = {NULL}};
	struct error err;
	char name[64];

	CHECK_INT(settings_parse(slice_of(two_profiles), "home", &settings, name, &err), STATUS_OK);
	CHECK_STR(name, "home");
	CHECK_STR(settings.value[SETTINGS_SERVER], "[::1]:9000");
	CHECK_STR(settings.value[SETTINGS_KEY], "k.pem");
	settings_release(&settings);
}

static void check_refused(const char *text, const char *profile, const char *part)
{
	struct settings settings = {.value = {NULL}};
	struct error err;
	char name[64];

	CHECK_INT(settings_parse(slice_of(text), profile, &settings, name, &err), STATUS_USAGE);
	if (strstr(err.text, part) == NULL) {
		fprintf(stderr, "\"%s\" does not say \"%s\"\n", err.text, part);
		exit(1);
	}
	settings_release(&settings);
}

TEST(unit__settings_parse__names_the_nearest_key)
{
	check_refused("{\"profile\":{}}", NULL, "did you mean \"profiles\"");
	check_refused("{\"profiles\":{\"a\":{\"sever\":\"x\"}}}", NULL, "did you mean \"server\"");
	check_refused(two_profiles, "wrok", "did you mean \"work\"");
}

TEST(unit__settings_parse__refuses_what_is_no_configuration)
{
	check_refused("", NULL, "");
	check_refused("[]", NULL, "object");
	check_refused("{\"default\":1}", NULL, "default");
	check_refused("{\"default\":\"gone\"}", NULL, "gone");
	check_refused("{\"profiles\":[]}", NULL, "profiles");
	check_refused("{\"profiles\":{\"a\":7}}", NULL, "\"a\"");
	check_refused("{\"profiles\":{\"a\":{\"user\":7}}}", NULL, "user");
	check_refused("{\"profiles\":{\"a\":{\"user\":\"\"}}}", NULL, "user");
	check_refused("{\"profiles\":{}} x", NULL, "");
	check_refused("{\"profiles\":{},\"profiles\":{}}", NULL, "");
	check_refused("{} // comment", NULL, "");
}

TEST(unit__settings_user_name__lowers_a_login_name)
{
	char name[33];

	CHECK(settings_user_name("Alice", name, sizeof name));
	CHECK_STR(name, "alice");
	CHECK(settings_user_name("j.doe-2", name, sizeof name));
	CHECK(!settings_user_name("Zażółć", name, sizeof name));
	CHECK(!settings_user_name("Jane Doe", name, sizeof name));
	CHECK(!settings_user_name("", name, sizeof name));
	CHECK(!settings_user_name("a123456789012345678901234567890123", name, sizeof name));
}

/* --- Words --------------------------------------------------------------------------------- */

static void check_words(
    const char *const *words, size_t count, const char *to_user, const char *wanted)
{
	struct buf json;
	struct error err = {.status = STATUS_OK};

	buf_init(&json, 4096);
	if (words_to_json(words, count, to_user, &json, &err) != STATUS_OK) {
		fprintf(stderr, "refused: %s\n", err.text);
		exit(1);
	}
	CHECK_STR(buf_text(&json), wanted);
	buf_release(&json);
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

TEST(unit__words_to_json__quotes_texts)
{
	static const char *const words[] = {"cmd=send", "room=dev", "text=say \"hi\" = 5\\6"};

	check_words(words, COUNT(words), NULL,
	    "{\"cmd\":\"send\",\"room\":\"dev\",\"text\":\"say \\\"hi\\\" = 5\\\\6\"}");
}

TEST(unit__words_to_json__takes_types_from_the_tables)
{
	static const char *const create[] = {
	    "cmd=create", "room=7", "private=true", "topic=true", "id=007"};
	static const char *const list[] = {"limit=10", "cmd=rooms", "like=10"};
	static const char *const odd[] = {"cmd=rooms", "limit=ten", "id=x"};

	check_words(create, COUNT(create), NULL,
	    "{\"cmd\":\"create\",\"room\":\"7\",\"private\":true,\"topic\":\"true\",\"id\":7}");
	check_words(list, COUNT(list), NULL, "{\"limit\":10,\"cmd\":\"rooms\",\"like\":\"10\"}");
	check_words(odd, COUNT(odd), NULL, "{\"cmd\":\"rooms\",\"limit\":\"ten\",\"id\":\"x\"}");
}

TEST(unit__words_to_json__takes_raw_json)
{
	static const char *const words[] = {
	    "cmd=send", "to=@bob", "text=", "data:={\"a\":[1,null]}"};

	check_words(words, COUNT(words), NULL,
	    "{\"cmd\":\"send\",\"to\":\"bob\",\"text\":\"\",\"data\":{\"a\":[1,null]}}");
}

TEST(unit__words_to_json__adds_the_user)
{
	static const char *const words[] = {"cmd=send", "text=Zażółć"};

	check_words(
	    words, COUNT(words), "bob", "{\"cmd\":\"send\",\"text\":\"Zażółć\",\"to\":\"bob\"}");
}

TEST(unit__words_to_json__passes_on_commands_it_does_not_know)
{
	static const char *const words[] = {"cmd=hullabaloo", "n=1"};

	check_words(words, COUNT(words), NULL, "{\"cmd\":\"hullabaloo\",\"n\":\"1\"}");
}

static void check_words_refused(const char *const *words, size_t count, const char *part)
{
	struct buf json;
	struct error err = {.status = STATUS_OK};

	buf_init(&json, 4096);
	CHECK_INT(words_to_json(words, count, NULL, &json, &err), STATUS_USAGE);
	CHECK(strstr(err.text, part) != NULL);
	buf_release(&json);
}

TEST(unit__words_to_json__refuses_slips)
{
	static const char *const no_cmd[] = {"room=dev"};
	static const char *const no_value[] = {"cmd=send", "hello"};
	static const char *const no_name[] = {"cmd=send", "=x"};
	static const char *const near_miss[] = {"cmd=sned"};
	static const char *const bad_raw[] = {"cmd=send", "data:={"};
	static const char *const not_utf8[] = {"cmd=send", "text=\xff"};

	check_words_refused(no_cmd, COUNT(no_cmd), "cmd=");
	check_words_refused(no_value, COUNT(no_value), "hello");
	check_words_refused(no_name, COUNT(no_name), "=x");
	check_words_refused(near_miss, COUNT(near_miss), "cmd=send");
	check_words_refused(bad_raw, COUNT(bad_raw), "data");
	check_words_refused(not_utf8, COUNT(not_utf8), "UTF-8");
}

/* --- Hostile texts ------------------------------------------------------------------------- */

#define R "\xEF\xBF\xBD"

static void check_shown(struct slice text, const char *wanted)
{
	struct buf shown;

	buf_init(&shown, 4096);
	show_text(&shown, text);
	CHECK_STR(buf_text(&shown), wanted);
	buf_release(&shown);
}

TEST(unit__show_text__lets_no_control_through)
{
	check_shown(slice_of("\x1b]0;title\x07 \x1b[2J"), R "]0;title" R " " R "[2J");
	check_shown(slice_make("a\0b\rc\bd\x7f", 8), "a" R "b" R "c" R "d" R);
	/* C1: U+009B is a control sequence introducer, in UTF-8 and as a lone byte. */
	check_shown(slice_of("\xC2\x9B"
	                     "31m \x9B"
	                     "31m"),
	    R "31m " R "31m");
	check_shown(slice_of("a\nb\tc"), "a b    c");
	/* Right-to-left override, isolates, marks, invisible ones, tags. */
	check_shown(slice_of("x\xE2\x80\xAE"
	                     "y\xE2\x81\xA6z\xE2\x80\x8F"),
	    "x" R "y" R "z" R);
	check_shown(slice_of("\xEF\xBB\xBF\xE2\x80\x8B\xE2\x80\xA8"), R R R);
	check_shown(slice_of("\xF3\xA0\x81\x81"), R);
}

TEST(unit__show_text__keeps_what_people_write)
{
	check_shown(slice_of("Zażółć gęślą jaźń, 日本語, ʻokina, 👩\xE2\x80\x8D🔬"),
	    "Zażółć gęślą jaźń, 日本語, ʻokina, 👩\xE2\x80\x8D🔬");
	check_shown(slice_of(""), "");
}

TEST(unit__show_repair__makes_a_text_the_server_takes)
{
	struct buf to;

	buf_init(&to, 100);
	show_repair(&to, slice_make("a\0\xff\x1b[0m ż", 10));
	CHECK_STR(buf_text(&to), "a" R R "\x1b[0m ż");
	buf_release(&to);
}

static void check_event(const char *line, const char *wanted)
{
	struct json *event;
	struct buf text;

	CHECK_INT(json_parse(slice_of(line), &event, NULL), STATUS_OK);
	buf_init(&text, 4096);
	show_event(&text, event, "me");
	CHECK_STR(buf_text(&text), wanted);
	buf_release(&text);
	json_free(event);
}

TEST(unit__show_event__writes_lines_for_people)
{
	check_event("{\"event\":\"message\",\"room\":\"dev\",\"from\":\"bob\",\"text\":\"hi\"}",
	    "--:--:-- dev bob: hi\n");
	check_event("{\"event\":\"message\",\"room\":\"dev\",\"from\":\"bob\",\"text\":\"waves\","
	            "\"kind\":\"action\",\"guest\":true}",
	    "--:--:-- dev * ~bob waves\n");
	check_event("{\"event\":\"message\",\"to\":\"me\",\"from\":\"bob\",\"text\":\"psst\"}",
	    "--:--:-- @bob bob: psst\n");
	check_event("{\"event\":\"message\",\"to\":\"bob\",\"from\":\"me\",\"text\":\"yes\"}",
	    "--:--:-- @bob me: yes\n");
	check_event("{\"event\":\"join\",\"room\":\"dev\",\"user\":\"bob\"}",
	    "--:--:-- dev -- bob joined\n");
	check_event("{\"event\":\"typing\",\"room\":\"dev\",\"from\":\"bob\"}", "");
}

TEST(unit__show_event__marks_the_lines_of_one_message)
{
	check_event("{\"event\":\"message\",\"room\":\"dev\",\"from\":\"eve\",\"text\":"
	            "\"x\\n10:00:00 dev bob: I quit\\r\\u001b[1A\\n\"}",
	    "--:--:-- dev eve: x\n         | 10:00:00 dev bob: I quit" R R "[1A\n");
	/* A hostile server may send anything where a name belongs. */
	check_event("{\"event\":\"message\",\"room\":\"d\\u001bv\",\"from\":\"e\\nve\",\"text\":7}",
	    "--:--:-- d" R "v e ve: \n");
}

UNIT_MAIN(CASE(unit__settings_parse__takes_the_default_profile),
    CASE(unit__settings_parse__takes_the_profile_named),
    CASE(unit__settings_parse__names_the_nearest_key),
    CASE(unit__settings_parse__refuses_what_is_no_configuration),
    CASE(unit__settings_user_name__lowers_a_login_name), CASE(unit__words_to_json__quotes_texts),
    CASE(unit__words_to_json__takes_types_from_the_tables),
    CASE(unit__words_to_json__takes_raw_json), CASE(unit__words_to_json__adds_the_user),
    CASE(unit__words_to_json__passes_on_commands_it_does_not_know),
    CASE(unit__words_to_json__refuses_slips), CASE(unit__show_text__lets_no_control_through),
    CASE(unit__show_text__keeps_what_people_write),
    CASE(unit__show_repair__makes_a_text_the_server_takes),
    CASE(unit__show_event__writes_lines_for_people),
    CASE(unit__show_event__marks_the_lines_of_one_message))
