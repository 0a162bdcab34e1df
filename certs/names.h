/*
 * The names that certificates carry: hosts (sorted into DNS names and IP addresses), users, and
 * the names of files made from them. One spelling for each: lower case, addresses in their
 * shortest form, no final dot. Pure.
 */
#ifndef CONFAB_CERTS_NAMES_H
#define CONFAB_CERTS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/str.h"

enum name_kind { NAME_DNS, NAME_IP, NAME_USER };

#define NAME_TEXT_SIZE 254 /* a DNS name of 253 bytes, and NUL */

struct name {
	enum name_kind kind;
	unsigned char ip[16]; /* NAME_IP: the address in network order */
	size_t ip_len;        /* 4 or 16 bytes */
	char text[NAME_TEXT_SIZE];
};

/* A host name, "*.example.org", an IPv4 or an IPv6 address (also in brackets). STATUS_USAGE with
 * what to write instead: names that are not ASCII want their xn-- form. */
enum status name_host(struct slice text, struct name *ret, struct error *err);

/* A user's name as the protocol has it: [a-z0-9][a-z0-9._-]{0,31}. STATUS_USAGE. */
enum status name_user(struct slice text, struct name *ret, struct error *err);

/* Writes an address of 4 or 16 bytes in its one spelling; false for another length. */
bool name_ip_text(const unsigned char *ip, size_t len, char to[NAME_TEXT_SIZE]);

#define NAME_STEM_SIZE 201 /* with the final NUL */

/* The file name, without its ending, of a certificate: the host, or "client-" and the user. What
 * Windows does not allow in a file name, and what would collide with another file of the folder,
 * is mapped with '_', which is in no host name: "_.example.org", "2001_db8__1", "_ca".
 * STATUS_USAGE if that would be too long. */
enum status name_stem(const struct name *name, char to[NAME_STEM_SIZE], struct error *err);

/* Could name_stem have made it? For what is read from a file. */
bool name_is_stem(struct slice text);

#endif
