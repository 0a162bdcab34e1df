/* user add, passwd, grant, suspend, restore, delete and list. */
#include "admin/verbs.h"

static enum status check_name(const char *name, struct error *err)
{
	if (!proto_is_user_name(slice_of(name)))
		return error_set(err, STATUS_USAGE,
		    "\"%.80s\" is no user's name: 1 to 32 of a-z, 0-9, '.', '_' and '-', beginning "
		    "with a letter or digit",
		    name);
	return STATUS_OK;
}

static enum status read_password(struct admin *admin, const char *name, struct secret *ret,
    struct error *err)
{
	int64_t min = proto_field_row(PROTO_FIELD_userpasswd_password)->min;
	char prompt[PROTO_USER_MAX + 40];
	enum status status;

	snprintf(prompt, sizeof prompt, "New password for %s: ", name);
	status = secret_read(&admin->password, prompt, "Once more: ", ret, err);
	if (status != STATUS_OK)
		return status;
	if ((int64_t)ret->len < min) {
		secret_release(ret);
		return error_set(err, STATUS_INVALID, "a password has at least %d bytes", (int)min);
	}
	return STATUS_OK;
}

static void begin(struct admin_request *request, const char *cmd, const char *name)
{
	admin_request_begin(request, cmd);
	json_put_str(&request->w, "user", name);
}

static enum status tell_of(struct admin *admin, struct admin_request *request, const char *what,
    struct error *err)
{
	char done[PROTO_USER_MAX + 64];

	snprintf(done, sizeof done, "%s %s", admin->words[0], what);
	return admin_tell(admin, request, done, err);
}

enum status verb_user_add(struct admin *admin, struct error *err)
{
	struct admin_request request;
	struct secret secret = {.len = 0};
	enum status status = check_name(admin->words[0], err);

	if (status == STATUS_OK && admin->no_password && admin->password.from != SECRET_PROMPT)
		status = error_set(err, STATUS_USAGE,
		    "--no-password goes with no other way to give one");
	if (status == STATUS_OK && !admin->no_password)
		status = read_password(admin, admin->words[0], &secret, err);
	if (status != STATUS_OK)
		return status;
	admin->need = ADMIN_NEW_STORE;
	begin(&request, "useradd", admin->words[0]);
	if (!admin->no_password)
		json_put_text(&request.w, "password", slice_make(secret.text, secret.len));
	secret_release(&secret);
	if (admin->admin)
		json_put_bool(&request.w, "admin", true);
	return tell_of(admin, &request, admin->admin ? "added, an administrator" : "added", err);
}

enum status verb_user_passwd(struct admin *admin, struct error *err)
{
	struct admin_request request;
	struct secret secret;
	enum status status = check_name(admin->words[0], err);

	if (status == STATUS_OK)
		status = read_password(admin, admin->words[0], &secret, err);
	if (status != STATUS_OK)
		return status;
	begin(&request, "userpasswd", admin->words[0]);
	json_put_text(&request.w, "password", slice_make(secret.text, secret.len));
	secret_release(&secret);
	return tell_of(admin, &request, "has a new password", err);
}

enum status verb_user_grant(struct admin *admin, struct error *err)
{
	struct admin_request request;
	enum status status = check_name(admin->words[0], err);

	if (status != STATUS_OK)
		return status;
	begin(&request, "grant", admin->words[0]);
	json_put_bool(&request.w, "admin", !admin->revoke);
	return tell_of(admin, &request,
	    admin->revoke ? "is no administrator any more" : "is an administrator", err);
}

enum status verb_user_suspend(struct admin *admin, struct error *err)
{
	struct admin_request request;
	enum status status = check_name(admin->words[0], err);

	if (status != STATUS_OK)
		return status;
	begin(&request, "suspend", admin->words[0]);
	if (admin->reason != NULL)
		json_put_str(&request.w, "reason", admin->reason);
	return tell_of(admin, &request, "is suspended", err);
}

enum status verb_user_restore(struct admin *admin, struct error *err)
{
	struct admin_request request;
	enum status status = check_name(admin->words[0], err);

	if (status != STATUS_OK)
		return status;
	begin(&request, "restore", admin->words[0]);
	return tell_of(admin, &request, "may log in again", err);
}

enum status verb_user_delete(struct admin *admin, struct error *err)
{
	struct admin_request request;
	enum status status = check_name(admin->words[0], err);

	if (status != STATUS_OK)
		return status;
	begin(&request, "userdel", admin->words[0]);
	return tell_of(admin, &request, "is deleted; the name stays taken", err);
}

static void put_like(struct admin *admin, struct json_writer *w)
{
	if (admin->like != NULL)
		json_put_str(w, "like", admin->like);
}

static void put_mark(struct buf *to, const struct json *user, const char *key)
{
	if (json_is_true(json_get(user, key)))
		buf_put_fmt(to, " %s", key);
}

static void print_user(struct admin *admin, const struct json *user)
{
	struct buf line;
	size_t width;

	if (admin->json) {
		admin_print_json(admin, user);
		return;
	}
	buf_init(&line, 8192);
	admin_put_text(&line, user, "user", "?");
	width = line.len < 20 ? 20 - line.len : 0;
	buf_put_fmt(&line, "%*s ", (int)width, "");
	admin_put_text(&line, user, "created", "-");
	put_mark(&line, user, "online");
	put_mark(&line, user, "admin");
	put_mark(&line, user, "suspended");
	put_mark(&line, user, "deleted");
	if (json_get(user, "reason") != NULL) {
		buf_put_str(&line, " (");
		admin_put_text(&line, user, "reason", "");
		buf_put_char(&line, ')');
	}
	buf_put_char(&line, '\n');
	admin_print(admin, buf_slice(&line));
	buf_release(&line);
}

enum status verb_user_list(struct admin *admin, struct error *err)
{
	return admin_list(admin, "users", "users", put_like, print_user, err);
}
