/*
 * What has been kept long enough goes: entries of rooms with `days`, nonces, tokens that nobody
 * uses. Little by little with the tick, going round by inner number, so that no moment has much
 * of it; of entries one room at a time, by a job that looks for the last one too old.
 */
#include "chat/chat_private.h"

#define ROUND_CONVS 64  /* looked at in one tick */
#define ROUND_USERS 64
#define ROUND_RECORDS 64 /* dropped in one tick */
#define TRIM_MS 3600000	 /* between two looks at one room */
#define DAY_MS INT64_C(86400000)

/* --- Entries -------------------------------------------------------------------------------- */

struct trimming {
	struct chat_job job;
	uint64_t conv;
	uint32_t days;
	int64_t first, last; /* where to look; both are kept */
	int64_t cutoff_ms;   /* what is older goes */
	int64_t found;	     /* the last that is too old, or 0 */
};

/* When the entry happened; INT64_MAX, which is never too old, if that cannot be told. */
static bool take_time(void *arg, const struct store_entry *entry)
{
	*(int64_t *)arg = entry->time_ms;
	return true;
}

static int64_t time_of(struct trimming *trimming, int64_t seq)
{
	const struct store_read read = {
	    .kind = STORE_READ_RANGE,
	    .conversation = trimming->conv,
	    .after = seq - 1,
	    .before = seq + 1,
	    .limit = 1,
	};
	struct store *store = trimming->job.store;
	int64_t time_ms = INT64_MAX;
	struct error err;

	if (store->ops->read(store, &read, take_time, &time_ms, &err) != STATUS_OK)
		return INT64_MAX;
	return time_ms;
}

/* Times never decrease, so the last one is found by halves. */
static void find_last(struct chat_job *job)
{
	struct trimming *trimming = (struct trimming *)job;
	int64_t old = trimming->first - 1, young = trimming->last + 1;

	while (young - old > 1) {
		int64_t at = old + (young - old) / 2;

		if (time_of(trimming, at) < trimming->cutoff_ms)
			old = at;
		else
			young = at;
	}
	trimming->found = old >= trimming->first ? old : 0;
}

/* Pins of what goes, go. */
static bool drop_pins(struct chat *chat, struct chat_room *room, int64_t seq)
{
	struct tree_node *node;

	while ((node = tree_first(&room->pins)) != NULL) {
		struct chat_pin *pin = tree_entry(node, struct chat_pin, node);

		if (pin->target > seq)
			return true;
		if (!chat_touch_pin(chat, room, pin->target))
			return false;
		chat_pin_free(room, pin);
	}
	return true;
}

static bool trim(struct chat_call *call, struct chat_job *job)
{
	const struct trimming *trimming = (const struct trimming *)job;
	struct chat_conv *conv = chat_conv_find(call->chat, trimming->conv);
	struct chat_undo *step;

	call->chat->trimming = false;
	if (conv == NULL || conv->room == NULL || conv->room->days != trimming->days ||
	    trimming->found < conv->first)
		return true;
	if (!drop_pins(call->chat, conv->room, trimming->found) ||
	    !chat_trim(call->chat, conv->id, trimming->found))
		return true; /* the unit is broken, and taken back */
	step = chat_undo_step(call->chat, CHAT_UNDO_FIRST);
	if (step == NULL) {
		call->chat->unit->broken = true;
		return true;
	}
	step->id = conv->id;
	step->seq = conv->first;
	conv->first = trimming->found + 1;
	return true;
}

static void trim_refused(struct chat *chat, struct chat_job *job)
{
	(void)job;
	chat->trimming = false;
}

static void start_trim(struct chat *chat, struct chat_conv *conv, struct chat_time now)
{
	struct trimming *trimming =
	    chat_job_make(chat, NULL, sizeof *trimming, find_last, trim);

	if (trimming == NULL)
		return;
	trimming->job.quiet = true;
	trimming->job.refused = trim_refused;
	trimming->conv = conv->id;
	trimming->days = conv->room->days;
	trimming->first = conv->first;
	trimming->last = conv->released;
	trimming->cutoff_ms = now.unix_ms - conv->room->days * DAY_MS;
	chat->trimming = true;
	chat_job_start(chat, &trimming->job);
}

