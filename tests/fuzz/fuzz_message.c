#include "tests/fuzz/fuzz.h"

#include "base/utf8.h"
#include "wire/message.h"

const char *const fuzz_seeds[] = {
    "{\"re\":7,\"ok\":true,\"seq\":42,\"time\":\"2026-11-22T10:00:00.123Z\"}",
    "{\"re\":\"x\",\"ok\":false,\"error\":\"too_large\",\"message\":\"long\",\"field\":\"text\","
    "\"limit\":8192}",
    "{\"re\":null,\"ok\":false,\"error\":\"bad_json\",\"message\":\"at byte 1\"}",
    "{\"event\":\"message\",\"room\":\"dev\",\"seq\":42,\"from\":\"alice\",\"text\":\"hi\"}",
    "{\"event\":\"welcome\",\"protocol\":1,\"auth\":[\"guest\"],\"limits\":{\"line\":65536}}",
    NULL,
};

const char *const fuzz_pieces[] = {"\"re\":", "\"ok\":", "true", "false", "null", "1.5", "-1",
    "\"event\":\"\",", "\"event\":", "\"error\":", "\"message\":7,", "{}", "[]", "\"\"",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message message;
	struct error err = {STATUS_OK, ""};
	enum status status =
	    message_parse(slice_make((const char *)data, size), &message, &err);

	if (status != STATUS_OK) {
		FUZZ_CHECK(status == STATUS_INVALID && err.text[0] != '\0');
		return 0;
	}
	if (message.kind == MESSAGE_EVENT) {
		FUZZ_CHECK(message.event.len > 0 && utf8_is_valid(message.event));
	} else {
		FUZZ_CHECK(message.ok == (message.error.len == 0));
		FUZZ_CHECK(message.re.len <= PROTO_ID_MAX);
		FUZZ_CHECK(message.re.kind != REQUEST_ID_INT ||
			   (message.re.number >= 0 && message.re.number <= PROTO_INT_MAX));
	}
	message_release(&message);
	return 0;
}
