/*
 * confab completion: what makes a shell complete verbs, options, and the words that a field may be.
 * Made from the same tables as the command line. Each script counts the words behind the verb,
 * skipping options and their values, and looks up "VERB:NUMBER" for a word and "VERB:OPTION" for
 * an option's value.
 */
#include "cli/verbs.h"

#include "base/options.h"

#define SCRIPT_MAX (1 << 20)

/* How one shell writes what all of them need. */
struct shell {
	const char *name;
	void (*put)(struct buf *to);
};

/* --- What there is to complete ------------------------------------------------------------- */

/* A verb's name with the word before it. */
static void put_name(struct buf *to, const struct verb *verb)
{
	buf_put_fmt(to, "%s%s", verb->is_admin ? "admin " : "", verb->name);
}

/* The words that a verb's word number `index` may be, separated by spaces; false for any. */
static bool word_choice(const struct verb *verb, unsigned index, struct buf *to)
{
	const struct proto_cmd_row *row;
	const char *choice = "";

	if (verb->run == verb_completion && index == 0) {
		choice = verb->words;
	} else if (verb->cmd >= 0 && verb->words == NULL) {
		row = proto_cmd_row((enum proto_cmd)verb->cmd);
		for (unsigned i = 0; i < row->field_count; i++) {
			enum proto_field field = (enum proto_field)(row->first_field + i);

			if (command_place(field) == COMMAND_WORD && index-- == 0)
				choice = command_choice(field);
		}
	}
	buf_clear(to);
	buf_put_str(to, choice);
	for (size_t i = 0; i < to->len; i++)
		if (to->ptr[i] == '|')
			to->ptr[i] = ' ';
	return to->len > 0;
}

/* The same for an option's value. */
static bool value_choice(const struct verb_options *options, size_t index, struct buf *to)
{
	buf_clear(to);
	/* Those of the command come first, in the order of their fields. */
	if (index < options->command.count && options->option[index].value != NULL &&
	    options->option[index].value[0] != '[')
		buf_put_str(to, command_choice(options->command.field[index]));
	for (size_t i = 0; i < to->len; i++)
		if (to->ptr[i] == '|')
			to->ptr[i] = ' ';
	return to->len > 0;
}

static bool takes_value(const struct option *option)
{
	return option->value != NULL && option->value[0] != '[';
}

static bool takes_file(const struct option *option)
{
	return option->value != NULL && strcmp(option->value, "FILE") == 0;
}

/* Calls `fn` for each verb with its options. */
static void each_verb(struct buf *to,
    void (*fn)(struct buf *to, const struct verb *verb, const struct verb_options *options))
{
	static struct verb_options options;
	const struct verb *verb;

	for (size_t i = 0; (verb = verb_at(i)) != NULL; i++) {
		options = (struct verb_options){.count = 0};
		verb_get_options(verb, &options);
		fn(to, verb, &options);
	}
}

/* Every option of any verb that `wanted` takes, with its letter, each once, between spaces. */
static void put_options(struct buf *to, bool (*wanted)(const struct option *option))
{
	static struct verb_options options;
	const struct verb *verb;
	size_t start = to->len;

	buf_put_char(to, ' ');
	for (size_t i = 0; (verb = verb_at(i)) != NULL; i++) {
		options = (struct verb_options){.count = 0};
		verb_get_options(verb, &options);
		verb_add_common(&options);
		for (const struct option *o = options.option; o->name != NULL; o++) {
			char text[64];

			snprintf(text, sizeof text, " --%s ", o->name);
			if (!wanted(o) || strstr(buf_text(to) + start, text) != NULL)
				continue;
			buf_put_fmt(to, "--%s ", o->name);
			if (o->letter != '\0')
				buf_put_fmt(to, "-%c ", o->letter);
		}
	}
}

static void put_common(struct buf *to)
{
	for (const struct option *o = verb_common_options(); o->name != NULL; o++)
		buf_put_fmt(to, " --%s", o->name);
}

/* A text between quotes of the kind that knows one escape: itself, twice or behind a backslash. */
static void put_quoted(struct buf *to, const char *text, const char *escaped_quote)
{
	buf_put_char(to, '\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			buf_put_str(to, escaped_quote);
		else
			buf_put_char(to, *text == '\n' ? ' ' : *text);
	}
	buf_put_char(to, '\'');
}

static void put_verbs(struct buf *to, bool is_admin)
{
	const struct verb *verb;

	for (size_t i = 0; (verb = verb_at(i)) != NULL; i++)
		if (verb->is_admin == is_admin)
			buf_put_fmt(to, " %s", verb->name);
	if (!is_admin)
		buf_put_str(to, " admin");
}

