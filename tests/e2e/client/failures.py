"""What goes wrong on the way to a server and with odd servers: the exit code, and one line that
says what to do; profiles and the configuration file."""

import json
import os
import signal
import socket
import time

from confab_test import Authority, Server, main, product_certs, programs, run, temp_dir
from person import Actor, Person, confab, config_folder, write


class Port:
    """Where a server might be."""

    def __init__(self, port):
        self.port = port


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return Port(probe.getsockname()[1])


def client(*args, **options):
    return run(programs.client(), *args, **options)


# --- The command line -----------------------------------------------------------------------


def e2e__client__usage():
    result = client("--help").expect(0)
    for word in ("send", "tail", "json", "pipe", "chat", "--server", "--ca", "--timeout", "Exit"):
        assert word in result.stdout, word
    assert result.stderr == ""
    assert client("--version").expect(0).stdout.startswith("confab ")
    client("send", "--help").expect(0)
    client().expect(2, "what to do")
    client("sned").expect(2, "did you mean send")
    client("--sever", "x").expect(2, "did you mean --server")
    client("send", "dev", "x", "--timeout", "0").expect(2, "--timeout")
    client("send", "dev", "x", "--to", "No Body").expect(2, "--to")
    client("send", "dev", "x", "--user", "No Body").expect(2, "No Body")
    client("send", "dev", "x", "--user", "a", "--server", "host:99999").expect(2)
    client("tail", "-u", "a").expect(2, "ROOM")
    client("tail", "-u", "a", "Not A Room").expect(2)
    client("chat", "--no-login").expect(2)


# --- The way to the server ------------------------------------------------------------------


def e2e__client__no_server():
    port = free_port()
    why = r"^confab: cannot connect to localhost:\d+: connection refused; " \
          r"is confab-server running there\?\n"
    for verb in (["tail", "dev"], ["json", "cmd=ping"], ["pipe"], ["chat"]):
        confab(port, *verb).expect(8, why + "$")
    confab(port, "send", "dev", "x", "--no-outbox").expect(8, why)


def e2e__client__no_such_host():
    client("json", "cmd=ping", "--user", "a", "--server", "no-such-host.invalid").expect(
        8, "no-such-host.invalid")


def e2e__client__time_out_of_the_handshake():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        confab(Port(silent.getsockname()[1]), "json", "cmd=ping", "--timeout", "1").expect(
            7, "in time")
        assert time.monotonic() - began < 10


def silent_after_welcome(connection):
    connection.send(Actor.WELCOME)
    connection.wait_end()


def silent_after_login(connection):
    connection.log_in()
    connection.wait_end()


def e2e__client__time_out_of_greeting_login_and_reply():
    for script, text in ((lambda c: c.wait_end(), "greet"), (silent_after_welcome, "login"),
                         (silent_after_login, "no answer")):
        with Actor(script) as actor:
            confab(actor, "json", "cmd=ping", "--timeout", "1").expect(7, text)
    with Actor(silent_after_login) as actor:
        confab(actor, "send", "dev", "x", "--timeout", "1", "--no-outbox").expect(7, "no answer")
        confab(actor, "pipe", "--timeout", "1", stdin='{"cmd":"ping","id":1}\n').expect(7)


