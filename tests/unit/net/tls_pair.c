#include "tls_pair.h"

#include <mbedtls/net_sockets.h>
#include <mbedtls/psa_util.h>

static size_t receive(void *arg, void *to, size_t max)
{
	struct end *end = arg;
	struct buf *from = &end->peer->out;
	size_t len = from->len < max ? from->len : max;

	if (end->step > 0 && len > end->step)
		len = end->step;
	if (len > end->most)
		len = end->most;
	if (len == 0)
		return end->peer->closed && from->len == 0 ? TLS_END : 0;
	if (end->most != SIZE_MAX)
		end->most -= len;
	memcpy(to, from->ptr, len);
	buf_drop(from, len);
	return len;
}

static bool send_bytes(void *arg, const void *bytes, size_t len)
{
	struct end *end = arg;

	end->sent += len;
	return !end->is_full && buf_put(&end->out, bytes, len);
}

static void end_init(struct end *end, struct end *peer, struct tls_context *context,
    const char *host, struct tls_buffers *buffers)
{
	struct tls_io io = {receive, send_bytes, end};

	*end = (struct end){.peer = peer, .most = SIZE_MAX};
	buf_init(&end->out, 1 << 20);
	if (context != NULL)
		CHECK_INT(tls_new(context, host, &io, buffers, &end->tls), STATUS_OK);
	tls_context_unref(context);
}

void pair_init_with(struct pair *pair, struct tls_context *client, struct tls_context *server,
    const char *host, struct tls_buffers *buffers)
{
	pair->buffers = NULL;
	end_init(&pair->client, &pair->server, client, host, buffers);
	end_init(&pair->server, &pair->client, server, NULL, buffers);
}

void pair_init(struct pair *pair, struct tls_context *client, struct tls_context *server,
    const char *host)
{
	struct tls_buffers *buffers = tls_buffers_new();

	CHECK(buffers != NULL);
	pair_init_with(pair, client, server, host, buffers);
	pair->buffers = buffers;
}

void pair_release(struct pair *pair)
{
	tls_free(pair->client.tls);
	tls_free(pair->server.tls);
	buf_release(&pair->client.out);
	buf_release(&pair->server.out);
	tls_buffers_free(pair->buffers);
}

void pair_step(struct end *end)
{
	if (end->status == STATUS_AGAIN)
		end->status = tls_handshake(end->tls, &end->err);
}

void pair_shake_hands(struct pair *pair)
{
	pair->client.status = pair->server.status = STATUS_AGAIN;
	for (int i = 0; i < 20; i++) {
		pair_step(&pair->client);
		pair_step(&pair->server);
	}
}

struct tls_context *pair_usual_client(void)
{
	return test_context(TLS_CLIENT, NULL, test_certs_usual()->ca.pem, TLS_PEER_CERT_NONE);
}

struct tls_context *pair_usual_server(void)
{
	return test_context(TLS_SERVER, &test_certs_usual()->server, NULL, TLS_PEER_CERT_NONE);
}

/* --- foreign clients --- */

static int foreign_receive(void *arg, unsigned char *to, size_t max)
{
	size_t len = receive(arg, to, max);

	return len == TLS_END ? 0 : len == 0 ? MBEDTLS_ERR_SSL_WANT_READ : (int)len;
}

static int foreign_send(void *arg, const unsigned char *bytes, size_t len)
{
	return send_bytes(arg, bytes, len) ? (int)len : -1;
}

void foreign_parse_pem(mbedtls_x509_crt *to, const char *pem)
{
	mbedtls_x509_crt_init(to);
	CHECK(mbedtls_x509_crt_parse(to, (const unsigned char *)pem, strlen(pem) + 1) == 0);
}

void foreign_init(struct foreign *foreign, struct pair *pair, bool tls12,
    const struct test_cert *cert, const char **protocols)
{
	mbedtls_ssl_config_init(&foreign->config);
	mbedtls_ssl_init(&foreign->ssl);
	foreign_parse_pem(&foreign->ca, test_certs_usual()->ca.pem);
	CHECK(mbedtls_ssl_config_defaults(&foreign->config, MBEDTLS_SSL_IS_CLIENT,
		  MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) == 0);
	mbedtls_ssl_conf_rng(&foreign->config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
	mbedtls_ssl_conf_ca_chain(&foreign->config, &foreign->ca, NULL);
	mbedtls_ssl_conf_max_tls_version(&foreign->config,
	    tls12 ? MBEDTLS_SSL_VERSION_TLS1_2 : MBEDTLS_SSL_VERSION_TLS1_3);
	mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(&foreign->config,
	    MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
	mbedtls_pk_init(&foreign->key);
	if (cert != NULL) {
		foreign_parse_pem(&foreign->cert, cert->pem);
		CHECK(mbedtls_pk_parse_key(&foreign->key, (const unsigned char *)cert->key,
			  strlen(cert->key) + 1, NULL, 0, mbedtls_psa_get_random,
			  MBEDTLS_PSA_RANDOM_STATE) == 0);
		CHECK(mbedtls_ssl_conf_own_cert(&foreign->config, &foreign->cert,
			  &foreign->key) == 0);
	} else {
		mbedtls_x509_crt_init(&foreign->cert);
	}
	if (protocols != NULL)
		CHECK(mbedtls_ssl_conf_alpn_protocols(&foreign->config, protocols) == 0);
	CHECK(mbedtls_ssl_setup(&foreign->ssl, &foreign->config) == 0);
	CHECK(mbedtls_ssl_set_hostname(&foreign->ssl, "localhost") == 0);
	mbedtls_ssl_set_bio(&foreign->ssl, &pair->client, foreign_send, foreign_receive, NULL);
}

void foreign_release(struct foreign *foreign)
{
	mbedtls_ssl_free(&foreign->ssl);
	mbedtls_ssl_config_free(&foreign->config);
	mbedtls_x509_crt_free(&foreign->ca);
	mbedtls_x509_crt_free(&foreign->cert);
	mbedtls_pk_free(&foreign->key);
}

int foreign_shake_hands(struct foreign *foreign, struct pair *pair)
{
	int code = MBEDTLS_ERR_SSL_WANT_READ;

	pair->server.status = STATUS_AGAIN;
	for (int i = 0; i < 20; i++) {
		if (code == MBEDTLS_ERR_SSL_WANT_READ)
			code = mbedtls_ssl_handshake(&foreign->ssl);
		pair_step(&pair->server);
	}
	return code;
}
