/*
 * A session's replay, for the two files that make it: replay_ask.c, which reads what `since` asks for,
 * and replay.c, which carries it out.
 */
#ifndef CONFAB_SERVER_CHAT_REPLAY_H
#define CONFAB_SERVER_CHAT_REPLAY_H

#include "chat/chat_private.h"

struct waiting {
	uint64_t conv;
	int64_t after; /* the session knows what is up to here */
	int64_t upto;  /* of a sync: the last to replay */
	bool begun;
	bool near; /* uses the conversation's tail */
	bool over; /* caught up, or fallen out of it */
};

struct chat_replay {
	bool live;    /* a sync */
	bool paused;  /* the connection has not taken the last chunk */
	struct blob *gone; /* lines about conversations that one is not in, or NULL */
	size_t at, count;
	struct waiting waiting[]; /* by conv */
};

#endif
