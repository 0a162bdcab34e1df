"""TLS as a client sees it: versions, suites, groups, ALPN, certificates of all kinds, tickets."""

import re
import subprocess

from confab_test import Authority, Client, Ended, Failure, Server, main, product_certs
from confab_test.wire import make_context


def refused(server, how, **options):
    """A connection that must fail with this alert, at the latest when its first line is read."""
    try:
        client = Client(server, **options)
        client.next_line()
    except Ended as why:
        if not re.search(how, why.how):
            raise Failure(f"it ended {why.how!r}, not {how!r}") from None
        return
    raise Failure("it was let in")


def is_well(server):
    client = Client(server)
    client.login("well")
    client.quit()


def s_client(server, *args):
    """What openssl says of a handshake."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile",
         server.certs.ca, "-servername", "localhost", "-alpn", "confab/1", *args],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    return done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")


def e2e__agree__on_both_versions():
    with Server("--guests") as server:
        for version, name in (("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")):
            client = Client(server, tls=version)
            client.login("ala")
            if client.request("whoami")["tls"]["version"] != name or client.tls.version() != name:
                raise Failure(f"not {name}")
            client.quit()


def e2e__refuse__older_versions():
    with Server("--guests") as server:
        for version in ("-tls1", "-tls1_1"):
            words = s_client(server, version, "-cipher", "DEFAULT@SECLEVEL=0")
            if "Cipher is (NONE)" not in words:
                raise Failure(words)
        server.wait_log("neither TLS 1.3 nor 1.2", count=2)
        is_well(server)


def e2e__agree__on_every_suite():
    with Server("--guests") as server:
        for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                      "ECDHE-ECDSA-CHACHA20-POLY1305"):
            client = Client(server, tls="1.2", ciphers=suite)
            if client.tls.cipher()[0] != suite:
                raise Failure(f"{client.tls.cipher()} instead of {suite}")
            client.login("ala")
            client.quit()
        for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                      "TLS_CHACHA20_POLY1305_SHA256"):
            words = s_client(server, "-tls1_3", "-ciphersuites", suite)
            if f"Cipher is {suite}" not in words:
                raise Failure(words)


def e2e__agree__on_every_group():
    """In TLS 1.2 the groups offered bind the certificate's curve, too."""
    for certs, groups in ((product_certs(), (("X25519:P-256", "X25519"), ("P-256", "prime256v1"))),
                          (Authority(key="p384"), (("P-384", "secp384r1"),))):
        with Server("--guests", certs=certs) as server:
            for offer, group in groups:
                for version in ("-tls1_3", "-tls1_2"):
                    words = s_client(server, version, "-groups", offer)
                    if "Verify return code: 0" not in words or \
                            not re.search(f"Server Temp Key: .*{group}", words):
                        raise Failure(f"{group} {version}: {words}")


def e2e__agree__after_another_group_was_asked_for():
    """A client whose first key share is of no use is asked for another (HelloRetryRequest)."""
    with Server("--guests") as server:
        words = s_client(server, "-tls1_3", "-groups", "X448:P-256")
        if "Verify return code: 0" not in words:
            raise Failure(words)


def e2e__refuse__weak_suites():
    with Server("--guests") as server:
        for suite in ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384",
                      "ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256", "AES128-SHA",
                      "DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA"):
            refused(server, "alert.*handshake_failure", tls="1.2", ciphers=suite)
        server.wait_log("refused: no cipher suite", count=7)
        is_well(server)


def e2e__refuse__weak_groups():
    with Server("--guests") as server:
        for group in ("X448", "P-521"):
            words = s_client(server, "-tls1_3", "-groups", group)
            if "Cipher is (NONE)" not in words:
                raise Failure(words)
        is_well(server)


def e2e__refuse__other_application_protocols():
    with Server("--guests") as server:
        for version in ("1.2", "1.3"):
            for offer in (("h2",), ("http/1.1", "h2"), ("confab/2",)):
                refused(server, "alert.*no_application_protocol", tls=version, alpn=offer)
        server.wait_log(r"refused:.*ALPN", count=6)
        is_well(server)


def e2e__agree__on_the_application_protocol():
    with Server("--guests") as server:
        client = Client(server, alpn=("h2", "confab/1"))
        if client.tls.selected_alpn_protocol() != "confab/1":
            raise Failure(f"ALPN {client.tls.selected_alpn_protocol()!r}")
        client = Client(server, alpn=())
        if client.tls.selected_alpn_protocol() is not None:
            raise Failure("ALPN was not offered")
        client.login("ala")


# --- The server's certificate -------------------------------------------------------------------

def e2e__serve__with_keys_of_every_kind():
    """RSA, P-384 with SHA-384, and a chain with an authority between."""
    for kind in ("rsa", "p384"):
        certs = Authority(key=kind)
        with Server("--guests", certs=certs) as server:
            for version in ("1.2", "1.3"):
                client = Client(server, tls=version)
                client.login("ala")
                client.quit()
                client = Client(server, tls=version, user="bob")
                client.request("login")
                client.quit()


def e2e__serve__with_a_chain():
    root = Authority("Root")
    between = Authority("Between", parent=root)
    with Server("--guests", certs=between, client_ca=False) as server:
        client = Client(server, ca=root.ca)
        client.login("ala")
        client.quit()


def e2e__accept__a_clients_chain():
    """Trusted is the root alone; the client brings the authority between along."""
    root = Authority("Root")
    between = Authority("Between", parent=root)
    with Server("--client-ca", root.ca, certs=root, client_ca=False) as server:
        for version in ("1.2", "1.3"):
            client = Client(server, tls=version, cert=between.client("ala"))
            if client.request("login")["user"] != "ala":
                raise Failure("logged in as somebody else")
            client.quit()


