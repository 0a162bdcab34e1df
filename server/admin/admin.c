#include "admin/admin.h"

#include "admin/verbs.h"
#include "base/options.h"
#include "os/log.h"
#include "os/program.h"

#define OPTIONS_MAX 24
#define COMMON " data dir config help "

static const struct verb {
	const char *name, *words, *summary;
	const char *options; /* names of rows of the table below, with spaces around each */
	enum status (*run)(struct admin *admin, struct error *err);
	size_t min_words, max_words;
} verbs[] = {
    {"user add", "NAME", "make an account; asks for its password twice",
        " admin no-password password-file password-fd password-command json timeout ",
        verb_user_add, 1, 1},
    {"user passwd", "NAME", "give it a new password; its sessions and tokens end",
        " password-file password-fd password-command json timeout ", verb_user_passwd, 1, 1},
    {"user grant", "NAME", "make it an administrator of the server", " revoke json timeout ",
        verb_user_grant, 1, 1},
    {"user suspend", "NAME", "let it log in no more; its sessions and tokens end",
        " reason json timeout ", verb_user_suspend, 1, 1},
    {"user restore", "NAME", "end a suspension", " json timeout ", verb_user_restore, 1, 1},
    {"user delete", "NAME", "delete it; its name is never given to somebody else",
        " json timeout ", verb_user_delete, 1, 1},
    {"user list", "", "list the accounts", " like json timeout ", verb_user_list, 0, 0},
    {"invitecode create", "", "make a code with which accounts can be opened",
        " uses expires json timeout ", verb_code_create, 0, 0},
    {"invitecode list", "", "list the codes", " json timeout ", verb_code_list, 0, 0},
    {"invitecode revoke", "CODE", "withdraw a code", " json timeout ", verb_code_revoke, 1, 1},
    {"backup", "FILE", "write a copy of the store while the server works", " json timeout ",
        verb_backup, 1, 1},
    {"restore", "FILE", "put a backup in the place of the store, with a new epoch", " ",
        verb_restore, 1, 1},
    {"verify", "", "check the store: its file, and that every sequence is dense", " json ",
        verb_verify, 0, 0},
    {"export", "[FILE]", "write the store, or a room, as JSON lines", " room jsonl timeout ",
        verb_export, 0, 1},
    {"import", "FILE", "make a store from an export; where there is none yet", " ", verb_import,
        1, 1},
    {"stats", "", "tell how much there is of everything", " json timeout ", verb_stats, 0, 0},
    {"reload", "", "read certificate, authority and revocation list again", " json timeout ",
        verb_reload, 0, 0},
    {"shutdown", "", "stop the server", " json timeout ", verb_shutdown, 0, 0},
};
#define VERBS (sizeof verbs / sizeof *verbs)

static const struct option options[] = {
    {"data", '\0', "DIR", "the server's data folder"},
    {"dir", '\0', "DIR", "the server's folder, as it was told"},
    {"config", 'c', "FILE", "the server's configuration file"},
    {"admin", '\0', NULL, "an administrator of the server"},
    {"no-password", '\0', NULL, "the account logs in by certificate only"},
    SECRET_OPTIONS,
    {"revoke", '\0', NULL, "take it back"},
    {"reason", '\0', "TEXT", "what the user is told"},
    {"like", '\0', "TEXT", "only names with this in them"},
    {"uses", '\0', "N", "how many accounts (default: 1)"},
    {"expires", '\0', "SECONDS", "good for so long (default: for ever)"},
    {"room", '\0', "ROOM", "this room only"},
    {"jsonl", '\0', NULL, "as JSON lines, the only form there is"},
    {"json", 'j', NULL, "print one JSON object a line"},
    {"timeout", 't', "SECONDS", "how long to wait for the server (default: 10;\nbackup and export: a day)"},
    {"help", 'h', NULL, "this text"},
    {NULL, '\0', NULL, NULL},
};

struct parse {
	const struct verb *verb;
	struct option table[OPTIONS_MAX];
	struct admin *admin;
};

bool admin_is_meant(int argc, char *const *argv)
{
	return argc > 1 && argv[1][0] != '-';
}

static void print(enum program_stream stream, struct buf *text)
{
	program_write(stream, text->ptr, text->len);
	buf_release(text);
}

static void put_usage(const struct verb *verb, struct buf *to)
{
	buf_put_fmt(to, "%s%s%s", verb->name, verb->words[0] != '\0' ? " " : "", verb->words);
}

