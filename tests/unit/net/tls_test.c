/*
 * TLS sessions in memory: what ours do with each other and with those of mbedTLS by itself.
 */
#include "net/tls.h"

#include <mbedtls/net_sockets.h>
#include <mbedtls/psa_util.h>

#include "tls_pair.h"
#include "tests/unit/unit.h"

/* The client's handshake is refused by itself; its sentence must hold `words`, and the server must
 * hear an alert. */
static void check_client_refuses(struct tls_context *client, struct tls_context *server,
    const char *host, const char *words, const char *alert)
{
	struct pair pair;

	pair_init(&pair, client, server, host);
	pair_shake_hands(&pair);
	CHECK_INT(pair.client.status, STATUS_TLS_VERIFY);
	if (strstr(pair.client.err.text, words) == NULL)
		CHECK_STR(pair.client.err.text, words);
	CHECK_INT(pair.server.status, STATUS_TLS);
	if (strstr(pair.server.err.text, alert) == NULL)
		CHECK_STR(pair.server.err.text, alert);
	pair_release(&pair);
}

static void check_talk(struct pair *pair)
{
	static char bytes[TLS_RECORD_MAX], got[16384];
	size_t len;

	memset(bytes, 'x', sizeof bytes);
	CHECK_INT(tls_write(pair->client.tls, bytes, sizeof bytes), STATUS_OK);
	CHECK_INT(tls_read(pair->server.tls, got, sizeof got, &len, NULL), STATUS_OK);
	CHECK_INT(len, sizeof bytes);
	CHECK(memcmp(bytes, got, len) == 0);
	CHECK(!tls_has_plaintext(pair->server.tls));
	CHECK_INT(tls_read(pair->server.tls, got, sizeof got, &len, NULL), STATUS_AGAIN);

	CHECK_INT(tls_write(pair->server.tls, "hello\n", 6), STATUS_OK);
	CHECK_INT(tls_read(pair->client.tls, got, 2, &len, NULL), STATUS_OK);
	CHECK_INT(len, 2);
	CHECK(tls_has_plaintext(pair->client.tls));
	CHECK_INT(tls_read(pair->client.tls, got, sizeof got, &len, NULL), STATUS_OK);
	CHECK_INT(len, 4);
}

TEST(tls__shake_hands__tls13)
{
	struct tls_info info;
	struct pair pair;

	pair_init(&pair, pair_usual_client(), pair_usual_server(), "localhost");
	pair_shake_hands(&pair);
	CHECK_INT(pair.client.status, STATUS_OK);
	CHECK_INT(pair.server.status, STATUS_OK);
	check_talk(&pair);
	tls_get_info(pair.server.tls, &info);
	CHECK_STR(info.version, "TLSv1.3");
	CHECK_STR(info.cipher, "TLS_AES_128_GCM_SHA256");
	CHECK(info.resumed_or_uncertified);
	CHECK_STR(info.peer_user, "");
	tls_get_info(pair.client.tls, &info);
	CHECK_INT(strlen(info.peer_fingerprint), 64);
	pair_release(&pair);
}

TEST(tls__shake_hands__byte_by_byte)
{
	struct pair pair;

	pair_init(&pair, pair_usual_client(), pair_usual_server(), "localhost");
	pair.client.step = pair.server.step = 1;
	pair_shake_hands(&pair);
	CHECK_INT(pair.server.status, STATUS_OK);
	check_talk(&pair);
	pair_release(&pair);
}

TEST(tls__say_goodbye__both_ways)
{
	char got[64];
	size_t len;
	struct pair pair;

	pair_init(&pair, pair_usual_client(), pair_usual_server(), "localhost");
	pair_shake_hands(&pair);
	CHECK_INT(tls_close_notify(pair.client.tls), STATUS_OK);
	CHECK_INT(tls_read(pair.server.tls, got, sizeof got, &len, NULL), STATUS_EOF);
	CHECK_INT(tls_read(pair.server.tls, got, sizeof got, &len, NULL), STATUS_EOF);
	/* What is due is still sent after the peer's goodbye. */
	CHECK_INT(tls_write(pair.server.tls, "last\n", 5), STATUS_OK);
	CHECK_INT(tls_close_notify(pair.server.tls), STATUS_OK);
	CHECK_INT(tls_read(pair.client.tls, got, sizeof got, &len, NULL), STATUS_OK);
	CHECK_INT(len, 5);
	CHECK_INT(tls_read(pair.client.tls, got, sizeof got, &len, NULL), STATUS_EOF);
	pair_release(&pair);
}

