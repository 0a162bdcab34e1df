/*
 * A store as JSON lines, and a store made from them: for people and programs that read what was
 * said without knowing the database, and for moving to another kind of store. confab-server(1),
 * "Export", tells the format to users; it is
 *
 *   {"export":"confab","version":1,"time":…,"room":…}          the first line; room: one room only
 *   {"record":TABLE,"key":HEX,"value":JSON}                     a keyed record; as "hex" if no JSON
 *   {"conversation":ID,"room":NAME|"pair":[A,B],"first":…,"last":…}
 *   {"conversation":ID,"room"|"pair":…,"seq":…,"time":…,"entry":KIND,"author":ID,"target":…,
 *    "text":…,MEMBERS}                                          MEMBERS: the entry's extra
 *   {"end":LINES}                                               how many lines came before
 *
 * in this order, each conversation's entries behind its own line. Numbers of conversations and
 * users are texts, as JSON's numbers have 53 bits. What is only good for this store stays out:
 * tokens of sessions, and nonces. An export of one room has no records but the room's own, and is
 * for reading: it cannot be imported. One thread.
 */
#ifndef CONFAB_SERVER_ADMIN_EXPORT_H
#define CONFAB_SERVER_ADMIN_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

#define EXPORT_VERSION 1
#define EXPORT_LINE_MAX (1u << 20) /* bytes */

/* The names of tables and kinds in exports; NULL for a number that is none or, of a table, is not
 * exported. */
const char *export_table_name(enum store_table table);
const char *export_kind_name(enum store_kind kind);
#define EXPORT_TABLES_END 15 /* above the largest */
#define EXPORT_KINDS_END 18

/* Gives each line, with its LF, to `put`; another status than OK from it ends the export. `room`
 * NULL: everything. NOT_FOUND: there is no such room; INVALID: a record that cannot be read. */
typedef enum status export_put_fn(void *arg, struct slice line, struct error *err);
enum status export_write(struct store *store, const char *room, int64_t now_ms,
    export_put_fn *put, void *arg, struct error *err);

/* Takes the lines of an export, one call each without LF, into a new and empty store, whose `done`
 * is set here. */
struct import;
enum status import_new(struct store *store, struct import **ret, struct error *err);
/* INVALID: not a line of a whole export, with its number in `err`; or a failure of the store. */
enum status import_line(struct import *import, struct slice line, struct error *err);
/* When all lines were given: waits for the store. INVALID if the end is missing. */
enum status import_finish(struct import *import, struct error *err);
/* NULL is harmless; waits for what the store has not reported yet. */
void import_free(struct import *import);

#endif