void admin_help(struct buf *to)
{
	for (size_t i = 0; i < VERBS; i++) {
		size_t start = to->len, width;

		buf_put_str(to, "  ");
		put_usage(&verbs[i], to);
		width = to->len - start;
		if (width < 27)
			buf_put_fmt(to, "%*s%s\n", (int)(28 - width), "", verbs[i].summary);
		else
			buf_put_fmt(to, "\n%28s%s\n", "", verbs[i].summary);
	}
}

static void help(const struct parse *parse)
{
	struct buf text;

	buf_init(&text, 65536);
	buf_put_str(&text, "usage: confab-server ");
	put_usage(parse->verb, &text);
	buf_put_fmt(&text, " [OPTIONS]\n\n%s\n\n", parse->verb->summary);
	options_help(parse->table, &text);
	buf_put_str(&text, "\nExit codes: 0 done, 2 usage, 3 authentication, 5 refused, 6 not found,\n"
			   "7 time-out, 8 no server or connection lost, 1 else. The manual is "
			   "confab-server(1).\n");
	print(PROGRAM_STDOUT, &text);
}

/* --- The command line ----------------------------------------------------------------------- */

static bool is_in(const char *names, const char *name)
{
	char word[40];

	snprintf(word, sizeof word, " %s ", name);
	return strstr(names, word) != NULL;
}

static void choose_options(struct parse *parse)
{
	size_t count = 0;

	for (const struct option *o = options; o->name != NULL; o++)
		if (is_in(COMMON, o->name) || is_in(parse->verb->options, o->name))
			parse->table[count++] = *o;
	parse->table[count] = (struct option){.name = NULL};
}

static enum status get_number(const char *name, const char *value, int64_t max, int64_t *ret,
    struct error *err)
{
	if (!str_to_int(slice_of(value), 1, max, ret))
		return error_set(err, STATUS_USAGE, "--%s \"%.40s\" is no number from 1 to %lld",
		    name, value, (long long)max);
	return STATUS_OK;
}

static void set_flag(struct admin *admin, const char *name)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
	    {"admin", &admin->admin},
	    {"no-password", &admin->no_password},
	    {"revoke", &admin->revoke},
	    {"json", &admin->json},
	    {"jsonl", &admin->jsonl},
	    {"help", &admin->help},
	};

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (strcmp(name, flags[i].name) == 0)
			*flags[i].flag = true;
}

