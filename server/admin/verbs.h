/*
 * What admin.c and the files of the verbs share: the command line as the verb finds it, and output.
 * A verb returns a status with one sentence in `err`; admin.c tells it. One thread.
 */
#ifndef CONFAB_SERVER_ADMIN_VERBS_H
#define CONFAB_SERVER_ADMIN_VERBS_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/channel.h"
#include "config.h"
#include "os/secret.h"
#include "wire/json.h"
#include "wire/message.h"

#define ADMIN_WORDS_MAX 4

struct admin {
	struct config config;
	const char *words[ADMIN_WORDS_MAX]; /* behind the verb */
	size_t count;
	const char *data, *dir, *config_file; /* as given */
	bool json, admin, revoke, no_password, jsonl, help;
	const char *reason, *like, *room; /* or NULL */
	int64_t uses, expires;		  /* 0: not given */
	int64_t timeout_s;		  /* 0: not given */
	struct secret_source password;
	enum admin_need need;
	struct admin_channel channel; /* opened by the first admin_ask */
	enum status out;	      /* how writing to standard output went */
};

enum status verb_user_add(struct admin *admin, struct error *err);
enum status verb_user_passwd(struct admin *admin, struct error *err);
enum status verb_user_grant(struct admin *admin, struct error *err);
enum status verb_user_suspend(struct admin *admin, struct error *err);
enum status verb_user_restore(struct admin *admin, struct error *err);
enum status verb_user_delete(struct admin *admin, struct error *err);
enum status verb_user_list(struct admin *admin, struct error *err);
enum status verb_code_create(struct admin *admin, struct error *err);
enum status verb_code_list(struct admin *admin, struct error *err);
enum status verb_code_revoke(struct admin *admin, struct error *err);
enum status verb_stats(struct admin *admin, struct error *err);
enum status verb_reload(struct admin *admin, struct error *err);
enum status verb_shutdown(struct admin *admin, struct error *err);
enum status verb_backup(struct admin *admin, struct error *err);
enum status verb_restore(struct admin *admin, struct error *err);
enum status verb_verify(struct admin *admin, struct error *err);
enum status verb_export(struct admin *admin, struct error *err);
enum status verb_import(struct admin *admin, struct error *err);

/* --- ask.c: requests ------------------------------------------------------------------------ */

/* A request that is being written: fields go to `w` between the two calls. */
struct admin_request {
	struct buf line;
	struct json_writer w;
};
void admin_request_begin(struct admin_request *request, const char *cmd);

/* Sends it and waits for its reply, which is the caller's to release; the request is wiped and
 * released in any case. Of a refusal `err` has the server's words: AUTH, NOT_FOUND, REFUSED. */
enum status admin_ask(struct admin *admin, struct admin_request *request, struct message *ret,
    struct error *err);

/* The same for one whose reply says nothing more; `done` is what people read then. */
enum status admin_tell(struct admin *admin, struct admin_request *request, const char *done,
    struct error *err);

/* Asks `cmd` page by page and calls `fn` with each member of the reply's array `list`. `fields`
 * (or NULL) puts more fields into each request. */
enum status admin_list(struct admin *admin, const char *cmd, const char *list,
    void (*fields)(struct admin *admin, struct json_writer *w),
    void (*fn)(struct admin *admin, const struct json *item), struct error *err);

/* --- ask.c: output -------------------------------------------------------------------------- */

/* Writes to standard output; a failure is kept in admin->out. */
void admin_print(struct admin *admin, struct slice text);
/* One JSON value as a line. */
void admin_print_json(struct admin *admin, const struct json *value);
/* Appends the text of a member without what could command a terminal; `missing` if it is none. */
void admin_put_text(struct buf *to, const struct json *object, const char *key,
    const char *missing);

/* The data directory, or USAGE. Lent. */
enum status admin_data(const struct admin *admin, const char **ret, struct error *err);

/* REFUSED if a server runs on the data directory: `verb` needs it for itself. */
enum status admin_need_no_server(const struct admin *admin, const char *verb, struct error *err);

/* A path as the server has to be told it, which may have another current folder: on the heap. */
enum status admin_full_path(const char *path, char **ret, struct error *err);

#endif
