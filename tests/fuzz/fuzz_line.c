#include "tests/fuzz/fuzz.h"

#include "wire/line.h"

/* The first two bytes say how long a line may be and how large the pieces are in which the rest
 * of the input arrives. */
const char *const fuzz_seeds[] = {
    "\x40\x03{\"cmd\":\"ping\"}\n{\"cmd\":\"quit\"}\r\n\n\r\nend",
    "\x08\x01""1234567\n12345678\n",
    "\x08\x02""123456\r\n1234567\r\n",
    "\x02\x05\n\n\r\na\n\r\r\nab\n",
    "\xFF\x10no end of this line",
    NULL,
};

const char *const fuzz_pieces[] = {"\n", "\r\n", "\r", "\n\n", "\r\r\n", "12345678", "x\n", NULL};

/* All lines of a text, each with an LF, read in pieces of `step` bytes; the status at its end. */
static enum status read_lines(struct slice text, size_t step, size_t max, struct buf *lines)
{
	struct line_reader reader;
	enum status status = STATUS_AGAIN;

	line_reader_init(&reader, max);
	while (status == STATUS_AGAIN && text.len > 0) {
		struct slice input = slice_make(text.ptr, text.len < step ? text.len : step);
		struct slice line;

		text.ptr += input.len;
		text.len -= input.len;
		while ((status = line_reader_next(&reader, &input, &line)) == STATUS_OK) {
			FUZZ_CHECK(line.len > 0 && line.len < max);
			FUZZ_CHECK(memchr(line.ptr, '\n', line.len) == NULL);
			buf_put_slice(lines, line);
			buf_put_char(lines, '\n');
		}
		FUZZ_CHECK(status == STATUS_AGAIN || status == STATUS_FULL);
		FUZZ_CHECK(status == STATUS_FULL || input.len == 0);
		FUZZ_CHECK(reader.part.len <= max);
	}
	line_reader_release(&reader);
	return status;
}

/* The same, written down as the rule says it. */
static enum status expect_lines(struct slice text, size_t max, struct buf *lines)
{
	while (text.len > 0) {
		const char *end = memchr(text.ptr, '\n', text.len);
		size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;

		if (len + 1 > max)
			return STATUS_FULL;
		if (end == NULL)
			return STATUS_AGAIN;
		if (len > 0 && text.ptr[len - 1] == '\r')
			buf_put(lines, text.ptr, len - 1);
		else
			buf_put(lines, text.ptr, len);
		if (lines->len > 0 && lines->ptr[lines->len - 1] != '\n')
			buf_put_char(lines, '\n');
		text.ptr += len + 1;
		text.len -= len + 1;
	}
	return STATUS_AGAIN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf pieces, whole, expected;
	struct slice text;
	enum status status;
	size_t max;

	if (size < 2)
		return 0;
	max = (size_t)data[0] + 2;
	text = slice_make((const char *)data + 2, size - 2);
	buf_init(&pieces, size + 1);
	buf_init(&whole, size + 1);
	buf_init(&expected, size + 1);
	status = expect_lines(text, max, &expected);
	FUZZ_CHECK(read_lines(text, (size_t)data[1] + 1, max, &pieces) == status);
	FUZZ_CHECK(read_lines(text, size, max, &whole) == status);
	FUZZ_CHECK(slice_equal(buf_slice(&pieces), buf_slice(&expected)));
	FUZZ_CHECK(slice_equal(buf_slice(&whole), buf_slice(&expected)));
	buf_release(&pieces);
	buf_release(&whole);
	buf_release(&expected);
	return 0;
}
