#include "tests/fuzz/fuzz.h"

#include "base/utf8.h"
#include "wire/json.h"

const char *const fuzz_seeds[] = {
    "{\"cmd\":\"send\",\"id\":7,\"room\":\"dev\",\"text\":\"hi\"}",
    "{\"a\":[1,-2.5e3,0.1,1e308,true,false,null],\"b\":{\"c\":{\"d\":[[]]}},\"\":\"\"}",
    "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\",\"Za\xC5\xBC \xE2\x82\xAC \xF0\x9F\x98\x80\"]",
    "{\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0,\"9\":0,\"10\":0,\"11\":0}",
    "[[[[[[[[0]]]]]]]]",
    " \t\r\n { \"k\" : [ ] , \"l\" : { } } ",
    "123456789012345678901234567890123456789012345678901234567890123",
    NULL,
};

const char *const fuzz_pieces[] = {"\\u0000", "\\ud800", "\\udc00", "\\ud83d\\ude00", "\\u0061",
    "\"a\":1,", ",\"a\":{}", "[", "{\"x\":", "]", "}", "1e999", "-0", "0.1e-7", "true", "null",
    "\xEF\xBB\xBF", "\xED\xA0\x80", "\xC0\x80", "\xF4\x90\x80\x80", "\xF0\x9F\x98\x80", NULL};

/* What is printed is read again as the same, and is what is printed for it. */
static void check_again(const struct json *value, size_t size)
{
	struct buf once, twice;
	struct json *again;
	struct error err;

	/* One byte becomes six at most, an escaped control character. */
	buf_init(&once, size * 6 + 64);
	buf_init(&twice, size * 6 + 64);
	FUZZ_CHECK(json_print(value, &once) == STATUS_OK);
	FUZZ_CHECK(utf8_is_valid(buf_slice(&once)));
	FUZZ_CHECK(json_parse(buf_slice(&once), &again, &err) == STATUS_OK);
	FUZZ_CHECK(json_print(again, &twice) == STATUS_OK);
	FUZZ_CHECK(slice_equal(buf_slice(&once), buf_slice(&twice)));
	json_free_secret(again);
	buf_release(&once);
	buf_release(&twice);
}

static void visit(const struct json *value, int depth)
{
	int64_t number;

	FUZZ_CHECK(depth <= JSON_DEPTH_MAX);
	FUZZ_CHECK(utf8_is_valid(json_text(value)));
	if (json_int(value, &number))
		FUZZ_CHECK(number >= -999999999999999 && number <= 999999999999999);
	for (const struct json *child = json_first(value); child != NULL;
	     child = json_next(child)) {
		FUZZ_CHECK(utf8_is_valid(json_key(child)));
		/* If a key stood twice, the first of them would come. The search makes this
		 * quadratic, so that it is for small objects. */
		if (json_type(value) == JSON_OBJECT && json_key(child).len < 32 && depth < 3)
			FUZZ_CHECK(json_get(value, json_key(child).ptr) == child);
		visit(child, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_make((const char *)data, size);
	struct json *root = NULL;
	struct error err = {STATUS_OK, ""};
	enum status status = json_parse(text, &root, &err);

	if (status == STATUS_OK) {
		FUZZ_CHECK(utf8_is_valid(text));
		visit(root, 0);
		check_again(root, size);
		json_free(root);
	} else {
		FUZZ_CHECK(status == STATUS_INVALID && root == NULL);
		FUZZ_CHECK(err.status == status && err.text[0] != '\0');
		FUZZ_CHECK(utf8_is_valid(slice_of(err.text)));
	}
	return 0;
}
