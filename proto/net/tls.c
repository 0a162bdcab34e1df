#include "net/tls_private.h"

#include <assert.h>
#include <mbedtls/error.h>
#include <mbedtls/platform.h>
#include <stdlib.h>

#define FIRST_BYTES 5 /* a record's header: what mbedTLS asks for first */
#define RECORD_HANDSHAKE 0x16
#define RECORD_ALERT 0x15

struct tls {
	mbedtls_ssl_context ssl;
	struct tls_buffers *buffers; /* to borrow from after the handshake, or NULL */
	struct tls_loan loan;
	struct tls_context *context;
	struct tls_io io;
	struct tls_verify *verify; /* until the handshake is over */
	bool handshake_done;
	bool certified;	   /* the peer's certificate was verified in this handshake */
	bool peer_closed;  /* close_notify came */
	bool ended;	   /* `receive` has met the end of the peer's stream */
	bool starved;	   /* `receive` had nothing, since this was last cleared */
	bool send_failed;  /* `send` had no memory */
	bool not_tls;	   /* the first bytes are no record */
	unsigned char first_len;
	unsigned char first[FIRST_BYTES];
};

/* --- bytes ------------------------------------------------------------------------------------ */

/* A peer that does not speak TLS is told by its very first byte, before mbedTLS sees it and
 * answers with an alert that such a peer would not understand. */
static bool looks_like_tls(struct tls *tls, const unsigned char *bytes, size_t len)
{
	if (tls->first_len > 0)
		return true;
	tls->first_len = (unsigned char)(len < FIRST_BYTES ? len : FIRST_BYTES);
	memcpy(tls->first, bytes, tls->first_len);
	tls->not_tls = bytes[0] != RECORD_HANDSHAKE &&
	    !(bytes[0] == RECORD_ALERT && tls->context->role == TLS_CLIENT);
	return !tls->not_tls;
}

static int receive(void *arg, unsigned char *to, size_t max)
{
	struct tls *tls = arg;
	size_t len = tls->io.receive(tls->io.arg, to, max);

	if (len == TLS_END) {
		tls->ended = true;
		return 0;
	}
	if (len == 0) {
		tls->starved = true;
		return MBEDTLS_ERR_SSL_WANT_READ;
	}
	assert(len <= max);
	return looks_like_tls(tls, to, len) ? (int)len : MBEDTLS_ERR_SSL_INVALID_RECORD;
}

static int send_all(void *arg, const unsigned char *bytes, size_t len)
{
	struct tls *tls = arg;

	if (!tls->io.send(tls->io.arg, bytes, len)) {
		tls->send_failed = true;
		return MBEDTLS_ERR_SSL_ALLOC_FAILED;
	}
	return (int)len;
}

/* --- life ------------------------------------------------------------------------------------- */

enum status tls_new(struct tls_context *context, const char *host, const struct tls_io *io,
    struct tls_buffers *buffers, struct tls **ret)
{
	struct tls *tls = calloc(1, sizeof *tls);
	int code;

	if (tls == NULL)
		return STATUS_NOMEM;
	assert(context->role == TLS_SERVER || (host != NULL && host[0] != '\0'));
	mbedtls_ssl_init(&tls->ssl);
	tls->context = tls_context_ref(context);
	tls->io = *io;
	tls->buffers = buffers;
	tls->verify = calloc(1, sizeof *tls->verify);
	if (tls->verify == NULL)
		goto nomem;
	if (!tls_verify_init(tls->verify, context->role, host)) {
		tls_free(tls);
		return STATUS_INVALID;
	}
	code = mbedtls_ssl_setup(&tls->ssl, &context->config);
	/* NULL says that mbedTLS shall neither verify nor send a name; an address is verified by
	 * our callback, and a server has none to verify. */
	if (code == 0)
		code = mbedtls_ssl_set_hostname(&tls->ssl,
		    context->role == TLS_CLIENT && tls->verify->ip_len == 0 ? tls->verify->host :
									      NULL);
	if (code != 0)
		goto nomem;
	mbedtls_ssl_set_verify(&tls->ssl, tls_verify_callback, tls->verify);
	mbedtls_ssl_set_bio(&tls->ssl, tls, send_all, receive, NULL);
	*ret = tls;
	return STATUS_OK;

nomem:
	tls_free(tls);
	return STATUS_NOMEM;
}

void tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	mbedtls_ssl_free(&tls->ssl);
	tls_context_unref(tls->context);
	free(tls->verify);
	free(tls);
}

/* --- what went wrong, in words ---------------------------------------------------------------- */

static enum status not_tls(const struct tls *tls, struct error *err)
{
	static const char *const http[] = {"GET", "POST", "HEAD", "PUT", "OPTIO", "DELET", "PATCH",
	    "CONNE", "TRACE", "PRI", "HTTP"};
	struct slice first = slice_make((const char *)tls->first, tls->first_len);
	const char *whose = tls->context->role == TLS_SERVER ? "client" : "server";
	bool text = true;

	for (size_t i = 0; i < sizeof http / sizeof *http; i++)
		if (slice_starts(first, http[i]))
			return error_set(err, STATUS_NOT_TLS, "the %s does not speak TLS: its "
			    "first bytes look like HTTP", whose);
	if (slice_starts(first, "{"))
		return error_set(err, STATUS_NOT_TLS, "the %s does not speak TLS: its first bytes "
		    "look like plain text (JSON)", whose);
	for (size_t i = 0; i < first.len; i++)
		text = text && ((first.ptr[i] >= 0x20 && first.ptr[i] < 0x7f) ||
		    first.ptr[i] == '\r' || first.ptr[i] == '\n' || first.ptr[i] == '\t');
	return error_set(err, STATUS_NOT_TLS, text ?
	    "the %s does not speak TLS: its first bytes look like plain text" :
	    "the %s does not speak TLS: its first bytes are something else", whose);
}

