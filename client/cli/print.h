/*
 * Replies for people, one shape for each kind: a list of objects becomes a table, a list of names
 * one a line, an object "key: value" lines, messages lines of a conversation, and a reply that says
 * no more than that it was done nothing. By what is in the reply, so that a server that tells more
 * than these tables know is understood too. Pure.
 */
#ifndef CONFAB_CLI_PRINT_H
#define CONFAB_CLI_PRINT_H

#include "base/buf.h"
#include "cli/show.h"
#include "wire/json.h"

#define PRINT_COLUMNS_MAX 24

/* The columns of a table, as wide as the pages so far need them. */
struct print_table {
	char list[40];                    /* the field of the reply that it shows */
	char name[PRINT_COLUMNS_MAX][40]; /* of the fields of its rows */
	unsigned width[PRINT_COLUMNS_MAX];
	size_t count;
};

/* What one page leaves for the next. */
struct print {
	const char *conversation; /* whose history it is, or NULL */
	const char *self;         /* the user of this connection */
	char day[SHOW_DAY_SIZE];  /* "" at first */
	bool is_empty;            /* the reply had a list, and nothing in it */
	struct print_table table; /* zeroed at first */
};

void print_reply(struct print *print, const struct json *reply, struct buf *to);

#endif
