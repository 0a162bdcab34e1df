/*
 * An ordered map from names to the structs that hold them: a treap whose nodes are embedded, so
 * it allocates nothing. Look-up, insertion and removal take O(log n) expected steps whatever the
 * keys are (priorities are random, so hostile names cannot unbalance it, as long as nobody can
 * foretell them), and so does finding the place from which a list goes on; each further step of
 * the list is a look at a pointer.
 *
 * The key is a slice owned by the struct and must not change while the node is in the tree.
 * One thread at a time.
 */
#ifndef CONFAB_BASE_TREE_H
#define CONFAB_BASE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct tree_node {
	struct tree_node *left, *right;
	struct tree_node *before, *next; /* in the order of the keys, or NULL */
	struct slice key;
	uint32_t priority;
};

struct tree {
	struct tree_node *root;
	size_t count;
};

/* The struct of which `node` is the member named `member`; NULL for NULL. */
#define tree_entry(node, type, member)                                                             \
	((type *)tree_container((node), offsetof(type, member)))

static inline void *tree_container(struct tree_node *node, size_t offset)
{
	return node != NULL ? (char *)node - offset : NULL;
}

/* NULL if there is none. */
struct tree_node *tree_find(const struct tree *tree, struct slice key);

/* Puts `node` under `key`, which must not be in the tree yet; `random` is any random number. */
void tree_put(struct tree *tree, struct tree_node *node, struct slice key, uint32_t random);

/* `node` must be in the tree. */
void tree_remove(struct tree *tree, struct tree_node *node);

/* The first node, and the first whose key is greater than `key` (which need not be there). */
struct tree_node *tree_first(const struct tree *tree);
struct tree_node *tree_after(const struct tree *tree, struct slice key);

/* The one behind `node`, which must be in a tree; NULL behind the last. */
static inline struct tree_node *tree_next(const struct tree_node *node)
{
	return node->next;
}

#endif
