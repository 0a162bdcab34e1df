/*
 * Record buffers on loan: sessions that use one pair of buffers in turn do not notice each other,
 * and what the peer may still send when the handshake's memory has gone finds its answer.
 */
#include "net/tls.h"

#include <mbedtls/error.h>

#include "base/rng.h"
#include "os/thread.h"
#include "tls_pair.h"

/* Of mbedTLS's own use: lets a test write a record of any type. */
int mbedtls_ssl_write_record(mbedtls_ssl_context *ssl, int force_flush);

#define RECORD_HANDSHAKE 22

static char text[TLS_RECORD_MAX], got[16384];

static void talk_init(struct pair *pair, struct tls_buffers *buffers)
{
	pair_init_with(pair, pair_usual_client(), pair_usual_server(), "localhost", buffers);
	pair_shake_hands(pair);
	CHECK_INT(pair->client.status, STATUS_OK);
	CHECK_INT(pair->server.status, STATUS_OK);
}

static void put(struct end *from, size_t len, unsigned char first)
{
	for (size_t i = 0; i < len; i++)
		text[i] = (char)(first + i);
	CHECK_INT(tls_write(from->tls, text, len), STATUS_OK);
}

/* Fetches what there is, at most `len`, and checks it against what put() writes. */
static size_t fetch(struct end *to, size_t len, unsigned char first, size_t from)
{
	size_t count = 0, part;
	enum status status;

	while (count < len) {
		status = tls_read(to->tls, got, len - count, &part, &to->err);
		if (status == STATUS_AGAIN)
			return count;
		CHECK_INT(status, STATUS_OK);
		for (size_t i = 0; i < part; i++)
			CHECK((unsigned char)got[i] == (unsigned char)(first + from + count + i));
		count += part;
	}
	return count;
}

static void say(struct end *from, struct end *to, size_t len)
{
	put(from, len, 7);
	CHECK_INT(fetch(to, len, 7, 0), len);
	CHECK_INT(fetch(to, 1, 0, 0), 0);
}

static void talk(struct pair *pair)
{
	say(&pair->client, &pair->server, 100);
	say(&pair->server, &pair->client, TLS_RECORD_MAX);
	say(&pair->client, &pair->server, TLS_RECORD_MAX);
	say(&pair->server, &pair->client, 1);
}

/* A record cut at any place: its first part waits in the session while others use the buffers. */
TEST(tls_buffers__borrow__half_a_record_stays)
{
	static const size_t cuts[] = {1, 4, 5, 6, 13, 21, 22, 100, 4000, 5021};
	struct tls_buffers *buffers = tls_buffers_new();
	struct pair cut, other;

	talk_init(&cut, buffers);
	talk_init(&other, buffers);
	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		put(&cut.client, 5000, (unsigned char)i);
		cut.server.most = cuts[i];
		CHECK_INT(fetch(&cut.server, 5000, 0, 0), 0);
		talk(&other);
		say(&cut.server, &cut.client, 300); /* writing goes on meanwhile */
		cut.server.most = SIZE_MAX;
		CHECK_INT(fetch(&cut.server, 5000, (unsigned char)i, 0), 5000);
		talk(&other);
	}
	pair_release(&cut);
	pair_release(&other);
	tls_buffers_free(buffers);
}

TEST(tls_buffers__borrow__plaintext_stays)
{
	struct tls_buffers *buffers = tls_buffers_new();
	struct pair slow, other;

	talk_init(&slow, buffers);
	talk_init(&other, buffers);
	put(&slow.client, 9000, 3);
	for (size_t done = 0; done < 9000; done += 1500) {
		CHECK_INT(fetch(&slow.server, 1500, 3, done), 1500);
		CHECK(tls_has_plaintext(slow.server.tls) == (done + 1500 < 9000));
		talk(&other);
	}
	talk(&slow);
	pair_release(&slow);
	pair_release(&other);
	tls_buffers_free(buffers);
}

