/*
 * A doubly linked list with embedded links; a node that is in no list points at itself.
 * One thread at a time.
 */
#ifndef CONFAB_BASE_LIST_H
#define CONFAB_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define list_entry(node, type, member) ((type *)((char *)(node) - offsetof(type, member)))

static inline void list_init(struct list *node)
{
	node->next = node->prev = node;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

/* Appends `node`, which must be in no list, at the end. */
static inline void list_put(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

/* Takes `node` out of whatever list it is in; harmless if it is in none. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* The first node, taken out; NULL from an empty list. */
static inline struct list *list_take(struct list *head)
{
	struct list *node = head->next;

	if (node == head)
		return NULL;
	list_remove(node);
	return node;
}

#endif
