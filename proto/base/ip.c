#include "base/ip.h"

#include <stdint.h>

static bool is_digits(struct slice text, size_t max)
{
	if (text.len == 0 || text.len > max)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	}
	return true;
}

static bool parse_ipv4(struct slice text, unsigned char ret[4])
{
	unsigned char bytes[4];
	int64_t number;

	for (int i = 0; i < 4; i++) {
		struct slice part = slice_cut(&text, '.');

		/* The last part, and only that, ends the text. */
		if ((text.ptr == NULL) != (i == 3) || !is_digits(part, 3) ||
		    !str_to_int(part, 0, 255, &number))
			return false;
		bytes[i] = (unsigned char)number;
	}
	memcpy(ret, bytes, sizeof bytes);
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse_group(struct slice text, unsigned char ret[2])
{
	unsigned value = 0;

	if (text.len == 0 || text.len > 4)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int digit = hex_value(text.ptr[i]);

		if (digit < 0)
			return false;
		value = value << 4 | (unsigned)digit;
	}
	ret[0] = (unsigned char)(value >> 8);
	ret[1] = (unsigned char)value;
	return true;
}

/* Groups between colons, of which the last may be an IPv4 address if `may_be_ipv4`; an empty text
 * has none. Answers the bytes written, at most 16; false if it is not that. */
static bool parse_groups(struct slice text, bool may_be_ipv4, unsigned char ret[16],
    size_t *ret_len)
{
	size_t len = 0;

	if (text.len == 0)
		text.ptr = NULL;
	while (text.ptr != NULL) {
		struct slice group = slice_cut(&text, ':');

		if (text.ptr == NULL && may_be_ipv4 && len <= 12 && parse_ipv4(group, ret + len)) {
			len += 4;
			continue;
		}
		if (len == 16 || !parse_group(group, ret + len))
			return false;
		len += 2;
	}
	*ret_len = len;
	return true;
}

/* Where "::" stands; the text's length if it does not. */
static size_t find_gap(struct slice text)
{
	for (size_t i = 0; i + 1 < text.len; i++) {
		if (text.ptr[i] == ':' && text.ptr[i + 1] == ':')
			return i;
	}
	return text.len;
}

static bool parse_ipv6(struct slice text, unsigned char ret[16])
{
	unsigned char head[16], tail[16];
	size_t gap = find_gap(text), head_len, tail_len = 0;

	if (!parse_groups(slice_make(text.ptr, gap), gap == text.len, head, &head_len))
		return false;
	if (gap == text.len && head_len != sizeof head)
		return false;
	if (gap < text.len &&
	    (!parse_groups(slice_make(text.ptr + gap + 2, text.len - gap - 2), true, tail,
		 &tail_len) ||
		head_len + tail_len > sizeof head - 2))
		return false;
	memset(ret, 0, 16);
	memcpy(ret, head, head_len);
	memcpy(ret + 16 - tail_len, tail, tail_len);
	return true;
}

bool ip_parse(struct slice text, struct ip *ret)
{
	struct slice number = slice_cut(&text, '%');
	struct ip ip = {.is_ipv6 = false};

	if (number.len == 0)
		return false;
	if (!parse_ipv4(number, ip.bytes)) {
		ip.is_ipv6 = true;
		if (!parse_ipv6(number, ip.bytes))
			return false;
	}
	*ret = ip;
	return true;
}

struct slice ip_network(const unsigned char *bytes, bool is_ipv6)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (is_ipv6 && memcmp(bytes, mapped, sizeof mapped) == 0)
		return slice_make((const char *)bytes + sizeof mapped, 4);
	return slice_make((const char *)bytes, is_ipv6 ? 8 : 4);
}
