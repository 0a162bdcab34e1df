"""What confab-certs makes, at a real server: users let in, withdrawn, renewed."""

import re

from confab_test import Client, Ended, Failure, Server, main, programs, temp_dir
from confab_test.certs import Product


def product():
    certs = Product(temp_dir("confab-certs"))
    certs.call("init")
    certs.call("server")
    for user in ("alice", "bob"):
        certs.client(user)
    return certs


def start(certs):
    return Server("--crl", programs.server().file(f"{certs.dir}/crl.pem"), certs=certs)


def let_in(server, *users):
    for user in users:
        for version in ("1.2", "1.3"):
            client = Client(server, user=user, tls=version)
            client.request("login")
            if client.request("whoami")["user"] != user:
                raise Failure(f"not taken for {user}")
            client.quit()


def kept_out(server, user):
    for version in ("1.2", "1.3"):
        try:
            client = Client(server, user=user, tls=version)
            client.next_line()
        except Ended as why:
            if not re.search("alert.*revoked", why.how):
                raise Failure(f"it ended {why.how!r}") from None
        else:
            raise Failure(f"{user} was let in")
    server.wait_log("revoked|withdrawn", count=2)


def e2e__certs__server_takes_the_empty_list():
    with start(product()) as server:
        let_in(server, "alice", "bob")


def e2e__certs__server_refuses_the_revoked():
    certs = product()
    certs.call("revoke", "alice")
    with start(certs) as server:
        kept_out(server, "alice")
        let_in(server, "bob")
    certs.call("renew", "alice", "--new-key")
    with start(certs) as server:
        let_in(server, "alice", "bob")


def e2e__certs__server_after_all_was_renewed():
    certs = product()
    for what in ("ca", "localhost", "alice"):
        certs.call("renew", what)
    with start(certs) as server:
        let_in(server, "alice", "bob")


if __name__ == "__main__":
    main(globals())
