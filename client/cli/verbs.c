#include "cli/verbs.h"

static const struct verb special[] = {
    {"send", false, -1, "ROOM|@USER TEXT…|-", "Send a message, or each line of standard input",
        NULL, verb_send},
    {"outbox", false, -1, "[list|send|drop]", "What could not be sent yet", NULL, verb_outbox},
    {"tail", false, -1, "ROOM|@USER…", "Print what is said in rooms, until it is stopped", NULL,
        verb_tail},
    {"json", false, -1, "'{\"cmd\":…}'|cmd=… FIELD=VALUE…|-", "One command; print its reply", NULL,
        verb_json},
    {"pipe", false, -1, "", "The wire itself: lines in, replies and events out", NULL, verb_pipe},
    {"chat", false, -1, "[ROOM|@USER]", "Talk in plain lines; /help in it tells more", NULL,
        verb_chat},
    {"completion", false, -1, "bash|zsh|fish|powershell",
        "Print what makes a shell complete confab's verbs and options", NULL, verb_completion},
    {"register", false, PROTO_CMD_register, "[USER]", NULL,
        "The password is asked for, twice. This device then stays logged in, as after login.",
        verb_register},
    {"login", false, PROTO_CMD_login, "[USER]", "Log in by password, and stay logged in",
        "The password is asked for. The server gives a token for it, which is kept in a file that "
        "only you can read, and with which the other verbs log in until confab logout. Guests and "
        "certificates need no login.",
        verb_login},
    {"logout", false, PROTO_CMD_logout, "", "End the login that is kept on this device",
        "With --session another session of one's own is ended instead; confab sessions lists "
        "them.",
        verb_logout},
    {"passwd", false, PROTO_CMD_passwd, "", NULL,
        "Asks for the old password, and twice for the new one. This device stays logged in.",
        verb_passwd},
};
#define SPECIALS (sizeof special / sizeof *special)

static const struct {
	enum proto_cmd cmd;
	const char *more;
} notes[] = {
    {PROTO_CMD_rooms, "A room is asked for by `confab room`, a part of the names by --like."},
    {PROTO_CMD_history,
        "Without options the newest page, oldest message first. The number behind # is the SEQ by "
        "which a message is edited, deleted, reacted to, pinned and answered."},
    {PROTO_CMD_sync,
        "Each CONVERSATION=SEQ (dev=41, @bob=7) names the last that was seen of it; without any, "
        "everything behind the read markers is replayed. The word may be JSON, too."},
    {PROTO_CMD_search, "--to USER searches the messages exchanged with that user."},
    {PROTO_CMD_useradd,
        "With --password, or an option that says where it comes from, the account gets one."},
    {PROTO_CMD_userpasswd, "The password is asked for, twice."},
};

static struct verb all[SPECIALS + PROTO_CMD_COUNT];

static bool is_special(int cmd)
{
	for (size_t i = 0; i < SPECIALS; i++)
		if (special[i].cmd == cmd)
			return true;
	return false;
}

static const char *note_of(int cmd)
{
	for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
		if ((int)notes[i].cmd == cmd)
			return notes[i].more;
	return NULL;
}

/* First those with a file of their own, then the others in the order of the tables. */
static void fill(void)
{
	size_t count = SPECIALS;

	if (all[0].name != NULL)
		return;
	memcpy(all, special, sizeof special);
	for (int cmd = 0; cmd < PROTO_CMD_COUNT; cmd++) {
		const struct proto_cmd_row *row = proto_cmd_row((enum proto_cmd)cmd);

		if (!is_special(cmd) && command_is_verb((enum proto_cmd)cmd))
			all[count++] = (struct verb){.name = row->name,
			    .is_admin = row->who == PROTO_ADMIN,
			    .cmd = cmd,
			    .more = note_of(cmd),
			    .run = verb_command};
	}
}

const struct verb *verb_at(size_t index)
{
	fill();
	return index < sizeof all / sizeof *all && all[index].name != NULL ? &all[index] : NULL;
}

const struct verb *verb_find(const char *name, bool is_admin)
{
	const struct verb *verb;

	for (size_t i = 0; (verb = verb_at(i)) != NULL; i++)
		if (verb->is_admin == is_admin && strcmp(verb->name, name) == 0)
			return verb;
	return NULL;
}