static const char *alert_text(int alert)
{
	static const struct {
		int alert;
		const char *text;
	} texts[] = {
	    {MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE, "unexpected message"},
	    {MBEDTLS_SSL_ALERT_MSG_BAD_RECORD_MAC, "bad record MAC"},
	    {MBEDTLS_SSL_ALERT_MSG_RECORD_OVERFLOW, "record overflow"},
	    {MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE, "handshake failure"},
	    {MBEDTLS_SSL_ALERT_MSG_NO_CERT, "no certificate"},
	    {MBEDTLS_SSL_ALERT_MSG_BAD_CERT, "bad certificate"},
	    {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT, "unsupported certificate"},
	    {MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED, "certificate revoked"},
	    {MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED, "certificate expired"},
	    {MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN, "certificate not accepted"},
	    {MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER, "illegal parameter"},
	    {MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA, "unknown CA"},
	    {MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED, "access denied"},
	    {MBEDTLS_SSL_ALERT_MSG_DECODE_ERROR, "decode error"},
	    {MBEDTLS_SSL_ALERT_MSG_DECRYPT_ERROR, "decrypt error"},
	    {MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION, "no common TLS version"},
	    {MBEDTLS_SSL_ALERT_MSG_INSUFFICIENT_SECURITY, "insufficient security"},
	    {MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR, "internal error"},
	    {MBEDTLS_SSL_ALERT_MSG_INAPROPRIATE_FALLBACK, "inappropriate fallback"},
	    {MBEDTLS_SSL_ALERT_MSG_USER_CANCELED, "cancelled"},
	    {MBEDTLS_SSL_ALERT_MSG_MISSING_EXTENSION, "missing extension"},
	    {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_EXT, "unsupported extension"},
	    {MBEDTLS_SSL_ALERT_MSG_UNRECOGNIZED_NAME, "unknown server name"},
	    {MBEDTLS_SSL_ALERT_MSG_CERT_REQUIRED, "certificate required"},
	    {MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL, "no common application protocol"},
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (texts[i].alert == alert)
			return texts[i].text;
	return "unknown alert";
}

static bool is_about_cert(int alert)
{
	return (alert >= MBEDTLS_SSL_ALERT_MSG_NO_CERT &&
		   alert <= MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN) ||
	    alert == MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA ||
	    alert == MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED ||
	    alert == MBEDTLS_SSL_ALERT_MSG_CERT_REQUIRED;
}

static enum status peer_alert(const struct tls *tls, int alert, struct error *err)
{
	bool client = tls->context->role == TLS_CLIENT;
	const char *text = alert_text(alert);

	if (alert == MBEDTLS_SSL_ALERT_MSG_CERT_REQUIRED ||
	    (client && alert == MBEDTLS_SSL_ALERT_MSG_NO_CERT))
		return error_set(err, STATUS_TLS, "the %s wants a certificate and got none (alert "
		    "%d)", client ? "server" : "client", alert);
	if (is_about_cert(alert))
		return error_set(err, STATUS_TLS, "the %s refused our certificate: %s (alert %d)",
		    client ? "server" : "client", text, alert);
	return error_set(err, STATUS_TLS, "the %s ended the TLS connection: %s (alert %d)",
	    client ? "server" : "client", text, alert);
}

/* A TLS 1.3 client that refuses our certificate has no keys for writing yet in some libraries
 * (OpenSSL), and its alert comes in the clear, where mbedTLS sees a record that fails to decrypt.
 * Such an alert proves nothing, but the connection is over anyhow and it tells the likely why. */
static bool is_clear_alert(const struct tls *tls, int code)
{
	const unsigned char *record = tls->ssl.MBEDTLS_PRIVATE(in_hdr);

	return code == MBEDTLS_ERR_SSL_INVALID_MAC && !tls->handshake_done &&
	    record[0] == RECORD_ALERT && record[3] == 0 && record[4] == 2;
}

static enum status other_error(int code, struct error *err)
{
	char text[160];

	if (code == MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION)
		return error_set(err, STATUS_TLS, "the peer speaks neither TLS 1.3 nor 1.2");
	if (code == MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL)
		return error_set(err, STATUS_TLS, "the peer offers only other application "
		    "protocols than %s (ALPN)", "confab/1");
	if (code == MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE)
		return error_set(err, STATUS_TLS, "no cipher suite, key group or signature that "
		    "both sides allow");
	mbedtls_strerror(code, text, sizeof text);
	return error_set(err, STATUS_TLS, "TLS failed: %s (-0x%04x)", text, (unsigned)-code);
}

/* Translates a code of mbedTLS, of the handshake or later. */
static enum status failure(struct tls *tls, int code, struct error *err)
{
	if (tls->not_tls)
		return not_tls(tls, err);
	if (tls->send_failed || code == MBEDTLS_ERR_SSL_ALLOC_FAILED)
		return error_set(err, STATUS_NOMEM, "out of memory");
	if (code == MBEDTLS_ERR_SSL_CONN_EOF)
		return error_set(err, STATUS_TRUNCATED, tls->handshake_done ?
		    "the peer's stream ended without close_notify" :
		    "the peer ended the connection during the TLS handshake");
	/* mbedTLS has no accessor for the number; the record of the alert is the one at hand. */
	if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
		return peer_alert(tls, tls->ssl.MBEDTLS_PRIVATE(in_msg)[1], err);
	if (is_clear_alert(tls, code))
		return peer_alert(tls, tls->ssl.MBEDTLS_PRIVATE(in_hdr)[FIRST_BYTES + 1], err);
	if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
		return error_set(err, STATUS_TLS, "the peer said goodbye during the TLS handshake");
	return other_error(code, err);
}

/* --- handshake -------------------------------------------------------------------------------- */

static bool is_tls13(const struct tls *tls)
{
	return mbedtls_ssl_get_version_number(&tls->ssl) == MBEDTLS_SSL_VERSION_TLS1_3;
}

/* mbedTLS 3.6 changes the keys for writing in TLS 1.3 only when it next has a handshake message to
 * write. An alert in between leaves under keys that the peer has given up (a server's, after its
 * Finished) or in the clear (a client's, after ServerHello), and the peer reports a bad record
 * where it should hear the reason (RFC 8446, 7.3 and A). Nothing but alerts is written in
 * these states, so the keys are changed here; mbedTLS sets them anew, with a fresh counter, when
 * it comes to it. */
static void write_under(struct tls *tls, mbedtls_ssl_transform *keys)
{
	mbedtls_ssl_context *ssl = &tls->ssl;

	ssl->MBEDTLS_PRIVATE(transform_out) = keys;
	memset(ssl->MBEDTLS_PRIVATE(cur_out_ctr), 0, sizeof ssl->MBEDTLS_PRIVATE(cur_out_ctr));
}

/* Is the client in the midst of the server's flight, and writes nothing but alerts? */
static bool client_listens(const struct tls *tls)
{
	if (!is_tls13(tls) || tls->ssl.MBEDTLS_PRIVATE(transform_in) == NULL)
		return false;
	switch (tls->ssl.MBEDTLS_PRIVATE(state)) {
	case MBEDTLS_SSL_ENCRYPTED_EXTENSIONS:
	case MBEDTLS_SSL_CERTIFICATE_REQUEST:
	case MBEDTLS_SSL_SERVER_CERTIFICATE:
	case MBEDTLS_SSL_CERTIFICATE_VERIFY:
	case MBEDTLS_SSL_SERVER_FINISHED: return true;
	default: return false;
	}
}

static int step_with_keys(struct tls *tls)
{
	mbedtls_ssl_context *ssl = &tls->ssl;
	bool client = tls->context->role == TLS_CLIENT;
	bool lent = client && client_listens(tls);
	int code;

	if (lent)
		write_under(tls, ssl->MBEDTLS_PRIVATE(transform_in));
	code = mbedtls_ssl_handshake_step(ssl);
	/* The client's ChangeCipherSpec, which comes next, goes in the clear. */
	if (lent && (code == 0 || code == MBEDTLS_ERR_SSL_WANT_READ))
		write_under(tls, NULL);
	if (!client && code == 0 && ssl->MBEDTLS_PRIVATE(transform_application) != NULL &&
	    ssl->MBEDTLS_PRIVATE(state) < MBEDTLS_SSL_HANDSHAKE_OVER)
		write_under(tls, ssl->MBEDTLS_PRIVATE(transform_application));
	return code;
}

/* After every step of a server that asked for a certificate: OK, or the end with its alert. A bad
 * certificate is met here in the step that judged it, long before the peer is believed anything. */
static enum status judge_client(struct tls *tls, struct error *err)
{
	uint32_t flags = mbedtls_ssl_get_verify_result(&tls->ssl);
	bool is_over = mbedtls_ssl_is_handshake_over(&tls->ssl);

	if (tls->context->peer_cert == TLS_PEER_CERT_NONE)
		return STATUS_OK;
	if (tls->verify->was_run && flags != 0) {
		(void)mbedtls_ssl_send_alert_message(&tls->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
		    tls_verify_alert(flags));
		return tls_verify_error(tls->verify, flags, err);
	}
	/* All bits are set as long as nothing was judged. */
	if (tls->context->peer_cert == TLS_PEER_CERT_REQUIRED && !tls->verify->was_run &&
	    (is_over || (flags != UINT32_MAX && (flags & MBEDTLS_X509_BADCERT_MISSING) != 0))) {
		(void)mbedtls_ssl_send_alert_message(&tls->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
		    is_tls13(tls) ? MBEDTLS_SSL_ALERT_MSG_CERT_REQUIRED :
				    MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
		return error_set(err, STATUS_TLS_VERIFY, "the client showed no certificate, which "
		    "this server requires");
	}
	return STATUS_OK;
}

static enum status handshake_failure(struct tls *tls, int code, struct error *err)
{
	uint32_t flags = mbedtls_ssl_get_verify_result(&tls->ssl);

	if (tls->verify->was_run && flags != 0 && flags != UINT32_MAX)
		return tls_verify_error(tls->verify, flags, err);
	return failure(tls, code, err);
}

/* What only the handshake needs goes back. In TLS 1.3 mbedTLS keeps it to the end of the session
 * (5 KB, secrets among it), and a set of keys made for 1.2 that was never filled; in 1.2 it has
 * given both back by itself. Nothing of it is touched after a handshake: see the tests of what may
 * come then. */
static void clean_up_handshake(struct tls *tls)
{
	mbedtls_ssl_context *ssl = &tls->ssl;

	if (ssl->MBEDTLS_PRIVATE(handshake) != NULL) {
		mbedtls_ssl_handshake_free(ssl);
		mbedtls_free(ssl->MBEDTLS_PRIVATE(handshake));
		ssl->MBEDTLS_PRIVATE(handshake) = NULL;
	}
	if (ssl->MBEDTLS_PRIVATE(transform_negotiate) != NULL) {
		mbedtls_ssl_transform_free(ssl->MBEDTLS_PRIVATE(transform_negotiate));
		mbedtls_free(ssl->MBEDTLS_PRIVATE(transform_negotiate));
		ssl->MBEDTLS_PRIVATE(transform_negotiate) = NULL;
	}
	mbedtls_ssl_set_verify(ssl, NULL, NULL);
	free(tls->verify);
	tls->verify = NULL;
	tls_buffers_take_over(tls->buffers, &tls->loan, ssl);
}

enum status tls_handshake(struct tls *tls, struct error *err)
{
	if (tls->handshake_done)
		return STATUS_OK;
	/* Not is_handshake_over: a TLS 1.3 server still writes its ticket after that. */
	while (tls->ssl.MBEDTLS_PRIVATE(state) != MBEDTLS_SSL_HANDSHAKE_OVER) {
		int code;
		enum status status;

		tls->starved = false;
		code = step_with_keys(tls);
		if (code == MBEDTLS_ERR_SSL_WANT_READ && tls->starved)
			return STATUS_AGAIN;
		if (code != 0 && code != MBEDTLS_ERR_SSL_WANT_READ)
			return handshake_failure(tls, code, err);
		status = tls->context->role == TLS_SERVER ? judge_client(tls, err) : STATUS_OK;
		if (status != STATUS_OK)
			return status;
	}
	tls->handshake_done = true;
	tls->certified = tls->verify->was_run && mbedtls_ssl_get_verify_result(&tls->ssl) == 0;
	clean_up_handshake(tls);
	return STATUS_OK;
}

/* --- data ------------------------------------------------------------------------------------- */

static enum status read_some(struct tls *tls, void *to, size_t max, size_t *ret_len,
    struct error *err)
{
	int code;

	/* Messages that are no data, such as a server's ticket (clients of ours do not resume), end
	 * a read too: with "want read" although bytes behind them are there to be received. Two
	 * empty records give 0, as the end of the stream does. */
	do {
		tls->starved = false;
		code = mbedtls_ssl_read(&tls->ssl, to, max);
	} while (code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET ||
	    (code == MBEDTLS_ERR_SSL_WANT_READ && !tls->starved) || (code == 0 && !tls->ended));
	if (code > 0) {
		*ret_len = (size_t)code;
		return STATUS_OK;
	}
	if (code == MBEDTLS_ERR_SSL_WANT_READ)
		return STATUS_AGAIN;
	if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
		tls->peer_closed = true;
		return STATUS_EOF;
	}
	/* mbedTLS knows no KeyUpdate and leaves the peer that sends one without a word. */
	if (code == MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE)
		(void)mbedtls_ssl_send_alert_message(&tls->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
		    MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE);
	return failure(tls, code == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : code, err);
}

enum status tls_read(struct tls *tls, void *to, size_t max, size_t *ret_len, struct error *err)
{
	enum status status;

	if (tls->peer_closed)
		return STATUS_EOF;
	if (!tls_buffers_borrow_in(&tls->loan, &tls->ssl))
		return error_set(err, STATUS_NOMEM, "out of memory");
	tls_buffers_borrow_out(&tls->loan, &tls->ssl);
	status = read_some(tls, to, max, ret_len, err);
	tls_buffers_return_out(&tls->loan, &tls->ssl);
	tls_buffers_return_in(&tls->loan, &tls->ssl);
	return status;
}

bool tls_has_plaintext(const struct tls *tls)
{
	return tls->handshake_done && mbedtls_ssl_get_bytes_avail(&tls->ssl) > 0;
}

enum status tls_write(struct tls *tls, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	enum status status = STATUS_OK;

	assert(len > 0 && len <= TLS_RECORD_MAX);
	tls_buffers_borrow_out(&tls->loan, &tls->ssl);
	while (status == STATUS_OK && len > 0) {
		int code = mbedtls_ssl_write(&tls->ssl, at, len);

		if (tls->send_failed || code == MBEDTLS_ERR_SSL_ALLOC_FAILED) {
			status = STATUS_NOMEM;
		} else if (code <= 0) {
			status = STATUS_TLS;
		} else {
			at += code;
			len -= (size_t)code;
		}
	}
	tls_buffers_return_out(&tls->loan, &tls->ssl);
	return status;
}

enum status tls_close_notify(struct tls *tls)
{
	int code;

	tls_buffers_borrow_out(&tls->loan, &tls->ssl);
	code = mbedtls_ssl_close_notify(&tls->ssl);
	tls_buffers_return_out(&tls->loan, &tls->ssl);
	if (tls->send_failed)
		return STATUS_NOMEM;
	return code == 0 ? STATUS_OK : STATUS_TLS;
}

/* --- facts ------------------------------------------------------------------------------------ */

/* mbedTLS writes its own spelling ("TLS1-3-AES-128-GCM-SHA256"); people and tools know IANA's. */
static const char *cipher_name(const struct tls *tls)
{
	switch (mbedtls_ssl_get_ciphersuite_id_from_ssl(&tls->ssl)) {
	case MBEDTLS_TLS1_3_AES_128_GCM_SHA256: return "TLS_AES_128_GCM_SHA256";
	case MBEDTLS_TLS1_3_AES_256_GCM_SHA384: return "TLS_AES_256_GCM_SHA384";
	case MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256: return "TLS_CHACHA20_POLY1305_SHA256";
	case MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:
		return "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
	case MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:
		return "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
	case MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:
		return "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
	case MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:
		return "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
	case MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256:
		return "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
	case MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:
		return "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";
	default: return "unknown";
	}
}

void tls_get_info(const struct tls *tls, struct tls_info *ret)
{
	const mbedtls_x509_crt *peer = mbedtls_ssl_get_peer_cert(&tls->ssl);

	*ret = (struct tls_info){
	    .version = is_tls13(tls) ? "TLSv1.3" : "TLSv1.2",
	    .cipher = cipher_name(tls),
	    .resumed_or_uncertified = !tls->certified,
	};
	/* A certificate that was not verified in this very handshake counts as none. */
	if (peer == NULL || !tls->certified)
		return;
	tls_context_fingerprint(peer, ret->peer_fingerprint);
	if (tls->context->role == TLS_SERVER)
		tls_verify_user(peer, ret->peer_user, ret->peer_user_problem,
		    sizeof ret->peer_user_problem);
}

void tls_forget_peer(struct tls *tls)
{
	mbedtls_ssl_session *session = tls->ssl.MBEDTLS_PRIVATE(session);

	if (!tls->handshake_done || session->MBEDTLS_PRIVATE(peer_cert) == NULL)
		return;
	mbedtls_x509_crt_free(session->MBEDTLS_PRIVATE(peer_cert));
	mbedtls_free(session->MBEDTLS_PRIVATE(peer_cert));
	session->MBEDTLS_PRIVATE(peer_cert) = NULL;
}
