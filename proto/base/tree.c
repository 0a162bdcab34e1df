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

/* Cuts the tree under `node` in two: keys below `key`, and keys above it. */
static void split(struct tree_node *node, struct slice key, struct tree_node **below,
    struct tree_node **above)
{
	while (node != NULL) {
		if (slice_compare(node->key, key) < 0) {
			*below = node;
			below = &node->right;
			node = node->right;
		} else {
			*above = node;
			above = &node->left;
			node = node->left;
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
	while (*link != NULL && (*link)->priority >= random) {
		int order = slice_compare(key, (*link)->key);

		assert(order != 0);
		link = order < 0 ? &(*link)->left : &(*link)->right;
	}
	split(*link, key, &node->left, &node->right);
	*link = node;
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
