/*
 * The server's configuration: rows of options.def, set by the configuration file (JSON with
 * comments) and then by flags, which win. Main thread, at the start.
 */
#ifndef CONFAB_SERVER_CONFIG_H
#define CONFAB_SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/options.h"
#include "base/status.h"

#define CONFIG_LISTEN_MAX 16
#define CONFIG_FILE_MAX 65536 /* bytes */

enum config_key {
#define OPTION(key, kind, value, def, min, max, help) CONFIG_##key,
#include "options.def"
#undef OPTION
	CONFIG_KEY_COUNT
};

struct config_value {
	char *text; /* TEXT, PATH, CHOICE; NULL when empty */
	int64_t number;	 /* NUMBER; BOOL: 0 or 1; CHOICE: the index of the word */
	bool by_flag;	 /* the command line has said it: the file does not change it */
};

struct config {
	struct config_value value[CONFIG_KEY_COUNT];
	char *listen[CONFIG_LISTEN_MAX];
	unsigned listen_count;
	char *file;	 /* where the configuration was read from, or NULL */
	char *file_flag; /* --config */
	bool help, version, check, print;
};

/* All defaults. config_release frees what it holds. */
void config_init(struct config *config);
void config_release(struct config *config);

/* Flags first, then the file: --config, else DIR/server.json, else the system's place if there is
 * one; then defaults that depend on them. USAGE or INVALID with one sentence in `err`. */
enum status config_load(struct config *config, int argc, char *const *argv, struct error *err);

/* The configuration file's text alone, for tests; `name` is for messages. */
enum status config_parse(struct config *config, struct slice text, const char *name,
    struct error *err);

/* As a configuration file with every key. */
void config_print(const struct config *config, struct buf *to);

/* The table of flags, for --help. */
const struct option *config_options(void);

static inline const char *config_text(const struct config *config, enum config_key key)
{
	return config->value[key].text;
}

static inline int64_t config_number(const struct config *config, enum config_key key)
{
	return config->value[key].number;
}

#endif
