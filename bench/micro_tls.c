/*
 * TLS through proto/net's own functions, in memory: records sealed and opened with lent buffers,
 * and the server's half of handshakes, full and resumed by a ticket. TLS 1.3, AES-128-GCM, x25519
 * and a P-256 certificate, as in docs/PERFORMANCE.md.
 */
#include <mbedtls/ssl.h>

#include "micro.h"
#include "tests/unit/net/tls_pair.h"

/* --- records ------------------------------------------------------------------------------------ */

#define BATCH 16 /* records sealed before they are opened, or taken away */

static char text[TLS_RECORD_MAX];

static void *begin_records(void)
{
	struct pair *pair = calloc(1, sizeof *pair);

	CHECK(pair != NULL);
	memset(text, 'x', sizeof text);
	pair_init(pair, pair_usual_client(), pair_usual_server(), "localhost");
	pair_shake_hands(pair);
	CHECK(pair->client.status == STATUS_OK && pair->server.status == STATUS_OK);
	buf_clear(&pair->server.out);
	return pair;
}

static void end_pair(void *state)
{
	pair_release(state);
	free(state);
}

static MEASURED void measured_seal(struct tls *tls, size_t len)
{
	for (int i = 0; i < BATCH; i++)
		CHECK(tls_write(tls, text, len) == STATUS_OK);
}

static uint64_t run_seal(struct pair *pair, size_t len, unsigned times)
{
	uint64_t spent = 0;

	for (unsigned i = 0; i < times; i++) {
		uint64_t began = micro_now();

		measured_seal(pair->server.tls, len);
		spent += micro_now() - began;
		buf_clear(&pair->server.out);
	}
	return spent;
}

static uint64_t run_seal_150(void *state, unsigned times)
{
	return run_seal(state, 150, times);
}

static uint64_t run_seal_16000(void *state, unsigned times)
{
	return run_seal(state, 16000, times);
}

static MEASURED void measured_open(struct tls *tls, size_t len)
{
	static char to[16384];
	struct error err;

	for (int i = 0; i < BATCH; i++) {
		size_t got;

		CHECK(tls_read(tls, to, sizeof to, &got, &err) == STATUS_OK);
		CHECK(got == len);
	}
}

/* The pipe of the tests moves the rest of its bytes at each read, which would count. */
static size_t receive(void *arg, void *to, size_t max)
{
	struct slice *from = arg;
	size_t len = from->len < max ? from->len : max;

	memcpy(to, from->ptr, len);
	from->ptr += len;
	from->len -= len;
	return len;
}

struct opener {
	struct pair pair; /* its client seals */
	struct slice input;
	struct tls *tls;
};

static bool send_to_client(void *arg, const void *bytes, size_t len)
{
	struct opener *opener = arg;

	return buf_put(&opener->pair.server.out, bytes, len);
}

static size_t receive_from_client(void *arg, void *to, size_t max)
{
	struct opener *opener = arg;

	return receive(&opener->input, to, max);
}

/* What the client has put out so far is there to be read. */
static void hand_over(struct opener *opener, struct buf *taken)
{
	buf_clear(taken);
	CHECK(buf_put_slice(taken, buf_slice(&opener->pair.client.out)));
	buf_clear(&opener->pair.client.out);
	opener->input = buf_slice(taken);
}

static struct buf taken;

static void *begin_open(void)
{
	struct opener *opener = calloc(1, sizeof *opener);
	struct tls_io io = {receive_from_client, send_to_client, opener};
	struct tls_context *server = pair_usual_server();
	enum status client_status = STATUS_AGAIN, server_status = STATUS_AGAIN;
	struct error err;

	CHECK(opener != NULL);
	buf_init(&taken, 1 << 20);
	memset(text, 'x', sizeof text);
	pair_init(&opener->pair, pair_usual_client(), NULL, "localhost");
	CHECK(tls_new(server, NULL, &io, opener->pair.buffers, &opener->tls) == STATUS_OK);
	tls_context_unref(server);
	for (int i = 0; i < 10; i++) {
		if (client_status == STATUS_AGAIN)
			client_status = tls_handshake(opener->pair.client.tls, &err);
		hand_over(opener, &taken);
		if (server_status == STATUS_AGAIN)
			server_status = tls_handshake(opener->tls, &err);
	}
	CHECK(client_status == STATUS_OK && server_status == STATUS_OK);
	return opener;
}

static void end_open(void *state)
{
	struct opener *opener = state;

	tls_free(opener->tls);
	pair_release(&opener->pair);
	buf_release(&taken);
	free(opener);
}

static uint64_t run_open(struct opener *opener, size_t len, unsigned times)
{
	uint64_t spent = 0;

	for (unsigned i = 0; i < times; i++) {
		uint64_t began;

		for (int j = 0; j < BATCH; j++)
			CHECK(tls_write(opener->pair.client.tls, text, len) == STATUS_OK);
		hand_over(opener, &taken);
		began = micro_now();
		measured_open(opener->tls, len);
		spent += micro_now() - began;
	}
	return spent;
}

static uint64_t run_open_150(void *state, unsigned times)
{
	return run_open(state, 150, times);
}

static uint64_t run_open_16000(void *state, unsigned times)
{
	return run_open(state, 16000, times);
}

const struct micro micro_seal_150 = {
    "seal-150", "a record of 150 bytes sealed", BATCH, begin_records, run_seal_150, end_pair};
const struct micro micro_seal_16000 = {"seal-16000", "a record of 16,000 bytes sealed", BATCH,
    begin_records, run_seal_16000, end_pair};