/* Many sessions at random: some with half a record, some with plaintext left, some that end. */
TEST(tls_buffers__borrow__at_random)
{
	enum { PAIRS = 12, STEPS = 4000 };
	struct {
		struct pair pair;
		size_t len, done;
		unsigned char first;
	} all[PAIRS];
	struct tls_buffers *buffers = tls_buffers_new();
	struct rng rng = {4};

	for (int i = 0; i < PAIRS; i++) {
		talk_init(&all[i].pair, buffers);
		all[i].len = all[i].done = 0;
	}
	for (int step = 0; step < STEPS; step++) {
		int i = (int)rng_below(&rng, PAIRS);
		struct pair *pair = &all[i].pair;

		if (all[i].done == all[i].len) {
			if (rng_below(&rng, 50) == 0) {
				pair_release(pair);
				talk_init(pair, buffers);
			}
			all[i].done = 0;
			all[i].len = 1 + rng_below(&rng, TLS_RECORD_MAX);
			all[i].first = (unsigned char)step;
			put(&pair->client, all[i].len, all[i].first);
		}
		pair->server.most = rng_below(&rng, 2) == 0 ? SIZE_MAX : rng_below(&rng, 9000);
		pair->server.step = rng_below(&rng, 3) == 0 ? 1 + rng_below(&rng, 2000) : 0;
		all[i].done += fetch(&pair->server,
		    1 + rng_below(&rng, all[i].len - all[i].done), all[i].first, all[i].done);
		if (rng_below(&rng, 4) == 0)
			say(&pair->server, &pair->client, 1 + rng_below(&rng, TLS_RECORD_MAX));
	}
	/* Half of them go while they still keep something; the buffers may go last only. */
	for (int i = 0; i < PAIRS; i++)
		pair_release(&all[i].pair);
	tls_buffers_free(buffers);
}

/* A session that met an error, or found no memory to send, leaves the buffers in good order. */
TEST(tls_buffers__borrow__after_failures)
{
	struct tls_buffers *buffers = tls_buffers_new();
	struct pair bad, other;
	size_t len;

	talk_init(&bad, buffers);
	talk_init(&other, buffers);
	CHECK_INT(tls_write(bad.client.tls, "line", 4), STATUS_OK);
	bad.client.out.ptr[bad.client.out.len - 1] ^= 1;
	CHECK_INT(tls_read(bad.server.tls, got, sizeof got, &len, &bad.server.err), STATUS_TLS);
	talk(&other);
	bad.client.is_full = true;
	CHECK_INT(tls_write(bad.client.tls, text, 9000), STATUS_NOMEM);
	talk(&other);
	pair_release(&bad);
	talk(&other);
	pair_release(&other);
	tls_buffers_free(buffers);
}

TEST(tls_buffers__borrow__own_buffers_without)
{
	struct pair pair;

	talk_init(&pair, NULL);
	talk(&pair);
	CHECK_INT(tls_close_notify(pair.server.tls), STATUS_OK);
	pair_release(&pair);
}

struct talker {
	struct thread *thread;
	struct tls_context *client, *server;
};

static void talk_much(void *arg)
{
	struct talker *talker = arg;
	struct tls_buffers *buffers = tls_buffers_new();
	struct pair pairs[3];
	char bytes[3000] = {1, 2, 3}, back[sizeof bytes];
	size_t len;

	for (int i = 0; i < 3; i++) {
		pair_init_with(&pairs[i], tls_context_ref(talker->client),
		    tls_context_ref(talker->server), "localhost", buffers);
		pair_shake_hands(&pairs[i]);
		CHECK_INT(pairs[i].server.status, STATUS_OK);
	}
	for (int i = 0; i < 60; i++) {
		struct pair *pair = &pairs[i % 3];

		CHECK_INT(tls_write(pair->client.tls, bytes, sizeof bytes), STATUS_OK);
		CHECK_INT(tls_read(pair->server.tls, back, sizeof back, &len, NULL), STATUS_OK);
		CHECK_INT(len, sizeof bytes);
		CHECK(memcmp(bytes, back, len) == 0);
	}
	for (int i = 0; i < 3; i++)
		pair_release(&pairs[i]);
	tls_buffers_free(buffers);
}

/* Each thread has its buffers; the contexts are shared. */
TEST(tls_buffers__borrow__in_threads)
{
	struct tls_context *client = pair_usual_client(), *server = pair_usual_server();
	struct talker talkers[3];

	for (int i = 0; i < 3; i++) {
		talkers[i] = (struct talker){.client = client, .server = server};
		CHECK_INT(thread_start("talker", talk_much, &talkers[i], &talkers[i].thread),
		    STATUS_OK);
	}
	for (int i = 0; i < 3; i++)
		thread_join(talkers[i].thread);
	tls_context_unref(client);
	tls_context_unref(server);
}

