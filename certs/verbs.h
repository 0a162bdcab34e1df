/*
 * What the tool can do: one function a verb, in make.c, revoke.c, show.c and expiry.c; main.c reads
 * the command line into struct verb_args. A verb prints what it made, and on failure fills `err`
 * with the one sentence that the person gets to see.
 */
#ifndef CONFAB_CERTS_VERBS_H
#define CONFAB_CERTS_VERBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define VERB_WORDS_MAX 256

struct verb_args {
	const char *dir;
	int64_t now_ms;
	int64_t days;    /* 0: the verb's own number */
	int64_t warn;    /* days */
	int64_t from_ms; /* when has_from: the first moment of validity */
	bool has_from;
	const char *name; /* of a CA, or NULL */
	bool force, new_key, all;
	const char *words[VERB_WORDS_MAX];
	size_t count;

	/* Set by expiry_show: something ends too soon, which is not an error but an exit code. */
	bool is_below_warn;
};

enum status make_init(struct verb_args *args, struct error *err);
enum status make_server(struct verb_args *args, struct error *err);
enum status make_client(struct verb_args *args, struct error *err);
enum status make_renewed(struct verb_args *args, struct error *err);

enum status revoke_certs(struct verb_args *args, struct error *err);
enum status revoke_sign_list(struct verb_args *args, struct error *err);

enum status expiry_show(struct verb_args *args, struct error *err);

enum status show_details(struct verb_args *args, struct error *err);
enum status show_fingerprints(struct verb_args *args, struct error *err);

#endif
