/*
 * Record buffers on loan. mbedTLS gives every session two buffers of 16 KB, which between two
 * records are empty: an idle connection would hold 33 KB for nothing. So after the handshake a
 * session has none of its own. It borrows the pair of its thread for the time of a call and gives
 * it back when the call leaves nothing behind; a session with half a record or with plaintext
 * that was not fetched yet keeps the one for input until that is dealt with.
 *
 * No plaintext of one session is left behind for the next: mbedTLS wipes what it hands out and
 * encrypts in place what it sends, and all else that comes in is wiped here. What must outlive a
 * loan is the receive counter, which mbedTLS keeps in the first bytes of the buffer.
 */
#include "net/tls_private.h"

#include <assert.h>
#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>
#include <stdlib.h>

/* Sequence number, header, IV, content, MAC and padding: more than mbedTLS takes in any
 * configuration, and what there is of it surely. */
#define BUFFER_SIZE (MBEDTLS_SSL_IN_CONTENT_LEN + 1024)
#define BUFFER_USED (MBEDTLS_SSL_IN_CONTENT_LEN + 32)
_Static_assert(MBEDTLS_SSL_IN_CONTENT_LEN == 16384 && MBEDTLS_SSL_OUT_CONTENT_LEN == 16384,
    "records of the largest size, either way");

struct tls_buffers {
	unsigned char *in; /* NULL: lent to a session that keeps it */
	unsigned char *out;
};

static unsigned char *buffer_new(void)
{
	return mbedtls_calloc(1, BUFFER_SIZE);
}

static void buffer_free(unsigned char *buffer)
{
	if (buffer == NULL)
		return;
	mbedtls_platform_zeroize(buffer, BUFFER_USED);
	mbedtls_free(buffer);
}

struct tls_buffers *tls_buffers_new(void)
{
	struct tls_buffers *buffers = calloc(1, sizeof *buffers);

	if (buffers == NULL)
		return NULL;
	buffers->in = buffer_new();
	buffers->out = buffer_new();
	if (buffers->in == NULL || buffers->out == NULL) {
		tls_buffers_free(buffers);
		return NULL;
	}
	return buffers;
}

void tls_buffers_free(struct tls_buffers *buffers)
{
	if (buffers == NULL)
		return;
	buffer_free(buffers->in);
	buffer_free(buffers->out);
	free(buffers);
}

void tls_buffers_take_over(struct tls_buffers *from, struct tls_loan *loan,
    mbedtls_ssl_context *ssl)
{
	if (from == NULL)
		return;
	loan->from = from;
	buffer_free(ssl->MBEDTLS_PRIVATE(out_buf));
	ssl->MBEDTLS_PRIVATE(out_buf) = NULL;
	tls_buffers_return_in(loan, ssl);
}

bool tls_buffers_borrow_in(struct tls_loan *loan, mbedtls_ssl_context *ssl)
{
	struct tls_buffers *from = loan->from;
	unsigned char *buffer;

	if (ssl->MBEDTLS_PRIVATE(in_buf) != NULL)
		return true;
	buffer = from->in != NULL ? from->in : buffer_new();
	if (buffer == NULL)
		return false;
	from->in = NULL;
	ssl->MBEDTLS_PRIVATE(in_buf) = buffer;
	mbedtls_ssl_reset_in_pointers(ssl);
	memcpy(ssl->MBEDTLS_PRIVATE(in_ctr), loan->in_ctr, sizeof loan->in_ctr);
	return true;
}

/* Is there nothing in the buffer that a later call wants? `in_hdr` leaves its place while the
 * pieces of a handshake message are put together. */
static bool is_empty(const mbedtls_ssl_context *ssl)
{
	size_t hslen = ssl->MBEDTLS_PRIVATE(in_hslen);

	return ssl->MBEDTLS_PRIVATE(in_left) == 0 && ssl->MBEDTLS_PRIVATE(in_offt) == NULL &&
	    ssl->MBEDTLS_PRIVATE(keep_current_message) == 0 &&
	    (hslen == 0 || hslen >= ssl->MBEDTLS_PRIVATE(in_msglen)) &&
	    ssl->MBEDTLS_PRIVATE(in_hdr) ==
		ssl->MBEDTLS_PRIVATE(in_buf) + sizeof((struct tls_loan *)NULL)->in_ctr;
}

void tls_buffers_return_in(struct tls_loan *loan, mbedtls_ssl_context *ssl)
{
	struct tls_buffers *from = loan->from;
	unsigned char *buffer = ssl->MBEDTLS_PRIVATE(in_buf);

	if (from == NULL || buffer == NULL || !is_empty(ssl))
		return;
	memcpy(loan->in_ctr, ssl->MBEDTLS_PRIVATE(in_ctr), sizeof loan->in_ctr);
	ssl->MBEDTLS_PRIVATE(in_buf) = NULL;
	if (from->in != NULL) {
		buffer_free(buffer);
		return;
	}
	if (ssl->MBEDTLS_PRIVATE(in_msgtype) != MBEDTLS_SSL_MSG_APPLICATION_DATA)
		mbedtls_platform_zeroize(buffer, BUFFER_USED);
	from->in = buffer;
}

void tls_buffers_borrow_out(struct tls_loan *loan, mbedtls_ssl_context *ssl)
{
	if (ssl->MBEDTLS_PRIVATE(out_buf) != NULL)
		return;
	assert(loan->from->out != NULL);
	ssl->MBEDTLS_PRIVATE(out_buf) = loan->from->out;
	loan->from->out = NULL;
	mbedtls_ssl_reset_out_pointers(ssl);
	mbedtls_ssl_update_out_pointers(ssl, ssl->MBEDTLS_PRIVATE(transform_out));
}

void tls_buffers_return_out(struct tls_loan *loan, mbedtls_ssl_context *ssl)
{
	if (loan->from == NULL)
		return;
	/* Without memory for it `send` did not take a record: the session is over. */
	ssl->MBEDTLS_PRIVATE(out_left) = 0;
	loan->from->out = ssl->MBEDTLS_PRIVATE(out_buf);
	ssl->MBEDTLS_PRIVATE(out_buf) = NULL;
}