/* --- after the handshake's memory has gone ---------------------------------------------------- */

static void foreign_talk_init(struct foreign *foreign, struct pair *pair, bool tls12)
{
	pair_init(pair, NULL, pair_usual_server(), NULL);
	foreign_init(foreign, pair, tls12, NULL, NULL);
	CHECK_INT(foreign_shake_hands(foreign, pair), 0);
	CHECK_INT(pair->server.status, STATUS_OK);
}

static void foreign_talk_release(struct foreign *foreign, struct pair *pair)
{
	foreign_release(foreign);
	pair_release(pair);
}

/* One record of a handshake message, or of a part of one. */
static void foreign_put_handshake(struct foreign *foreign, const char *bytes, size_t len)
{
	memcpy(foreign->ssl.MBEDTLS_PRIVATE(out_msg), bytes, len);
	foreign->ssl.MBEDTLS_PRIVATE(out_msglen) = len;
	foreign->ssl.MBEDTLS_PRIVATE(out_msgtype) = RECORD_HANDSHAKE;
	CHECK_INT(mbedtls_ssl_write_record(&foreign->ssl, 1), 0);
}

/* Past the tickets, which mbedTLS tells as "want read" and then as received. */
static int foreign_read(struct foreign *foreign)
{
	int code = MBEDTLS_ERR_SSL_WANT_READ;

	for (int i = 0; i < 4 && (code == MBEDTLS_ERR_SSL_WANT_READ ||
				     code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET); i++)
		code = mbedtls_ssl_read(&foreign->ssl, (unsigned char *)got, sizeof got);
	return code;
}

/* Full records of the largest size that a peer may send, and ours. */
static void check_full_records(bool tls12)
{
	static unsigned char bytes[16384];
	struct foreign foreign;
	struct pair pair;
	size_t len;
	int sent;

	foreign_talk_init(&foreign, &pair, tls12);
	for (int i = 0; i < 3; i++) {
		memset(bytes, i + 1, sizeof bytes);
		sent = mbedtls_ssl_write(&foreign.ssl, bytes, sizeof bytes);
		CHECK_INT(sent, tls12 ? 16384 : 16383);
		CHECK_INT(tls_read(pair.server.tls, got, sizeof got, &len, &pair.server.err),
		    STATUS_OK);
		CHECK_INT(len, sent);
		CHECK(memcmp(got, bytes, len) == 0);
		CHECK_INT(tls_write(pair.server.tls, bytes, TLS_RECORD_MAX), STATUS_OK);
		CHECK_INT(foreign_read(&foreign), TLS_RECORD_MAX);
		CHECK(memcmp(got, bytes, TLS_RECORD_MAX) == 0);
	}
	foreign_talk_release(&foreign, &pair);
}

TEST(tls_buffers__borrow__largest_records)
{
	check_full_records(false);
	check_full_records(true);
}