TEST(tls__read__truncated_stream)
{
	char got[64];
	size_t len;
	struct error err;
	struct pair pair;

	pair_init(&pair, pair_usual_client(), pair_usual_server(), "localhost");
	pair_shake_hands(&pair);
	CHECK_INT(tls_write(pair.client.tls, "half", 4), STATUS_OK);
	pair.client.closed = true;
	CHECK_INT(tls_read(pair.server.tls, got, sizeof got, &len, &err), STATUS_OK);
	CHECK_INT(tls_read(pair.server.tls, got, sizeof got, &len, &err), STATUS_TRUNCATED);
	pair_release(&pair);
}

TEST(tls__read__truncated_handshake)
{
	struct pair pair;

	pair_init(&pair, pair_usual_client(), pair_usual_server(), "localhost");
	pair.client.closed = true;
	pair_shake_hands(&pair);
	CHECK_INT(pair.server.status, STATUS_TRUNCATED);
	pair_release(&pair);
}

TEST(tls__read__damaged_record)
{
	char got[64];
	size_t len;
	struct error err;
	struct pair pair;

	pair_init(&pair, pair_usual_client(), pair_usual_server(), "localhost");
	pair_shake_hands(&pair);
	CHECK_INT(tls_write(pair.client.tls, "line", 4), STATUS_OK);
	pair.client.out.ptr[pair.client.out.len - 1] ^= 1;
	CHECK_INT(tls_read(pair.server.tls, got, sizeof got, &len, &err), STATUS_TLS);
	CHECK_INT(tls_read(pair.client.tls, got, sizeof got, &len, &err), STATUS_TLS);
	CHECK(strstr(err.text, "bad record MAC (alert 20)") != NULL);
	pair_release(&pair);
}

/* --- the client verifies ---------------------------------------------------------------------- */

TEST(tls__verify__unknown_authority)
{
	struct test_cert other;

	test_certs_usual();
	test_cert_make(&other, &(struct test_cert_options){.name = "Other CA", .is_ca = true});
	check_client_refuses(test_context(TLS_CLIENT, NULL, other.pem, TLS_PEER_CERT_NONE),
	    pair_usual_server(), "localhost", "an authority that is not trusted ('Test CA'); give its "
	    "CA with --ca", "unknown CA (alert 48)");
}

TEST(tls__verify__wrong_name)
{
	check_client_refuses(pair_usual_client(), pair_usual_server(), "chat.example.org",
	    "is for '127.0.0.1', 'localhost', not for 'chat.example.org'",
	    "bad certificate (alert 42)");
}

TEST(tls__verify__wrong_address)
{
	check_client_refuses(pair_usual_client(), pair_usual_server(), "127.0.0.2",
	    "is for '127.0.0.1', 'localhost', not for '127.0.0.2'", "bad certificate (alert 42)");
}

TEST(tls__verify__address)
{
	struct pair pair;

	pair_init(&pair, pair_usual_client(), pair_usual_server(), "127.0.0.1");
	/* No SNI: an address must not stand there. */
	pair.client.status = tls_handshake(pair.client.tls, NULL);
	CHECK(!slice_contains(buf_slice(&pair.client.out), slice_of("127.0.0.1")));
	pair_shake_hands(&pair);
	CHECK_INT(pair.client.status, STATUS_OK);
	pair_release(&pair);
}

TEST(tls__verify__sends_name)
{
	struct pair pair;

	pair_init(&pair, pair_usual_client(), pair_usual_server(), "localhost.");
	pair.client.status = tls_handshake(pair.client.tls, NULL);
	CHECK(slice_contains(buf_slice(&pair.client.out), slice_of("localhost")));
	pair_shake_hands(&pair);
	CHECK_INT(pair.client.status, STATUS_OK);
	pair_release(&pair);
}

