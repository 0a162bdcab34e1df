#include "base/options.h"

const char *options_nearest(const char *word, const char *const *names)
{
	const char *best = NULL;
	/* One edit in three letters and a bit still looks like a slip. */
	unsigned best_distance = (unsigned)strlen(word) / 3 + 2;

	for (; *names != NULL; names++) {
		unsigned distance = str_distance(slice_of(word), slice_of(*names));

		if (distance < best_distance) {
			best_distance = distance;
			best = *names;
		}
	}
	return best;
}

static enum status unknown(const struct option *table, struct slice name, struct error *err)
{
	const char *names[65];
	char word[65];
	const char *nearest;
	size_t count = 0;

	for (; table->name != NULL && count < 64; table++)
		names[count++] = table->name;
	names[count] = NULL;
	str_copy(word, sizeof word, name);
	nearest = options_nearest(word, names);
	if (nearest != NULL)
		return error_set(err, STATUS_USAGE, "unknown option --%s; did you mean --%s?",
		    word, nearest);
	return error_set(err, STATUS_USAGE, "unknown option --%s; --help lists them all", word);
}

static const struct option *find(const struct option *table, struct slice name, char letter)
{
	for (; table->name != NULL; table++)
		if (letter != '\0' ? table->letter == letter : slice_is(name, table->name))
			return table;
	return NULL;
}

/* One argument that starts with a dash; advances *i when the value is the next argument. */
static enum status parse_one(const struct option *table, int argc, char *const *argv, int *i,
    option_fn *fn, void *arg, struct error *err)
{
	const char *text = argv[*i];
	bool is_long = text[1] == '-';
	struct slice rest = slice_of(text + (is_long ? 2 : 1));
	struct slice name = is_long ? slice_cut(&rest, '=') : slice_make(rest.ptr, 1);
	const char *value = is_long ? rest.ptr : (rest.len > 1 ? rest.ptr + 1 : NULL);
	const struct option *option = find(table, name, is_long ? '\0' : name.ptr[0]);

	if (option == NULL && is_long)
		return unknown(table, name, err);
	if (option == NULL)
		return error_set(err, STATUS_USAGE, "unknown option -%c; --help lists them all",
		    name.ptr[0]);
	if (option->value == NULL) {
		if (value != NULL)
			return error_set(err, STATUS_USAGE, "--%s takes no value", option->name);
		return fn(arg, option, NULL, err);
	}
	if (value == NULL && option->value[0] != '[') {
		if (*i + 1 >= argc)
			return error_set(err, STATUS_USAGE, "--%s needs a value: --%s %s",
			    option->name, option->name, option->value);
		value = argv[++*i];
	}
	return fn(arg, option, value, err);
}

enum status options_parse(const struct option *table, int argc, char *const *argv, option_fn *fn,
    void *arg, struct error *err)
{
	bool only_words = false;

	for (int i = 1; i < argc; i++) {
		enum status status;

		if (only_words || argv[i][0] != '-' || argv[i][1] == '\0') {
			status = fn(arg, NULL, argv[i], err);
		} else if (strcmp(argv[i], "--") == 0) {
			only_words = true;
			continue;
		} else {
			status = parse_one(table, argc, argv, &i, fn, arg, err);
		}
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

void options_help(const struct option *table, struct buf *to)
{
	const size_t column = 28;

	for (; table->name != NULL; table++) {
		size_t start = to->len;

		if (table->letter != '\0')
			buf_put_fmt(to, "  -%c, --%s", table->letter, table->name);
		else
			buf_put_fmt(to, "      --%s", table->name);
		if (table->value != NULL)
			buf_put_fmt(to, table->value[0] != '[' ? " %s" : "%s", table->value);
		if (to->len - start + 2 > column)
			buf_put_fmt(to, "\n%*s", (int)column, "");
		else
			buf_put_fmt(to, "%*s", (int)(column - (to->len - start)), "");
		/* A newline in a help text continues under its first line. */
		for (struct slice rest = slice_of(table->help); rest.ptr != NULL;) {
			buf_put_slice(to, slice_cut(&rest, '\n'));
			buf_put_char(to, '\n');
			if (rest.ptr != NULL)
				buf_put_fmt(to, "%*s", (int)column, "");
		}
	}
}
