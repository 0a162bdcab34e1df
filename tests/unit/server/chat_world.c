#include "chat_world.h"

#include "base/rng.h"
#include "tests/unit/unit.h"

static enum status append(struct store *store, const struct store_batch *batch, uint64_t ticket)
{
	struct world *world = store->done_arg;
	enum status status;

	for (size_t i = 0; i < batch->entry_count; i++)
		CHECK(batch->entries[i].seq > 0);
	world->store->slow = world->slow;
	status = world->keeping->append(store, batch, ticket);
	world->ticket_count = world->store->open;
	return status;
}

/* As the engine passes on what the store reports. */
static void store_done(void *arg, uint64_t ticket, enum status status)
{
	struct world *world = arg;

	world->ticket_count = world->store->open;
	if (status == STATUS_OK)
		chat_committed(world->chat, ticket);
	else if (chat_failed(world->chat, ticket, world->now))
		world->store->base.ops->resume(&world->store->base);
}

static void attach(struct world_session *session, uint32_t slot)
{
	for (unsigned i = 0; i < session->room_count; i++)
		CHECK(session->rooms[i] != slot);
	CHECK(session->room_count < 64);
	session->rooms[session->room_count++] = slot;
}

static void detach(struct world_session *session, uint32_t slot)
{
	for (unsigned i = 0; i < session->room_count; i++) {
		if (session->rooms[i] == slot) {
			session->rooms[i] = session->rooms[--session->room_count];
			return;
		}
	}
	CHECK(!"detached from a room it was not in");
}

static void put_line(struct world_session *session, const struct blob *line)
{
	if (!session->finished && line != NULL)
		buf_put_slice(&session->lines, blob_slice(line));
}

static void send_to_room(struct world *world, const struct chat_item *item)
{
	for (unsigned i = 0; i < world->count; i++) {
		struct world_session *session = &world->session[i];

		if (session->gone || i % WORLD_WORKERS != item->worker ||
		    (item->user != 0 && session->user == item->user))
			continue;
		for (unsigned j = 0; j < session->room_count; j++)
			if (session->rooms[j] == item->slot)
				put_line(session, item->line);
	}
}

static void post(void *arg, struct chat_item *item)
{
	struct world *world = arg;
	struct world_session *session = item->conn;

	CHECK(session == NULL || !session->gone);
	switch ((enum chat_item_kind)item->kind) {
	case CHAT_ITEM_LINE:
		put_line(session, item->line);
		session->answers += item->answers;
		session->paced |= item->paced;
		break;
	case CHAT_ITEM_ROOM:
		send_to_room(world, item);
		break;
	case CHAT_ITEM_ALL:
		for (unsigned i = 0; i < world->count; i++)
			if (world->session[i].user != 0 && i % WORLD_WORKERS == item->worker)
				put_line(&world->session[i], item->line);
		break;
	case CHAT_ITEM_ATTACH:
		attach(session, item->slot);
		break;
	case CHAT_ITEM_DETACH:
		detach(session, item->slot);
		break;
	case CHAT_ITEM_LOGIN:
		session->user = item->user;
		break;
	case CHAT_ITEM_FINISH:
		session->finished = true;
		break;
	case CHAT_ITEM_GONE:
		session->gone = true;
		break;
	case CHAT_ITEM_OWN:
		CHECK(!"an item of the core's own");
		break;
	}
	chat_item_free(item);
}

/* Called from within the core: the work itself waits until that has returned. */
static void submit(void *arg, struct chat_job *job)
{
	struct world *world = arg;

	CHECK(world->job_count < WORLD_JOBS);
	world->jobs[world->job_count++] = job;
}

/* --- Secrets that take no time --------------------------------------------------------------- */

static enum status fake_hash(struct slice password, char ret[CHAT_PASSWORD_HASH_SIZE])
{
	snprintf(ret, CHAT_PASSWORD_HASH_SIZE, "h:%.*s", (int)password.len, password.ptr);
	return STATUS_OK;
}

