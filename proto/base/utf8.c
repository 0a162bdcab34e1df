#include "base/utf8.h"

/* RFC 3629, section 4: the range of the second byte depends on the first, which is what rules
 * out overlong forms, surrogates and code points past the end. */
size_t utf8_next(struct slice text, uint32_t *ret_cp)
{
	const unsigned char *p = (const unsigned char *)text.ptr;
	unsigned char low = 0x80, high = 0xBF;
	uint32_t cp;
	size_t len;

	if (text.len == 0)
		return 0;
	if (p[0] < 0x80) {
		len = 1;
		cp = p[0];
	} else if (p[0] >= 0xC2 && p[0] <= 0xDF) {
		len = 2;
		cp = p[0] & 0x1Fu;
	} else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
		len = 3;
		cp = p[0] & 0x0Fu;
		if (p[0] == 0xE0)
			low = 0xA0;
		else if (p[0] == 0xED)
			high = 0x9F;
	} else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
		len = 4;
		cp = p[0] & 0x07u;
		if (p[0] == 0xF0)
			low = 0x90;
		else if (p[0] == 0xF4)
			high = 0x8F;
	} else {
		return 0;
	}
	if (len > text.len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if (p[i] < low || p[i] > high)
			return 0;
		cp = cp << 6 | (p[i] & 0x3Fu);
		low = 0x80;
		high = 0xBF;
	}
	if (ret_cp != NULL)
		*ret_cp = cp;
	return len;
}

bool utf8_is_valid(struct slice text)
{
	while (text.len > 0) {
		size_t len = utf8_next(text, NULL);

		if (len == 0)
			return false;
		text.ptr += len;
		text.len -= len;
	}
	return true;
}

struct slice utf8_cut(struct slice text, size_t max)
{
	if (text.len <= max)
		return text;
	text.len = max;
	/* Continuation bytes, then the byte they belong to. */
	while (text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xC0) == 0x80)
		text.len--;
	return text;
}

size_t utf8_put(uint32_t cp, char *to)
{
	unsigned char *p = (unsigned char *)to;

	if (cp < 0x80) {
		p[0] = (unsigned char)cp;
		return 1;
	}
	if (cp < 0x800) {
		p[0] = (unsigned char)(0xC0 | cp >> 6);
		p[1] = (unsigned char)(0x80 | (cp & 0x3F));
		return 2;
	}
	if (cp >= 0xD800 && cp <= 0xDFFF)
		return 0;
	if (cp < 0x10000) {
		p[0] = (unsigned char)(0xE0 | cp >> 12);
		p[1] = (unsigned char)(0x80 | (cp >> 6 & 0x3F));
		p[2] = (unsigned char)(0x80 | (cp & 0x3F));
		return 3;
	}
	if (cp > 0x10FFFF)
		return 0;
	p[0] = (unsigned char)(0xF0 | cp >> 18);
	p[1] = (unsigned char)(0x80 | (cp >> 12 & 0x3F));
	p[2] = (unsigned char)(0x80 | (cp >> 6 & 0x3F));
	p[3] = (unsigned char)(0x80 | (cp & 0x3F));
	return 4;
}
