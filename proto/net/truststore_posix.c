#include "net/truststore.h"

#include "base/buf.h"
#include "os/file.h"

#define BUNDLE_MAX (16u << 20) /* bytes; the usual ones have a quarter of one MiB */

enum status truststore_each(
    void (*fn)(void *arg, struct slice der_or_pem), void *arg, struct error *err)
{
	/* Debian and its kin, Red Hat's, SUSE's, Alpine's and the BSDs', FreeBSD's package. */
	static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt",
	    "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
	    "/usr/local/share/certs/ca-root-nss.crt"};
	struct buf bundle;
	enum status status = STATUS_NOT_FOUND;

	buf_init(&bundle, BUNDLE_MAX);
	for (size_t i = 0; i < sizeof places / sizeof *places && status == STATUS_NOT_FOUND; i++)
		status = file_read(places[i], &bundle, err);
	if (status == STATUS_OK)
		fn(arg, buf_slice(&bundle));
	else if (status == STATUS_NOT_FOUND)
		error_set(err, status,
		    "this system has no list of trusted certificate authorities (%s and %zu other "
		    "places were looked at); install ca-certificates or name a CA file",
		    places[0], sizeof places / sizeof *places - 1);
	buf_release(&bundle);
	return status;
}