static bool fake_verify(const char *hash, struct slice password, bool *ret_rehash)
{
	const char *text = hash != NULL ? strchr(hash, ':') : NULL;
	bool right = text != NULL && slice_is(password, text + 1);

	*ret_rehash = right && hash[0] == 'o';
	return right;
}

static void fake_token_new(char ret[CHAT_TOKEN_SIZE])
{
	static unsigned count;

	snprintf(ret, CHAT_TOKEN_SIZE, "token-%037u", ++count);
}

static void fake_token_hash(struct slice token, unsigned char ret[32])
{
	struct rng rng = {0};

	for (size_t i = 0; i < token.len; i++)
		rng.state = rng.state * 31 + (unsigned char)token.ptr[i];
	for (int i = 0; i < 32; i++)
		ret[i] = (unsigned char)(rng_next(&rng) >> 32);
}

/* --- The world ------------------------------------------------------------------------------- */

static void make_core(struct world *world, bool guests, bool certificates)
{
	static const struct chat_secrets secrets = {fake_hash, fake_verify, fake_token_new,
	    fake_token_hash};
	struct chat_options options = {
	    .name = "world",
	    .guests = guests,
	    .certificates = certificates,
	    .auto_create = true,
	    .workers = WORLD_WORKERS,
	    .seed = 1,
	    .line_max = 65536,
	    .first_line_max = 4096,
	    .login_s = 30,
	    .idle_s = 120,
	    .ping_s = 60,
	    .post = post,
	    .submit = submit,
	    .post_arg = world,
	    .secrets = &secrets,
	    .store = &world->store->base,
	};

	if (world->change != NULL)
		world->change(&options);
	world->chat = chat_new(&options);
	CHECK(world->chat != NULL);
}

static struct world *make(bool guests, bool certificates,
    void (*change)(struct chat_options *options))
{
	struct world *world = calloc(1, sizeof *world);

	CHECK(world != NULL);
	world->store = world_store_new();
	world->keeping = world->store->base.ops;
	world->ops = *world->keeping;
	world->ops.append = append;
	world->store->base.ops = &world->ops;
	world->store->base.done = store_done;
	world->store->base.done_arg = world;
	world->now = (struct chat_time){INT64_C(1790000000000), 1000};
	world->change = change;
	make_core(world, guests, certificates);
	return world;
}

struct world *world_new(bool guests, bool certificates)
{
	return make(guests, certificates, NULL);
}

struct world *world_new_with(void (*change)(struct chat_options *options))
{
	return make(true, true, change);
}

static void end_core(struct world *world)
{
	world->slow = world->idle = false;
	while (world_commit(world))
		;
	world_work(world);
	for (unsigned i = 0; i < world->count; i++) {
		if (world->session[i].session != NULL)
			world_disconnect(world, i);
		buf_release(&world->session[i].lines);
	}
	while (world_commit(world))
		;
	world_work(world);
	chat_end_store(world->chat);
}

void world_restart(struct world *world)
{
	struct error err;

	end_core(world);
	chat_free(world->chat);
	world->count = 0;
	memset(world->session, 0, sizeof world->session);
	make_core(world, true, true);
	CHECK(chat_load(world->chat, world->now, &err) == STATUS_OK);
}

void world_free(struct world *world)
{
	end_core(world);
	world->store->base.done = NULL;
	world->store->base.ops->close(&world->store->base);
	chat_free(world->chat);
	free(world);
}

bool world_run_job(struct world *world)
{
	if (world->ran_count == world->job_count)
		return false;
	chat_job_run(world->jobs[world->ran_count++]);
	return true;
}

bool world_end_job(struct world *world)
{
	struct chat_job *job = world->jobs[0];

	if (world->ran_count == 0)
		return false;
	memmove(world->jobs, world->jobs + 1, --world->job_count * sizeof *world->jobs);
	world->ran_count--;
	chat_job_done(world->chat, job, world->now);
	return true;
}

