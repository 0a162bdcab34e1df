/*
 * The record of what a CA has issued, kept in the folder as issued.txt, so that `status` and
 * `revoke` know serial numbers even when the files are gone. One line a certificate, words between
 * single spaces; the first line carries the number of the last revocation list:
 *
 *     confab-certs 1 crl 3
 *     SERIAL KIND STATE BEGIN END REVOKED STEM NAME[,NAME…]
 *
 * KIND is server, client or other; STATE current or former (another one has taken its place);
 * REVOKED a time or "-". Of a certificate that the record did not know when it was revoked nothing
 * but the serial number is known: kind other, stem and name "-".
 *
 * The text is read as if an enemy had written it. Pure: reads and writes memory only.
 */
#ifndef CONFAB_CERTS_INDEX_H
#define CONFAB_CERTS_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "names.h"
#include "base/buf.h"
#include "base/status.h"

enum cert_kind { CERT_CA, CERT_SERVER, CERT_CLIENT, CERT_OTHER };

/* "CA", "server", "client", "other". */
const char *cert_kind_text(enum cert_kind kind);

#define SERIAL_MAX 20                         /* bytes, RFC 5280 4.1.2.2 */
#define SERIAL_TEXT_SIZE (2 * SERIAL_MAX + 1) /* lower-case hex digits and NUL */

#define INDEX_NAMES_MAX 64        /* in one certificate */
#define INDEX_RECORDS_MAX 100000  /* in one folder */
#define INDEX_TEXT_MAX (64 << 20) /* bytes of the file */

struct index_record {
	char serial[SERIAL_TEXT_SIZE];
	enum cert_kind kind;
	bool is_current;
	int64_t begin_ms, end_ms;
	int64_t revoked_ms; /* 0: not */
	char *stem;         /* of the file names, or "-" */
	char *names;        /* between commas, or "-" */
};

struct index {
	struct index_record *records; /* in the order of issue */
	size_t count, cap;
	int64_t crl_number; /* of the last list signed; 0 before the first */
};

void index_init(struct index *index);
void index_release(struct index *index);

/* Replaces what is in `index`. INVALID with the line's number, FULL, NOMEM; then it is empty. */
enum status index_parse(struct index *index, struct slice text, struct error *err);

/* Appends the text; STATUS_NOMEM if the buffer could not take it. */
enum status index_put(const struct index *index, struct buf *to);

/* Appends a copy of `record`, whose strings stay the caller's; where it is current, earlier ones
 * with its stem become former. EXISTS (the serial), FULL, NOMEM. */
enum status index_add(struct index *index, const struct index_record *record, struct error *err);

/* By serial number (hex digits of either case, leading zeros allowed), or the current one of a
 * stem. Lent until the next change; NULL if there is none. */
struct index_record *index_find_serial(struct index *index, struct slice serial);
struct index_record *index_find_stem(struct index *index, const char *stem);

/* The one spelling of a serial number: even count of lower-case digits, no leading zero bytes.
 * False if `text` is no positive number of at most SERIAL_MAX bytes. */
bool serial_get(struct slice text, char to[SERIAL_TEXT_SIZE]);

#endif