/* --- bash ---------------------------------------------------------------------------------- */

static void bash_words(struct buf *to, const struct verb *verb, const struct verb_options *options)
{
	struct buf words;

	buf_init(&words, 4096);
	for (unsigned i = 0; i < 8; i++) {
		if (!word_choice(verb, i, &words))
			continue;
		buf_put_str(to, "    '");
		put_name(to, verb);
		buf_put_fmt(to, ":%u') words='%s' ;;\n", i, buf_text(&words));
	}
	for (size_t i = 0; i < options->count; i++) {
		if (!value_choice(options, i, &words))
			continue;
		buf_put_str(to, "    '");
		put_name(to, verb);
		buf_put_fmt(
		    to, ":--%s') words='%s' ;;\n", options->option[i].name, buf_text(&words));
	}
	buf_release(&words);
}

static void bash_options(
    struct buf *to, const struct verb *verb, const struct verb_options *options)
{
	if (options->count == 0)
		return;
	buf_put_str(to, "        '");
	put_name(to, verb);
	buf_put_str(to, "') words+='");
	for (size_t i = 0; i < options->count; i++)
		buf_put_fmt(to, " --%s", options->option[i].name);
	buf_put_str(to, "' ;;\n");
}

static void put_bash(struct buf *to)
{
	buf_put_str(to,
	    "# Completion of confab for bash, as `confab completion bash` prints it.\n"
	    "_confab() {\n"
	    "    local cur=${COMP_WORDS[COMP_CWORD]} prev='' verb='' key number=0 i word\n"
	    "    local words='' valued='");
	put_options(to, takes_value);
	buf_put_str(to, "'\n    local files='");
	put_options(to, takes_file);
	buf_put_str(to, "'\n"
	                "    COMPREPLY=()\n"
	                "    # bash takes --name=value apart: the = is a word of its own.\n"
	                "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
	                "        word=${COMP_WORDS[i]} prev=''\n"
	                "        case $word in\n"
	                "        -?*)\n"
	                "            [[ ${COMP_WORDS[i + 1]} == '=' ]] && ((i++))\n"
	                "            [[ ${COMP_WORDS[i]} == '=' || $valued == *\" $word \"* ]] && "
	                "prev=$word && "
	                "((i++)) ;;\n"
	                "        *)\n"
	                "            if [[ -z $verb ]]; then verb=$word\n"
	                "            elif [[ $verb == admin ]]; then verb=\"admin $word\"\n"
	                "            else ((number++)); fi ;;\n"
	                "        esac\n"
	                "    done\n"
	                "    # Only an option whose value would stand here is one before it.\n"
	                "    [[ $i -gt $COMP_CWORD ]] || prev=''\n"
	                "    [[ $cur == '=' ]] && cur=''\n"
	                "    key=$verb:$number\n"
	                "    [[ -n $prev ]] && key=$verb:$prev\n"
	                "    if [[ -n $prev && $files == *\" $prev \"* ]]; then\n"
	                "        compopt -o filenames 2>/dev/null\n"
	                "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	                "        return\n"
	                "    fi\n"
	                "    if [[ -z $prev && $cur == -* ]]; then\n"
	                "        words='");
	put_common(to);
	buf_put_str(to, "'\n        case $verb in\n");
	each_verb(to, bash_options);
	buf_put_str(to, "        esac\n    else\n    case $key in\n    ':0') words='");
	put_verbs(to, false);
	buf_put_str(to, "' ;;\n    'admin:0') words='");
	put_verbs(to, true);
	buf_put_str(to, "' ;;\n");
	each_verb(to, bash_words);
	buf_put_str(to, "    esac\n    fi\n"
	                "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	                "}\n"
	                "complete -F _confab confab\n");
}

/* --- zsh ----------------------------------------------------------------------------------- */

#define ZSH_QUOTE "'\\''"

/* "name:what it is", quoted; a colon in the name would need an escape, and none has one. */
static void zsh_item(struct buf *to, const char *name, const char *help)
{
	struct buf item;

	buf_init(&item, 1024);
	buf_put_fmt(&item, "%s:%s", name, help);
	buf_put_char(to, ' ');
	put_quoted(to, buf_text(&item), ZSH_QUOTE);
	buf_release(&item);
}

static void zsh_option_items(struct buf *to, const struct option *option)
{
	char name[64];

	for (; option->name != NULL; option++) {
		snprintf(name, sizeof name, "--%s", option->name);
		zsh_item(to, name, option->help);
	}
}