static void set_text(struct admin *admin, const char *name, const char *value)
{
	const struct {
		const char *name;
		const char **text;
	} texts[] = {
	    {"data", &admin->data},
	    {"dir", &admin->dir},
	    {"config", &admin->config_file},
	    {"reason", &admin->reason},
	    {"like", &admin->like},
	    {"room", &admin->room},
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (strcmp(name, texts[i].name) == 0)
			*texts[i].text = value;
}

static enum status take_option(struct admin *admin, const char *name, const char *value,
    struct error *err)
{
	enum status status;

	if (value == NULL) {
		set_flag(admin, name);
		return STATUS_OK;
	}
	if (value[0] == '\0')
		return error_set(err, STATUS_USAGE, "--%s needs a value", name);
	if (strcmp(name, "uses") == 0)
		return get_number(name, value,
		    proto_field_row(PROTO_FIELD_invitecode_uses)->max, &admin->uses, err);
	if (strcmp(name, "expires") == 0)
		return get_number(name, value,
		    proto_field_row(PROTO_FIELD_invitecode_expires)->max, &admin->expires, err);
	if (strcmp(name, "timeout") == 0)
		return get_number(name, value, 86400, &admin->timeout_s, err);
	status = secret_take_option(&admin->password, name, value, err);
	if (status != STATUS_NOT_FOUND)
		return status;
	set_text(admin, name, value);
	return STATUS_OK;
}

static enum status take(void *arg, const struct option *option, const char *value,
    struct error *err)
{
	struct parse *parse = arg;
	struct admin *admin = parse->admin;

	if (option != NULL)
		return take_option(admin, option->name, value, err);
	if (admin->count == parse->verb->max_words)
		return error_set(err, STATUS_USAGE,
		    "\"%.80s\" is too much; usage: confab-server %s%s%s", value, parse->verb->name,
		    parse->verb->words[0] != '\0' ? " " : "", parse->verb->words);
	admin->words[admin->count++] = value;
	return STATUS_OK;
}

/* `*ret_used`: how many arguments the verb's name is. */
static enum status find_verb(int argc, char *const *argv, const struct verb **ret, int *ret_used,
    struct error *err)
{
	const char *names[VERBS + 1] = {NULL};
	const char *nearest;
	bool has_second = argc > 2 && argv[2][0] != '-';
	bool is_first_of_two;
	char two[96];

	snprintf(two, sizeof two, "%.40s%s%.40s", argv[1], has_second ? " " : "",
	    has_second ? argv[2] : "");
	for (size_t i = 0; i < VERBS; i++) {
		bool is_two = strchr(verbs[i].name, ' ') != NULL;

		names[i] = verbs[i].name;
		if (strcmp(is_two ? two : argv[1], verbs[i].name) == 0) {
			*ret = &verbs[i];
			*ret_used = is_two ? 2 : 1;
			return STATUS_OK;
		}
	}
	is_first_of_two = strcmp(argv[1], "user") == 0 || strcmp(argv[1], "invitecode") == 0;
	if (is_first_of_two && !has_second)
		return error_set(err, STATUS_USAGE,
		    "%s what? confab-server --help lists the verbs", argv[1]);
	/* Of a verb of two words both are meant, else the second is an argument. */
	if (!is_first_of_two)
		snprintf(two, sizeof two, "%.40s", argv[1]);
	nearest = options_nearest(two, names);
	if (nearest != NULL)
		return error_set(err, STATUS_USAGE, "there is no verb \"%s\"; did you mean %s?",
		    two, nearest);
	return error_set(err, STATUS_USAGE, "there is no verb \"%s\"; confab-server --help lists them",
	    two);
}

/* The server's own way of finding its folder, with those of its flags that say where it is. */
static enum status load_config(struct admin *admin, struct error *err)
{
	static char program[] = "confab-server", data[] = "--data", dir[] = "--dir",
		    file[] = "--config";
	char *const pairs[][2] = {
	    {data, (char *)(uintptr_t)admin->data},
	    {dir, (char *)(uintptr_t)admin->dir},
	    {file, (char *)(uintptr_t)admin->config_file},
	};
	char *argv[8] = {program};
	int argc = 1;

	for (size_t i = 0; i < 3; i++)
		if (pairs[i][1] != NULL) {
			argv[argc++] = pairs[i][0];
			argv[argc++] = pairs[i][1];
		}
	return config_load(&admin->config, argc, argv, err);
}

static enum status run(struct parse *parse, int argc, char *const *argv, struct error *err)
{
	struct admin *admin = parse->admin;
	int used = 1;
	enum status status = find_verb(argc, argv, &parse->verb, &used, err);

	if (status != STATUS_OK)
		return status;
	choose_options(parse);
	status = options_parse(parse->table, argc - used, argv + used, take, parse, err);
	if (status != STATUS_OK)
		return status;
	if (admin->help) {
		help(parse);
		return STATUS_OK;
	}
	if (admin->count < parse->verb->min_words)
		return error_set(err, STATUS_USAGE, "%s is missing; usage: confab-server %s %s",
		    parse->verb->words, parse->verb->name, parse->verb->words);
	status = load_config(admin, err);
	if (status == STATUS_OK)
		status = parse->verb->run(admin, err);
	admin_channel_close(&admin->channel);
	if (status == STATUS_OK && admin->out != STATUS_OK && admin->out != STATUS_CLOSED)
		status = error_set(err, admin->out, "cannot write to standard output: %s",
		    status_text(admin->out));
	return status;
}

int admin_main(int argc, char *const *argv)
{
	struct admin admin = {.count = 0};
	struct parse parse = {.admin = &admin};
	struct error err = {0};
	struct buf text;
	enum status status;

	/* Data goes to standard output, and of the store's remarks only troubles to the person. */
	log_setup(LOG_WARN, false);
	config_init(&admin.config);
	status = run(&parse, argc, argv, &err);
	config_release(&admin.config);
	if (status == STATUS_OK)
		return EXIT_DONE;
	buf_init(&text, 2048);
	buf_put_fmt(&text, "confab-server: %s\n",
	    err.text[0] != '\0' ? err.text : status_text(status));
	print(PROGRAM_STDERR, &text);
	return (int)program_exit_of(status);
}
