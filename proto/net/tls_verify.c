#include "net/tls_private.h"

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>

#define USER_PREFIX "confab:user/"

bool tls_verify_init(struct tls_verify *verify, enum tls_role role, const char *host)
{
	struct slice name = host != NULL ? slice_of(host) : slice_make("", 0);
	const char *zone;

	*verify = (struct tls_verify){.role = role};
	/* "fe80::1%eth0": the zone means something to this machine only. */
	if (name.len > 0 && memchr(name.ptr, ':', name.len) != NULL &&
	    (zone = memchr(name.ptr, '%', name.len)) != NULL)
		name.len = (size_t)(zone - name.ptr);
	/* "example.org." and "example.org" are one name; certificates have the second form. */
	if (name.len > 1 && name.ptr[name.len - 1] == '.')
		name.len--;
	if (!str_copy(verify->host, sizeof verify->host, name))
		return false;
	if (verify->host[0] != '\0') {
		uint32_t ip[4]; /* the parser wants its target aligned */

		verify->ip_len = mbedtls_x509_crt_parse_cn_inet_pton(verify->host, ip);
		memcpy(verify->ip, ip, verify->ip_len);
	}
	return true;
}

static void put_date(char to[TLS_DATE_SIZE], const mbedtls_x509_time *when)
{
	char text[48];

	snprintf(text, sizeof text, "%04d-%02d-%02d", when->year, when->mon, when->day);
	str_copy(to, TLS_DATE_SIZE, slice_of(text));
}

/* Bytes of a stranger's certificate go to a person's terminal: printable ASCII only. */
static void put_printable(char *to, size_t size, const unsigned char *ptr, size_t len)
{
	size_t used = strlen(to);

	for (size_t i = 0; i < len && used + 1 < size; i++)
		to[used++] = ptr[i] >= 0x20 && ptr[i] < 0x7f ? (char)ptr[i] : '?';
	to[used] = '\0';
}

static void put_text(char *to, size_t size, const char *text)
{
	put_printable(to, size, (const unsigned char *)text, strlen(text));
}

static void put_ip(char *to, size_t size, const unsigned char *ip, size_t len)
{
	char text[48];

	if (len == 4) {
		snprintf(text, sizeof text, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
		put_text(to, size, text);
		return;
	}
	for (size_t i = 0; i + 1 < len; i += 2) {
		snprintf(text, sizeof text, "%s%x", i > 0 ? ":" : "",
		    (unsigned)ip[i] << 8 | ip[i + 1]);
		put_text(to, size, text);
	}
}

/* The value of the subject's common name, which is all that very old certificates have. */
static void put_common_name(char *to, size_t size, const mbedtls_x509_name *name)
{
	for (; name != NULL; name = name->next)
		if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &name->oid) == 0)
			put_printable(to, size, name->val.p, name->val.len);
}

/* "'chat.example.org', '192.0.2.1'": whom the certificate is for. */
static void put_names(char *to, size_t size, const mbedtls_x509_crt *cert)
{
	bool has_extension = mbedtls_x509_crt_has_ext_type(cert, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME);
	const mbedtls_x509_sequence *name = &cert->subject_alt_names;

	to[0] = '\0';
	for (; has_extension && name != NULL; name = name->next) {
		int kind = name->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK;

		if (kind != MBEDTLS_X509_SAN_DNS_NAME && kind != MBEDTLS_X509_SAN_IP_ADDRESS)
			continue;
		if (strlen(to) > size / 2) {
			put_text(to, size, ", ...");
			return;
		}
		put_text(to, size, to[0] != '\0' ? ", '" : "'");
		if (kind == MBEDTLS_X509_SAN_DNS_NAME)
			put_printable(to, size, name->buf.p, name->buf.len);
		else
			put_ip(to, size, name->buf.p, name->buf.len);
		put_text(to, size, "'");
	}
	if (to[0] == '\0') {
		put_text(to, size, "'");
		put_common_name(to, size, &cert->subject);
		put_text(to, size, "'");
	}
}

/* Addresses are compared here and not by mbedTLS, because the name given to mbedTLS for comparing
 * is also sent as SNI, where an address must not stand (RFC 6066, 3). */
