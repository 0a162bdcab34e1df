/*
 * What others leave for a worker: sockets from the listener and items from the core, in the order
 * in which they were put. The worker takes all items at once, and as many sockets as it wants. What
 * waits is bounded: past MAILBOX_HIGH bytes of lines the workers stop reading requests until it has
 * been taken. That is well below limits.backlog, because a line of a room waits for each of its
 * members at once: no burst may fill the queue of somebody who had no turn to take it.
 * Any thread puts; the worker takes.
 */
#ifndef CONFAB_SERVER_MAILBOX_H
#define CONFAB_SERVER_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

#include "chat/chat.h"
#include "net/socket.h"
#include "os/thread.h"

#define MAILBOX_HIGH (1u << 20) /* bytes */

/* An established socket on its way to its worker. */
struct mailbox_socket {
	struct mailbox_socket *next;
	socket_handle socket;
	struct socket_address peer;
};

struct mailbox {
	struct mutex *mutex;
	struct chat_item *first, *last;
	struct mailbox_socket *first_socket, *last_socket;
	atomic_size_t bytes; /* of the lines of the items that wait */
};

void mailbox_init(struct mailbox *mailbox);
/* Frees what was never taken; sockets are closed. */
void mailbox_release(struct mailbox *mailbox);

/* Take the object over. True if the mailbox was empty before: its worker has to be woken. */
bool mailbox_put_item(struct mailbox *mailbox, struct chat_item *item);
bool mailbox_put_socket(struct mailbox *mailbox, struct mailbox_socket *socket);

/* All items, and the first sockets, no more than that many, as two lists that are the caller's from
 * now on. False if sockets are left: nobody wakes the worker for them. */
bool mailbox_take(struct mailbox *mailbox, unsigned sockets_max, struct chat_item **ret_items,
    struct mailbox_socket **ret_sockets);

static inline bool mailbox_is_high(struct mailbox *mailbox)
{
	return atomic_load_explicit(&mailbox->bytes, memory_order_relaxed) > MAILBOX_HIGH;
}

#endif
