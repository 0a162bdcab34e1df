/*
 * confab-man: prints the verbs as sections of confab.1, between the marks of scripts/man-page.sh.
 * It is part of the build and of the tests and is not installed.
 */
#include <stdio.h>

#include "cli/verbs.h"

/* Text as roff takes it: a dash is a minus, a backslash one, an ellipsis three dots; and no line
 * starts with a dot or a quote, as each begins with a request or a letter of ours. */
static void put_text(struct buf *to, const char *text)
{
	static const char ellipsis[] = "\xE2\x80\xA6";

	for (; *text != '\0'; text++) {
		if (*text == '-')
			buf_put_str(to, "\\-");
		else if (*text == '\\')
			buf_put_str(to, "\\e");
		else if (*text == '\'')
			buf_put_str(to, "\\(aq");
		else if (*text == '"')
			buf_put_str(to, "\\(dq");
		else if (strncmp(text, ellipsis, 3) == 0)
			buf_put_str(to, "...");
		else
			buf_put_char(to, *text);
		if (strncmp(text, ellipsis, 3) == 0)
			text += 2;
	}
}

/* Words in capitals stand for something, others for themselves. */
static void put_words(struct buf *to, const char *words)
{
	for (; *words != '\0'; words++) {
		bool is_upper = *words >= 'A' && *words <= 'Z';
		bool is_lower = *words >= 'a' && *words <= 'z';
		const char *start = words;
		struct buf word;

		if (!is_upper && !is_lower) {
			char one[4] = {*words, '\0'};

			if ((unsigned char)*words == 0xE2) {
				buf_put_str(to, "...");
				words += 2;
			} else {
				put_text(to, one);
			}
			continue;
		}
		while ((is_upper && words[1] >= 'A' && words[1] <= 'Z') ||
		       (is_lower && words[1] >= 'a' && words[1] <= 'z'))
			words++;
		buf_init(&word, 256);
		buf_put(&word, start, (size_t)(words - start) + 1);
		buf_put_fmt(to, "\\f%c%s\\fR", is_upper ? 'I' : 'B', buf_text(&word));
		buf_release(&word);
	}
}

static void put_options(struct buf *to, const struct verb *verb)
{
	static struct verb_options options;

	options = (struct verb_options){.count = 0};
	verb_get_options(verb, &options);
	if (options.count == 0)
		return;
	buf_put_str(to, ".RS\n");
	for (const struct option *option = options.option; option->name != NULL; option++) {
		buf_put_str(to, ".TP\n\\fB\\-\\-");
		put_text(to, option->name);
		buf_put_str(to, "\\fR");
		if (option->value != NULL) {
			if (option->value[0] != '[')
				buf_put_char(to, ' ');
			put_words(to, option->value);
		}
		buf_put_char(to, '\n');
		put_text(to, option->help);
		buf_put_char(to, '\n');
	}
	buf_put_str(to, ".RE\n");
}

static void put_verb(struct buf *to, const struct verb *verb)
{
	struct buf words;

	buf_init(&words, 1024);
	verb_put_words(verb, &words);
	buf_put_fmt(to, ".TP\n\\fB%s%s\\fR", verb->is_admin ? "admin " : "", verb->name);
	put_words(to, buf_text(&words));
	buf_put_char(to, '\n');
	put_text(to, verb_summary(verb));
	buf_put_str(to, ".\n");
	if (verb->more != NULL) {
		put_text(to, verb->more);
		buf_put_char(to, '\n');
	}
	put_options(to, verb);
	buf_release(&words);
}

/* Those that are no command each are written by hand. */
static void put_section(struct buf *to, bool is_admin)
{
	const struct verb *verb;

	buf_put_fmt(to, ".\\\" verbs: %s\n", is_admin ? "admin" : "user");
	for (size_t i = 0; (verb = verb_at(i)) != NULL; i++)
		if (verb->cmd >= 0 && verb->is_admin == is_admin)
			put_verb(to, verb);
	buf_put_str(to, ".\\\" end\n");
}

int main(void)
{
	struct buf out;
	bool done;

	buf_init(&out, 1 << 20);
	put_section(&out, false);
	put_section(&out, true);
	done = !out.failed && fwrite(out.ptr, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
	buf_release(&out);
	return done ? 0 : 1;
}