static void zsh_options(struct buf *to, const struct verb *verb, const struct verb_options *options)
{
	if (options->count == 0)
		return;
	buf_put_str(to, "        '");
	put_name(to, verb);
	buf_put_str(to, "') items+=(");
	zsh_option_items(to, options->option);
	buf_put_str(to, ") ;;\n");
}

static void zsh_words(struct buf *to, const struct verb *verb, const struct verb_options *options)
{
	struct buf words;

	buf_init(&words, 4096);
	for (unsigned i = 0; i < 8; i++) {
		if (!word_choice(verb, i, &words))
			continue;
		buf_put_str(to, "    '");
		put_name(to, verb);
		buf_put_fmt(to, ":%u') compadd -- %s ;;\n", i, buf_text(&words));
	}
	for (size_t i = 0; i < options->count; i++) {
		if (!value_choice(options, i, &words))
			continue;
		buf_put_str(to, "    '");
		put_name(to, verb);
		buf_put_fmt(
		    to, ":--%s') compadd -- %s ;;\n", options->option[i].name, buf_text(&words));
	}
	buf_release(&words);
}

static void zsh_verbs(struct buf *to, bool is_admin)
{
	const struct verb *verb;

	for (size_t i = 0; (verb = verb_at(i)) != NULL; i++)
		if (verb->is_admin == is_admin)
			zsh_item(to, verb->name, verb_summary(verb));
	if (!is_admin)
		zsh_item(to, "admin", "For administrators of the server");
}

static void put_zsh(struct buf *to)
{
	buf_put_str(to, "#compdef confab\n"
	                "# Completion of confab for zsh, as `confab completion zsh` prints it.\n"
	                "_confab() {\n"
	                "    local verb='' prev='' word key number=0 i\n"
	                "    local -a items\n"
	                "    local valued='");
	put_options(to, takes_value);
	buf_put_str(to, "' files='");
	put_options(to, takes_file);
	buf_put_str(to, "'\n"
	                "    for ((i = 2; i < CURRENT; i++)); do\n"
	                "        word=$words[i] prev=''\n"
	                "        case $word in\n"
	                "        --*=*) ;;\n"
	                "        -?*) [[ $valued == *\" $word \"* ]] && prev=$word && ((i++)) ;;\n"
	                "        *)\n"
	                "            if [[ -z $verb ]]; then verb=$word\n"
	                "            elif [[ $verb == admin ]]; then verb=\"admin $word\"\n"
	                "            else ((number++)); fi ;;\n"
	                "        esac\n"
	                "    done\n"
	                "    [[ $i -gt $CURRENT ]] || prev=''\n"
	                "    if [[ -z $prev && $PREFIX == --*=* ]]; then\n"
	                "        prev=${PREFIX%%=*}\n"
	                "        compset -P '*='\n"
	                "    fi\n"
	                "    key=$verb:$number\n"
	                "    [[ -n $prev ]] && key=$verb:$prev\n"
	                "    if [[ -n $prev && $files == *\" $prev \"* ]]; then\n"
	                "        _files\n"
	                "        return\n"
	                "    fi\n"
	                "    if [[ -z $prev && $PREFIX == -* ]]; then\n"
	                "        case $verb in\n");
	each_verb(to, zsh_options);
	buf_put_str(to, "        esac\n        items+=(");
	zsh_option_items(to, verb_common_options());
	buf_put_str(to, ")\n        _describe option items\n        return\n    fi\n"
	                "    case $key in\n    ':0') items=(");
	zsh_verbs(to, false);
	buf_put_str(to, "); _describe verb items ;;\n    'admin:0') items=(");
	zsh_verbs(to, true);
	buf_put_str(to, "); _describe verb items ;;\n");
	each_verb(to, zsh_words);
	/* Loaded from a folder of functions it is run, read as a script it registers itself. */
	buf_put_str(to, "    esac\n}\n"
	                "if [[ $funcstack[1] == _confab ]]; then\n"
	                "    _confab \"$@\"\n"
	                "else\n"
	                "    compdef _confab confab\n"
	                "fi\n");
}

/* --- fish ---------------------------------------------------------------------------------- */

#define FISH_QUOTE "\\'"

