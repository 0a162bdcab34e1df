"""Clients that are none of ours: each logs in, joins, sends, receives and quits, and sees an
orderly end; and each is killed once in the middle, which the server has to report."""

import os
import re
import shutil

from confab_test import Client, Failure, Server, main, skip, temp_dir
from confab_test.talk import Talk

HERE = os.path.dirname(os.path.abspath(__file__))
CUT_OFF = r"without close_notify"


def converse(talk, friend):
    """The conversation that all of them have."""
    talk.expect(event="welcome", protocol=1)
    talk.send(cmd="login", id=1, user="stranger")
    talk.expect(re=1, ok=True, user="stranger")
    talk.send(cmd="join", id=2, room="dev")
    talk.expect(re=2, ok=True, room="dev")
    talk.expect(event="join", user="stranger")
    friend.expect_event("join", user="stranger")
    talk.send(cmd="send", id=3, room="dev", text="Zażółć gęślą jaźń")
    talk.expect(re=3, ok=True, seq="*")
    talk.expect(event="message", from_="stranger", text="Zażółć gęślą jaźń")
    friend.expect_event("message", text="Zażółć gęślą jaźń")
    friend.request("send", room="dev", text="witaj")
    talk.expect(event="message", from_="friend", text="witaj")


def with_friend(server):
    friend = Client(server, name="friend")
    friend.login("friend")
    friend.request("join", room="dev")
    return friend


def orderly(start, after=lambda talk: None, code=0):
    with Server("--guests") as server:
        friend = with_friend(server)
        with start(server) as talk:
            converse(talk, friend)
            talk.send(cmd="quit", id=4)
            talk.expect(re=4, ok=True)
            talk.expect(event="goodbye", reason="quit")
            after(talk)
            if talk.wait() != code:
                raise Failure(f"its exit code is {talk.proc.returncode}: {talk.other}")
        friend.expect_event("leave", user="stranger")
        friend.quit()
    if re.search(CUT_OFF, server.log):
        raise Failure("the server reports an orderly end as a truncated one")


def abrupt(start):
    with Server("--guests") as server:
        friend = with_friend(server)
        with start(server) as talk:
            converse(talk, friend)
            talk.kill()
        friend.expect_event("leave", user="stranger")
        server.wait_log(CUT_OFF)
        friend.quit()


# --- openssl s_client ---------------------------------------------------------------------------

def openssl(version, trace=None, options=()):
    def start(server):
        more = [*options, *(["-msg", "-msgfile", trace] if trace else [])]
        return Talk(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-quiet",
                     "-CAfile", server.certs.ca, "-verify_return_error", "-verify_hostname",
                     "localhost", "-servername", "localhost", "-alpn", "confab/1", version, *more])
    return start


def openssl_orderly(version, *options):
    trace = os.path.join(temp_dir(), "trace")
    orderly(openssl(version, trace, options))
    with open(trace, encoding="utf-8", errors="replace") as file:
        received = [line for line in file if line.startswith("<<<") and "close_notify" in line]
    if len(received) != 1:
        raise Failure(f"openssl saw {len(received)} close_notify of the server")


def e2e__converse__openssl_tls13():
    openssl_orderly("-tls1_3")


def e2e__converse__openssl_tls12():
    openssl_orderly("-tls1_2")


def e2e__converse__openssl_with_small_records():
    openssl_orderly("-tls1_2", "-maxfraglen", "512")


def e2e__cut_off__openssl_tls13():
    abrupt(openssl("-tls1_3"))


def e2e__cut_off__openssl_tls12():
    abrupt(openssl("-tls1_2"))


# --- gnutls-cli ---------------------------------------------------------------------------------

def gnutls(priority):
    def start(server):
        if not shutil.which("gnutls-cli"):
            skip("gnutls-cli is not installed")
        return Talk(["gnutls-cli", "--x509cafile", server.certs.ca, "--port", str(server.port),
                     "--sni-hostname", "localhost", "--verify-hostname", "localhost", "--alpn",
                     "confab/1", "--priority", priority, "127.0.0.1"])
    return start


def gnutls_orderly(priority):
    orderly(gnutls(priority), lambda talk: talk.expect_words("Peer has closed the GnuTLS"))


def e2e__converse__gnutls_tls13():
    gnutls_orderly("NORMAL:-VERS-ALL:+VERS-TLS1.3")


def e2e__converse__gnutls_tls12():
    gnutls_orderly("NORMAL:-VERS-ALL:+VERS-TLS1.2")


def e2e__cut_off__gnutls():
    abrupt(gnutls("NORMAL"))


# --- Node's tls ---------------------------------------------------------------------------------

def node(version):
    def start(server):
        if not shutil.which("node"):
            skip("node is not installed")
        return Talk(["node", os.path.join(HERE, "node_client.js"), str(server.port),
                     server.certs.ca, version])
    return start


def node_orderly(version):
    orderly(node(version), lambda talk: talk.expect_words("# end"))


def e2e__converse__node_tls13():
    node_orderly("TLSv1.3")


def e2e__converse__node_tls12():
    node_orderly("TLSv1.2")


def e2e__cut_off__node():
    abrupt(node("TLSv1.3"))


# --- Python's ssl -------------------------------------------------------------------------------

def python_orderly(version):
    with Server("--guests") as server:
        friend = with_friend(server)
        client = Client(server, tls=version, name="stranger")
        client.login("stranger")
        client.request("join", room="dev")
        friend.expect_event("join", user="stranger")
        client.request("send", room="dev", text="Zażółć gęślą jaźń")
        friend.expect_event("message", text="Zażółć gęślą jaźń")
        friend.request("send", room="dev", text="witaj")
        client.expect_event("message", text="witaj")
        client.quit()
        friend.expect_event("leave", user="stranger")
        friend.quit()
    if re.search(CUT_OFF, server.log):
        raise Failure("the server reports an orderly end as a truncated one")


def e2e__converse__python_tls13():
    python_orderly("1.3")


def e2e__converse__python_tls12():
    python_orderly("1.2")


def python_abrupt(version):
    with Server("--guests") as server:
        friend = with_friend(server)
        client = Client(server, tls=version, name="stranger")
        client.login("stranger")
        client.request("join", room="dev")
        friend.expect_event("join", user="stranger")
        client.expect_event("join", user="stranger")
        client.cut()
        friend.expect_event("leave", user="stranger")
        server.wait_log(CUT_OFF)


def e2e__cut_off__python_tls13():
    python_abrupt("1.3")


def e2e__cut_off__python_tls12():
    python_abrupt("1.2")


if __name__ == "__main__":
    main(globals())