/* What OpenSSL's client does in TLS 1.3. */
TEST(tls__shake_hands__alert_in_the_clear)
{
	struct pair pair;

	pair_init(&pair, pair_usual_client(), pair_usual_server(), "localhost");
	pair.client.status = pair.server.status = STATUS_AGAIN;
	pair_step(&pair.client);
	pair_step(&pair.server);
	CHECK_INT(pair.server.status, STATUS_AGAIN);
	CHECK(buf_put(&pair.client.out, "\x15\x03\x03\x00\x02\x02\x30", 7));
	pair_step(&pair.server);
	CHECK_INT(pair.server.status, STATUS_TLS);
	CHECK_STR(pair.server.err.text,
	    "the client refused our certificate: unknown CA (alert 48)");
	pair_release(&pair);
}

static struct tls_context *server_with(const struct test_cert_options *options)
{
	static struct test_cert cert;
	struct test_cert_options all = *options;

	all.name = "localhost";
	all.dns = "localhost";
	all.issuer = &test_certs_usual()->ca;
	test_cert_make(&cert, &all);
	return test_context(TLS_SERVER, &cert, NULL, TLS_PEER_CERT_NONE);
}

TEST(tls__verify__expired)
{
	struct tls_context *server =
	    server_with(&(struct test_cert_options){.not_after = "20210304000000"});
	bool begun;

	CHECK(tls_context_own_days(server, &begun) < -100);
	CHECK(begun);
	check_client_refuses(pair_usual_client(), server, "localhost", "expired on 2021-03-04",
	    "certificate expired (alert 45)");
}

TEST(tls__verify__not_yet_valid)
{
	struct tls_context *server =
	    server_with(&(struct test_cert_options){.not_before = "20980102000000"});
	bool begun;

	CHECK(tls_context_own_days(server, &begun) > 20000);
	CHECK(!begun);
	check_client_refuses(pair_usual_client(), server, "localhost",
	    "not yet valid until 2098-01-02 (check this machine's clock)", "(alert 4");
}

static void check_chain(enum test_key ca_key, enum test_key key, bool sha384)
{
	struct test_cert root, middle, leaf;
	static char chain[20000];
	struct pair pair;

	test_certs_usual();
	test_cert_make(&root, &(struct test_cert_options){
				  .name = "Root", .is_ca = true, .key = ca_key, .sha384 = sha384});
	test_cert_make(&middle,
	    &(struct test_cert_options){.name = "Middle",
		.issuer = &root,
		.is_ca = true,
		.key = ca_key,
		.sha384 = sha384});
	test_cert_make(&leaf,
	    &(struct test_cert_options){
		.name = "chat.example.org", .issuer = &middle, .key = key, .dns = "*.example.org"});
	snprintf(chain, sizeof chain, "%s%s", leaf.pem, middle.pem);
	memcpy(leaf.pem, chain, strlen(chain) + 1);
	pair_init(&pair, test_context(TLS_CLIENT, NULL, root.pem, TLS_PEER_CERT_NONE),
	    test_context(TLS_SERVER, &leaf, NULL, TLS_PEER_CERT_NONE), "chat.example.org");
	pair_shake_hands(&pair);
	CHECK_STR(pair.client.err.text, "");
	CHECK_INT(pair.client.status, STATUS_OK);
	CHECK_INT(pair.server.status, STATUS_OK);
	pair_release(&pair);
}

TEST(tls__verify__rsa_chain)
{
	check_chain(TEST_KEY_RSA2048, TEST_KEY_RSA2048, false);
}

TEST(tls__verify__p384_sha384_chain)
{
	check_chain(TEST_KEY_P384, TEST_KEY_P384, true);
}

TEST(tls__verify__rsa_authority_sha384_ec_server)
{
	check_chain(TEST_KEY_RSA2048, TEST_KEY_P256, true);
}

/* --- the server verifies ---------------------------------------------------------------------- */

static struct tls_context *asking_server(enum tls_peer_cert peer_cert)
{
	const struct test_certs *certs = test_certs_usual();