const struct micro micro_open_150 = {
    "open-150", "a record of 150 bytes opened", BATCH, begin_open, run_open_150, end_open};
const struct micro micro_open_16000 = {
    "open-16000", "a record of 16,000 bytes opened", BATCH, begin_open, run_open_16000, end_open};

/* --- handshakes --------------------------------------------------------------------------------- */

/* A client of mbedTLS by itself: ours does not resume. */
struct shaker {
	struct pair pair; /* for the pipes; its server is made anew each time */
	struct tls_context *server;
	struct foreign foreign;
	mbedtls_ssl_session ticket;
	bool has_ticket;
};

static MEASURED void measured_birth(struct shaker *shaker, const struct tls_io *io)
{
	CHECK(tls_new(shaker->server, NULL, io, shaker->pair.buffers, &shaker->pair.server.tls) ==
	      STATUS_OK);
}

static MEASURED void measured_step(struct shaker *shaker)
{
	struct end *server = &shaker->pair.server;

	if (server->status == STATUS_AGAIN)
		server->status = tls_handshake(server->tls, &server->err);
}

static MEASURED void measured_death(struct shaker *shaker)
{
	tls_free(shaker->pair.server.tls);
}

static size_t from_client(void *arg, void *to, size_t max)
{
	struct shaker *shaker = arg;
	struct slice input = buf_slice(&shaker->pair.client.out);
	size_t len = receive(&input, to, max);

	buf_drop(&shaker->pair.client.out, len);
	return len;
}

static bool to_client(void *arg, const void *bytes, size_t len)
{
	struct shaker *shaker = arg;

	return buf_put(&shaker->pair.server.out, bytes, len);
}

static void *begin_handshakes(void)
{
	struct shaker *shaker = calloc(1, sizeof *shaker);

	CHECK(shaker != NULL);
	pair_init(&shaker->pair, NULL, NULL, NULL);
	shaker->server = pair_usual_server();
	foreign_init(&shaker->foreign, &shaker->pair, false, NULL, NULL);
	mbedtls_ssl_session_init(&shaker->ticket);
	return shaker;
}

static void end_handshakes(void *state)
{
	struct shaker *shaker = state;

	shaker->pair.server.tls = NULL;
	mbedtls_ssl_session_free(&shaker->ticket);
	foreign_release(&shaker->foreign);
	pair_release(&shaker->pair);
	tls_context_unref(shaker->server);
	free(shaker);
}

/* The client's part of what comes after the handshake: the server's ticket, which mbedTLS reports
 * only some calls after it has read it. */
static void take_ticket(struct shaker *shaker)
{
	unsigned char nothing;
	int code = MBEDTLS_ERR_SSL_WANT_READ;

	for (int i = 0; i < 3 && code == MBEDTLS_ERR_SSL_WANT_READ; i++)
		code = mbedtls_ssl_read(&shaker->foreign.ssl, &nothing, 1);
	CHECK_INT(code, MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
	mbedtls_ssl_session_free(&shaker->ticket);
	mbedtls_ssl_session_init(&shaker->ticket);
	CHECK(mbedtls_ssl_get_session(&shaker->foreign.ssl, &shaker->ticket) == 0);
	shaker->has_ticket = true;
}

static uint64_t shake_hands(struct shaker *shaker)
{
	struct tls_io io = {from_client, to_client, shaker};
	int code = MBEDTLS_ERR_SSL_WANT_READ;
	uint64_t began = micro_now(), spent;

	measured_birth(shaker, &io);
	spent = micro_now() - began;
	shaker->pair.server.status = STATUS_AGAIN;
	while (shaker->pair.server.status == STATUS_AGAIN) {
		if (code == MBEDTLS_ERR_SSL_WANT_READ)
			code = mbedtls_ssl_handshake(&shaker->foreign.ssl);
		CHECK(code == 0 || code == MBEDTLS_ERR_SSL_WANT_READ);
		began = micro_now();
		measured_step(shaker);
		spent += micro_now() - began;
	}
	CHECK(code == 0 && shaker->pair.server.status == STATUS_OK);
	return spent;
}

static uint64_t part(struct shaker *shaker)
{
	uint64_t began = micro_now();

	measured_death(shaker);
	began = micro_now() - began;
	buf_clear(&shaker->pair.client.out);
	buf_clear(&shaker->pair.server.out);
	CHECK(mbedtls_ssl_session_reset(&shaker->foreign.ssl) == 0);
	return began;
}

static uint64_t run_handshake(void *state, unsigned times)
{
	uint64_t spent = 0;

	for (unsigned i = 0; i < times; i++) {
		spent += shake_hands(state);
		spent += part(state);
	}
	return spent;
}

/* The very first handshake is a full one. */
static uint64_t run_resume(void *state, unsigned times)
{
	struct shaker *shaker = state;
	uint64_t spent = 0;

	for (unsigned i = 0; i < times; i++) {
		if (shaker->has_ticket)
			CHECK(mbedtls_ssl_set_session(&shaker->foreign.ssl, &shaker->ticket) == 0);
		spent += shake_hands(shaker);
		take_ticket(shaker);
		spent += part(shaker);
	}
	return spent;
}

const struct micro micro_handshake = {"handshake", "a server's half of a full handshake", 1,
    begin_handshakes, run_handshake, end_handshakes};
const struct micro micro_resume = {"resume", "a server's half of a handshake by ticket", 1,
    begin_handshakes, run_resume, end_handshakes};
