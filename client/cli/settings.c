#include "cli/settings.h"

#include <stdlib.h>

#include "base/options.h"
#include "cli/local.h"
#include "os/file.h"
#include "wire/json.h"
#include "wire/tables.h"

#define CONFIG_MAX (256 << 10)
#define PATH_MAX_BYTES 4096

static const char *const key_names[SETTINGS_KEYS + 1] = {
    [SETTINGS_SERVER] = "server",
    [SETTINGS_USER] = "user",
    [SETTINGS_CA] = "ca",
    [SETTINGS_CERT] = "cert",
    [SETTINGS_KEY] = "key",
};

void settings_release(struct settings *settings)
{
	for (int i = 0; i < SETTINGS_KEYS; i++)
		free(settings->value[i]);
	*settings = (struct settings){.value = {NULL}};
}

enum status settings_set(struct settings *settings, enum settings_key key, struct slice value)
{
	char *copy = str_dup(value);

	if (copy == NULL)
		return STATUS_NOMEM;
	free(settings->value[key]);
	settings->value[key] = copy;
	return STATUS_OK;
}

/* --- The file ------------------------------------------------------------------------------ */

static enum status unknown_key(
    const char *where, struct slice key, const char *const *names, struct error *err)
{
	const char *nearest;
	char word[65];

	str_copy(word, sizeof word, key);
	nearest = options_nearest(word, names);
	if (nearest != NULL)
		return error_set(err, STATUS_USAGE,
		    "unknown key \"%s\" in %s; did you mean \"%s\"?", word, where, nearest);
	return error_set(err, STATUS_USAGE, "unknown key \"%s\" in %s", word, where);
}

/* Checks one profile; fills `settings` from it unless that is NULL. */
static enum status read_profile(
    const struct json *profile, struct settings *settings, struct error *err)
{
	char where[96];

	snprintf(where, sizeof where, "profile \"%.*s\"",
	    (int)(json_key(profile).len < 64 ? json_key(profile).len : 64), json_key(profile).ptr);
	if (json_type(profile) != JSON_OBJECT)
		return error_set(err, STATUS_USAGE, "%s must be an object", where);
	for (const struct json *m = json_first(profile); m != NULL; m = json_next(m)) {
		int key = 0;

		while (key < SETTINGS_KEYS && !slice_is(json_key(m), key_names[key]))
			key++;
		if (key == SETTINGS_KEYS)
			return unknown_key(where, json_key(m), key_names, err);
		if (json_type(m) != JSON_STRING || json_text(m).len == 0)
			return error_set(err, STATUS_USAGE, "\"%s\" in %s must be a string",
			    key_names[key], where);
		if (settings != NULL &&
		    settings_set(settings, (enum settings_key)key, json_text(m)) != STATUS_OK)
			return error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
	}
	return STATUS_OK;
}

static enum status no_such_profile(const struct json *profiles, const char *name, struct error *err)
{
	char storage[32][64];
	const char *names[33];
	const char *nearest;
	size_t count = 0;

	for (const struct json *m = json_first(profiles); m != NULL && count < 32;
	     m = json_next(m), count++) {
		str_copy(storage[count], sizeof storage[count], json_key(m));
		names[count] = storage[count];
	}
	names[count] = NULL;
	nearest = options_nearest(name, names);
	if (nearest != NULL)
		return error_set(
		    err, STATUS_USAGE, "no profile \"%.64s\"; did you mean \"%s\"?", name, nearest);
	return error_set(err, STATUS_USAGE, "no profile \"%.64s\" in \"profiles\"", name);
}

static enum status check_top(const struct json *root, struct error *err)
{
	static const char *const names[] = {"default", "profiles", NULL};

	if (json_type(root) != JSON_OBJECT)
		return error_set(err, STATUS_USAGE, "the file must hold one JSON object");
	for (const struct json *m = json_first(root); m != NULL; m = json_next(m)) {
		if (slice_is(json_key(m), "default")) {
			if (json_type(m) != JSON_STRING)
				return error_set(
				    err, STATUS_USAGE, "\"default\" must be the name of a profile");
		} else if (slice_is(json_key(m), "profiles")) {
			if (json_type(m) != JSON_OBJECT)
				return error_set(
				    err, STATUS_USAGE, "\"profiles\" must be an object");
		} else {
			return unknown_key("the file", json_key(m), names, err);
		}
	}
	return STATUS_OK;
}