static void fish_option(
    struct buf *to, const struct option *option, const char *condition, const char *choice)
{
	buf_put_str(to, "complete -c confab");
	if (condition[0] != '\0')
		buf_put_fmt(to, " -n \"%s\"", condition);
	if (option->letter != '\0')
		buf_put_fmt(to, " -s %c", option->letter);
	buf_put_fmt(to, " -l %s", option->name);
	if (takes_file(option))
		buf_put_str(to, " -r -F");
	else if (takes_value(option))
		buf_put_str(to, " -x");
	if (choice[0] != '\0')
		buf_put_fmt(to, " -a '%s'", choice);
	buf_put_str(to, " -d ");
	put_quoted(to, option->help, FISH_QUOTE);
	buf_put_char(to, '\n');
}

static void fish_verb(struct buf *to, const struct verb *verb, const struct verb_options *options)
{
	struct buf words, condition;

	buf_init(&words, 4096);
	buf_init(&condition, 256);
	buf_put_fmt(to, "complete -c confab -n '__confab_at %s:0' -a %s -d ",
	    verb->is_admin ? "admin" : "", verb->name);
	put_quoted(to, verb_summary(verb), FISH_QUOTE);
	buf_put_char(to, '\n');
	for (unsigned i = 0; i < 8; i++) {
		if (!word_choice(verb, i, &words))
			continue;
		buf_put_str(to, "complete -c confab -n \"__confab_at '");
		put_name(to, verb);
		buf_put_fmt(to, ":%u'\" -a '%s'\n", i, buf_text(&words));
	}
	buf_put_str(&condition, "__confab_in '");
	put_name(&condition, verb);
	buf_put_char(&condition, '\'');
	for (size_t i = 0; i < options->count; i++) {
		value_choice(options, i, &words);
		fish_option(to, &options->option[i], buf_text(&condition), buf_text(&words));
	}
	buf_release(&words);
	buf_release(&condition);
}

static void put_fish(struct buf *to)
{
	buf_put_str(to, "# Completion of confab for fish, as `confab completion fish` prints it.\n"
	                "function __confab_place\n"
	                "    set -l valued");
	put_options(to, takes_value);
	buf_put_str(to,
	    "\n"
	    "    set -l verb ''\n"
	    "    set -l number 0\n"
	    "    set -l skip 0\n"
	    "    for word in (commandline -opc)[2..-1]\n"
	    "        if test $skip = 1\n"
	    "            set skip 0\n"
	    "        else if string match -q -- '--*=*' $word\n"
	    "            continue\n"
	    "        else if string match -q -- '-?*' $word\n"
	    "            contains -- $word $valued; and set skip 1\n"
	    "        else if test -z \"$verb\"\n"
	    "            set verb $word\n"
	    "        else if test \"$verb\" = admin\n"
	    "            set verb \"admin $word\"\n"
	    "        else\n"
	    "            set number (math $number + 1)\n"
	    "        end\n"
	    "    end\n"
	    "    echo \"$verb:$number\"\n"
	    "end\n"
	    "function __confab_at\n"
	    "    test (__confab_place) = \"$argv[1]\"\n"
	    "end\n"
	    "function __confab_in\n"
	    "    string match -q -- \"$argv[1]:*\" (__confab_place)\n"
	    "end\n"
	    "complete -c confab -f\n"
	    "complete -c confab -n '__confab_at :0' -a admin -d 'For administrators of the "
	    "server'\n");
	for (const struct option *o = verb_common_options(); o->name != NULL; o++)
		fish_option(to, o, "", "");
	each_verb(to, fish_verb);
}

/* --- PowerShell ---------------------------------------------------------------------------- */

static void powershell_list(struct buf *to, const char *words)
{
	buf_put_str(to, "@(");
	for (struct slice rest = slice_of(words); rest.ptr != NULL;) {
		struct slice word = slice_cut(&rest, ' ');

		if (word.len == 0)
			continue;
		buf_put_fmt(to, "%s'", to->ptr[to->len - 1] == '(' ? "" : ", ");
		buf_put_slice(to, word);
		buf_put_char(to, '\'');
	}
	buf_put_str(to, ")");
}

static void powershell_key(struct buf *to, const struct verb *verb)
{
	buf_put_str(to, "        '");
	put_name(to, verb);
}

static void powershell_verb(
    struct buf *to, const struct verb *verb, const struct verb_options *options)
{
	struct buf words;