	return test_context(TLS_SERVER, &certs->server, certs->ca.pem, peer_cert);
}

static struct tls_context *client_with(const struct test_cert *cert)
{
	return test_context(TLS_CLIENT, cert, test_certs_usual()->ca.pem, TLS_PEER_CERT_NONE);
}

TEST(tls__ask_client__user_from_certificate)
{
	struct tls_info info;
	struct pair pair;

	pair_init(&pair, client_with(&test_certs_usual()->client),
	    asking_server(TLS_PEER_CERT_OPTIONAL), "localhost");
	pair_shake_hands(&pair);
	CHECK_INT(pair.server.status, STATUS_OK);
	tls_get_info(pair.server.tls, &info);
	CHECK_STR(info.peer_user, "alice");
	CHECK_STR(info.peer_user_problem, "");
	CHECK(!info.resumed_or_uncertified);
	CHECK_INT(strlen(info.peer_fingerprint), 64);
	check_talk(&pair);
	pair_release(&pair);
}

TEST(tls__ask_client__none_shown_is_fine_where_optional)
{
	struct tls_info info;
	struct pair pair;

	pair_init(&pair, pair_usual_client(), asking_server(TLS_PEER_CERT_OPTIONAL), "localhost");
	pair_shake_hands(&pair);
	CHECK_INT(pair.server.status, STATUS_OK);
	tls_get_info(pair.server.tls, &info);
	CHECK(info.resumed_or_uncertified);
	CHECK_STR(info.peer_user, "");
	check_talk(&pair);
	pair_release(&pair);
}

/* In TLS 1.3 the client is done before the server judges it: the alert is met by tls_read. */
static void check_server_refuses(struct tls_context *client, struct tls_context *server,
    const char *words, const char *alert)
{
	char got[64];
	size_t len;
	struct pair pair;

	pair_init(&pair, client, server, "localhost");
	pair_shake_hands(&pair);
	CHECK_INT(pair.server.status, STATUS_TLS_VERIFY);
	if (strstr(pair.server.err.text, words) == NULL)
		CHECK_STR(pair.server.err.text, words);
	CHECK_INT(pair.client.status, STATUS_OK);
	CHECK_INT(tls_read(pair.client.tls, got, sizeof got, &len, &pair.client.err), STATUS_TLS);
	if (strstr(pair.client.err.text, alert) == NULL)
		CHECK_STR(pair.client.err.text, alert);
	pair_release(&pair);
}

TEST(tls__ask_client__none_shown_where_required)
{
	check_server_refuses(pair_usual_client(), asking_server(TLS_PEER_CERT_REQUIRED),
	    "showed no certificate", "wants a certificate and got none (alert 116)");
}

static void check_bad_client(const struct test_cert_options *options, enum tls_peer_cert peer_cert,
    const char *words, const char *alert)
{
	struct test_cert cert;
	struct test_cert_options all = *options;

	test_certs_usual();
	all.name = "mallory";
	test_cert_make(&cert, &all);
	check_server_refuses(client_with(&cert), asking_server(peer_cert), words, alert);
}

TEST(tls__ask_client__stranger_is_refused_where_optional)
{
	check_bad_client(&(struct test_cert_options){.for_client = true},
	    TLS_PEER_CERT_OPTIONAL, "the client's certificate was issued by an authority that is "
	    "not trusted ('mallory')", "the server refused our certificate: unknown CA (alert 48)");
}

TEST(tls__ask_client__stranger_is_refused_where_required)
{
	check_bad_client(&(struct test_cert_options){.for_client = true},
	    TLS_PEER_CERT_REQUIRED, "not trusted", "unknown CA (alert 48)");
}

TEST(tls__ask_client__expired_is_refused)
{
	check_bad_client(&(struct test_cert_options){.for_client = true,
			     .issuer = &test_certs_usual()->ca,
			     .not_after = "20210101000000"},
	    TLS_PEER_CERT_OPTIONAL, "expired on 2021-01-01", "certificate expired (alert 45)");
}

TEST(tls__ask_client__server_certificate_is_refused)
{
	check_bad_client(&(struct test_cert_options){.issuer = &test_certs_usual()->ca},
	    TLS_PEER_CERT_OPTIONAL, "not made for a client", "unsupported certificate (alert 43)");
}

