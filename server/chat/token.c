/*
 * Tokens and invite codes: what is kept of them.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

struct chat_token *chat_token_make(struct chat *chat, struct chat_user *user,
    const unsigned char hash[CHAT_TOKEN_HASH_SIZE])
{
	struct chat_token *token = calloc(1, sizeof *token);

	if (token == NULL)
		return NULL;
	token->user = user;
	memcpy(token->hash, hash, CHAT_TOKEN_HASH_SIZE);
	list_put(&user->tokens, &token->in_user);
	user->token_count++;
	tree_put(&chat->tokens, &token->node,
	    slice_make((char *)token->hash, CHAT_TOKEN_HASH_SIZE), chat_random(chat));
	return token;
}

void chat_token_free(struct chat *chat, struct chat_token *token)
{
	tree_remove(&chat->tokens, &token->node);
	list_remove(&token->in_user);
	token->user->token_count--;
	free(token->device);
	free(token);
}

struct chat_token *chat_token_find(struct chat *chat,
    const unsigned char hash[CHAT_TOKEN_HASH_SIZE])
{
	return tree_entry(
	    tree_find(&chat->tokens, slice_make((const char *)hash, CHAT_TOKEN_HASH_SIZE)),
	    struct chat_token, node);
}

struct chat_code *chat_code_make(struct chat *chat, struct slice text)
{
	struct chat_code *code = calloc(1, sizeof *code);

	if (code == NULL || !str_copy(code->code, sizeof code->code, text)) {
		free(code);
		return NULL;
	}
	tree_put(&chat->codes, &code->node, slice_of(code->code), chat_random(chat));
	return code;
}

void chat_code_free(struct chat *chat, struct chat_code *code)
{
	tree_remove(&chat->codes, &code->node);
	free(code);
}

struct chat_code *chat_code_find(struct chat *chat, struct slice text, struct chat_time now)
{
	struct chat_code *code = tree_entry(tree_find(&chat->codes, text), struct chat_code, node);

	return code != NULL && code->uses > 0 && code->expires_ms > now.unix_ms ? code : NULL;
}

bool chat_code_use(struct chat *chat, struct chat_code *code)
{
	if (!chat_touch_code(chat, code->node.key))
		return false;
	if (--code->uses == 0)
		chat_code_free(chat, code);
	return true;
}