	buf_init(&words, 8192);
	for (unsigned i = 0; i < 8; i++) {
		if (!word_choice(verb, i, &words))
			continue;
		powershell_key(to, verb);
		buf_put_fmt(to, ":%u' = ", i);
		powershell_list(to, buf_text(&words));
		buf_put_char(to, '\n');
	}
	for (size_t i = 0; i < options->count; i++) {
		if (!value_choice(options, i, &words))
			continue;
		powershell_key(to, verb);
		buf_put_fmt(to, ":--%s' = ", options->option[i].name);
		powershell_list(to, buf_text(&words));
		buf_put_char(to, '\n');
	}
	if (options->count > 0) {
		buf_clear(&words);
		for (size_t i = 0; i < options->count; i++)
			buf_put_fmt(&words, "--%s ", options->option[i].name);
		powershell_key(to, verb);
		buf_put_str(to, ":-' = ");
		powershell_list(to, buf_text(&words));
		buf_put_char(to, '\n');
	}
	buf_release(&words);
}

static void powershell_named(struct buf *to, const char *key, void (*put)(struct buf *to))
{
	struct buf words;

	buf_init(&words, 65536);
	put(&words);
	buf_put_fmt(to, "%s", key);
	powershell_list(to, buf_text(&words));
	buf_put_char(to, '\n');
	buf_release(&words);
}

static void put_user_verbs(struct buf *to)
{
	put_verbs(to, false);
}

static void put_admin_verbs(struct buf *to)
{
	put_verbs(to, true);
}

static void put_valued(struct buf *to)
{
	put_options(to, takes_value);
}

static void put_filed(struct buf *to)
{
	put_options(to, takes_file);
}

/* Hash tables of PowerShell do not mind case, and the options' letters differ in it only where
 * one of them takes no value; so the lists are searched with -ccontains. */
static void put_powershell(struct buf *to)
{
	buf_put_str(to,
	    "# Completion of confab for PowerShell, as `confab completion powershell` prints it.\n"
	    "Register-ArgumentCompleter -Native -CommandName confab -ScriptBlock {\n"
	    "    param($wordToComplete, $commandAst, $cursorPosition)\n"
	    "    $known = @{\n");
	powershell_named(to, "        ':0' = ", put_user_verbs);
	powershell_named(to, "        'admin:0' = ", put_admin_verbs);
	each_verb(to, powershell_verb);
	buf_put_str(to, "    }\n");
	powershell_named(to, "    $common = ", put_common);
	powershell_named(to, "    $valued = ", put_valued);
	powershell_named(to, "    $files = ", put_filed);
	buf_put_str(to,
	    "    $verb = ''; $number = 0; $previous = ''\n"
	    "    foreach ($element in ($commandAst.CommandElements | Select-Object -Skip 1)) {\n"
	    "        $text = $element.Extent.Text\n"
	    "        if ($element.Extent.EndOffset -ge $cursorPosition -and $wordToComplete) { "
	    "break }\n"
	    "        if ($previous) { $previous = ''; continue }\n"
	    "        if ($text -like '--*=*') { continue }\n"
	    "        if ($text -like '-?*') {\n"
	    "            if ($valued -ccontains $text) { $previous = $text }\n"
	    "        } elseif (-not $verb) { $verb = $text\n"
	    "        } elseif ($verb -ceq 'admin') { $verb = \"admin $text\"\n"
	    "        } else { $number++ }\n"
	    "    }\n"
	    "    # Without an answer PowerShell completes files itself.\n"
	    "    if ($previous -and ($files -ccontains $previous)) { return }\n"
	    "    if ($previous) { $words = $known[\"${verb}:$previous\"]\n"
	    "    } elseif ($wordToComplete -like '-*') { $words = @($known[\"${verb}:-\"]) + "
	    "$common\n"
	    "    } else { $words = $known[\"${verb}:$number\"] }\n"
	    "    $words | Where-Object { $_ -and $_ -clike \"$wordToComplete*\" } | ForEach-Object "
	    "{\n"
	    "        [System.Management.Automation.CompletionResult]::new($_, $_, "
	    "'ParameterValue', "
	    "$_)\n"
	    "    }\n"
	    "}\n");
}

/* --- The verb ------------------------------------------------------------------------------ */

static const struct shell shells[] = {
    {"bash", put_bash}, {"zsh", put_zsh}, {"fish", put_fish}, {"powershell", put_powershell}};

int verb_completion(struct app *app, const char *const *words, size_t count)
{
	struct buf text;

	for (size_t i = 0; count == 1 && i < sizeof shells / sizeof *shells; i++) {
		if (strcmp(words[0], shells[i].name) != 0)
			continue;
		buf_init(&text, SCRIPT_MAX);
		shells[i].put(&text);
		app_print(app, buf_slice(&text));
		buf_release(&text);
		return EXIT_DONE;
	}
	app_error("for which shell? confab completion bash, zsh, fish or powershell");
	return EXIT_USAGE;
}