static enum status pick(const struct json *root, const char *name, struct settings *settings,
    char ret_name[64], struct error *err)
{
	const struct json *profiles = json_get(root, "profiles");
	const struct json *by_default = json_get(root, "default");
	char wanted[64] = "";
	bool found = false;

	if (name == NULL && by_default != NULL) {
		str_copy(wanted, sizeof wanted, json_text(by_default));
		name = wanted;
	}
	/* All are checked, so that a slip shows before the day its profile is used. */
	for (const struct json *m = json_first(profiles); m != NULL; m = json_next(m)) {
		bool is_it = name != NULL && slice_is(json_key(m), name);
		enum status status = read_profile(m, is_it ? settings : NULL, err);

		if (status != STATUS_OK)
			return status;
		found = found || is_it;
	}
	if (name != NULL && !found)
		return no_such_profile(profiles, name, err);
	str_copy(ret_name, 64, slice_of(name != NULL ? name : ""));
	return STATUS_OK;
}

enum status settings_parse(struct slice text, const char *name, struct settings *settings,
    char ret_name[64], struct error *err)
{
	struct json *root;
	enum status status = json_parse(text, &root, err);

	if (status == STATUS_INVALID)
		return STATUS_USAGE;
	if (status != STATUS_OK)
		return error_set(err, status, "%s", status_text(status));
	status = check_top(root, err);
	if (status == STATUS_OK)
		status = pick(root, name, settings, ret_name, err);
	json_free(root);
	return status;
}

/* --- Paths --------------------------------------------------------------------------------- */

static bool is_absolute(const char *path)
{
	return path[0] == '/' || path[0] == '\\' || (path[0] != '\0' && path[1] == ':');
}

/* A path as it stands in the file, seen from the file's folder. */
static enum status anchor(struct settings *settings, enum settings_key key, const char *dir)
{
	struct buf path;
	enum status status;

	if (settings->value[key] == NULL || is_absolute(settings->value[key]))
		return STATUS_OK;
	buf_init(&path, PATH_MAX_BYTES);
	path_join(&path, dir, settings->value[key]);
	status = path.failed ? STATUS_NOMEM : settings_set(settings, key, buf_slice(&path));
	buf_release(&path);
	return status;
}

static enum status use_if_there(struct settings *settings, struct buf *path)
{
	if (settings->value[SETTINGS_CA] != NULL || path->failed || !file_exists(buf_text(path)))
		return STATUS_OK;
	return settings_set(settings, SETTINGS_CA, slice_of(buf_text(path)));
}

/* The profile's own ca.pem, then the one beside the file. */
static enum status find_ca(struct settings *settings, const char *dir, const char *profile)
{
	struct buf path, below;
	enum status status = STATUS_OK;

	buf_init(&path, PATH_MAX_BYTES);
	buf_init(&below, PATH_MAX_BYTES);
	/* A profile's name is the user's own, but it is no reason to look elsewhere. */
	if (profile[0] != '\0' && strpbrk(profile, "/\\:") == NULL && profile[0] != '.') {
		path_join(&path, dir, "profiles");
		path_join(&below, buf_text(&path), profile);
		buf_clear(&path);
		path_join(&path, buf_text(&below), "ca.pem");
		status = use_if_there(settings, &path);
	}
	buf_clear(&path);
	path_join(&path, dir, "ca.pem");
	if (status == STATUS_OK)
		status = use_if_there(settings, &path);
	buf_release(&path);
	buf_release(&below);
	return status;
}

/* The folder of the configuration, and its file. */
static enum status locate(
    const char *config_file, struct buf *dir, struct buf *file, struct error *err)
{
	enum status status;

	if (config_file != NULL) {
		size_t len = strlen(config_file);

		while (len > 0 && config_file[len - 1] != '/' && config_file[len - 1] != '\\')
			len--;
		buf_put_slice(dir, len > 0 ? slice_make(config_file, len) : slice_of("."));
		buf_put_str(file, config_file);
	} else {
		status = path_standard(PATH_CONFIG_USER, dir, err);
		if (status != STATUS_OK)
			return status;
		path_join(file, buf_text(dir), "config.json");
	}
	if (dir->failed || file->failed || dir->len == dir->max || file->len == file->max)
		return error_set(err, STATUS_USAGE, "the path of the configuration is too long");
	return STATUS_OK;
}

