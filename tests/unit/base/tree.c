/* The tree against a sorted array that does the same the simple way. */
#include "tests/unit/unit.h"

#include "base/rng.h"
#include "base/tree.h"

#define NAMES 400

struct item {
	struct tree_node node;
	char name[8];
	int is_in;
};

static struct item items[NAMES]; /* in the order of their names */

static void make_items(void)
{
	/* Names of one to three letters, so that many are the start of others. */
	size_t count = 0;

	for (int a = 0; a < 10 && count < NAMES; a++)
		for (int b = -1; b < 10 && count < NAMES; b++)
			for (int c = -1; c < (b < 0 ? 0 : 10) && count < NAMES; c++) {
				char *to = items[count++].name;

				*to++ = (char)('a' + a);
				if (b >= 0)
					*to++ = (char)('a' + b);
				if (c >= 0)
					*to = (char)('a' + c);
			}
	CHECK_INT(count, NAMES);
	for (size_t i = 1; i < NAMES; i++)
		CHECK(strcmp(items[i - 1].name, items[i].name) < 0);
}

static int next_in(int i)
{
	while (i < NAMES && !items[i].is_in)
		i++;
	return i;
}

static void check_all(const struct tree *tree)
{
	struct tree_node *node = tree_first(tree);
	size_t count = 0;

	for (int i = next_in(0); i < NAMES; i = next_in(i + 1)) {
		CHECK(node == &items[i].node);
		CHECK(tree_next(node) == tree_after(tree, node->key));
		node = tree_next(node);
		count++;
	}
	CHECK(node == NULL);
	CHECK_INT(tree->count, count);
}

TEST(unit__tree__does_what_a_sorted_array_does)
{
	struct rng rng = {11};
	struct tree tree = {0};

	make_items();
	for (int step = 0; step < 100000; step++) {
		int at = (int)rng_below(&rng, NAMES), after;
		struct item *item = &items[at];
		struct slice key = slice_of(item->name);
		/* Few different priorities, so that equal ones meet often. */
		uint32_t priority = (uint32_t)rng_below(&rng, step < 50000 ? 3 : UINT32_MAX);

		CHECK((tree_find(&tree, key) == &item->node) == item->is_in);
		if (item->is_in)
			tree_remove(&tree, &item->node);
		else
			tree_put(&tree, &item->node, key, priority);
		item->is_in = !item->is_in;
		after = next_in(at + 1);
		CHECK(tree_after(&tree, key) == (after < NAMES ? &items[after].node : NULL));
		if (step % 1000 == 0)
			check_all(&tree);
	}
	check_all(&tree);
}

static unsigned depth_of(const struct tree_node *node)
{
	unsigned left, right;

	if (node == NULL)
		return 0;
	left = depth_of(node->left);
	right = depth_of(node->right);
	return 1 + (left > right ? left : right);
}

TEST(unit__tree__stays_shallow_with_keys_in_order)
{
	enum { COUNT = 20000 };
	static struct tree_node nodes[COUNT];
	static char names[COUNT][16];
	struct rng rng = {5};
	struct tree tree = {0};

	for (int i = 0; i < COUNT; i++) {
		snprintf(names[i], sizeof names[i], "%07d", i);
		tree_put(&tree, &nodes[i], slice_of(names[i]), (uint32_t)rng_next(&rng));
	}
	CHECK_INT(tree.count, COUNT);
	CHECK(depth_of(tree.root) < 60);
}

TEST(unit__tree__is_harmless_when_empty)
{
	struct tree tree = {0};

	CHECK(tree_find(&tree, slice_of("x")) == NULL);
	CHECK(tree_first(&tree) == NULL);
	CHECK(tree_after(&tree, slice_of("")) == NULL);
	CHECK(tree_entry(tree_first(&tree), struct item, node) == NULL);
}

UNIT_MAIN(CASE(unit__tree__does_what_a_sorted_array_does),
    CASE(unit__tree__stays_shallow_with_keys_in_order), CASE(unit__tree__is_harmless_when_empty))