void verb_put_words(const struct verb *verb, struct buf *to)
{
	if (verb->words == NULL)
		command_put_usage((enum proto_cmd)verb->cmd, to);
	else if (verb->words[0] != '\0')
		buf_put_fmt(to, " %s", verb->words);
}

const char *verb_summary(const struct verb *verb)
{
	return verb->summary != NULL ? verb->summary
	                             : proto_cmd_row((enum proto_cmd)verb->cmd)->summary;
}

/* --- Options ------------------------------------------------------------------------------- */

static const struct option common[] = {
    {"server", 's', "HOST[:PORT]", "where to connect (localhost:8572)"},
    {"user", 'u', "NAME", "the user: of the login kept, else a guest\n(your login name)"},
    {"cert", '\0', "FILE", "log in by this client certificate (PEM), with --key"},
    {"key", '\0', "FILE", "its private key (PEM)"},
    {"ca", '\0', "FILE",
        "whom to trust (PEM); else the profile's ca.pem, else the\nsystem's store"},
    {"to", '\0', "USER", "the user meant, wherever @USER can stand"},
    {"json", 'j', NULL, "print the lines of the protocol as they are"},
    {"timeout", 't', "SECONDS", "how long to wait for the connection and for answers (10)"},
    {"quiet", 'q', NULL, "no remarks on standard error, only errors"},
    {"no-login", '\0', NULL, "json, pipe: do not log in (the commands do)"},
    {"no-outbox", '\0', NULL, "send: keep nothing on the disk, forget what cannot be sent"},
    {"profile", 'p', "NAME", "a profile of the configuration file"},
    {"config", '\0', "FILE", "another configuration file"},
    {"help", 'h', NULL, "help; behind a verb, about that verb"},
    {"version", 'V', NULL, "the version"},
    {NULL, '\0', NULL, NULL},
};

static const struct option secrets[] = {SECRET_OPTIONS, {NULL, '\0', NULL, NULL}};

static const struct option new_secrets[] = {
    {"new-password-file", '\0', "FILE", "read the new password from a file; - is standard input"},
    {"new-password-fd", '\0', "N", "read the new password from an open file descriptor"},
    {"new-password-command", '\0', "COMMAND",
        "the new password is what this command of the shell prints"},
    {NULL, '\0', NULL, NULL},
};

static const struct option answer[] = {
    {"reply", 'r', "SEQ", "the message that is answered, as history numbers it"},
    {NULL, '\0', NULL, NULL}};

static const struct option all_pages[] = {
    {"all", '\0', NULL, "all pages, not just one"}, {NULL, '\0', NULL, NULL}};

static const struct option ask[] = {
    {"password", '\0', NULL, "ask for a password"}, {NULL, '\0', NULL, NULL}};

const struct option *verb_common_options(void)
{
	return common;
}

static void add(struct verb_options *to, const struct option *table)
{
	for (; table->name != NULL && to->count < VERB_OPTIONS_MAX; table++)
		to->option[to->count++] = *table;
	to->option[to->count] = (struct option){NULL, '\0', NULL, NULL};
}

void verb_add_common(struct verb_options *ret)
{
	add(ret, common);
}

static bool has_secret(enum proto_cmd cmd)
{
	const struct proto_cmd_row *row = proto_cmd_row(cmd);

	for (unsigned i = 0; i < row->field_count; i++)
		if (command_place((enum proto_field)(row->first_field + i)) == COMMAND_SECRET)
			return true;
	return false;
}

void verb_get_options(const struct verb *verb, struct verb_options *ret)
{
	enum proto_cmd cmd = (enum proto_cmd)verb->cmd;

	ret->count = 0;
	add(ret, common + sizeof common / sizeof *common - 1); /* none, ended */
	if (verb->run == verb_send)
		add(ret, answer);
	if (verb->cmd < 0)
		return;
	command_get_options(cmd, &ret->command);
	add(ret, ret->command.option);
	if (command_is_paged(cmd))
		add(ret, all_pages);
	if (cmd == PROTO_CMD_useradd)
		add(ret, ask);
	if (has_secret(cmd))
		add(ret, secrets);
	if (cmd == PROTO_CMD_passwd)
		add(ret, new_secrets);
}
