#include "lib/identity.h"

#include "os/file.h"

#define PEM_MAX (4 << 20) /* a bundle of all public authorities is about 220 KiB */

static enum status read_part(const char *path, struct buf *to, struct error *err)
{
	return path != NULL ? file_read(path, to, err) : STATUS_OK;
}

enum status identity_load(const char *ca_file, const char *cert_file, const char *key_file,
    struct tls_context **ret, struct error *err)
{
	struct buf ca, cert, key;
	enum status status;

	if ((cert_file == NULL) != (key_file == NULL))
		return error_set(err, STATUS_USAGE,
		    "a client certificate and its key belong "
		    "together: %s is missing",
		    cert_file == NULL ? "the certificate" : "the key");
	buf_init(&ca, PEM_MAX);
	buf_init(&cert, PEM_MAX);
	buf_init(&key, PEM_MAX);
	if ((status = read_part(ca_file, &ca, err)) == STATUS_OK &&
	    (status = read_part(cert_file, &cert, err)) == STATUS_OK &&
	    (status = read_part(key_file, &key, err)) == STATUS_OK) {
		struct tls_options options = {
		    .role = TLS_CLIENT,
		    .cert = buf_slice(&cert),
		    .key = buf_slice(&key),
		    .ca = buf_slice(&ca),
		    .ca_from_system = ca_file == NULL,
		    .cert_name = cert_file,
		    .key_name = key_file,
		    .ca_name = ca_file,
		};
		status = tls_context_new(&options, ret, err);
	}
	buf_release(&ca);
	buf_release(&cert);
	buf_release_secret(&key);
	return status;
}
