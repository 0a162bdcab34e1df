/*
 * The core: a send in a room of 100 members, on the store in memory, from the checked request to
 * the items for the workers.
 */
#include "chat/chat.h"
#include "micro.h"

#define MEMBERS 100

struct core {
	struct store *store;
	struct chat *chat;
	struct chat_session *session[MEMBERS];
	uint64_t room_items;
	struct request send;
};

static const struct chat_time now = {INT64_C(1790000000000), 1000};

static void post(void *arg, struct chat_item *item)
{
	struct core *core = arg;

	core->room_items += item->kind == CHAT_ITEM_ROOM;
	chat_item_free(item);
}

static void store_done(void *arg, uint64_t ticket, enum status status)
{
	struct core *core = arg;

	CHECK(status == STATUS_OK);
	chat_committed(core->chat, ticket);
}

static void parse(const char *line, struct request *ret)
{
	struct request_error error;

	CHECK(request_parse(slice_of(line), ret, &error) == STATUS_OK);
}

static void ask(struct core *core, struct chat_session *session, const char *line)
{
	struct request request;

	parse(line, &request);
	chat_request(core->chat, session, &request, now);
	request_release(&request);
}

static void enter(struct core *core, int member)
{
	struct chat_peer peer = {
	    .address = "192.0.2.1",
	    .tls_version = "TLSv1.3",
	    .tls_cipher = "TLS_AES_128_GCM_SHA256",
	    .fingerprint = "",
	    .user = "",
	};
	struct chat_session *session = chat_session_open(core->chat, &peer, 0, core, now);
	char line[64];

	CHECK(session != NULL);
	core->session[member] = session;
	snprintf(line, sizeof line, "{\"cmd\":\"login\",\"id\":1,\"user\":\"bench%d\"}", member);
	ask(core, session, line);
	ask(core, session, "{\"cmd\":\"join\",\"id\":2,\"room\":\"bench\"}");
}

static void *begin(void)
{
	struct core *core = calloc(1, sizeof *core);
	struct chat_options options = {
	    .name = "micro",
	    .guests = true,
	    .auto_create = true,
	    .workers = 1,
	    .seed = 1,
	    .id_seed = 2,
	    .line_max = 65536,
	    .first_line_max = 4096,
	    .post = post,
	    .post_arg = core,
	};

	CHECK(core != NULL);
	options.store = core->store = store_memory_new();
	CHECK(core->store != NULL);
	core->store->done = store_done;
	core->store->done_arg = core;
	core->chat = chat_new(&options);
	CHECK(core->chat != NULL);
	for (int i = 0; i < MEMBERS; i++)
		enter(core, i);
	parse("{\"cmd\":\"send\",\"id\":3,\"room\":\"bench\",\"text\":"
	      "\"one hundred and twenty-eight bytes, or nearly so, are what a line of a "
	      "conversation has when its author takes some trouble with it\"}", &core->send);
	return core;
}

static MEASURED void measured_core(struct core *core, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		chat_request(core->chat, core->session[i % MEMBERS], &core->send, now);
}

static uint64_t run(void *state, unsigned times)
{
	struct core *core = state;
	uint64_t items = core->room_items;
	uint64_t began = micro_now();

	measured_core(core, times);
	began = micro_now() - began;
	CHECK(core->room_items == items + times);
	return began;
}

static void end(void *state)
{
	struct core *core = state;

	request_release(&core->send);
	for (int i = 0; i < MEMBERS; i++)
		chat_session_close(core->chat, core->session[i], now);
	core->store->ops->close(core->store);
	chat_free(core->chat);
	free(core);
}

const struct micro micro_core = {
    "core", "a send carried out in a room of 100 members", 1, begin, run, end};
