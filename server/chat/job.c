/*
 * Slow work: what reads the store or hashes is done by others (the server's pool) without the
 * lock, and comes back as if it were a handler. A job that belongs to a request begins when
 * everything before it has left, so that it sees what its session was told.
 */
#include "chat/chat_private.h"

#include <stdlib.h>

void *chat_job_make(struct chat *chat, struct chat_session *session, size_t size,
    void (*run)(struct chat_job *job), bool (*done)(struct chat_call *call, struct chat_job *job))
{
	struct chat_job *job = calloc(1, size);

	if (job == NULL)
		return NULL;
	list_init(&job->link);
	job->run = run;
	job->done = done;
	job->store = chat->options.store;
	job->secrets = chat->options.secrets;
	job->session = session;
	if (session != NULL)
		session->refs++;
	return job;
}

void *chat_job_new(struct chat_call *call, size_t size, void (*run)(struct chat_job *job),
    bool (*done)(struct chat_call *call, struct chat_job *job))
{
	struct chat_job *job = chat_job_make(call->chat, call->session, size, run, done);

	if (job == NULL) {
		chat_refuse_memory(call);
		return NULL;
	}
	/* The fields are lent from the root, which stays where it is. */
	job->request = *call->request;
	call->request->root = NULL;
	call->postponed = true;
	call->chat->unit->job = job;
	return job;
}

void chat_job_free(struct chat *chat, struct chat_job *job)
{
	if (job->release != NULL)
		job->release(job);
	if (job->request.root != NULL)
		request_release(&job->request);
	if (job->session != NULL)
		chat_session_unref(chat, job->session);
	free(job);
}

bool chat_job_hashes(const struct chat_job *job)
{
	return job->hash;
}

void chat_job_run(struct chat_job *job)
{
	job->run(job);
}

static void finish(struct chat *chat, struct chat_job *job, bool ran, struct chat_time now)
{
	struct chat_session *session = job->session;
	struct chat_call call = {
	    .chat = chat,
	    .session = session,
	    .user = session != NULL ? session->user : NULL,
	    .request = &job->request,
	    .now = now,
	};
	bool ok;

	if (session != NULL && session->closed)
		return;
	if (job->quiet && !ran) {
		job->refused(chat, job);
		return;
	}
	if (!chat_unit_begin(chat, NULL)) {
		if (session != NULL)
			chat_cut_off_now(chat, session);
		if (job->quiet)
			job->refused(chat, job);
		return;
	}
	if (session != NULL && !job->quiet)
		chat_unit_asked(chat, session, &job->request.id);
	/* Whoever was suspended, deleted or killed meanwhile does nothing more. */
	if (session != NULL && session->finishing) {
		if (!job->quiet)
			chat_tell_reply(chat, session, NULL);
		chat_unit_end(chat, false, now);
		return;
	}
	/* Nor does an administrator who is none any more. */
	ok = ran ? (job->quiet || chat_check_state(&call)) && job->done(&call, job)
		 : chat_refuse(&call,
		       job->hash ? PROTO_ERR_auth_unavailable : PROTO_ERR_unavailable,
		       "the server is too busy for that now; try again later");
	if (job->quiet)
		chat_unit_end(chat, false, now);
	else
		chat_call_end(&call, ok);
}

void chat_job_done(struct chat *chat, struct chat_job *job, struct chat_time now)
{
	finish(chat, job, true, now);
	chat_job_free(chat, job);
}

void chat_job_refused(struct chat *chat, struct chat_job *job, struct chat_time now)
{
	finish(chat, job, false, now);
	chat_job_free(chat, job);
}

void chat_job_refuse_later(struct chat *chat, struct chat_job *job)
{
	list_put(&chat->refused, &job->link);
}

/* Some are tried again, and may be refused again: those wait for the next tick. */
void chat_job_refuse_all(struct chat *chat, struct chat_time now)
{
	struct list refused, *at;

	list_init(&refused);
	while ((at = list_take(&chat->refused)) != NULL)
		list_put(&refused, at);
	while ((at = list_take(&refused)) != NULL)
		chat_job_refused(chat, list_entry(at, struct chat_job, link), now);
}

void chat_job_start(struct chat *chat, struct chat_job *job)
{
	job->seen = chat->changes_left;
	chat->options.submit(chat->options.post_arg, job);
}