static void check_user(const char *uri, const char *uri2, const char *user, const char *problem)
{
	struct test_cert cert;
	struct tls_info info;
	struct pair pair;

	test_certs_usual();
	test_cert_make(&cert,
	    &(struct test_cert_options){.name = "somebody",
		.issuer = &test_certs_usual()->ca,
		.for_client = true,
		.dns = "confab",
		.uri = {uri, uri2}});
	pair_init(&pair, client_with(&cert), asking_server(TLS_PEER_CERT_OPTIONAL), "localhost");
	pair_shake_hands(&pair);
	CHECK_INT(pair.server.status, STATUS_OK);
	tls_get_info(pair.server.tls, &info);
	CHECK_STR(info.peer_user, user);
	if (strstr(info.peer_user_problem, problem) == NULL)
		CHECK_STR(info.peer_user_problem, problem);
	pair_release(&pair);
}

TEST(tls__ask_client__user_names)
{
	check_user("confab:user/a", NULL, "a", "");
	check_user("https://example.org/", "confab:user/9._-z", "9._-z", "");
	check_user("confab:user/abcdefghijklmnopqrstuvwxyz012345", NULL,
	    "abcdefghijklmnopqrstuvwxyz012345", "");
	check_user("confab:user/abcdefghijklmnopqrstuvwxyz0123456", NULL, "", "no valid name");
	check_user("confab:user/Alice", NULL, "", "no valid name");
	check_user("confab:user/", NULL, "", "no valid name");
	check_user("confab:user/.a", NULL, "", "no valid name");
	check_user("confab:user/a/b", NULL, "", "no valid name");
	check_user("confab:user/a", "confab:user/b", "", "more than one user");
	check_user("confab:user/a", "confab:user/a", "", "more than one user");
	check_user("confab:users/a", NULL, "", "has no URI name");
	check_user(NULL, NULL, "", "has no URI name");
}

/* --- foreign clients: mbedTLS by itself, with tickets, TLS 1.2, other protocols ---------------- */

