/* invitecode create, list and revoke. */
#include "admin/verbs.h"

enum status verb_code_create(struct admin *admin, struct error *err)
{
	struct admin_request request;
	struct message reply;
	struct buf text;
	enum status status;

	admin->need = ADMIN_NEW_STORE;
	admin_request_begin(&request, "invitecode");
	json_put_str(&request.w, "action", "create");
	if (admin->uses != 0)
		json_put_int(&request.w, "uses", admin->uses);
	if (admin->expires != 0)
		json_put_int(&request.w, "expires", admin->expires);
	status = admin_ask(admin, &request, &reply, err);
	if (status != STATUS_OK)
		return status;
	if (admin->json) {
		admin_print_json(admin, reply.root);
	} else {
		buf_init(&text, 4096);
		admin_put_text(&text, reply.root, "code", "?");
		buf_put_char(&text, '\n');
		admin_print(admin, buf_slice(&text));
		buf_release(&text);
	}
	message_release(&reply);
	return STATUS_OK;
}

static void put_action(struct admin *admin, struct json_writer *w)
{
	(void)admin;
	json_put_str(w, "action", "list");
}

static void print_code(struct admin *admin, const struct json *code)
{
	struct buf line;

	if (admin->json) {
		admin_print_json(admin, code);
		return;
	}
	buf_init(&line, 8192);
	admin_put_text(&line, code, "code", "?");
	buf_put_str(&line, "  uses left: ");
	admin_put_text(&line, code, "uses", "?");
	buf_put_str(&line, "  expires: ");
	admin_put_text(&line, code, "expires", "never");
	buf_put_str(&line, "  by: ");
	admin_put_text(&line, code, "by", "-");
	buf_put_char(&line, '\n');
	admin_print(admin, buf_slice(&line));
	buf_release(&line);
}

enum status verb_code_list(struct admin *admin, struct error *err)
{
	return admin_list(admin, "invitecode", "codes", put_action, print_code, err);
}

enum status verb_code_revoke(struct admin *admin, struct error *err)
{
	struct admin_request request;

	admin_request_begin(&request, "invitecode");
	json_put_str(&request.w, "action", "revoke");
	json_put_str(&request.w, "code", admin->words[0]);
	return admin_tell(admin, &request, "the code is revoked", err);
}
