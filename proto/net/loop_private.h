/*
 * What loop.c and conn*.c share: the loop's lists of connections that have something to do, and
 * the scratch memory they use in turn (never across two callbacks), so that an idle connection
 * holds no buffer of ours.
 */
#ifndef CONFAB_NET_LOOP_PRIVATE_H
#define CONFAB_NET_LOOP_PRIVATE_H

#include <uv.h>

#include "base/buf.h"
#include "base/list.h"
#include "net/loop.h"
#include "net/spin.h"
#include "net/tls.h"

#define LOOP_READ_SIZE 65536   /* one read of a socket */
#define LOOP_PLAIN_SIZE 16384  /* the plaintext of the largest record */
#define LOOP_CIPHER_MAX (512 * 1024)
#define LOOP_HANDSHAKES 8 /* handshake steps (about 1 ms each) in a turn */

struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_idle_t idle; /* runs while a list below is not empty, so that the loop does not block */
	uv_idle_t spinning; /* runs while the loop waits without blocking */
	uv_timer_t limit;
	struct loop_handlers handlers;
	bool was_woken;
	bool is_active; /* something happened since the last end of a turn */
	bool may_spin;  /* in loop_run: a server waits for whatever comes next */
	bool was_told;  /* some connection has brought a line since the loop last looked */
	struct spin spin;

	struct list conns;	/* all */
	unsigned conn_count;
	struct list handshakes; /* wait for their turn to go on with the handshake */
	struct list readable;	/* have input left over from their last turn */
	struct list hurried;	/* have output that was not encrypted yet, which somebody waits for */
	struct list writable;	/* have other such output */
	struct list speakers;	/* likewise, and it was they who said something in this turn: they
				 * come last, since the others wait for what they do not know */
	unsigned turn;		/* counts them; from 1 on */
	unsigned handshakes_left; /* steps still allowed in this turn */
	struct list timers;

	struct tls_buffers *tls; /* for the records of all */
	struct buf cipher; /* records on their way to the socket of the connection at work */
	char read[LOOP_READ_SIZE];
	char plain_in[LOOP_PLAIN_SIZE];
	char plain_out[TLS_RECORD_MAX];
	struct error err; /* what TLS says at this moment */
};

/* Goes on with the connection in the list whose turn it is; conn.c. */
struct conn;
void conn_go_on(struct list *node);
/* Encrypts and writes what waits; conn_out.c. */
void conn_flush(struct list *node);
/* Ends without callbacks; conn.c. */
void conn_cut_off(struct list *node);

/* The loop will not block before the lists above were looked at. */
void loop_hurry(struct loop *loop);

#endif
