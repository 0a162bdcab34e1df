/*
 * The wire: cutting lines, parsing and checking a request, writing an event.
 */
#include "base/blob.h"
#include "micro.h"
#include "wire/line.h"
#include "wire/message.h"

#define TEXT_128                                                                                   \
	"The quick brown fox jumps over the lazy dog, and when it has done so it goes home, "      \
	"where it writes down in a few words how it went"
#define SEND "{\"cmd\":\"send\",\"id\":4711,\"room\":\"bench\",\"text\":\"" TEXT_128 "\"}"

static void *no_state(void)
{
	static int nothing;

	return &nothing;
}

static void no_end(void *state)
{
	(void)state;
}

/* --- line: a read of the socket with 64 lines --------------------------------------------------- */

#define LINES 64

static MEASURED void measured_lines(struct slice input, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		struct line_reader reader;
		struct slice rest = input, line;
		unsigned count = 0;

		line_reader_init(&reader, 65536);
		while (line_reader_next(&reader, &rest, &line) == STATUS_OK)
			count++;
		CHECK(count == LINES);
		line_reader_release(&reader);
	}
}

static uint64_t run_line(void *state, unsigned times)
{
	static char input[LINES * sizeof SEND];
	char *at = input;
	uint64_t began;

	(void)state;
	for (int i = 0; i < LINES; i++, at += sizeof SEND) {
		memcpy(at, SEND, sizeof SEND - 1);
		at[sizeof SEND - 1] = '\n';
	}
	began = micro_now();
	measured_lines(slice_make(input, sizeof input), times);
	return micro_now() - began;
}

const struct micro micro_line = {
    "line", "a line of 170 bytes cut from what was read", LINES, no_state, run_line, no_end};

/* --- request ------------------------------------------------------------------------------------ */

static MEASURED void measured_request(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		struct request request;
		struct request_error error;

		CHECK(request_parse(slice_of(SEND), &request, &error) == STATUS_OK);
		request_release(&request);
	}
}

static uint64_t run_request(void *state, unsigned times)
{
	uint64_t began = micro_now();

	(void)state;
	measured_request(times);
	return micro_now() - began;
}

const struct micro micro_request = {
    "request", "a send parsed, checked and released", 1, no_state, run_request, no_end};

/* --- event: as the core writes a message -------------------------------------------------------- */

static MEASURED void measured_event(unsigned times)
{
	struct buf scratch;

	buf_init(&scratch, 65536);
	for (unsigned i = 0; i < times; i++) {
		struct json_writer w;
		struct blob *line;

		message_begin_event(&w, &scratch, PROTO_EVENT_message);
		json_put_str(&w, "room", "bench");
		json_put_int(&w, "seq", 123456 + i);
		json_put_str(&w, "from", "bench17");
		json_put_time(&w, "time", INT64_C(1790000000123) + i);
		json_put_text(&w, "text", slice_of(TEXT_128));
		message_end(&w);
		line = blob_new(buf_slice(&scratch));
		CHECK(line != NULL && !scratch.failed);
		blob_unref(line);
		buf_clear(&scratch);
	}
	buf_release(&scratch);
}

static uint64_t run_event(void *state, unsigned times)
{
	uint64_t began = micro_now();

	(void)state;
	measured_event(times);
	return micro_now() - began;
}

const struct micro micro_event = {
    "event", "a message written as a line to share", 1, no_state, run_event, no_end};