def e2e__client__interrupted_request():
    with Actor(silent_after_login) as actor, Person(actor, "json", "cmd=ping", "-t", "60") as one:
        while actor.count == 0:
            time.sleep(0.02)
        time.sleep(0.3)
        one.interrupt(signal.SIGINT)
        one.wait(1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with Person(Port(silent.getsockname()[1]), "tail", "dev", "-t", "60") as two:
            # Held open: a socket that nobody has is closed at once, and the client sees that first.
            connection, _ = silent.accept()
            with connection:
                two.interrupt(signal.SIGINT)
                two.wait(1)


# --- TLS ------------------------------------------------------------------------------------


def e2e__client__wrong_ca():
    with Server("--guests") as server:
        stranger = Authority("A stranger")
        confab(server, "json", "cmd=whoami", certs=stranger).expect(4, "trust")
        # Not even for a reconnecting verb does it try again.
        confab(server, "tail", "dev", certs=stranger).expect(4)


def e2e__client__system_store_does_not_know_a_private_ca():
    with Server("--guests") as server:
        client("json", "cmd=whoami", "--user", "alice", "--server",
               f"localhost:{server.port}").expect(4)


def e2e__client__wrong_host_name():
    authority = Authority()
    authority.server_cert, authority.server_key = authority.issue("other", names=("DNS:other",))
    with Server("--guests", certs=authority, client_ca=False) as server:
        confab(server, "json", "cmd=whoami", certs=authority).expect(4, "localhost")


def e2e__client__expired_certificate():
    authority = Authority()
    authority.server_cert, authority.server_key = authority.issue("localhost", begin=-9, end=-1)
    with Actor(silent_after_login, certs=authority) as actor:
        confab(actor, "json", "cmd=whoami", certs=authority).expect(4, "expired")


def e2e__client__files_that_cannot_be_used():
    program = programs.client()
    folder = temp_dir()
    junk = write(folder, "junk.pem", "this is no certificate\n")
    port = ["--server", "localhost:1", "--user", "alice"]
    client("json", "cmd=ping", *port, "--ca", program.file(f"{folder}/none.pem")).expect(
        4, "none.pem")
    client("json", "cmd=ping", *port, "--ca", program.file(junk)).expect(4, "junk.pem")
    client("json", "cmd=ping", *port, "--cert", program.file(junk), "--key",
           program.file(junk)).expect(4, "junk.pem")


def e2e__client__plain_text_server():
    def greet(connection):
        connection.send(b"SSH-2.0-OpenSSH_9.2")
        connection.wait_end()

    with Actor(greet, tls=False) as actor:
        confab(actor, "json", "cmd=ping").expect(4, "TLS")


# --- Odd servers ----------------------------------------------------------------------------


def e2e__client__server_that_is_no_confab():
    def http(connection):
        connection.send(b"HTTP/1.1 400 Bad Request\r")
        connection.wait_end()

    def future(connection):
        connection.send({**Actor.WELCOME, "protocol": 2})
        connection.wait_end()

    def endless(connection):
        while True:
            connection.sock.sendall(b"x" * 65536)

    for script, text in ((http, "no message"), (future, "version"), (endless, "more than")):
        with Actor(script) as actor:
            confab(actor, "json", "cmd=ping").expect(1, text)


def e2e__client__server_that_vanishes():
    def truncate(connection):
        connection.log_in()
        connection.read()
        connection.sock.shutdown(socket.SHUT_RDWR)

    with Actor(truncate) as actor:
        confab(actor, "json", "cmd=ping").expect(8)
        confab(actor, "send", "dev", "x", "--no-outbox").expect(8)


def e2e__client__send_joins_and_waits_when_told_to():
    """The order stays though the server says not_member to the first, and "later" to some."""
    taken, joined, later = [], [], []

    def answer_send(connection, request):
        if not joined:
            connection.answer(request, error="not_member", message="join first")
        elif len(taken) == 5 and later.count(request["text"]) == 0:
            # Each of those on their way hears it once; what comes again is taken.
            later.append(request["text"])
            connection.answer(request, error="rate_limited", message="", retry_after=1)
        else:
            taken.append(request["text"])
            connection.answer(request, seq=len(taken), time="2026-01-01T00:00:00.000Z")

    def script(connection):
        connection.log_in()
        while True:
            request = connection.read()
            if request["cmd"] == "send":
                answer_send(connection, request)
                continue
            connection.answer(request)
            if request["cmd"] == "join":
                joined.append(request["room"])
            else:
                connection.send({"event": "goodbye", "reason": "quit", "message": ""})
                connection.end()
                return

    wanted = [f"{number}" for number in range(30)]
    with Actor(script) as actor:
        confab(actor, "send", "dev", "-", stdin="\n".join(wanted)).expect(0)
    assert joined == ["dev"] and taken == wanted and len(later) > 0, (joined, taken, later)


def e2e__client__tail_survives_a_name_that_is_still_taken():
    def script(connection):
        connection.send(Actor.WELCOME)
        request = connection.read()
        if connection.number == 2:
            connection.answer(request, error="name_taken", message="somebody is using it")
            connection.wait_end()
            return
        connection.answer(request, user="alice", role="user", session="s", rooms=[])
        connection.answer(connection.read(), room="dev", member_count=1, seq=1)
        if connection.number == 1:
            connection.sock.shutdown(socket.SHUT_RDWR)  # a loss without a goodbye
        else:
            connection.send({"event": "message", "room": "dev", "seq": 2, "from": "bob",
                             "time": "2026-01-01T00:00:00.000Z", "text": "third time"})
            connection.wait_end()

    with Actor(script) as actor, Person(actor, "tail", "dev") as tail:
        tail.expect("dev bob: third time", seconds=60)
        tail.expect("name_taken.*connecting again", "err")
        tail.interrupt()
        tail.wait(0)
        assert actor.count == 3


def e2e__client__tail_does_not_come_back_after_being_thrown_out():
    def script(connection):
        connection.log_in()
        connection.answer(connection.read(), room="dev", member_count=1, seq=1)
        connection.send({"event": "goodbye", "reason": "flood", "message": "too\x1b[2J much"})
        connection.end()

    with Actor(script) as actor:
        result = confab(actor, "tail", "dev").expect(8, "flood")
        assert "\x1b" not in result.stderr
        assert actor.count == 1


def e2e__client__answers_pings():
    answered = []

    def script(connection):
        connection.log_in()
        connection.answer(connection.read(), room="dev", member_count=1, seq=1)
        connection.send({"event": "ping"})
        answered.append(connection.read())
        connection.answer(answered[0])
        connection.send({"event": "message", "room": "dev", "seq": 2, "from": "bob", "text": "on"})
        connection.wait_end()

    with Actor(script) as actor, Person(actor, "tail", "dev", "--json") as tail:
        tail.expect('"on"')
        assert answered[0]["cmd"] == "ping", answered
        assert not any("confab-ping" in line for line in tail.seen["out"])
        tail.interrupt()
        tail.wait(0)


# --- Profiles -------------------------------------------------------------------------------


def profile_flags(folder, name=None):
    flag = ["--config", programs.client().file(f"{folder}/moja konfiguracja.json")]
    return flag + (["--profile", name] if name else [])


def whoami(*args, **options):
    result = client("json", "cmd=whoami", *args, **options).expect(0)
    return json.loads(result.stdout)["user"]


def e2e__client__profile_says_all():
    folder = temp_dir("Jürgen")
    program = programs.client()
    certs = product_certs()
    cert, key = certs.client("carol")
    ca = Authority.read(certs.ca)
    with Server("--guests") as server:
        address = f"localhost:{server.port}"
        profiles = {
            "work": {"server": address, "user": "alice"},
            "Dom ż": {"server": address, "cert": program.file(cert), "key": program.file(key),
                      "ca": "inny ca ż.pem"},
        }
        write(folder, "moja konfiguracja.json",
              json.dumps({"default": "work", "profiles": profiles}, ensure_ascii=False))
        client("json", "cmd=whoami", *profile_flags(folder)).expect(4, "trust")
        write(folder, "ca.pem", ca)
        write(folder, "inny ca ż.pem", ca)
        assert whoami(*profile_flags(folder)) == "alice"
        assert whoami(*profile_flags(folder, "Dom ż")) == "carol"
        assert whoami(*profile_flags(folder), "--user", "zoe") == "zoe"
        # The profile's own ca.pem goes before the one of the folder, and --ca before both.
        write(folder, "profiles/work/ca.pem", Authority.read(Authority().ca))
        client("json", "cmd=whoami", *profile_flags(folder)).expect(4, "trust")
        assert whoami(*profile_flags(folder), "--ca", program.file(certs.ca)) == "alice"


def e2e__client__profile_of_the_user():
    home = temp_dir("Jürgen")
    certs = product_certs()
    folder, is_ours = config_folder(home)
    with Server("--guests") as server:
        profile = {"server": f"localhost:{server.port}", "user": "ursula",
                   "ca": programs.client().file(certs.ca)}
        # No default: where the folder is shared, nobody else notices.
        write(folder, "config.json", json.dumps({"profiles": {"e2e ż": profile}}))
        assert whoami("--profile", "e2e ż", home=home) == "ursula"
        os.remove(f"{folder}/config.json")
    if is_ours:
        client("json", "cmd=ping", "--profile", "work", home=home).expect(2, "config.json")


def e2e__client__profile_that_is_wrong():
    folder = temp_dir()
    for text, part in (('{"profiles":{"a":{"sever":"x"}}}', 'did you mean "server"'),
                       ('{"profile":{}}', 'did you mean "profiles"'),
                       ('{"default":"b","profiles":{"a":{}}}', 'no profile "b"'),
                       ("{} x", "moja konfiguracja.json")):
        write(folder, "moja konfiguracja.json", text)
        client("json", "cmd=ping", *profile_flags(folder)).expect(2, part)
    write(folder, "moja konfiguracja.json", '{"profiles":{"work":{}}}')
    client("json", "cmd=ping", *profile_flags(folder, "wrok")).expect(2, 'did you mean "work"')
    client("json", "cmd=ping", "--config", "no/such.json").expect(2, "such.json")


if __name__ == "__main__":
    main(globals())