bool world_drain(struct world *world, unsigned session)
{
	struct world_session *s = &world->session[session];

	if (!s->paced || s->session == NULL)
		return false;
	s->paced = false;
	chat_session_drained(world->chat, s->session);
	return true;
}

static bool drain_one(struct world *world)
{
	for (unsigned i = 0; i < world->count; i++)
		if (!world->session[i].slow && world_drain(world, i))
			return true;
	return false;
}

void world_work(struct world *world)
{
	while (world_end_job(world) || world_run_job(world) || drain_one(world))
		;
}

static void work_unless_idle(struct world *world)
{
	if (!world->idle)
		world_work(world);
}

static unsigned connect_as(struct world *world, const char *cert_user, bool console)
{
	struct world_session *session = &world->session[world->count];
	struct chat_peer peer = {
	    .address = console ? "local" : "192.0.2.1",
	    .tls_version = "TLSv1.3",
	    .tls_cipher = "TLS_AES_128_GCM_SHA256",
	    .fingerprint = "",
	    .user = cert_user,
	    .console = console,
	};

	CHECK(world->count < WORLD_SESSIONS);
	buf_init(&session->lines, 1 << 24);
	session->session = chat_session_open(
	    world->chat, &peer, world->count % WORLD_WORKERS, session, world->now);
	CHECK(session->session != NULL);
	return world->count++;
}

unsigned world_connect(struct world *world, const char *cert_user)
{
	return connect_as(world, cert_user, false);
}

unsigned world_console(struct world *world)
{
	return connect_as(world, "", true);
}

unsigned world_guest(struct world *world, const char *name)
{
	unsigned session = world_connect(world, "");
	char line[128];

	snprintf(line, sizeof line, "{\"cmd\":\"login\",\"id\":1,\"user\":\"%s\"}", name);
	world_ask(world, session, line);
	CHECK(strstr(world_read(world, session), "\"ok\":true") != NULL);
	return session;
}

unsigned world_user(struct world *world, const char *name)
{
	unsigned session = world_connect(world, name);

	world_ask(world, session, "{\"cmd\":\"login\",\"id\":1}");
	while (world->slow && world_commit(world))
		;
	CHECK(strstr(world_read(world, session), "\"ok\":true") != NULL);
	return session;
}

void world_disconnect(struct world *world, unsigned session)
{
	chat_session_close(world->chat, world->session[session].session, world->now);
	world->session[session].session = NULL;
}

void world_ask(struct world *world, unsigned session, const char *line)
{
	struct world_session *s = &world->session[session];
	struct request_error error;
	struct request request;

	if (request_parse(slice_of(line), &request, &error) != STATUS_OK) {
		fprintf(stderr, "%s: %s\n", line, error.message);
		exit(1);
	}
	if (chat_request(world->chat, s->session, &request, world->now) == CHAT_ANSWERED)
		s->answers++;
	request_release(&request);
	work_unless_idle(world);
}

const char *world_read(struct world *world, unsigned session)
{
	static char line[1 << 19];
	struct buf *lines = &world->session[session].lines;
	struct slice rest = buf_slice(lines), first;

	if (lines->len == 0)
		return "";
	first = slice_cut(&rest, '\n');
	CHECK(str_copy(line, sizeof line, first));
	buf_drop(lines, first.len + 1);
	return line;
}

void world_expect(struct world *world, unsigned session, const char *part)
{
	const char *line = world_read(world, session);

	if (strstr(line, part) == NULL) {
		fprintf(stderr, "session %u got \"%s\", not …%s…\n", session, line, part);
		exit(1);
	}
}

bool world_commit(struct world *world)
{
	if (!world_store_commit(world->store))
		return false;
	work_unless_idle(world);
	return true;
}

void world_wait(struct world *world, int64_t ms)
{
	world->now.unix_ms += ms;
	world->now.mono_ms += (uint64_t)ms;
	while (chat_tick(world->chat, world->now))
		;
	work_unless_idle(world);
}

void world_fail(struct world *world, enum status status)
{
	world_store_fail(world->store, status);
	world->ticket_count = 0;
	work_unless_idle(world);
}
