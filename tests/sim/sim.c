/*
 * sim --seed N [--verbose]   one run
 * sim --from N --count M     many, and in the end how much of what they had
 */
#include "sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

struct sim_totals sim_totals;

void sim_fail(const struct sim *sim, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "seed %" PRIu64 ", step %u: ", sim->seed, sim->step);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nthe same again: sim --seed %" PRIu64 " --verbose\n", sim->seed);
	exit(1);
}

void sim_say(const struct sim *sim, const char *format, ...)
{
	va_list args;

	if (!sim->verbose)
		return;
	printf("%4u  ", sim->step);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

/* --- What the core is given ----------------------------------------------------------------- */

static void store_done(void *arg, uint64_t ticket, enum status status)
{
	struct sim *sim = arg;

	sim_say(sim, "ticket %" PRIu64 ": %s", ticket, status_text(status));
	if (status == STATUS_OK) {
		chat_committed(sim->chat, ticket);
	} else if (chat_failed(sim->chat, ticket, sim->now)) {
		sim_totals.failures++;
		sim->store->base.ops->resume(&sim->store->base);
	}
}

static void submit(void *arg, struct chat_job *job)
{
	struct sim *sim = arg;

	if (sim->down || sim_draw(sim, 30) == 0) {
		chat_job_refuse_later(sim->chat, job);
		return;
	}
	sim->job = sim_grow(sim->job, sim->job_count, &sim->job_cap, sizeof *sim->job);
	sim->job[sim->job_count++] = (struct sim_job){.job = job};
}

/* Stand-ins for what takes a tenth of a second in the real ones. */
static enum status hash(struct slice password, char ret[CHAT_PASSWORD_HASH_SIZE])
{
	snprintf(ret, CHAT_PASSWORD_HASH_SIZE, "hash of %.*s", (int)password.len, password.ptr);
	return STATUS_OK;
}

static bool verify(const char *hashed, struct slice password, bool *ret_rehash)
{
	char other[CHAT_PASSWORD_HASH_SIZE];

	hash(password, other);
	*ret_rehash = false;
	return hashed != NULL && strcmp(hashed, other) == 0;
}

static struct rng token_rng;

static void token_new(char ret[CHAT_TOKEN_SIZE])
{
	uint64_t half = rng_next(&token_rng);

	snprintf(ret, CHAT_TOKEN_SIZE, "%016" PRIx64 "%016" PRIx64, half, rng_next(&token_rng));
}

static void token_hash(struct slice token, unsigned char ret[32])
{
	struct rng rng = {0};

	for (size_t i = 0; i < token.len; i++)
		rng.state = rng.state * 31 + (unsigned char)token.ptr[i];
	for (size_t i = 0; i < 32; i++)
		ret[i] = (unsigned char)rng_next(&rng);
}

/* --- The server's life ---------------------------------------------------------------------- */

static void start(struct sim *sim)
{
	static const struct chat_secrets secrets = {hash, verify, token_new, token_hash};
	struct chat_options options = {
	    .name = "sim",
	    .epoch = "0123456789abcdef",
	    .guests = true,
	    .certificates = true,
	    .auto_create = true,
	    .workers = SIM_WORKERS,
	    .line_max = 65536,
	    .first_line_max = 4096,
	    .login_s = 30,
	    .idle_s = 120,
	    .ping_s = 60,
	    .store = &sim->store->base,
	    .secrets = &secrets,
	    .post = sim_post,
	    .submit = submit,
	    .post_arg = sim,
	};
	struct error err = {.text = ""};

	options.seed = rng_next(&sim->rng);
	options.id_seed = rng_next(&sim->rng);
	sim_say(sim, "the server starts");
	sim->chat = chat_new(&options);
	if (sim->chat == NULL || chat_load(sim->chat, sim->now, &err) != STATUS_OK)
		sim_fail(sim, "the server does not start: %s", err.text);
	sim->down = false;
	sim_check_state(sim);
}

void sim_close(struct sim *sim, struct sim_conn *conn)
{
	struct chat_session *session = conn->session;

	if (conn->device != NULL)
		sim_cut(sim, conn);
	if (conn->guest && conn->user != 0)
		sim_end_guest(sim, conn->user);
	conn->session = NULL;
	chat_session_close(sim->chat, session, sim->now);
}

/* Everything that was not committed is lost, and nobody hears anything any more. */
static void crash(struct sim *sim)
{
	sim_say(sim, "the server is gone");
	sim_totals.crashes++;
	sim->down = true;
	chat_end_store(sim->chat);
	for (size_t i = 0; i < sim->conn_count; i++) {
		if (sim->conn[i]->session != NULL)
			sim_close(sim, sim->conn[i]);
		free(sim->conn[i]);
	}
	sim->conn_count = 0;
	while (sim->job_count > 0)
		chat_job_free(sim->chat, sim->job[--sim->job_count].job);
	chat_free(sim->chat);
	sim->chat = NULL;
	sim_store_crash(sim->store);
	sim_forget_guests(sim);
	for (unsigned i = 0; i < sim->send_count; i++)
		sim->send[i].tries = 0;
}

/* --- What may happen next ------------------------------------------------------------------- */

static void step_job(struct sim *sim)
{
	struct sim_job *at;
	struct chat_job *job;

	if (sim->job_count == 0)
		return;
	at = &sim->job[sim_draw(sim, (unsigned)sim->job_count)];
	job = at->job;
	if (!at->ran && sim_draw(sim, 20) > 0) {
		chat_job_run(job);
		at->ran = true;
		return;
	}
	if (at->ran) {
		*at = sim->job[--sim->job_count];
		chat_job_done(sim->chat, job, sim->now);
	} else {
		*at = sim->job[--sim->job_count];
		chat_job_refused(sim->chat, job, sim->now);
	}
}

/* The connection has taken what was sent, as far as the server waits for that. */
static void drain(struct sim *sim, struct sim_conn *conn)
{
	if (!conn->paced || conn->session == NULL)
		return;
	conn->paced = false;
	chat_session_drained(sim->chat, conn->session);
}

static void step_drain(struct sim *sim)
{
	if (sim->conn_count > 0)
		drain(sim, sim->conn[sim_draw(sim, (unsigned)sim->conn_count)]);
}

static void pass_time(struct sim *sim, int64_t ms)
{
	sim->now.unix_ms += ms;
	sim->now.mono_ms += (uint64_t)ms;
}

static void step_time(struct sim *sim)
{
	unsigned kind = sim_draw(sim, 40);

	pass_time(sim, kind == 0   ? SIM_DAY_MS / 24 * 25
		       : kind == 1 ? SIM_DAY_MS * 8
		       : kind < 5  ? 20000
				   : sim_draw(sim, 3000));
	if (sim->backwards)
		sim->now.unix_ms -= sim_draw(sim, 5000);
	while (chat_tick(sim->chat, sim->now))
		;
}

static void step_fault(struct sim *sim)
{
	static const enum status refusals[] = {STATUS_FULL, STATUS_NOMEM, STATUS_IO};

	if (sim->store->broken) {
		sim_say(sim, "the disk is back");
		sim_store_mend(sim->store);
	} else if (sim_draw(sim, 2)) {
		sim_say(sim, "the disk is full");
		sim_store_break(sim->store);
	} else {
		sim->store->refuse_next = refusals[sim_draw(sim, 3)];
	}
}

/* The server sees that a connection has ended; of one that said quit, or of one that was cut. */
static void step_close(struct sim *sim)
{
	unsigned from = sim->conn_count > 0 ? sim_draw(sim, (unsigned)sim->conn_count) : 0;

	for (size_t i = 0; i < sim->conn_count; i++) {
		struct sim_conn *conn = sim->conn[(from + i) % sim->conn_count];

		if (conn->session != NULL && (conn->device == NULL || conn->finished)) {
			sim_close(sim, conn);
			return;
		}
	}
}

static void forget_gone(struct sim *sim)
{
	for (size_t i = 0; i < sim->conn_count; i++) {
		if (!sim->conn[i]->gone || sim->conn[i]->session != NULL)
			continue;
		free(sim->conn[i]);
		sim->conn[i--] = sim->conn[--sim->conn_count];
	}
}

static bool is_quiet(const struct sim *sim)
{
	for (size_t i = 0; i < sim->conn_count; i++)
		if (sim->conn[i]->paced && sim->conn[i]->session != NULL)
			return false;
	return sim_store_is_idle(sim->store) && list_is_empty(&sim->chat->pending) &&
	       sim->job_count == 0 && list_is_empty(&sim->chat->refused);
}

/* Lets everything come to its end. */
static void settle(struct sim *sim)
{
	while (!is_quiet(sim)) {
		sim_store_commit(sim->store, SIZE_MAX);
		while (sim_store_report(sim->store))
			;
		while (sim->job_count > 0)
			step_job(sim);
		chat_job_refuse_all(sim->chat, sim->now);
		for (size_t i = 0; i < sim->conn_count; i++)
			drain(sim, sim->conn[i]);
	}
	forget_gone(sim);
	sim_check_state(sim);
}

static void step_crash(struct sim *sim)
{
	if (sim_draw(sim, 4) == 0)
		settle(sim);
	else
		sim_store_commit(sim->store, sim_draw(sim, 4));
	crash(sim);
	pass_time(sim, sim_draw(sim, 100000));
	start(sim);
}

static void step(struct sim *sim)
{
	const struct sim_odds *odds = &sim->odds;
	unsigned drawn = sim_draw(sim, odds->act + odds->commit + odds->report + odds->job + odds->drain +
					   odds->tick + odds->fault + odds->crash + odds->cut);

	pass_time(sim, sim_draw(sim, 20));
	if (drawn < odds->act)
		sim_act(sim);
	else if ((drawn -= odds->act) < odds->commit)
		sim_store_commit(sim->store, 1 + sim_draw(sim, 3));
	else if ((drawn -= odds->commit) < odds->report)
		sim_store_report(sim->store);
	else if ((drawn -= odds->report) < odds->job)
		step_job(sim);
	else if ((drawn -= odds->job) < odds->drain)
		step_drain(sim);
	else if ((drawn -= odds->drain) < odds->tick)
		step_time(sim);
	else if ((drawn -= odds->tick) < odds->fault)
		step_fault(sim);
	else if ((drawn -= odds->fault) < odds->crash)
		step_crash(sim);
	else
		step_close(sim);
	forget_gone(sim);
	if (is_quiet(sim) ? sim_draw(sim, 8) == 0 : sim_draw(sim, 60) == 0)
		settle(sim);
}

/* --- One run -------------------------------------------------------------------------------- */

static void add_user(struct sim *sim, const char *format, unsigned number, bool guest)
{
	struct sim_user *user = &sim->user[sim->user_count];
	unsigned devices = guest ? 1 : 1 + sim_draw(sim, 3);

	snprintf(user->name, sizeof user->name, "%s%u", format, number);
	user->guest = guest;
	for (unsigned i = 0; i < devices && sim->device_count < SIM_DEVICES; i++)
		sim->device[sim->device_count++] = (struct sim_device){.user = sim->user_count};
	sim->user_count++;
}

/* Small worlds, in which much happens to few, differ from large ones. */
static void draw_world(struct sim *sim)
{
	unsigned users = 2 + sim_draw(sim, SIM_USERS - 1);
	unsigned guests = sim_draw(sim, SIM_GUESTS + 1);

	for (unsigned i = 0; i < users; i++)
		add_user(sim, "user", i, false);
	for (unsigned i = 0; i < guests; i++)
		add_user(sim, "guest", i, true);
	sim->room_count = 1 + sim_draw(sim, SIM_ROOMS);
	for (unsigned i = 0; i < sim->room_count; i++)
		snprintf(sim->room[i], sizeof sim->room[i], "room%u", i);
	sim->steps = 100 + sim_draw(sim, 600);
	sim->backwards = sim_draw(sim, 10) == 0;
	sim->store->immediate = sim_draw(sim, 4) == 0;
	sim->odds.act = 400;
	sim->odds.commit = 40 + sim_draw(sim, 200);
	sim->odds.report = 100 + sim_draw(sim, 300);
	sim->odds.job = 50 + sim_draw(sim, 200);
	sim->odds.drain = 30 + sim_draw(sim, 150);
	sim->odds.since = sim_draw(sim, 100);
	sim->odds.tick = 5 + sim_draw(sim, 20);
	sim->odds.fault = sim_draw(sim, 3) > 0 ? sim_draw(sim, 40) : 0;
	sim->odds.crash = sim_draw(sim, 5);
	sim->odds.cut = 5 + sim_draw(sim, 30);
	sim->odds.nonce = 20 + sim_draw(sim, 80);
}

static void end(struct sim *sim)
{
	sim_store_mend(sim->store);
	settle(sim);
	crash(sim);
	start(sim);
	crash(sim);
	sim_store_free(sim->store);
	buf_release(&sim->line);
	buf_release(&sim->expected);
	free(sim->conn);
	free(sim->job);
	free(sim);
}

static void run(uint64_t seed, bool verbose)
{
	struct sim *sim = calloc(1, sizeof *sim);

	if (sim == NULL)
		exit(2);
	sim->seed = sim->rng.state = seed;
	sim->verbose = verbose;
	rng_next(&sim->rng);
	token_rng.state = seed;
	sim->now = (struct chat_time){INT64_C(1790000000000), 1000};
	buf_init(&sim->line, 1 << 20);
	buf_init(&sim->expected, 1 << 20);
	sim->store = sim_store_new();
	sim->store->on_entry = sim_on_entry;
	sim->store->on_record = sim_on_record;
	sim->store->arg = sim;
	sim->store->base.done = store_done;
	sim->store->base.done_arg = sim;
	draw_world(sim);
	start(sim);
	for (; sim->step < sim->steps; sim->step++)
		step(sim);
	sim_totals.steps += sim->steps;
	end(sim);
}

static void tell_totals(void)
{
	const struct sim_totals *t = &sim_totals;

	printf("%" PRIu64 " steps, %" PRIu64 " requests (%" PRIu64 " ok, %" PRIu64
	       " refused, of them %" PRIu64 " unavailable), %" PRIu64 " entries, %" PRIu64
	       " events, %" PRIu64 " quiet moments, %" PRIu64 " failures, %" PRIu64
	       " crashes, %" PRIu64 " cuts, %" PRIu64 " replayed, %" PRIu64 " skipped, %" PRIu64
	       " gone, %" PRIu64 " synced, %" PRIu64 " changes, %" PRIu64 " listed\n",
	    t->steps, t->requests, t->oks, t->refusals, t->unavailable, t->entries, t->events,
	    t->quiet, t->failures, t->crashes, t->cuts, t->replayed, t->skipped, t->gone,
	    t->synced, t->changes, t->listed);
	for (int i = 0; i < PROTO_CMD_COUNT; i++)
		if (t->ok_of[i] > 0)
			printf("%s %" PRIu64 "  ", proto_cmd_row((enum proto_cmd)i)->name,
			    t->ok_of[i]);
	putchar('\n');
}

static uint64_t number(const char *text)
{
	int64_t number = 0;

	if (text == NULL || !str_to_int(slice_of(text), 0, INT64_MAX, &number)) {
		fprintf(stderr, "usage: sim --seed N [--verbose] | --from N --count N\n");
		exit(2);
	}
	return (uint64_t)number;
}

int main(int argc, char **argv)
{
	uint64_t from = 1, count = 1;
	bool verbose = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--verbose") == 0)
			verbose = true;
		else if (strcmp(argv[i], "--count") == 0)
			count = number(argv[++i]);
		else if (strcmp(argv[i], "--seed") == 0 || strcmp(argv[i], "--from") == 0)
			from = number(argv[++i]);
		else
			number(NULL);
	}
	for (uint64_t seed = from; seed < from + count; seed++)
		run(seed, verbose);
	tell_totals();
	return 0;
}
