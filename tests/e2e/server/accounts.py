"""Accounts on a real server with a real store: secrets survive a restart, what is withdrawn ends
live connections, and certificates are looked at again when they are read again."""

import os

from confab_test import Authority, Client, Failure, Server, main, run, temp_dir

PASSWORD = "Zażółć gęślą jaźń"


def e2e__accounts__survive_a_restart():
    home = temp_dir("confab-server")
    with Server("--registration", "open", home=home) as server:
        ala = Client(server)
        token = ala.request("register", user="ala", password=PASSWORD, remember=True)["token"]
        ala.request("create", room="dev")
        ala.quit()
    with Server(home=home) as server:
        by_token, by_password = Client(server), Client(server)
        if by_token.request("login", token=token)["rooms"] != ["dev"]:
            raise Failure("the room is gone")
        by_password.request("login", user="ala", password=PASSWORD)
        by_password.request("passwd", old=PASSWORD, new="something else")
        by_token.expect_event("goodbye", reason="killed")
        by_token.expect_end("clean")
    with Server(home=home) as server:
        Client(server).refused("auth_failed", "login", token=token)
        Client(server).refused("auth_failed", "login", user="ala", password=PASSWORD)
        Client(server).request("login", user="ala", password="something else")


def e2e__accounts__lie_in_the_store_without_their_secrets():
    with Server("--registration", "open") as server:
        ala = Client(server)
        token = ala.request("register", user="ala", password=PASSWORD, remember=True)["token"]
        ala.quit()
        found = b""
        for name in os.listdir(os.path.join(server.home, "data")):
            if name.startswith("confab.db"):
                with open(os.path.join(server.home, "data", name), "rb") as file:
                    found += file.read()
    for secret in (PASSWORD, token):
        if secret.encode() in found:
            raise Failure(f"{secret!r} is in the data folder")
    if b"$argon2id$" not in found:
        raise Failure("no Argon2id hash is in the data folder")


def e2e__accounts__end_when_the_console_says_so():
    """Through the control channel, while connections are live; and it stays so."""
    home = temp_dir("confab-server")
    with Server("--registration", "open", "--workers", "2", home=home) as server:
        clients = []
        for name in ("ala", "bob", "eve"):
            client = Client(server, name=name)
            client.request("register", user=name, password=PASSWORD)
            clients.append(client)
        ala, bob, eve = clients
        server.admin("user", "suspend", "ala", "--reason", "why not").expect(0)
        ala.expect_event("goodbye", reason="suspended", message="why not")
        server.admin("user", "delete", "bob").expect(0)
        bob.expect_event("goodbye", reason="killed")
        server.grant("eve")
        eve.request("kill", user="eve")
        eve.expect_event("goodbye", reason="killed")
        for client in clients:
            client.expect_end("clean")
    with Server("--registration", "open", home=home) as server:
        Client(server).refused("not_allowed", "login", user="ala", password=PASSWORD)
        Client(server).refused("auth_failed", "login", user="bob", password=PASSWORD)
        Client(server).refused("name_taken", "register", user="bob", password=PASSWORD)
        eve = Client(server)
        eve.login("eve", password=PASSWORD)
        entries = eve.request("audit")["entries"]
        if [entry["action"] for entry in entries] != ["kill", "grant", "userdel", "suspend"]:
            raise Failure(f"the audit is {entries}")


def e2e__accounts__are_backed_up_while_the_server_works():
    home = temp_dir("confab-server")
    copy = os.path.join(temp_dir(), "copy.db")
    with Server("--registration", "open", home=home) as server:
        ala = Client(server)
        ala.request("register", user="ala", password=PASSWORD)
        server.grant("ala")
        native = server.program.file(copy)
        if ala.request("backup", file=native)["file"] != native:
            raise Failure("another file")
        ala.refused("unavailable", "backup", file=native)  # it is there
        Client(server).request("register", user="late", password=PASSWORD)
    data = server.program.file(os.path.join(home, "data"))
    run(server.program, "restore", native, "--data", data).expect(0)
    with Server(home=home) as server:
        Client(server).request("login", user="ala", password=PASSWORD)
        Client(server).refused("auth_failed", "login", user="late", password=PASSWORD)


def e2e__reload__withdraws_a_certificate():
    certs = Authority()
    crl = os.path.join(temp_dir(), "crl.pem")
    certs_of_bob = certs.client("bob")
    with open(certs.revoke(certs_of_bob[0]), "rb") as file:
        with open(crl, "wb") as copy:
            copy.write(file.read())
    with Server("--crl", crl, certs=certs) as server:
        ala = Client(server, user="ala")
        ala.login()
        with open(certs.revoke(certs.client("ala")[0]), "rb") as file:
            with open(crl, "wb") as copy:
                copy.write(file.read())
        late = Client(server, user="ala")
        late.login()
        server.admin("reload").expect(0)
        try:
            Client(server, user="ala").welcome()
        except Exception as why:  # pylint: disable=broad-except
            if "alert" not in str(why):
                raise
        else:
            raise Failure("a withdrawn certificate was let in")
        Client(server, user="eve").login()
        # What cannot be read changes nothing.
        with open(crl, "w", encoding="ascii") as file:
            file.write("nonsense")
        server.admin("reload").expect(5, "crl")
        Client(server, user="eve").login()


if __name__ == "__main__":
    main(globals())
