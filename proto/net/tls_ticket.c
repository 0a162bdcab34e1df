/*
 * Session tickets. A session in which the client showed a certificate must come back by a full
 * handshake, because a resumed one shows no certificate: mbedTLS knows none after a resumption in
 * TLS 1.3, and in 1.2 nobody would look whether it was revoked since. So such tickets are marked,
 * and declined when they come back.
 *
 * The mark is the key: tickets of sessions with a certificate are sealed by a second ticket
 * context that is never asked to open one. A client can change no bit of a ticket without
 * breaking its seal, so it cannot take the mark off; the server sees a ticket under a key it does
 * not have, as after a restart, and goes on with a full handshake in both versions. And were a
 * ticket to pass wrongly, its session would name no user: tls.c takes one only from a
 * verification in the very same handshake.
 */
#include "net/tls_private.h"

#include <mbedtls/psa_util.h>

#define LIFETIME_S 86400

void tls_ticket_init(struct tls_tickets *tickets)
{
	mbedtls_ssl_ticket_init(&tickets->open);
	mbedtls_ssl_ticket_init(&tickets->shown);
}

void tls_ticket_release(struct tls_tickets *tickets)
{
	mbedtls_ssl_ticket_free(&tickets->open);
	mbedtls_ssl_ticket_free(&tickets->shown);
}

static int write_ticket(void *arg, const mbedtls_ssl_session *session, unsigned char *start,
    const unsigned char *end, size_t *ret_len, uint32_t *ret_lifetime)
{
	struct tls_tickets *tickets = arg;
	bool shown = session->MBEDTLS_PRIVATE(peer_cert) != NULL;

	return mbedtls_ssl_ticket_write(shown ? &tickets->shown : &tickets->open, session, start,
	    end, ret_len, ret_lifetime);
}

static int parse_ticket(void *arg, mbedtls_ssl_session *session, unsigned char *bytes, size_t len)
{
	struct tls_tickets *tickets = arg;

	return mbedtls_ssl_ticket_parse(&tickets->open, session, bytes, len);
}

int tls_ticket_configure(struct tls_tickets *tickets, mbedtls_ssl_config *config)
{
	int code = mbedtls_ssl_ticket_setup(&tickets->open, mbedtls_psa_get_random,
	    MBEDTLS_PSA_RANDOM_STATE, MBEDTLS_CIPHER_AES_256_GCM, LIFETIME_S);

	if (code == 0)
		code = mbedtls_ssl_ticket_setup(&tickets->shown, mbedtls_psa_get_random,
		    MBEDTLS_PSA_RANDOM_STATE, MBEDTLS_CIPHER_AES_256_GCM, LIFETIME_S);
	if (code != 0)
		return code;
	mbedtls_ssl_conf_session_tickets_cb(config, write_ticket, parse_ticket, tickets);
	mbedtls_ssl_conf_new_session_tickets(config, 1);
	return 0;
}