static bool names_ip(const mbedtls_x509_crt *cert, const struct tls_verify *verify)
{
	const mbedtls_x509_sequence *name = &cert->subject_alt_names;

	if (!mbedtls_x509_crt_has_ext_type(cert, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME))
		return false;
	for (; name != NULL; name = name->next)
		if ((name->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == MBEDTLS_X509_SAN_IP_ADDRESS &&
		    name->buf.len == verify->ip_len &&
		    memcmp(name->buf.p, verify->ip, verify->ip_len) == 0)
			return true;
	return false;
}

int tls_verify_callback(void *arg, mbedtls_x509_crt *cert, int depth, uint32_t *flags)
{
	struct tls_verify *verify = arg;

	verify->was_run = true;
	if (depth == 0 && verify->ip_len > 0 && !names_ip(cert, verify))
		*flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
	if (*flags & MBEDTLS_X509_BADCERT_EXPIRED)
		put_date(verify->expired, &cert->valid_to);
	if (*flags & MBEDTLS_X509_BADCERT_FUTURE)
		put_date(verify->begins, &cert->valid_from);
	if (*flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
		put_names(verify->names, sizeof verify->names, cert);
	if (*flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) {
		verify->issuer[0] = '\0';
		put_common_name(verify->issuer, sizeof verify->issuer, &cert->issuer);
	}
	verify->flags |= *flags;
	return 0;
}

#define BAD_USAGE                                                                                  \
	(MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |                     \
	    MBEDTLS_X509_BADCERT_NS_CERT_TYPE)
#define BAD_STRENGTH                                                                               \
	(MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY)
#define BAD_CRL                                                                                    \
	(MBEDTLS_X509_BADCRL_NOT_TRUSTED | MBEDTLS_X509_BADCRL_EXPIRED |                           \
	    MBEDTLS_X509_BADCRL_FUTURE | MBEDTLS_X509_BADCRL_BAD_MD | MBEDTLS_X509_BADCRL_BAD_PK | \
	    MBEDTLS_X509_BADCRL_BAD_KEY)

unsigned char tls_verify_alert(uint32_t flags)
{
	if (flags & MBEDTLS_X509_BADCERT_REVOKED)
		return MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED;
	if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
		return MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA;
	if (flags & MBEDTLS_X509_BADCERT_EXPIRED)
		return MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED;
	if (flags & (BAD_USAGE | BAD_STRENGTH))
		return MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT;
	if (flags & BAD_CRL)
		return MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN;
	return MBEDTLS_SSL_ALERT_MSG_BAD_CERT;
}

/* The gravest reason first: what a person would have to solve before the others matter. */
enum status tls_verify_error(const struct tls_verify *verify, uint32_t flags, struct error *err)
{
	bool client = verify->role == TLS_CLIENT;
	const char *whose = client ? "the server's certificate" : "the client's certificate";
	enum status status = STATUS_TLS_VERIFY;

	if (flags & MBEDTLS_X509_BADCERT_REVOKED)
		return error_set(err, status, "%s was revoked by its authority", whose);
	if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
		return error_set(err, status, "%s was issued by an authority that is not trusted "
		    "('%s')%s", whose, verify->issuer,
		    client ? "; give its CA with --ca" : "");
	if (flags & MBEDTLS_X509_BADCERT_EXPIRED)
		return error_set(err, status, "%s or one in its chain expired on %s", whose,
		    verify->expired);
	if (flags & MBEDTLS_X509_BADCERT_FUTURE)
		return error_set(err, status, "%s is not yet valid until %s (check this machine's "
		    "clock)", whose, verify->begins);
	if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
		return error_set(err, status, "%s is for %s, not for '%s'", whose, verify->names,
		    verify->host);
	if (flags & BAD_USAGE)
		return error_set(err, status, "%s is not made for a %s (its key usage says so)",
		    whose, client ? "server" : "client");
	if (flags & BAD_STRENGTH)
		return error_set(err, status, "%s or one in its chain has a key or signature that "
		    "is too weak or not supported", whose);
	if (flags & BAD_CRL)
		return error_set(err, status, "%s cannot be checked: the list of withdrawn "
		    "certificates (CRL) is expired or not valid", whose);
	return error_set(err, status, "%s cannot be verified (code 0x%lx)", whose,
	    (unsigned long)flags);
}

static bool is_user_name(struct slice name)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";

	if (name.len == 0 || name.len >= TLS_USER_SIZE)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (c == '\0' ||
		    (strchr(first, c) == NULL && (i == 0 || strchr("._-", c) == NULL)))
			return false;
	}
	return true;
}

void tls_verify_user(const mbedtls_x509_crt *cert, char user[TLS_USER_SIZE], char *problem,
    size_t problem_size)
{
	const mbedtls_x509_sequence *name = &cert->subject_alt_names;
	struct slice found = {NULL, 0};
	unsigned count = 0;

	user[0] = problem[0] = '\0';
	if (!mbedtls_x509_crt_has_ext_type(cert, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME))
		name = NULL;
	for (; name != NULL; name = name->next) {
		struct slice uri = slice_make((const char *)name->buf.p, name->buf.len);

		if ((name->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) !=
			MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER ||
		    !slice_starts(uri, USER_PREFIX))
			continue;
		found = slice_make(uri.ptr + strlen(USER_PREFIX), uri.len - strlen(USER_PREFIX));
		count++;
	}
	if (count == 0)
		snprintf(problem, problem_size, "the certificate has no URI name " USER_PREFIX
		    "NAME");
	else if (count > 1)
		snprintf(problem, problem_size, "the certificate names more than one user");
	else if (!is_user_name(found))
		snprintf(problem, problem_size, "the user named in the certificate is no valid "
		    "name");
	else
		str_copy(user, TLS_USER_SIZE, found);
}