static void check_goodbye(bool tls12)
{
	struct foreign foreign;
	struct pair pair;
	size_t len;

	foreign_talk_init(&foreign, &pair, tls12);
	CHECK_INT(mbedtls_ssl_close_notify(&foreign.ssl), 0);
	CHECK_INT(tls_read(pair.server.tls, got, sizeof got, &len, &pair.server.err), STATUS_EOF);
	CHECK_INT(tls_write(pair.server.tls, "last\n", 5), STATUS_OK);
	CHECK_INT(tls_close_notify(pair.server.tls), STATUS_OK);
	CHECK_INT(foreign_read(&foreign), 5);
	CHECK_INT(foreign_read(&foreign), MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
	foreign_talk_release(&foreign, &pair);
}

TEST(tls_buffers__after_handshake__goodbye)
{
	check_goodbye(false);
	check_goodbye(true);
}

/* mbedTLS 3.6 knows no KeyUpdate. It is refused with an alert, also when it comes in pieces. */
TEST(tls_buffers__after_handshake__key_update)
{
	static const char key_update[] = {24, 0, 0, 1, 0};
	struct foreign foreign;
	struct pair pair;
	size_t len;

	for (int pieces = 1; pieces <= 2; pieces++) {
		foreign_talk_init(&foreign, &pair, false);
		if (pieces == 2) {
			foreign_put_handshake(&foreign, key_update, 4);
			CHECK_INT(tls_read(pair.server.tls, got, sizeof got, &len,
				      &pair.server.err), STATUS_AGAIN);
			CHECK_INT(tls_write(pair.server.tls, "more\n", 5), STATUS_OK);
			CHECK_INT(foreign_read(&foreign), 5);
			foreign_put_handshake(&foreign, key_update + 4, 1);
		} else {
			foreign_put_handshake(&foreign, key_update, sizeof key_update);
		}
		CHECK_INT(tls_read(pair.server.tls, got, sizeof got, &len, &pair.server.err),
		    STATUS_TLS);
		CHECK_INT(foreign_read(&foreign), MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
		CHECK_INT(foreign.ssl.MBEDTLS_PRIVATE(in_msg)[1],
		    MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE);
		foreign_talk_release(&foreign, &pair);
	}
}

/* A wish to renegotiate in TLS 1.2 is refused with a warning, and the session goes on. */
TEST(tls_buffers__after_handshake__renegotiation)
{
	static const char hello[] = {1, 0, 0, 2, 3, 3};
	struct foreign foreign;
	struct pair pair;
	size_t len, sent;

	foreign_talk_init(&foreign, &pair, true);
	sent = pair.server.sent;
	foreign_put_handshake(&foreign, hello, sizeof hello);
	CHECK_INT(mbedtls_ssl_write(&foreign.ssl, (const unsigned char *)"line\n", 5), 5);
	CHECK_INT(tls_read(pair.server.tls, got, sizeof got, &len, &pair.server.err), STATUS_OK);
	CHECK_INT(len, 5);
	CHECK(pair.server.sent > sent);
	CHECK_INT(tls_write(pair.server.tls, "line\n", 5), STATUS_OK);
	foreign_talk_release(&foreign, &pair);
}

/* Empty records carry nothing; more than three in a row are too much for mbedTLS. */
TEST(tls_buffers__after_handshake__empty_records)
{
	struct foreign foreign;
	struct pair pair;
	size_t len;

	for (int tls12 = 0; tls12 < 2; tls12++) {
		foreign_talk_init(&foreign, &pair, tls12 != 0);
		for (int i = 0; i < 3; i++)
			CHECK_INT(mbedtls_ssl_write(&foreign.ssl, NULL, 0), 0);
		CHECK_INT(tls_read(pair.server.tls, got, sizeof got, &len, &pair.server.err),
		    STATUS_AGAIN);
		CHECK_INT(mbedtls_ssl_write(&foreign.ssl, (const unsigned char *)"line\n", 5), 5);
		CHECK_INT(tls_read(pair.server.tls, got, sizeof got, &len, &pair.server.err),
		    STATUS_OK);
		CHECK_INT(len, 5);
		foreign_talk_release(&foreign, &pair);
	}
}

TEST(tls_buffers__forget_peer__facts_go)
{
	struct tls_info info;
	struct pair pair;

	pair_init(&pair, pair_usual_client(), pair_usual_server(), "localhost");
	tls_forget_peer(pair.client.tls);
	pair_shake_hands(&pair);
	tls_get_info(pair.client.tls, &info);
	CHECK_INT(strlen(info.peer_fingerprint), 64);
	tls_forget_peer(pair.client.tls);
	tls_forget_peer(pair.client.tls);
	tls_forget_peer(pair.server.tls);
	tls_get_info(pair.client.tls, &info);
	CHECK_STR(info.peer_fingerprint, "");
	CHECK_STR(info.cipher, "TLS_AES_128_GCM_SHA256");
	talk(&pair);
	pair_release(&pair);
}

UNIT_MAIN(
    CASE(tls_buffers__borrow__half_a_record_stays),
    CASE(tls_buffers__borrow__plaintext_stays),
    CASE(tls_buffers__borrow__at_random),
    CASE(tls_buffers__borrow__after_failures),
    CASE(tls_buffers__borrow__own_buffers_without),
    CASE(tls_buffers__borrow__in_threads),
    CASE(tls_buffers__borrow__largest_records),
    CASE(tls_buffers__after_handshake__goodbye),
    CASE(tls_buffers__after_handshake__key_update),
    CASE(tls_buffers__after_handshake__renegotiation),
    CASE(tls_buffers__after_handshake__empty_records),
    CASE(tls_buffers__forget_peer__facts_go))
