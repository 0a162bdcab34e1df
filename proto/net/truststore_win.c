#include "net/truststore.h"

#include <windows.h>
#include <wincrypt.h>

/* The store holds the authorities that Windows has met or was told of; it fetches others of its
 * list only when its own TLS meets them, so a rare public authority may be missing here. */
enum status truststore_each(
    void (*fn)(void *arg, struct slice der_or_pem), void *arg, struct error *err)
{
	HCERTSTORE store = CertOpenSystemStoreW(0, L"ROOT");
	const CERT_CONTEXT *cert = NULL;
	size_t count = 0;

	/* Each call frees the certificate that it is given. */
	while (store != NULL && (cert = CertEnumCertificatesInStore(store, cert)) != NULL) {
		if ((cert->dwCertEncodingType & X509_ASN_ENCODING) == 0)
			continue;
		fn(arg, slice_make((const char *)cert->pbCertEncoded, cert->cbCertEncoded));
		count++;
	}
	if (store != NULL)
		CertCloseStore(store, 0);
	if (count == 0)
		return error_set(err, STATUS_NOT_FOUND,
		    "the ROOT certificate store of this Windows user is empty; name a CA file");
	return STATUS_OK;
}