def e2e__notice__a_wrong_name_or_authority():
    """The client refuses; the server says in its log that it was refused, and goes on."""
    with Server("--guests") as server:
        for options in ({"verify_name": "example.org"}, {"ca": Authority().ca}):
            try:
                Client(server, **options)
            except Ended as why:
                if "certificate_verify_failed" not in why.how:
                    raise Failure(f"ended {why.how!r}") from None
            else:
                raise Failure("the handshake was done")
        server.wait_log("refused: .*(refused our certificate|alert)", count=2)
        is_well(server)


def e2e__verify__names_and_addresses():
    with Server("--guests", listen=("127.0.0.1:0",)) as server:
        for name in ("localhost", "127.0.0.1", "::1"):
            client = Client(server, verify_name=name)
            client.login("ala")
            client.quit()


# --- The client's certificate -------------------------------------------------------------------

def client_refused(cert, certs, alert, log, *args):
    with Server("--guests", *args, certs=certs) as server:
        for version in ("1.2", "1.3"):
            refused(server, alert, tls=version, cert=cert)
        server.wait_log(f"refused:.*({log})", count=2)
        is_well(server)
        client = Client(server, user="good")
        client.request("login")
        client.quit()


def e2e__refuse__a_strangers_client_certificate():
    client_refused(Authority("Stranger").client("ala"), product_certs(), "alert.*unknown_ca",
                   "(?i:trusted|unknown|authority|issuer)")


def e2e__refuse__an_expired_client_certificate():
    certs = Authority()
    client_refused(certs.issue_client("ala", begin=-10, end=-1), certs,
                   "alert.*certificate_expired", "expired")


def e2e__refuse__a_client_certificate_not_yet_valid():
    certs = Authority()
    client_refused(certs.issue_client("ala", begin=2, end=10), certs, "alert", "not yet|not valid")


def e2e__refuse__a_revoked_client_certificate():
    certs = Authority()
    cert = certs.client("ala")
    crl = certs.revoke(cert[0])
    client_refused(cert, certs, "alert.*revoked", "(?i:revoked|withdrawn)", "--crl", crl)


def e2e__refuse__a_servers_certificate_of_a_client():
    certs = Authority()
    client_refused((certs.server_cert, certs.server_key), certs, "alert", ".")


def e2e__require__a_client_certificate():
    with Server("--require-client-cert") as server:
        for version in ("1.2", "1.3"):
            refused(server, "alert", tls=version)
        server.wait_log("showed no certificate", count=2)
        for version in ("1.2", "1.3"):
            client = Client(server, tls=version, user="ala")
            client.request("login")
            client.quit()


def e2e__accept__a_certificate_that_names_nobody():
    """A good one without a user is let in, as a guest if guests are, and is told in the log."""
    certs = Authority()
    cert = certs.issue("Somebody", names=(), usage="clientAuth")
    with Server("--guests", certs=certs) as server:
        client = Client(server, cert=cert)
        client.refused("auth_failed", "login")
        if not client.login("visitor").get("guest"):
            raise Failure("no guest")
        server.wait_log("names no user")


def e2e__accept__no_certificates_without_an_authority():
    """A server that was not told whom to trust does not ask, and logs nobody in by one."""
    with Server("--guests", client_ca=False) as server:
        client = Client(server, user="ala")
        client.refused("auth_failed", "login")
        client.login("ala")


# --- Tickets ------------------------------------------------------------------------------------

def come_back(server, version, cert=None):
    """Logs in, keeps the ticket, comes back with it; whether it was taken, and the client."""
    context = make_context(server.certs.ca, cert, ("confab/1",), version)
    first = Client(server, context=context)
    first.welcome()
    session = first.tls.session
    first.quit()
    second = Client(server, context=context, session=session)
    second.welcome()
    return second.tls.session_reused, second


def e2e__resume__without_a_certificate():
    with Server("--guests", client_ca=False) as server:
        for version in ("1.2", "1.3"):
            resumed, client = come_back(server, version)
            if not resumed:
                raise Failure(f"TLS {version}: the ticket was declined")
            client.login("ala")
            client.quit()


def e2e__resume__without_a_certificate_though_one_might_be_shown():
    with Server("--guests") as server:
        for version in ("1.2", "1.3"):
            resumed, client = come_back(server, version)
            if not resumed:
                raise Failure(f"TLS {version}: the ticket was declined")
            client.refused("auth_failed", "login")
            client.login("ala")
            client.quit()


def e2e__resume__never_with_a_certificate():
    """The one who showed a certificate comes back by a full handshake, and is known again."""
    with Server("--guests") as server:
        cert = server.certs.client("ala")
        for version in ("1.2", "1.3"):
            resumed, client = come_back(server, version, cert)
            if resumed:
                raise Failure(f"TLS {version}: the ticket was taken")
            if client.request("login")["user"] != "ala":
                raise Failure("logged in as somebody else")
            client.quit()


def e2e__resume__never_with_a_ticket_of_another_server():
    with Server("--guests") as one, Server("--guests") as two:
        for version in ("1.2", "1.3"):
            context = make_context(one.certs.ca, None, ("confab/1",), version)
            first = Client(one, context=context)
            first.welcome()
            session = first.tls.session
            first.quit()
            second = Client(two, context=context, session=session)
            second.login("ala")
            if second.tls.session_reused:
                raise Failure("a ticket of another server was taken")
            second.quit()


if __name__ == "__main__":
    main(globals())
