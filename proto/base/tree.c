#include "base/tree.h"

#include <assert.h>

struct tree_node *tree_find(const struct tree *tree, struct slice key)
{
	struct tree_node *node = tree->root;

	while (node != NULL) {
		int order = slice_compare(key, node->key);

		if (order == 0)
			break;
		node = order < 0 ? node->left : node->right;
	}
	return node;
}

/* Notes that the way to the place of `fresh` leads by `node`: the last one that it passes on either
 * side is its neighbour. True if it goes on to the left. */
static bool pass(struct tree_node *fresh, struct tree_node *node)
{
	int order = slice_compare(fresh->key, node->key);

	assert(order != 0);
	if (order < 0)
		fresh->next = node;
	else
		fresh->before = node;
	return order < 0;
}

/* Cuts the tree under `node` in two: keys below and keys above that of `fresh`. */
static void split(struct tree_node *node, struct tree_node *fresh)
{
	struct tree_node **below = &fresh->left, **above = &fresh->right;

	while (node != NULL) {
		if (pass(fresh, node)) {
			*above = node;
			above = &node->left;
			node = node->left;
		} else {
			*below = node;
			below = &node->right;
			node = node->right;
		}
	}
	*below = NULL;
	*above = NULL;
}

void tree_put(struct tree *tree, struct tree_node *node, struct slice key, uint32_t random)
{
	struct tree_node **link = &tree->root;

	node->key = key;
	node->priority = random;
	node->before = node->next = NULL;
	while (*link != NULL && (*link)->priority >= random)
		link = pass(node, *link) ? &(*link)->left : &(*link)->right;
	split(*link, node);
	*link = node;
	if (node->before != NULL)
		node->before->next = node;
	if (node->next != NULL)
		node->next->before = node;
	tree->count++;
}

void tree_remove(struct tree *tree, struct tree_node *node)
{
	struct tree_node **link = &tree->root;
	struct tree_node *left = node->left, *right = node->right;

	while (*link != node) {
		assert(*link != NULL);
		link = slice_compare(node->key, (*link)->key) < 0 ? &(*link)->left
								  : &(*link)->right;
	}
	/* Joins the two subtrees: the one of higher priority comes on top, all the way down. */
	while (left != NULL && right != NULL) {
		if (left->priority >= right->priority) {
			*link = left;
			link = &left->right;
			left = left->right;
		} else {
			*link = right;
			link = &right->left;
			right = right->left;
		}
	}
	*link = left != NULL ? left : right;
	if (node->before != NULL)
		node->before->next = node->next;
	if (node->next != NULL)
		node->next->before = node->before;
	tree->count--;
}

struct tree_node *tree_first(const struct tree *tree)
{
	struct tree_node *node = tree->root;

	while (node != NULL && node->left != NULL)
		node = node->left;
	return node;
}

struct tree_node *tree_after(const struct tree *tree, struct slice key)
{
	struct tree_node *node = tree->root, *best = NULL;

	while (node != NULL) {
		if (slice_compare(node->key, key) > 0) {
			best = node;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return best;
}