TEST(tls__shake_hands__tls12)
{
	struct tls_info info;
	struct foreign foreign;
	struct pair pair;

	pair_init(&pair, NULL, asking_server(TLS_PEER_CERT_OPTIONAL), NULL);
	foreign_init(&foreign, &pair, true, &test_certs_usual()->client, NULL);
	CHECK_INT(foreign_shake_hands(&foreign, &pair), 0);
	CHECK_INT(pair.server.status, STATUS_OK);
	tls_get_info(pair.server.tls, &info);
	CHECK_STR(info.version, "TLSv1.2");
	CHECK_STR(info.cipher, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
	CHECK_STR(info.peer_user, "alice");
	foreign_release(&foreign);
	pair_release(&pair);
}

static void check_tls12_refusal(const struct test_cert *cert, enum tls_peer_cert peer_cert,
    int alert)
{
	struct foreign foreign;
	struct pair pair;

	pair_init(&pair, NULL, asking_server(peer_cert), NULL);
	foreign_init(&foreign, &pair, true, cert, NULL);
	CHECK_INT(foreign_shake_hands(&foreign, &pair), MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
	CHECK_INT(foreign.ssl.MBEDTLS_PRIVATE(in_msg)[1], alert);
	CHECK_INT(pair.server.status, STATUS_TLS_VERIFY);
	foreign_release(&foreign);
	pair_release(&pair);
}

TEST(tls__ask_client__refusals_in_tls12)
{
	struct test_cert stranger;

	test_certs_usual();
	test_cert_make(&stranger,
	    &(struct test_cert_options){.name = "mallory", .for_client = true});
	check_tls12_refusal(&stranger, TLS_PEER_CERT_OPTIONAL, MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA);
	check_tls12_refusal(NULL, TLS_PEER_CERT_REQUIRED, MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
}

static void check_protocols(bool tls12)
{
	static const char *others[] = {"h2", "http/1.1", NULL};
	static const char *both[] = {"h2", "confab/1", NULL};
	struct foreign foreign;
	struct pair pair;

	pair_init(&pair, NULL, pair_usual_server(), NULL);
	foreign_init(&foreign, &pair, tls12, NULL, others);
	CHECK_INT(foreign_shake_hands(&foreign, &pair), MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
	CHECK_INT(foreign.ssl.MBEDTLS_PRIVATE(in_msg)[1],
	    MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL);
	CHECK_INT(pair.server.status, STATUS_TLS);
	CHECK(strstr(pair.server.err.text, "ALPN") != NULL);
	foreign_release(&foreign);
	pair_release(&pair);

	pair_init(&pair, NULL, pair_usual_server(), NULL);
	foreign_init(&foreign, &pair, tls12, NULL, both);
	CHECK_INT(foreign_shake_hands(&foreign, &pair), 0);
	CHECK_STR(mbedtls_ssl_get_alpn_protocol(&foreign.ssl), "confab/1");
	foreign_release(&foreign);
	pair_release(&pair);
}

TEST(tls__choose_protocol__tls13)
{
	check_protocols(false);
}

TEST(tls__choose_protocol__tls12)
{
	check_protocols(true);
}

/* One handshake; keeps or uses a ticket. The server's context stays the same. */
static void ticket_round(struct tls_context *server, bool tls12, const struct test_cert *cert,
    mbedtls_ssl_session *session, bool resume, struct tls_info *ret_info, size_t *ret_sent)
{
	struct foreign foreign;
	struct pair pair;
	unsigned char got[16];
	int code = 0;

	pair_init(&pair, NULL, tls_context_ref(server), NULL);
	foreign_init(&foreign, &pair, tls12, cert, NULL);
	if (resume)
		CHECK(mbedtls_ssl_set_session(&foreign.ssl, session) == 0);
	CHECK_INT(foreign_shake_hands(&foreign, &pair), 0);
	CHECK_INT(pair.server.status, STATUS_OK);
	tls_get_info(pair.server.tls, ret_info);
	*ret_sent = pair.server.sent;
	if (!tls12) {
		for (int i = 0; i < 3; i++) {
			code = mbedtls_ssl_read(&foreign.ssl, got, sizeof got);
			if (code != MBEDTLS_ERR_SSL_WANT_READ)
				break;
		}
		CHECK_INT(code, MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
	}
	if (!resume)
		CHECK(mbedtls_ssl_get_session(&foreign.ssl, session) == 0);
	foreign_release(&foreign);
	pair_release(&pair);
}

static void check_tickets(bool tls12)
{
	struct tls_context *server = asking_server(TLS_PEER_CERT_OPTIONAL);
	const struct test_cert *alice = &test_certs_usual()->client;
	mbedtls_ssl_session session;
	struct tls_info info;
	size_t full, sent;

	/* Without a certificate a session comes back by its ticket: the server does not show its
	 * own certificate again, and sends that much less. */
	mbedtls_ssl_session_init(&session);
	ticket_round(server, tls12, NULL, &session, false, &info, &full);
	ticket_round(server, tls12, NULL, &session, true, &info, &sent);
	CHECK(sent + 300 < full);
	CHECK(info.resumed_or_uncertified);
	CHECK_STR(info.peer_user, "");
	mbedtls_ssl_session_free(&session);

	/* With one it comes back by a full handshake, which shows the certificate again. */
	mbedtls_ssl_session_init(&session);
	ticket_round(server, tls12, alice, &session, false, &info, &full);
	CHECK_STR(info.peer_user, "alice");
	ticket_round(server, tls12, alice, &session, true, &info, &sent);
	CHECK(sent + 50 > full);
	CHECK_STR(info.peer_user, "alice");
	CHECK(!info.resumed_or_uncertified);
	/* And who left it at home is nobody, whatever the ticket was. */
	ticket_round(server, tls12, NULL, &session, true, &info, &sent);
	CHECK_STR(info.peer_user, "");
	CHECK(info.resumed_or_uncertified);
	mbedtls_ssl_session_free(&session);
	tls_context_unref(server);
}

TEST(tls__resume__tls13)
{
	check_tickets(false);
}

TEST(tls__resume__tls12)
{
	check_tickets(true);
}

/* --- no TLS at all ---------------------------------------------------------------------------- */

static void check_not_tls(const char *bytes, size_t len, const char *words)
{
	struct pair pair;

	pair_init(&pair, NULL, pair_usual_server(), NULL);
	CHECK(buf_put(&pair.client.out, bytes, len));
	pair.server.status = STATUS_AGAIN;
	pair_step(&pair.server);
	CHECK_INT(pair.server.status, STATUS_NOT_TLS);
	if (strstr(pair.server.err.text, words) == NULL)
		CHECK_STR(pair.server.err.text, words);
	CHECK_INT(pair.server.out.len, 0);
	pair_release(&pair);
}

TEST(tls__shake_hands__first_bytes_are_no_tls)
{
	check_not_tls("GET / HTTP/1.1\r\n", 16, "look like HTTP");
	check_not_tls("POST /", 6, "look like HTTP");
	check_not_tls("{\"cmd\":\"ping\"}\n", 15, "plain text (JSON)");
	check_not_tls("hello\n", 6, "look like plain text");
	check_not_tls("h", 1, "look like plain text");
	check_not_tls("\0\1\2\3\4\5", 6, "something else");
	check_not_tls("\x80\x2e\x01\x03\x01", 5, "something else");
}

TEST(tls__shake_hands__garbage_in_a_record)
{
	struct pair pair;

	pair_init(&pair, NULL, pair_usual_server(), NULL);
	CHECK(buf_put(&pair.client.out, "\x16\x03\x01\x00\x0a\x01\x00\x00\x06garbag", 15));
	pair.server.status = STATUS_AGAIN;
	pair_step(&pair.server);
	CHECK_INT(pair.server.status, STATUS_TLS);
	CHECK(pair.server.out.len > 0); /* an alert */
	pair_release(&pair);
}

TEST(tls__shake_hands__server_speaks_plain_text)
{
	struct pair pair;

	pair_init(&pair, pair_usual_client(), NULL, "localhost");
	CHECK(buf_put(&pair.server.out, "HTTP/1.1 400 Bad Request\r\n", 26));
	pair.client.status = STATUS_AGAIN;
	pair_step(&pair.client);
	CHECK_INT(pair.client.status, STATUS_NOT_TLS);
	CHECK(strstr(pair.client.err.text, "the server does not speak TLS") != NULL);
	pair_release(&pair);
}

/* --- contexts --------------------------------------------------------------------------------- */

static void check_context(const struct tls_options *options, enum status status, const char *words)
{
	struct tls_context *context = NULL;
	struct error err = {0};

	CHECK_INT(tls_context_new(options, &context, &err), status);
	CHECK(context == NULL);
	if (strstr(err.text, words) == NULL)
		CHECK_STR(err.text, words);
}

TEST(tls__make_context__bad_files)
{
	const struct test_certs *certs = test_certs_usual();
	struct slice cert = slice_of(certs->server.pem), key = slice_of(certs->server.key);
	struct slice junk = slice_of("-----BEGIN NOTHING-----\nabc\n");
	static char wrong_order[20000];

	check_context(&(struct tls_options){.role = TLS_SERVER, .cert = cert,
			  .key = slice_of(certs->client.key), .key_name = "other.key",
			  .cert_name = "server.crt"},
	    STATUS_INVALID, "the key in other.key does not belong to the first certificate in "
	    "server.crt");
	check_context(&(struct tls_options){.role = TLS_SERVER, .cert = cert}, STATUS_INVALID,
	    "the key is missing");
	check_context(&(struct tls_options){.role = TLS_SERVER, .cert = junk, .key = key,
			  .cert_name = "junk.pem"},
	    STATUS_INVALID, "junk.pem holds no certificate");
	check_context(&(struct tls_options){.role = TLS_SERVER, .cert = cert, .key = junk,
			  .key_name = "junk.key"},
	    STATUS_INVALID, "junk.key holds no private key");
	check_context(&(struct tls_options){.role = TLS_SERVER, .cert = cert, .key = key,
			  .peer_cert = TLS_PEER_CERT_OPTIONAL},
	    STATUS_NOT_FOUND, "--client-ca");
	check_context(&(struct tls_options){.role = TLS_SERVER, .cert = cert, .key = key,
			  .crl = junk, .crl_name = "revoked.crl"},
	    STATUS_INVALID, "revoked.crl");
	check_context(&(struct tls_options){.role = TLS_SERVER,
			  .cert = slice_of(certs->client.pem), .key = slice_of(certs->client.key),
			  .cert_name = "alice.crt"},
	    STATUS_INVALID, "alice.crt is not made for a server");
	check_context(&(struct tls_options){.role = TLS_CLIENT}, STATUS_NOT_FOUND, "--ca");
	snprintf(wrong_order, sizeof wrong_order, "%s%s", certs->server.pem, certs->client.pem);
	check_context(&(struct tls_options){.role = TLS_SERVER, .cert = slice_of(wrong_order),
			  .key = key, .cert_name = "chain.pem"},
	    STATUS_INVALID, "chain.pem: the chain is out of order");
}

TEST(tls__make_context__der)
{
	const struct test_certs *certs = test_certs_usual();
	struct tls_context *context = NULL;
	mbedtls_x509_crt cert;
	unsigned char key_der[512];
	mbedtls_pk_context key;
	int len;
	struct tls_options options = {.role = TLS_SERVER};

	foreign_parse_pem(&cert, certs->server.pem);
	mbedtls_pk_init(&key);
	CHECK(mbedtls_pk_parse_key(&key, (const unsigned char *)certs->server.key,
		  strlen(certs->server.key) + 1, NULL, 0, mbedtls_psa_get_random,
		  MBEDTLS_PSA_RANDOM_STATE) == 0);
	len = mbedtls_pk_write_key_der(&key, key_der, sizeof key_der);
	CHECK(len > 0);
	options.cert = slice_make((const char *)cert.raw.p, cert.raw.len);
	options.key = slice_make((const char *)key_der + sizeof key_der - len, (size_t)len);
	CHECK_INT(tls_context_new(&options, &context, NULL), STATUS_OK);
	tls_context_unref(context);
	mbedtls_x509_crt_free(&cert);
	mbedtls_pk_free(&key);
}

UNIT_MAIN(
    CASE(tls__shake_hands__tls13),
    CASE(tls__shake_hands__byte_by_byte),
    CASE(tls__say_goodbye__both_ways),
    CASE(tls__read__truncated_stream),
    CASE(tls__read__truncated_handshake),
    CASE(tls__read__damaged_record),
    CASE(tls__verify__unknown_authority),
    CASE(tls__verify__wrong_name),
    CASE(tls__verify__wrong_address),
    CASE(tls__verify__address),
    CASE(tls__verify__sends_name),
    CASE(tls__shake_hands__alert_in_the_clear),
    CASE(tls__verify__expired),
    CASE(tls__verify__not_yet_valid),
    CASE(tls__verify__rsa_chain),
    CASE(tls__verify__p384_sha384_chain),
    CASE(tls__verify__rsa_authority_sha384_ec_server),
    CASE(tls__ask_client__user_from_certificate),
    CASE(tls__ask_client__none_shown_is_fine_where_optional),
    CASE(tls__ask_client__none_shown_where_required),
    CASE(tls__ask_client__stranger_is_refused_where_optional),
    CASE(tls__ask_client__stranger_is_refused_where_required),
    CASE(tls__ask_client__expired_is_refused),
    CASE(tls__ask_client__server_certificate_is_refused),
    CASE(tls__ask_client__user_names),
    CASE(tls__shake_hands__tls12),
    CASE(tls__ask_client__refusals_in_tls12),
    CASE(tls__choose_protocol__tls13),
    CASE(tls__choose_protocol__tls12),
    CASE(tls__resume__tls13),
    CASE(tls__resume__tls12),
    CASE(tls__shake_hands__first_bytes_are_no_tls),
    CASE(tls__shake_hands__garbage_in_a_record),
    CASE(tls__shake_hands__server_speaks_plain_text),
    CASE(tls__make_context__bad_files),
    CASE(tls__make_context__der))
