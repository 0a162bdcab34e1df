#include "names.h"

#include <stdint.h>
#include <stdio.h>

#define HOST_MAX 253
#define LABEL_MAX 63
#define USER_MAX 32

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z');
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int hex_value(char c)
{
	c = lower(c);
	if (is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool get_ip4(struct slice text, unsigned char to[4])
{
	int64_t value;
	int count = 0;

	while (text.ptr != NULL) {
		struct slice part = slice_cut(&text, '.');

		/* "010" is eight to some and ten to others. */
		if (count == 4 || part.len == 0 || (part.len > 1 && part.ptr[0] == '0') ||
		    !is_digit(part.ptr[0]) || !str_to_int(part, 0, 255, &value))
			return false;
		to[count++] = (unsigned char)value;
	}
	return count == 4;
}

/* One group of an IPv6 address at *pos, or the IPv4 address that may end it; false if neither. */
static bool get_group(struct slice text, size_t *pos, unsigned char to[16], size_t *len)
{
	size_t start = *pos, i = start;
	unsigned value = 0;

	for (; i < text.len && i - start < 5 && hex_value(text.ptr[i]) >= 0; i++)
		value = value << 4 | (unsigned)hex_value(text.ptr[i]);
	if (i < text.len && text.ptr[i] == '.') {
		if (*len > 12 ||
		    !get_ip4(slice_make(text.ptr + start, text.len - start), to + *len))
			return false;
		*len += 4;
		*pos = text.len;
		return true;
	}
	if (i == start || i - start > 4 || *len > 14)
		return false;
	to[(*len)++] = (unsigned char)(value >> 8);
	to[(*len)++] = (unsigned char)(value & 0xff);
	*pos = i;
	return true;
}

static bool get_ip6(struct slice text, unsigned char to[16])
{
	unsigned char bytes[16] = {0};
	size_t len = 0, gap = SIZE_MAX, pos = 0;

	if (slice_starts(text, "::")) {
		gap = 0;
		pos = 2;
	}
	while (pos < text.len) {
		if (!get_group(text, &pos, bytes, &len))
			return false;
		if (pos == text.len)
			break;
		if (text.ptr[pos++] != ':' || pos == text.len)
			return false;
		if (text.ptr[pos] == ':') {
			if (gap != SIZE_MAX)
				return false;
			gap = len;
			pos++;
		}
	}
	if (gap == SIZE_MAX ? len != 16 : len > 14)
		return false;
	if (gap == SIZE_MAX)
		gap = len;
	memset(to, 0, 16);
	memcpy(to, bytes, gap);
	memcpy(to + 16 - (len - gap), bytes + gap, len - gap);
	return true;
}

/* The form of RFC 5952: the longest run of two or more zero groups becomes "::". */
static void put_ip6(const unsigned char ip[16], char *to, size_t size)
{
	size_t best = 8, best_len = 1, len = 0;

	for (size_t i = 0; i < 8; i++) {
		size_t run = 0;

		while (i + run < 8 && ip[2 * (i + run)] == 0 && ip[2 * (i + run) + 1] == 0)
			run++;
		if (run > best_len) {
			best = i;
			best_len = run;
		}
	}
	for (size_t i = 0; i < 8; i++) {
		if (i == best) {
			len += (size_t)snprintf(to + len, size - len, "::");
			i += best_len - 1;
			continue;
		}
		len += (size_t)snprintf(to + len, size - len, "%s%x",
		    i == 0 || i == best + best_len ? "" : ":",
		    (unsigned)ip[2 * i] << 8 | ip[2 * i + 1]);
	}
}

bool name_ip_text(const unsigned char *ip, size_t len, char to[NAME_TEXT_SIZE])
{
	if (len == 4)
		snprintf(to, NAME_TEXT_SIZE, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
	else if (len == 16)
		put_ip6(ip, to, NAME_TEXT_SIZE);
	return len == 4 || len == 16;
}

/* Letters, digits and hyphens, no hyphen at an end of a label. */
static bool is_host(struct slice text)
{
	if (text.len == 0 || text.len > HOST_MAX)
		return false;
	while (text.ptr != NULL) {
		struct slice label = slice_cut(&text, '.');

		if (label.len == 0 || label.len > LABEL_MAX || label.ptr[0] == '-' ||
		    label.ptr[label.len - 1] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!is_name_char(label.ptr[i]) && label.ptr[i] != '-')
				return false;
	}
	return true;
}

/* A last label of digits only is no name: it would be taken for an address. */
static bool ends_in_number(struct slice text)
{
	size_t i = text.len;

	while (i > 0 && is_digit(text.ptr[i - 1]))
		i--;
	return i < text.len && (i == 0 || text.ptr[i - 1] == '.');
}

static enum status refuse_host(struct slice text, struct error *err)
{
	char shown[80] = "";
	size_t colons = 0;
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] >= 0x80)
			return error_set(err, STATUS_USAGE,
			    "host names are ASCII: write an international name in its xn-- form");
		colons += text.ptr[i] == ':';
		if (len < sizeof shown - 1)
			shown[len++] = text.ptr[i] < ' ' || text.ptr[i] == 0x7f ? '?' : text.ptr[i];
	}
	if (colons == 1)
		return error_set(err, STATUS_USAGE,
		    "'%s' is not a host name: give it without a port or scheme", shown);
	if (colons > 1)
		return error_set(err, STATUS_USAGE,
		    "'%s' is not an IPv6 address: write it like 2001:db8::1", shown);
	if (ends_in_number(text))
		return error_set(err, STATUS_USAGE,
		    "'%s' is not an IPv4 address: write it like 192.0.2.1", shown);
	return error_set(err, STATUS_USAGE,
	    "'%s' is not a host name: letters, digits and hyphens between dots, like "
	    "chat.example.org or *.example.org",
	    shown);
}

