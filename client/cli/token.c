#include "cli/token.h"

#include "net/socket.h"
#include "os/file.h"
#include "wire/json.h"

#define FILE_MAX_BYTES 4096
#define PATH_MAX_BYTES 4096

void token_release(struct token *token)
{
	secret_wipe(token, sizeof *token);
}

/* "host:port", however it was written. */
static enum status server_label(const struct settings *settings, struct buf *to, struct error *err)
{
	const char *server = settings->value[SETTINGS_SERVER];
	char host[256];
	uint16_t port = PROTO_PORT;
	enum status status =
	    socket_split(server != NULL ? server : "localhost", host, sizeof host, &port, err);

	if (status == STATUS_OK)
		buf_put_fmt(to, "%s:%u", host, (unsigned)port);
	return status;
}

/* A name of the user's as a part of a file's: another name may become the same, and the server
 * in the file then says that it is not meant. */
static void put_safe(struct buf *to, const char *name)
{
	for (; *name != '\0'; name++) {
		bool safe = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
		            (*name >= '0' && *name <= '9') || *name == '.' || *name == '-';

		buf_put_char(to, safe ? *name : '_');
	}
}

/* The folder, and the file in it: of the profile, or of the server. */
static enum status locate(const struct settings *settings, bool of_profile, struct buf *dir,
    struct buf *file, struct error *err)
{
	struct buf base, name;
	enum status status;

	buf_init(&base, PATH_MAX_BYTES);
	buf_init(&name, 1024);
	if (of_profile) {
		buf_put_str(&name, "profile-");
		put_safe(&name, settings->profile);
		status = STATUS_OK;
	} else {
		struct buf label;

		buf_init(&label, 1024);
		status = server_label(settings, &label, err);
		buf_put_str(&name, "server-");
		put_safe(&name, buf_text(&label));
		buf_release(&label);
	}
	buf_put_str(&name, ".json");
	if (status == STATUS_OK)
		status = path_standard(PATH_STATE_USER, &base, err);
	if (status == STATUS_OK) {
		path_join(dir, buf_text(&base), "tokens");
		path_join(file, buf_text(dir), buf_text(&name));
		if (base.failed || dir->failed || file->failed || name.failed)
			status =
			    error_set(err, STATUS_USAGE, "the state folder's path is too long");
	}
	buf_release(&base);
	buf_release(&name);
	return status;
}

/* Takes the file's content, if it is for these settings. */
static enum status parse(const struct settings *settings, struct slice text, const char *path,
    struct token *ret, struct error *err)
{
	struct json *root;
	struct slice user, token;
	struct buf label;
	enum status status = STATUS_OK;

	if (json_parse(text, &root, NULL) != STATUS_OK)
		return error_set(err, STATUS_INVALID,
		    "%.300s is not what confab login writes: remove it, and log in again", path);
	buf_init(&label, 1024);
	status = server_label(settings, &label, err);
	user = json_text(json_get(root, "user"));
	token = json_text(json_get(root, "token"));
	if (status != STATUS_OK)
		;
	else if (!slice_is(json_text(json_get(root, "server")), buf_text(&label)) ||
	         (!settings->is_user_guessed && settings->value[SETTINGS_USER] != NULL &&
	             !slice_is(user, settings->value[SETTINGS_USER])))
		status = error_set(err, STATUS_NOT_FOUND, "no login is kept for this user there");
	else if (token.len == 0 || !str_copy(ret->text, sizeof ret->text, token) ||
	         !proto_is_user_name(user) || !str_copy(ret->user, sizeof ret->user, user))
		status = error_set(err, STATUS_INVALID,
		    "%.300s is not what confab login writes: remove it, and log in again", path);
	if (status != STATUS_OK)
		token_release(ret);
	buf_release(&label);
	json_free_secret(root);
	return status;
}

static enum status load(
    const struct settings *settings, bool of_profile, struct token *ret, struct error *err)
{
	struct buf dir, file, text;
	enum status status;

	buf_init(&dir, PATH_MAX_BYTES);
	buf_init(&file, PATH_MAX_BYTES);
	buf_init(&text, FILE_MAX_BYTES);
	buf_reserve(&text, FILE_MAX_BYTES); /* once, as it is a secret */
	status = locate(settings, of_profile, &dir, &file, err);
	if (status == STATUS_OK)
		status = file_read(buf_text(&file), &text, err);
	if (status == STATUS_OK && file_is_exposed(buf_text(&file)))
		status = error_set(err, STATUS_ACCESS,
		    "%.300s can be read by others, and so could be used by them: end all logins "
		    "with confab passwd, or give the file mode 0600",
		    buf_text(&file));
	if (status == STATUS_OK)
		status = parse(settings, buf_slice(&text), buf_text(&file), ret, err);
	ret->of_profile = of_profile;
	buf_release(&dir);
	buf_release(&file);
	buf_release_secret(&text);
	return status;
}

enum status token_load(const struct settings *settings, struct token *ret, struct error *err)
{
	enum status status = STATUS_NOT_FOUND;

	if (settings->profile[0] != '\0')
		status = load(settings, true, ret, err);
	/* Who logged in first and wrote the profile then is logged in all the same. */
	if (status == STATUS_NOT_FOUND)
		status = load(settings, false, ret, err);
	return status;
}

enum status token_save(
    const struct settings *settings, const struct token *token, struct error *err)
{
	struct buf dir, file, text, label;
	struct json_writer w;
	enum status status;

	buf_init(&dir, PATH_MAX_BYTES);
	buf_init(&file, PATH_MAX_BYTES);
	buf_init(&label, 1024);
	buf_init(&text, FILE_MAX_BYTES);
	buf_reserve(&text, FILE_MAX_BYTES);
	status = locate(settings, settings->profile[0] != '\0', &dir, &file, err);
	if (status == STATUS_OK)
		status = server_label(settings, &label, err);
	json_begin(&w, &text);
	json_put_str(&w, "server", buf_text(&label));
	json_put_str(&w, "user", token->user);
	json_put_str(&w, "token", token->text);
	json_end(&w);
	buf_put_char(&text, '\n');
	if (status == STATUS_OK)
		status = file_make_dir(buf_text(&dir), FILE_PRIVATE, err);
	if (status == STATUS_OK)
		status = file_write(buf_text(&file), buf_slice(&text), FILE_PRIVATE, true, err);
	buf_release(&dir);
	buf_release(&file);
	buf_release(&label);
	buf_release_secret(&text);
	return status;
}

enum status token_remove(
    const struct settings *settings, const struct token *token, struct error *err)
{
	struct buf dir, file;
	enum status status;

	buf_init(&dir, PATH_MAX_BYTES);
	buf_init(&file, PATH_MAX_BYTES);
	status = locate(settings, token->of_profile, &dir, &file, err);
	if (status == STATUS_OK)
		status = file_remove(buf_text(&file), err);
	buf_release(&dir);
	buf_release(&file);
	return status;
}
