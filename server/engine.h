/*
 * The core behind its lock: what workers call. Takes the lock, asks the clock, lets the core work,
 * and puts the released items into the workers' mailboxes, still under the lock, so that every
 * worker sees them in one order. Any thread.
 */
#ifndef CONFAB_SERVER_ENGINE_H
#define CONFAB_SERVER_ENGINE_H

#include "chat/chat.h"

#define ENGINE_CONSOLE UINT32_MAX /* in place of a worker: sessions of console.h */

struct engine;
struct worker;

/* `options`: everything but post, submit, post_arg and secrets, which are the engine's own. Takes
 * options->store over, also when it fails, and reads the state from it. NOMEM, or what the store
 * says. */
enum status engine_new(const struct chat_options *options, struct engine **ret,
    struct error *err);
void engine_free(struct engine *engine);

/* Everything that was appended is committed and released, slow work ends, and the store is closed:
 * when all workers are silent, and before they stop. */
void engine_settle(struct engine *engine);

/* Before workers run: whose mailbox worker `index` is. */
void engine_set_worker(struct engine *engine, unsigned index, struct worker *worker);

/* As the functions of chat.h of the same name. */
struct blob *engine_welcome(struct engine *engine);
struct chat_session *engine_session_open(struct engine *engine, const struct chat_peer *peer,
    unsigned worker, void *conn);
void engine_session_close(struct engine *engine, struct chat_session *session);
enum chat_answer engine_request(struct engine *engine, struct chat_session *session,
    struct request *request);
void engine_session_drained(struct engine *engine, struct chat_session *session);
bool engine_tick(struct engine *engine);
void engine_count(struct engine *engine, struct chat_counts *ret);

#endif