enum status name_host(struct slice text, struct name *ret, struct error *err)
{
	struct name name = {.kind = NAME_DNS};
	struct slice host = text, plain;

	if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		host = slice_make(host.ptr + 1, host.len - 2);
	if (host.len > 1 && host.ptr[host.len - 1] == '.')
		host.len--;
	if (!str_copy(name.text, sizeof name.text, host))
		return refuse_host(text, err);
	for (char *c = name.text; *c != '\0'; c++)
		*c = lower(*c);
	host = slice_make(name.text, host.len);

	if (get_ip4(host, name.ip)) {
		name.kind = NAME_IP;
		name.ip_len = 4;
	} else if (get_ip6(host, name.ip)) {
		name.kind = NAME_IP;
		name.ip_len = 16;
		put_ip6(name.ip, name.text, sizeof name.text);
	} else {
		plain = slice_starts(host, "*.") ? slice_make(host.ptr + 2, host.len - 2) : host;
		if (!is_host(plain) || ends_in_number(plain))
			return refuse_host(text, err);
	}
	*ret = name;
	return STATUS_OK;
}

enum status name_user(struct slice text, struct name *ret, struct error *err)
{
	struct name name = {.kind = NAME_USER};
	bool good = text.len >= 1 && text.len <= USER_MAX && is_name_char(text.ptr[0]);

	for (size_t i = 0; good && i < text.len; i++)
		good = is_name_char(text.ptr[i]) || memchr("._-", text.ptr[i], 3) != NULL;
	if (!good)
		return error_set(err, STATUS_USAGE,
		    "a user's name has 1 to 32 of a-z, 0-9, '.', '_', '-' and begins with a letter "
		    "or digit");
	str_copy(name.text, sizeof name.text, text);
	*ret = name;
	return STATUS_OK;
}

/* Names that belong to other files of the folder, and devices of Windows, which it finds in every
 * folder and under every ending. */
static bool is_taken(const char *stem)
{
	static const char *const names[] = {"ca", "crl", "con", "prn", "aux", "nul"};
	struct slice rest = slice_of(stem);
	struct slice first = slice_cut(&rest, '.');

	if (slice_starts(first, "client-"))
		return true;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (slice_is(first, names[i]))
			return true;
	return first.len == 4 && is_digit(first.ptr[3]) &&
	       (slice_starts(first, "com") || slice_starts(first, "lpt"));
}

enum status name_stem(const struct name *name, char to[NAME_STEM_SIZE], struct error *err)
{
	const char *prefix = "";
	size_t prefix_len;

	if (name->kind == NAME_USER)
		prefix = "client-";
	else if (name->kind == NAME_DNS && is_taken(name->text))
		prefix = "_";
	prefix_len = strlen(prefix);
	memcpy(to, prefix, prefix_len);
	if (!str_copy(to + prefix_len, NAME_STEM_SIZE - prefix_len, slice_of(name->text)))
		return error_set(err, STATUS_USAGE,
		    "the first name names the files and is too long for that: put a shorter one "
		    "first");
	for (char *c = to; *c != '\0'; c++)
		if (*c == ':' || *c == '*')
			*c = '_';
	return STATUS_OK;
}

bool name_is_stem(struct slice text)
{
	if (text.len == 0 || text.len >= NAME_STEM_SIZE || text.ptr[0] == '.' || text.ptr[0] == '-')
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!is_name_char(text.ptr[i]) && memchr("._-", text.ptr[i], 3) == NULL)
			return false;
	return true;
}
