/*
 * Passwords: the jobs that verify and hash them, with copies of all they need, and the throttle
 * that slows guessing down before any of that work is done.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

static void forgive(struct chat_secret *secret, uint64_t mono_ms)
{
	if (!secret->charged)
		return;
	secret->charged = false;
	login_throttle_succeeded(secret->chat->throttle, slice_of(secret->job.session->address),
	    slice_of(secret->name), mono_ms);
}

void chat_secret_forgive(struct chat_secret *secret, struct chat_time now)
{
	forgive(secret, now.mono_ms);
}

static void run(struct chat_job *job)
{
	struct chat_secret *secret = (struct chat_secret *)job;
	struct slice hashed = secret->fresh;
	bool rehash = false;

	secret->looked = true;
	if (secret->check)
		secret->right = job->secrets->verify(secret->known ? secret->hash : NULL,
		    secret->old, &rehash);
	if (secret->check && (!secret->right || (hashed.len == 0 && !rehash)))
		return;
	if (hashed.len == 0)
		hashed = secret->old;
	if (job->secrets->hash(hashed, secret->made) != STATUS_OK)
		secret->made[0] = '\0';
}

/* A try whose password nobody looked at costs nothing; one that was left by its connection does, or
 * work could be had for free. */
static void release(struct chat_job *job)
{
	struct chat_secret *secret = (struct chat_secret *)job;

	if (!secret->looked)
		forgive(secret, secret->charged_ms);
	secret_wipe(secret->hash, sizeof secret->hash);
	secret_wipe(secret->made, sizeof secret->made);
}

bool chat_throttle_refuses(struct chat_call *call, struct slice name)
{
	struct chat *chat = call->chat;
	int64_t wait_s = 0;

	if (chat->throttle != NULL)
		wait_s = login_throttle_wait(chat->throttle, slice_of(call->session->address), name,
		    call->now.mono_ms);
	if (wait_s > 0)
		chat_refuse_later(call, wait_s, "too many tries; wait %lld s", (long long)wait_s);
	return wait_s > 0;
}

bool chat_secret_ask(struct chat_call *call, const struct chat_secret_want *want,
    bool (*done)(struct chat_call *call, struct chat_job *job))
{
	struct chat *chat = call->chat;
	struct chat_secret *secret;

	if (want->throttled && chat_throttle_refuses(call, want->name))
		return false;
	secret = chat_job_new(call, sizeof *secret, run, done);
	if (secret == NULL)
		return false;
	secret->job.hash = true;
	secret->job.release = release;
	secret->chat = chat;
	secret->charged = want->throttled && chat->throttle != NULL;
	secret->charged_ms = call->now.mono_ms;
	str_copy(secret->name, sizeof secret->name, want->name);
	secret->check = want->check;
	secret->known = want->user != NULL && want->user->password != NULL;
	if (secret->known)
		str_copy(secret->hash, sizeof secret->hash, slice_of(want->user->password));
	secret->old = want->old;
	secret->fresh = want->fresh;
	return true;
}

bool chat_secret_is_of(const struct chat_secret *secret, const struct chat_user *user)
{
	return user != NULL && user->password != NULL && secret->known &&
	       strcmp(user->password, secret->hash) == 0;
}
