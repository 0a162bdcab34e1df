/*
 * Sends what is in an outbox over the connection of an app, in order, with several messages on
 * their way at a time: joins rooms that ask for it, waits when the server says "later", and takes
 * each message out of the outbox when the server has answered. Main thread.
 */
#ifndef CONFAB_CLI_SENDER_H
#define CONFAB_CLI_SENDER_H

#include "cli/app.h"
#include "cli/input.h"
#include "cli/outbox.h"

#define SENDER_TARGET_SIZE 80

struct sender {
	struct app *app;
	struct outbox *outbox;
	bool send_all; /* also what may have been stored already */
	/* Makes messages of a line of the input; NULL without input. */
	bool (*put_line)(struct sender *sender, struct slice line);

	/* The sender's own: */
	struct list again; /* not taken yet, in order; go before the outbox's queue */
	struct list aside; /* not to be sent unasked */
	size_t again_count, aside_count;
	unsigned on_way;
	unsigned window;        /* 1 until the first was taken: it finds out whether to join */
	uint64_t wait_until_ms; /* not before this */
	struct outbox_message *joiner;   /* waits for its room to be joined */
	char joined[SENDER_TARGET_SIZE]; /* the last one that was */
	bool login_seen, is_guest;
	bool input_ended;
	bool call_refused; /* a message of this call was: the rest of it goes no further */
	int exit_code;     /* once it is not EXIT_DONE, nothing more is sent */
	int earlier_exit;  /* of what earlier calls left */
	char place[400];   /* "host:port as alice", for what is told */
};

void sender_init(struct sender *sender, struct app *app);

/* Finds the outbox of the app's server and user and opens it, completing the settings. If that
 * cannot be, or with --no-outbox, it is one in memory. An exit code. */
int sender_open(struct sender *sender);

/* Connects, sends all that is in the outbox and what `input` (may be NULL) brings, and ends the
 * connection; sender->exit_code says why it stopped, if it is not EXIT_DONE. Without a connection,
 * and where the outbox keeps what comes, it takes the input and tries again now and then. */
int sender_run(struct sender *sender, struct input *input);

/* Puts a message into the outbox; false, and exit_code set, when that cannot be. */
bool sender_put(struct sender *sender, const char *target, int64_t reply, struct slice text);

/* Tells what stays in the outbox, and closes it. Returns the exit code of all. */
int sender_close(struct sender *sender);

#endif