static bool wants_trim(const struct chat_conv *conv, struct chat_time now)
{
	return conv->kept && conv->room != NULL && conv->room->days > 0 &&
	       conv->first <= conv->released && conv->trim_at <= now.mono_ms;
}

static void trim_rooms(struct chat *chat, struct chat_time now)
{
	for (int i = 0; i < ROUND_CONVS && !chat->trimming; i++) {
		struct chat_id_key key;
		struct chat_conv *conv;

		chat_id_key(&key, chat->trimmed_conv);
		conv = tree_entry(tree_after(&chat->convs, slice_make((char *)key.bytes, 8)),
		    struct chat_conv, node);
		chat->trimmed_conv = conv != NULL ? conv->id : 0;
		if (conv == NULL)
			return;
		if (wants_trim(conv, now)) {
			conv->trim_at = now.mono_ms + TRIM_MS;
			start_trim(chat, conv, now);
		}
	}
}

/* --- Nonces and tokens ------------------------------------------------------------------------ */

/* Tokens are not in the order of their use, but few. */
static bool is_unused(const struct chat_token *token, struct chat_time now)
{
	return now.unix_ms - token->used_ms >= PROTO_LIMIT_token_days * DAY_MS;
}

/* The oldest nonces come first. The number of records dropped, at most `most`. */
static unsigned sweep_user(struct chat *chat, struct chat_user *user, unsigned most,
    struct chat_time now)
{
	unsigned count = 0;

	while (count < most && !list_is_empty(&user->nonces_by_age)) {
		struct chat_nonce *nonce =
		    list_entry(user->nonces_by_age.next, struct chat_nonce, age);

		if (nonce->expires_ms > now.unix_ms || !chat_nonce_drop(chat, user, nonce))
			break;
		count++;
	}
	for (struct list *at = user->tokens.next, *next; count < most && at != &user->tokens;
	     at = next) {
		struct chat_token *token = list_entry(at, struct chat_token, in_user);

		next = at->next;
		if (!is_unused(token, now))
			continue;
		if (!chat_touch_token(chat, token->hash))
			break;
		chat_token_free(chat, token);
		count++;
	}
	return count;
}

static bool has_old(const struct chat_user *user, struct chat_time now)
{
	for (struct list *at = user->tokens.next; at != &user->tokens; at = at->next)
		if (is_unused(list_entry(at, struct chat_token, in_user), now))
			return true;
	return !list_is_empty(&user->nonces_by_age) &&
	       list_entry(user->nonces_by_age.next, struct chat_nonce, age)->expires_ms <=
		   now.unix_ms;
}

static void sweep_users(struct chat *chat, struct chat_time now)
{
	for (int i = 0; i < ROUND_USERS; i++) {
		struct chat_id_key key;
		struct chat_user *user;

		chat_id_key(&key, chat->swept_user);
		user = tree_entry(tree_after(&chat->users_by_id, slice_make((char *)key.bytes, 8)),
		    struct chat_user, by_id);
		chat->swept_user = user != NULL ? user->id : 0;
		if (user == NULL)
			return;
		if (!has_old(user, now))
			continue;
		if (!chat_unit_begin(chat, NULL))
			return;
		/* More of the same user in the next tick. */
		if (sweep_user(chat, user, ROUND_RECORDS, now) == ROUND_RECORDS)
			chat->swept_user = user->id - 1;
		chat_unit_end(chat, false, now);
		return;
	}
}

void chat_retention_tick(struct chat *chat, struct chat_time now)
{
	/* A store that is behind has other things to write first. */
	if (!list_is_empty(&chat->pending) || chat->options.store == NULL)
		return;
	trim_rooms(chat, now);
	sweep_users(chat, now);
}
