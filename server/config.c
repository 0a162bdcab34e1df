#include "config.h"

#include <assert.h>
#include <stdlib.h>

#include "os/file.h"
#include "wire/json.h"

enum kind { TEXT, PATH, LIST, BOOL, NUMBER, CHOICE };

static const struct row {
	const char *key;
	enum kind kind;
	const char *value, *fallback;
	int64_t min, max;
} rows[] = {
#define OPTION(key, kind, value, def, min, max, help) {#key, kind, value, def, min, max},
#include "options.def"
#undef OPTION
};

/* Flags that are no keys stand behind those that are. */
enum { FLAG_CONFIG = CONFIG_KEY_COUNT, FLAG_CHECK, FLAG_PRINT, FLAG_HELP, FLAG_VERSION };

static const struct option options[] = {
#define OPTION(key, kind, value, def, min, max, help)                                              \
	{#key, '\0', sizeof(value) > 1 ? value : NULL, help},
#include "options.def"
#undef OPTION
    {"config", 'c', "FILE", "the configuration file, JSON with comments\n"
			    "(default: /etc/confab/server.json, on Windows\n"
			    "%ProgramData%\\Confab\\server.json, if it is there)"},
    {"check-config", '\0', NULL, "read the configuration and the certificates, then stop"},
    {"print-config", '\0', NULL, "print the whole configuration as a file, then stop"},
    {"help", 'h', NULL, "print this and stop"},
    {"version", 'V', NULL, "print the version and stop"},
    {NULL, '\0', NULL, NULL},
};

/* The same with dashes for the command line, made once. */
static struct option flags[sizeof options / sizeof *options];
static char flag_names[sizeof options / sizeof *options][32];

const struct option *config_options(void)
{
	if (flags[0].name != NULL)
		return flags;
	for (size_t i = 0; options[i].name != NULL; i++) {
		str_copy(flag_names[i], sizeof flag_names[i], slice_of(options[i].name));
		for (char *c = flag_names[i]; *c != '\0'; c++)
			if (*c == '_')
				*c = '-';
		flags[i] = options[i];
		flags[i].name = flag_names[i];
	}
	return flags;
}

void config_init(struct config *config)
{
	*config = (struct config){0};
	for (int key = 0; key < CONFIG_KEY_COUNT; key++) {
		struct slice fallback = slice_of(rows[key].fallback);

		if (rows[key].kind == NUMBER)
			str_to_int(fallback, INT64_MIN, INT64_MAX, &config->value[key].number);
		else if (fallback.len > 0)
			config->value[key].text = str_dup(fallback);
	}
	config->value[CONFIG_log_level].number = 1; /* the index of "info" */
}

void config_release(struct config *config)
{
	for (int key = 0; key < CONFIG_KEY_COUNT; key++)
		free(config->value[key].text);
	for (unsigned i = 0; i < config->listen_count; i++)
		free(config->listen[i]);
	free(config->file);
	free(config->file_flag);
	*config = (struct config){0};
}

static enum status set_text(struct config_value *value, struct slice text, struct error *err)
{
	char *copy = text.len > 0 ? str_dup(text) : NULL;

	if (text.len > 0 && copy == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	free(value->text);
	value->text = copy;
	return STATUS_OK;
}

static enum status add_listen(struct config *config, struct slice text, const char *what,
    struct error *err)
{
	if (config->listen_count == CONFIG_LISTEN_MAX)
		return error_set(err, STATUS_USAGE, "%s: at most %d addresses", what,
		    CONFIG_LISTEN_MAX);
	config->listen[config->listen_count] = str_dup(text);
	if (config->listen[config->listen_count] == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	config->listen_count++;
	return STATUS_OK;
}

static bool find_word(const char *words, struct slice word, int64_t *ret_index)
{
	struct slice rest = slice_of(words);

	for (int64_t index = 0; rest.ptr != NULL; index++) {
		if (slice_equal(slice_cut(&rest, '|'), word)) {
			*ret_index = index;
			return true;
		}
	}
	return false;
}

/* A value that is a text or was given as one; `what` is the flag or key for messages. */
static enum status set(struct config *config, enum config_key key, struct slice text,
    const char *what, struct error *err)
{
	const struct row *row = &rows[key];
	struct config_value *value = &config->value[key];

	switch (row->kind) {
	case LIST:
		return add_listen(config, text, what, err);
	case NUMBER:
		if (!str_to_int(text, row->min, row->max, &value->number))
			return error_set(err, STATUS_USAGE, "%s: \"%.*s\" is not a number from "
							    "%lld to %lld",
			    what, (int)text.len, text.ptr, (long long)row->min,
			    (long long)row->max);
		return STATUS_OK;
	case CHOICE:
		if (!find_word(row->value, text, &value->number))
			return error_set(err, STATUS_USAGE, "%s: \"%.*s\" is none of %s", what,
			    (int)text.len, text.ptr, row->value);
		return set_text(value, text, err);
	case TEXT:
		if ((int64_t)text.len > row->max)
			return error_set(err, STATUS_USAGE, "%s: at most %lld bytes", what,
			    (long long)row->max);
		return set_text(value, text, err);
	case PATH:
		return set_text(value, text, err);
	case BOOL:
		value->number = 1;
		return STATUS_OK;
	}
	return STATUS_OK;
}

/* --- The command line ----------------------------------------------------------------------- */

static enum status take_flag(void *arg, const struct option *option, const char *value,
    struct error *err)
{
	struct config *config = arg;
	char what[40];
	ptrdiff_t flag;

	if (option == NULL)
		return error_set(err, STATUS_USAGE, "unexpected argument \"%s\"; see --help",
		    value);
	flag = option - flags;
	switch (flag) {
	case FLAG_CONFIG:
		free(config->file_flag);
		config->file_flag = str_dup(slice_of(value));
		return STATUS_OK;
	case FLAG_CHECK:
		config->check = true;
		return STATUS_OK;
	case FLAG_PRINT:
		config->print = true;
		return STATUS_OK;
	case FLAG_HELP:
		config->help = true;
		return STATUS_OK;
	case FLAG_VERSION:
		config->version = true;
		return STATUS_OK;
	}
	assert(flag < CONFIG_KEY_COUNT);
	snprintf(what, sizeof what, "--%s", option->name);
	config->value[flag].by_flag = true;
	return set(config, (enum config_key)flag, slice_of(value != NULL ? value : ""), what, err);
}

/* --- The file ------------------------------------------------------------------------------- */

/* Blanks out // and block comments, so that messages of the parser keep their positions. */
static void blank_comments(char *text, size_t len)
{
	enum { CODE, STRING, ESCAPE, LINE, BLOCK } state = CODE;

	for (size_t i = 0; i < len; i++) {
		char c = text[i], next = i + 1 < len ? text[i + 1] : '\0';

		if (state == STRING) {
			state = c == '\\' ? ESCAPE : c == '"' ? CODE : STRING;
		} else if (state == ESCAPE) {
			state = STRING;
		} else if (state == LINE || state == BLOCK) {
			bool ends = state == LINE ? c == '\n' : c == '*' && next == '/';

			if (ends && state == BLOCK)
				text[i++] = ' ';
			if (text[i] != '\n')
				text[i] = ' ';
			if (ends)
				state = CODE;
		} else if (c == '"') {
			state = STRING;
		} else if (c == '/' && (next == '/' || next == '*')) {
			state = next == '/' ? LINE : BLOCK;
			text[i] = text[i + 1] = ' ';
			i++;
		}
	}
}

static enum status take_listen(struct config *config, const struct json *value, const char *what,
    struct error *err)
{
	enum status status = STATUS_OK;

	if (json_type(value) == JSON_STRING)
		return add_listen(config, json_text(value), what, err);
	if (json_type(value) != JSON_ARRAY)
		return error_set(err, STATUS_USAGE, "%s: an address or a list of addresses", what);
	for (value = json_first(value); value != NULL && status == STATUS_OK;
	     value = json_next(value)) {
		if (json_type(value) != JSON_STRING)
			return error_set(err, STATUS_USAGE, "%s: addresses are strings", what);
		status = add_listen(config, json_text(value), what, err);
	}
	return status;
}

static enum status take_value(struct config *config, enum config_key key,
    const struct json *value, const char *what, struct error *err)
{
	const struct row *row = &rows[key];
	enum json_type type = json_type(value);
	char digits[24];
	int64_t number;

	if (row->kind == LIST)
		return take_listen(config, value, what, err);
	if (row->kind == BOOL) {
		if (type != JSON_BOOL)
			return error_set(err, STATUS_USAGE, "%s: true or false is wanted", what);
		config->value[key].number = json_is_true(value);
		return STATUS_OK;
	}
	if (row->kind == NUMBER) {
		if (!json_int(value, &number))
			return error_set(err, STATUS_USAGE, "%s: a number is wanted", what);
		snprintf(digits, sizeof digits, "%lld", (long long)number);
		return set(config, key, slice_of(digits), what, err);
	}
	if (type != JSON_STRING)
		return error_set(err, STATUS_USAGE, "%s: a string is wanted", what);
	return set(config, key, json_text(value), what, err);
}

static enum status take_member(struct config *config, const struct json *member, const char *name,
    struct error *err)
{
	const char *keys[CONFIG_KEY_COUNT + 1];
	struct slice key = json_key(member);
	char what[320], word[65];
	const char *nearest;
	int i;

	for (i = 0; i < CONFIG_KEY_COUNT; i++) {
		keys[i] = rows[i].key;
		if (slice_is(key, rows[i].key))
			break;
	}
	if (i < CONFIG_KEY_COUNT) {
		snprintf(what, sizeof what, "%s: %s", name, rows[i].key);
		if (config->value[i].by_flag)
			return STATUS_OK;
		return take_value(config, (enum config_key)i, member, what, err);
	}
	keys[i] = NULL;
	str_copy(word, sizeof word, key);
	nearest = options_nearest(word, keys);
	if (nearest != NULL)
		return error_set(err, STATUS_USAGE, "%s: unknown key \"%s\"; did you mean \"%s\"?",
		    name, word, nearest);
	return error_set(err, STATUS_USAGE, "%s: unknown key \"%s\"; --print-config shows them all",
	    name, word);
}

enum status config_parse(struct config *config, struct slice text, const char *name,
    struct error *err)
{
	char *copy = str_dup(text);
	struct json *root = NULL;
	struct error flaw;
	enum status status;

	if (copy == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	blank_comments(copy, text.len);
	status = json_parse(slice_make(copy, text.len), &root, &flaw);
	free(copy);
	if (status != STATUS_OK)
		return error_set(err, STATUS_USAGE, "%s: %s", name, flaw.text);
	if (json_type(root) != JSON_OBJECT)
		status = error_set(err, STATUS_USAGE, "%s: a JSON object is wanted", name);
	for (const struct json *m = json_first(root); m != NULL && status == STATUS_OK;
	     m = json_next(m))
		status = take_member(config, m, name, err);
	json_free(root);
	return status;
}

/* --- Places --------------------------------------------------------------------------------- */

static char *joined(const char *dir, const char *name)
{
	struct buf path;
	char *copy;

	buf_init(&path, 8192);
	path_join(&path, dir, name);
	copy = str_dup(buf_slice(&path));
	buf_release(&path);
	return copy;
}

/* The folder that the configuration, and by default the certificate, is in. */
static char *config_dir(const struct config *config)
{
	struct buf path;
	char *copy = NULL;

	if (config_text(config, CONFIG_dir) != NULL)
		return str_dup(slice_of(config_text(config, CONFIG_dir)));
	buf_init(&path, 8192);
	if (path_standard(PATH_CONFIG_SYSTEM, &path, NULL) == STATUS_OK)
		copy = str_dup(buf_slice(&path));
	buf_release(&path);
	return copy;
}

static enum status read_file(struct config *config, const char *dir, struct error *err)
{
	struct buf text;
	enum status status;

	if (config->file_flag != NULL)
		config->file = str_dup(slice_of(config->file_flag));
	else if (dir != NULL)
		config->file = joined(dir, "server.json");
	if (config->file == NULL ||
	    (config->file_flag == NULL && !file_exists(config->file))) {
		free(config->file);
		config->file = NULL;
		return STATUS_OK;
	}
	buf_init(&text, CONFIG_FILE_MAX);
	status = file_read(config->file, &text, err);
	if (status == STATUS_OK)
		status = config_parse(config, buf_slice(&text), config->file, err);
	buf_release(&text);
	return status;
}

static char *data_dir(void)
{
	struct buf path;
	char *copy = NULL;

	buf_init(&path, 8192);
	if (path_standard(PATH_DATA_SERVER, &path, NULL) == STATUS_OK)
		copy = str_dup(buf_slice(&path));
	buf_release(&path);
	return copy;
}

/* Files that are there without being named: the certificate beside the configuration. */
static void fill_places(struct config *config, const char *dir)
{
	static const struct {
		enum config_key key;
		const char *name;
	} files[] = {{CONFIG_cert, "server.pem"}, {CONFIG_key, "server.key"}};

	for (size_t i = 0; dir != NULL && i < sizeof files / sizeof *files; i++) {
		char **text = &config->value[files[i].key].text;

		if (*text == NULL)
			*text = joined(dir, files[i].name);
	}
	if (config_text(config, CONFIG_data) == NULL && config_text(config, CONFIG_dir) != NULL)
		config->value[CONFIG_data].text = joined(config_text(config, CONFIG_dir), "data");
	if (config_text(config, CONFIG_data) == NULL)
		config->value[CONFIG_data].text = data_dir();
}

enum status config_load(struct config *config, int argc, char *const *argv, struct error *err)
{
	enum status status = options_parse(config_options(), argc, argv, take_flag, config, err);
	char *dir;

	if (status != STATUS_OK || config->help || config->version)
		return status;
	dir = config_dir(config);
	status = read_file(config, dir, err);
	if (status == STATUS_OK)
		fill_places(config, dir);
	free(dir);
	if (status == STATUS_OK && config_number(config, CONFIG_require_client_cert) != 0 &&
	    config_text(config, CONFIG_client_ca) == NULL)
		status = error_set(err, STATUS_USAGE,
		    "require_client_cert needs client_ca: whose certificates are good?");
	return status;
}

void config_print(const struct config *config, struct buf *to)
{
	struct json_writer w = {.to = to};

	buf_put_str(to, "{\n");
	for (int key = 0; key < CONFIG_KEY_COUNT; key++) {
		const struct config_value *value = &config->value[key];
		struct slice text = slice_of(value->text != NULL ? value->text : "");

		buf_put_fmt(to, "\t\"%s\": ", rows[key].key);
		switch (rows[key].kind) {
		case LIST:
			w.need_comma = false;
			json_open_array(&w, NULL);
			for (unsigned i = 0; i < config->listen_count; i++)
				json_put_str(&w, NULL, config->listen[i]);
			json_close_array(&w);
			break;
		case BOOL:
			buf_put_str(to, value->number != 0 ? "true" : "false");
			break;
		case NUMBER:
			buf_put_fmt(to, "%lld", (long long)value->number);
			break;
		case TEXT:
		case PATH:
		case CHOICE:
			json_put_quoted(to, text);
			break;
		}
		buf_put_str(to, key + 1 < CONFIG_KEY_COUNT ? ",\n" : "\n");
	}
	buf_put_str(to, "}\n");
}
