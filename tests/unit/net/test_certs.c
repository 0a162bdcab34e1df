#include "test_certs.h"

#include <mbedtls/oid.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

#include "tests/unit/unit.h"

#define RNG mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE

static void make_key(mbedtls_pk_context *pk, enum test_key kind)
{
	mbedtls_pk_init(pk);
	if (kind == TEST_KEY_RSA2048) {
		CHECK(mbedtls_pk_setup(pk, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)) == 0);
		CHECK(mbedtls_rsa_gen_key(mbedtls_pk_rsa(*pk), RNG, 2048, 65537) == 0);
		return;
	}
	CHECK(mbedtls_pk_setup(pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
	CHECK(mbedtls_ecp_gen_key(kind == TEST_KEY_P384 ? MBEDTLS_ECP_DP_SECP384R1 :
							  MBEDTLS_ECP_DP_SECP256R1,
		  mbedtls_pk_ec(*pk), RNG) == 0);
}

static void put_names(mbedtls_x509write_cert *write, const struct test_cert_options *options)
{
	mbedtls_x509_san_list names[4];
	size_t count = 0;

	memset(names, 0, sizeof names);
	if (options->dns != NULL) {
		names[count].node.type = MBEDTLS_X509_SAN_DNS_NAME;
		names[count].node.san.unstructured_name.p = (unsigned char *)(uintptr_t)options->dns;
		names[count++].node.san.unstructured_name.len = strlen(options->dns);
	}
	if (options->ipv4 != NULL) {
		names[count].node.type = MBEDTLS_X509_SAN_IP_ADDRESS;
		names[count].node.san.unstructured_name.p =
		    (unsigned char *)(uintptr_t)options->ipv4;
		names[count++].node.san.unstructured_name.len = 4;
	}
	for (size_t i = 0; i < 2; i++)
		if (options->uri[i] != NULL) {
			names[count].node.type = MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER;
			names[count].node.san.unstructured_name.p =
			    (unsigned char *)(uintptr_t)options->uri[i];
			names[count++].node.san.unstructured_name.len = strlen(options->uri[i]);
		}
	for (size_t i = 0; i + 1 < count; i++)
		names[i].next = &names[i + 1];
	if (count > 0)
		CHECK(mbedtls_x509write_crt_set_subject_alternative_name(write, names) == 0);
}

static void put_usage(mbedtls_x509write_cert *write, const struct test_cert_options *options)
{
	const char *oid = MBEDTLS_OID_SERVER_AUTH;
	mbedtls_asn1_sequence usage = {0};

	if (options->is_ca)
		return;
	if (options->for_client)
		oid = MBEDTLS_OID_CLIENT_AUTH;
	usage.buf.tag = MBEDTLS_ASN1_OID;
	usage.buf.p = (unsigned char *)(uintptr_t)oid;
	usage.buf.len = MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH);
	CHECK(mbedtls_x509write_crt_set_ext_key_usage(write, &usage) == 0);
}

void test_cert_make(struct test_cert *cert, const struct test_cert_options *options)
{
	const struct test_cert *issuer = options->issuer != NULL ? options->issuer : cert;
	static unsigned char serial = 1;
	mbedtls_pk_context key, issuer_key;
	mbedtls_x509write_cert write;

	snprintf(cert->subject, sizeof cert->subject, "CN=%s", options->name);
	cert->sha384 = options->sha384;
	make_key(&key, options->key);
	CHECK(mbedtls_pk_write_key_pem(&key, (unsigned char *)cert->key, sizeof cert->key) == 0);
	mbedtls_pk_init(&issuer_key);
	CHECK(mbedtls_pk_parse_key(&issuer_key, (const unsigned char *)issuer->key,
		  strlen(issuer->key) + 1, NULL, 0, RNG) == 0);

	mbedtls_x509write_crt_init(&write);
	mbedtls_x509write_crt_set_version(&write, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&write, issuer->sha384 ? MBEDTLS_MD_SHA384 :
								  MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&write, &key);
	mbedtls_x509write_crt_set_issuer_key(&write, &issuer_key);
	CHECK(mbedtls_x509write_crt_set_subject_name(&write, cert->subject) == 0);
	CHECK(mbedtls_x509write_crt_set_issuer_name(&write, issuer->subject) == 0);
	CHECK(mbedtls_x509write_crt_set_serial_raw(&write, &serial, 1) == 0);
	serial++;
	CHECK(mbedtls_x509write_crt_set_validity(&write,
		  options->not_before != NULL ? options->not_before : "20200101000000",
		  options->not_after != NULL ? options->not_after : "20991231235959") == 0);
	CHECK(mbedtls_x509write_crt_set_basic_constraints(&write, options->is_ca, -1) == 0);
	put_names(&write, options);
	put_usage(&write, options);
	CHECK(mbedtls_x509write_crt_pem(&write, (unsigned char *)cert->pem, sizeof cert->pem,
		  RNG) == 0);
	mbedtls_x509write_crt_free(&write);
	mbedtls_pk_free(&key);
	mbedtls_pk_free(&issuer_key);
}

static struct slice slice_or_none(const char *text)
{
	return text != NULL ? slice_of(text) : slice_make(NULL, 0);
}

struct tls_context *test_context(enum tls_role role, const struct test_cert *own, const char *ca,
    enum tls_peer_cert peer_cert)
{
	struct tls_options options = {
	    .role = role,
	    .cert = slice_or_none(own != NULL ? own->pem : NULL),
	    .key = slice_or_none(own != NULL ? own->key : NULL),
	    .ca = slice_or_none(ca),
	    .peer_cert = peer_cert,
	};
	struct tls_context *context = NULL;
	struct error err = {0};

	if (tls_context_new(&options, &context, &err) != STATUS_OK) {
		fprintf(stderr, "test_context: %s\n", err.text);
		exit(1);
	}
	return context;
}

const struct test_certs *test_certs_usual(void)
{
	static struct test_certs certs;
	static const unsigned char loopback[4] = {127, 0, 0, 1};

	if (certs.ca.pem[0] != '\0')
		return &certs;
	CHECK(tls_startup(NULL) == STATUS_OK);
	test_cert_make(&certs.ca, &(struct test_cert_options){.name = "Test CA", .is_ca = true});
	test_cert_make(&certs.server,
	    &(struct test_cert_options){
		.name = "localhost", .issuer = &certs.ca, .dns = "localhost", .ipv4 = loopback});
	test_cert_make(&certs.client,
	    &(struct test_cert_options){.name = "alice",
		.issuer = &certs.ca,
		.for_client = true,
		.uri = {"confab:user/alice"}});
	return &certs;
}
