#include "mailbox.h"

#include <limits.h>
#include <stdlib.h>

void mailbox_init(struct mailbox *mailbox)
{
	*mailbox = (struct mailbox){.mutex = mutex_new()};
	atomic_init(&mailbox->bytes, 0);
}

void mailbox_release(struct mailbox *mailbox)
{
	struct chat_item *item;
	struct mailbox_socket *socket;

	mailbox_take(mailbox, UINT_MAX, &item, &socket);
	while (item != NULL) {
		struct chat_item *next = item->next;

		chat_item_free(item);
		item = next;
	}
	while (socket != NULL) {
		struct mailbox_socket *next = socket->next;

		socket_close(socket->socket);
		free(socket);
		socket = next;
	}
	mutex_free(mailbox->mutex);
}

bool mailbox_put_item(struct mailbox *mailbox, struct chat_item *item)
{
	bool was_empty;

	item->next = NULL;
	mutex_lock(mailbox->mutex);
	was_empty = mailbox->first == NULL && mailbox->first_socket == NULL;
	if (mailbox->last != NULL)
		mailbox->last->next = item;
	else
		mailbox->first = item;
	mailbox->last = item;
	if (item->line != NULL)
		atomic_fetch_add_explicit(&mailbox->bytes, item->line->len, memory_order_relaxed);
	mutex_unlock(mailbox->mutex);
	return was_empty;
}

bool mailbox_put_socket(struct mailbox *mailbox, struct mailbox_socket *socket)
{
	bool was_empty;

	socket->next = NULL;
	mutex_lock(mailbox->mutex);
	was_empty = mailbox->first == NULL && mailbox->first_socket == NULL;
	if (mailbox->last_socket != NULL)
		mailbox->last_socket->next = socket;
	else
		mailbox->first_socket = socket;
	mailbox->last_socket = socket;
	mutex_unlock(mailbox->mutex);
	return was_empty;
}

bool mailbox_take(struct mailbox *mailbox, unsigned sockets_max, struct chat_item **ret_items,
    struct mailbox_socket **ret_sockets)
{
	struct mailbox_socket **end;
	bool is_all;

	mutex_lock(mailbox->mutex);
	*ret_items = mailbox->first;
	mailbox->first = mailbox->last = NULL;
	*ret_sockets = mailbox->first_socket;
	for (end = ret_sockets; *end != NULL && sockets_max > 0; sockets_max--)
		end = &(*end)->next;
	mailbox->first_socket = *end;
	*end = NULL;
	is_all = mailbox->first_socket == NULL;
	if (is_all)
		mailbox->last_socket = NULL;
	atomic_store_explicit(&mailbox->bytes, 0, memory_order_relaxed);
	mutex_unlock(mailbox->mutex);
	return is_all;
}