static enum status read_file(const char *path, bool may_be_missing, const char *profile,
    struct settings *settings, char ret_name[64], struct error *err)
{
	struct error why;
	struct buf text;
	enum status status;

	buf_init(&text, CONFIG_MAX);
	status = file_read(path, &text, err);
	if (status == STATUS_NOT_FOUND && may_be_missing) {
		status = profile == NULL
		             ? STATUS_OK
		             : error_set(err, STATUS_USAGE,
		                   "no profile \"%.64s\": there is no file %.300s", profile, path);
	} else if (status == STATUS_OK) {
		status = settings_parse(buf_slice(&text), profile, settings, ret_name, &why);
		if (status != STATUS_OK)
			error_set(err, status, "%.200s: %.300s", path, why.text);
	}
	buf_release(&text);
	return status;
}

static enum status load(
    struct settings *settings, const char *config_file, const char *profile, struct error *err)
{
	char name[64] = "";
	struct buf dir, file;
	enum status status;

	buf_init(&dir, PATH_MAX_BYTES);
	buf_init(&file, PATH_MAX_BYTES);
	status = locate(config_file, &dir, &file, err);
	/* No home folder, no profiles: the flags may be enough. */
	if (status == STATUS_NOT_FOUND && profile == NULL) {
		status = STATUS_OK;
		goto out;
	}
	if (status != STATUS_OK)
		goto out;
	status = read_file(buf_text(&file), config_file == NULL, profile, settings, name, err);
	if (status != STATUS_OK)
		goto out;
	str_copy(settings->profile, sizeof settings->profile, slice_of(name));
	if (anchor(settings, SETTINGS_CA, buf_text(&dir)) != STATUS_OK ||
	    anchor(settings, SETTINGS_CERT, buf_text(&dir)) != STATUS_OK ||
	    anchor(settings, SETTINGS_KEY, buf_text(&dir)) != STATUS_OK ||
	    find_ca(settings, buf_text(&dir), name) != STATUS_OK)
		status = error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
out:
	buf_release(&dir);
	buf_release(&file);
	return status;
}

/* --- All together -------------------------------------------------------------------------- */

bool settings_user_name(const char *login, char *to, size_t size)
{
	if (!str_copy(to, size, slice_of(login)))
		return false;
	for (char *c = to; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return proto_is_user_name(slice_of(to));
}

static enum status login_name(struct settings *settings, struct error *err)
{
	char name[PROTO_USER_MAX + 1];
	char *login = local_login();
	bool usable = login != NULL && settings_user_name(login, name, sizeof name);

	free(login);
	if (!usable)
		return error_set(err, STATUS_USAGE,
		    "your login name cannot be a Confab name: say who you are with --user NAME, or "
		    "with --cert and --key");
	settings->is_user_guessed = true;
	return settings_set(settings, SETTINGS_USER, slice_of(name));
}

enum status settings_complete(struct settings *settings, const char *config_file,
    const char *profile, bool no_login, struct error *err)
{
	struct settings from_file = {.value = {NULL}};
	bool own_cert =
	    settings->value[SETTINGS_CERT] != NULL || settings->value[SETTINGS_KEY] != NULL;
	bool own_user = settings->value[SETTINGS_USER] != NULL;
	enum status status = load(&from_file, config_file, profile, err);

	for (int i = 0; i < SETTINGS_KEYS && status == STATUS_OK; i++) {
		/* A certificate and its key come from one place, never half from each. */
		if ((i == SETTINGS_CERT || i == SETTINGS_KEY) && own_cert)
			continue;
		if (settings->value[i] == NULL) {
			settings->value[i] = from_file.value[i];
			from_file.value[i] = NULL;
		}
	}
	str_copy(settings->profile, sizeof settings->profile, slice_of(from_file.profile));
	settings_release(&from_file);
	if (status != STATUS_OK || no_login)
		return status;
	if (settings->value[SETTINGS_CERT] != NULL && !own_user) {
		free(settings->value[SETTINGS_USER]);
		settings->value[SETTINGS_USER] = NULL;
	}
	if (settings->value[SETTINGS_CERT] == NULL && settings->value[SETTINGS_USER] == NULL)
		status = login_name(settings, err);
	return status;
}
