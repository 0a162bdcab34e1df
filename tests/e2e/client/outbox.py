"""The outbox of `confab send`: what cannot be sent goes out at the next connection, once, in order."""

import json
import os
import random
import re
import time

from confab_test import Client, Server, main, product_certs, programs, run, skip, temp_dir, wait_until
from confab_test.programs import PATIENCE
from person import Actor, Person, confab, flags

BACK = "and will go with the next `confab send`"


class Port:
    """Where a server might be."""

    def __init__(self, port):
        self.port = port


def certificate(user):
    """A user who is no guest, so that the server keeps the nonces."""
    program = programs.client()
    cert, key = product_certs().client(user)
    return ["--cert", program.file(cert), "--key", program.file(key)]


def waiting(server, home):
    """Of this server only: under Wine all tests of a user share a folder."""
    result = run(programs.client(), "outbox", "--json", home=home).expect(0)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    return [message for message in found if message["outbox"].endswith(f":{server.port}")]


def texts(server, home):
    return [message["text"] for message in waiting(server, home)]


class Keeper:
    """A server of a script: it stores by nonce as the protocol has it, and cuts the connection
    before the answers to the messages it is told to, after storing them."""

    def __init__(self, *cuts, later=()):
        self.cuts, self.later = list(cuts), dict(later)
        self.stored, self.nonces, self.requests = [], set(), 0
        self.actor = Actor(self.play)
        self.port = self.actor.port

    def play(self, connection):
        connection.log_in()
        while True:
            request = connection.read()
            if request["cmd"] != "send":
                connection.answer(request)
                connection.send({"event": "goodbye", "reason": "quit", "message": ""})
                connection.end()
                return
            self.requests += 1
            if request["text"] in self.later:
                connection.answer(request, error=self.later.pop(request["text"]), message="no")
                continue
            twin = request["nonce"] in self.nonces
            if not twin:
                self.nonces.add(request["nonce"])
                self.stored.append(request["text"])
            if self.cuts and len(self.stored) >= self.cuts[0]:
                self.cuts.pop(0)
                connection.sock.shutdown(2)
                return
            connection.answer(request, seq=1, time="2026-01-01T00:00:00.000Z",
                              **({"duplicate": True} if twin else {}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.actor.listener.close()


def listen(server, room="dev", user="bob"):
    bob = Client(server)
    bob.login(user)
    bob.request("join", room=room)
    return bob


def messages_until(person, text):
    """Many: Person.expect would look at all of them for each."""
    got = []
    while text not in got[-1:]:
        _, line = person.news.get(timeout=PATIENCE)
        event = json.loads(line) if line and line.startswith("{") else {}
        if event.get("event") == "message":
            got.append(event["text"])
    return got


# --- Away and back --------------------------------------------------------------------------


def e2e__client__outbox_goes_with_the_next_send():
    home = temp_dir()
    first = Server("--guests")
    port = first.port
    first.stop()
    away = Port(port)
    confab(away, "send", "dev", "one", home=home).expect(8, f"1 message waits .*{BACK}")
    confab(away, "send", "dev", "-", stdin="two\nthree\n", home=home).expect(8, "3 messages wait")
    confab(away, "send", "@bob", "four", home=home).expect(8, "4 messages wait")
    assert texts(away, home) == ["one", "two", "three", "four"]
    out = run(programs.client(), "outbox", home=home).expect(0).stdout
    assert re.search(rf"waiting alice@localhost:{port} to @bob: four\n", out), out
    with Server("--guests", listen=(f"127.0.0.1:{port}",)) as server:
        bob = listen(server)
        # Another user's outbox is another.
        confab(server, "send", "dev", "mine", user="zoe", home=home).expect(0)
        bob.expect_event("message", text="mine")
        assert confab(server, "send", "dev", "five", home=home).expect(0).stderr == ""
        for text in ("one", "two", "three", "four", "five"):
            bob.expect_event("message", text=text)
        assert texts(away, home) == []
        confab(server, "send", "dev", "six", home=home).expect(0)
        bob.expect_event("message", text="six")


def e2e__client__outbox_send_and_drop():
    home = temp_dir()
    first = Server("--guests")
    away = Port(first.port)
    first.stop()
    confab(away, "send", "dev", "a", home=home).expect(8)
    confab(away, "outbox", "send", home=home).expect(8, "1 message waits")
    with Server("--guests", listen=(f"127.0.0.1:{away.port}",)) as server:
        bob = listen(server)
        confab(server, "outbox", "send", home=home).expect(0)
        bob.expect_event("message", text="a")
        confab(server, "outbox", "send", home=home).expect(0, "nothing waits")
    confab(away, "send", "dev", "b", home=home).expect(8)
    confab(away, "outbox", "drop", home=home).expect(0, "1 message dropped")
    assert texts(away, home) == []
    confab(away, "outbox", "sned").expect(2, "did you mean send")
    confab(away, "outbox", "list", "more").expect(2)


def e2e__client__outbox_is_not_used_when_not_wanted():
    home = temp_dir()
    first = Server("--guests")
    away = Port(first.port)
    first.stop()
    result = confab(away, "send", "dev", "a", "--no-outbox", home=home).expect(8, "1 message was")
    assert "outbox for" not in result.stderr
    assert texts(away, home) == [] and not os.path.exists(f"{home}/state")


def e2e__client__outbox_that_cannot_be_kept_does_not_stop_a_message():
    if programs.client().is_windows:
        skip("the folder is found by the system there")
    home = temp_dir()
    with open(f"{home}/state", "w", encoding="ascii"):
        pass  # a file where the folder should be
    with Server("--guests") as server:
        bob = listen(server)
        confab(server, "send", "dev", "the disk is full", home=home).expect(0, "not kept")
        bob.expect_event("message", text="the disk is full")


def e2e__client__outbox_is_private_and_erased():
    home = temp_dir()
    if programs.client().is_windows:
        skip("access lists are looked at by the unit tests")
    first = Server("--guests")
    away = Port(first.port)
    first.stop()
    confab(away, "send", "dev", "a secret text", home=home).expect(8)
    files = [os.path.join(folder, name) for folder, _, names in os.walk(f"{home}/state")
             for name in names]
    folders = [folder for folder, _, _ in os.walk(f"{home}/state/confab")]
    assert len(files) == 1 and os.stat(files[0]).st_mode & 0o777 == 0o600, files
    assert all(os.stat(folder).st_mode & 0o777 == 0o700 for folder in folders), folders
    with Server("--guests", listen=(f"127.0.0.1:{away.port}",)) as server:
        bob = listen(server)
        confab(server, "send", "dev", "x", home=home).expect(0)
        bob.expect_event("message", text="a secret text")
    assert not [name for _, _, names in os.walk(f"{home}/state") for name in names]


def e2e__client__outbox_reports_what_is_refused_for_good_and_goes_on():
    home = temp_dir()
    first = Server("--guests")
    away = Port(first.port)
    first.stop()
    confab(away, "send", "nowhere", "lost cause", home=home).expect(8)
    confab(away, "send", "dev", "x" * 9000, home=home).expect(8)
    confab(away, "send", "dev", "good", home=home).expect(8)
    with Server("--guests", listen=(f"127.0.0.1:{away.port}",)) as server:
        bob = listen(server)
        result = confab(server, "send", "dev", "new", home=home).expect(6, "no_such_room")
        assert "dropped, to nowhere: lost cause" in result.stderr and "too_large" in result.stderr
        bob.expect_event("message", text="good")
        bob.expect_event("message", text="new")
        assert texts(away, home) == []
        # The rest of a call that was refused is not sent later either.
        confab(server, "send", "nowhere", "-", stdin="a\nb\nc\n", home=home).expect(6)
        assert texts(away, home) == []


def e2e__client__outbox_keeps_what_the_server_cannot_take_now():
    home = temp_dir()
    with Keeper(later=[("b", "unavailable")]) as keeper:
        confab(keeper, "send", "dev", "a", home=home).expect(0)
        confab(keeper, "send", "dev", "b", home=home).expect(5, "unavailable(.|\n)*1 message waits")
        confab(keeper, "send", "dev", "c", home=home).expect(0)
        assert keeper.stored == ["a", "b", "c"]


# --- Once -----------------------------------------------------------------------------------


def e2e__client__outbox_sends_once_what_was_cut_off():
    """Stored, but the answer never came: the nonce is the same the next time."""
    home = temp_dir()
    wanted = [f"{number}" for number in range(500)]
    with Keeper(1, 100, 333) as keeper:
        # It connects again by itself while there is input, and else the next call does.
        code = confab(keeper, "send", "dev", "-", stdin="\n".join(wanted), home=home).code
        for _ in range(5):
            if code == 0:
                break
            assert code == 8, code
            code = confab(keeper, "outbox", "send", home=home).code
        assert code == 0 and keeper.stored == wanted, (code, len(keeper.stored))
        assert keeper.requests > len(wanted) and texts(keeper, home) == []


def e2e__client__outbox_connects_again_while_input_goes_on():
    home = temp_dir()
    server = Server("--guests")
    port = server.port
    with Person(server, "send", "dev", "-", home=home) as alice:
        bob = listen(server)
        alice.say("one")
        bob.expect_event("message", text="one")
        server.stop()
        alice.expect("shutdown|lost|ended|reset", "err")
        alice.say("two", "three")
        with Server("--guests", listen=(f"127.0.0.1:{port}",)) as again:
            bob = listen(again)
            alice.say("four")
            for text in ("two", "three", "four"):
                bob.expect_event("message", text=text)
            alice.finish(0)
    assert texts(server, home) == []


def e2e__client__outbox_keeps_aside_what_a_guest_may_have_sent():
    """A guest's nonces go with the connection, so nobody can tell; a person decides."""
    home = temp_dir()
    taken = []

    def script(connection):
        connection.send(Actor.WELCOME)
        connection.answer(connection.read(), user="alice", role="user", guest=True, session="s",
                          rooms=[])
        while True:
            request = connection.read()
            if request["cmd"] == "quit":
                connection.answer(request)
                connection.send({"event": "goodbye", "reason": "quit", "message": ""})
                connection.end()
                return
            taken.append(request["text"])
            if len(taken) == 1:
                connection.sock.shutdown(2)
                return
            connection.answer(request, seq=1, time="2026-01-01T00:00:00.000Z")

    with Actor(script) as actor:
        confab(actor, "send", "dev", "perhaps", home=home).expect(8, "1 message is kept aside")
        assert [m["state"] for m in waiting(actor, home)] == ["unsure"]
        confab(actor, "send", "dev", "sure", home=home).expect(0, "kept aside")
        assert taken == ["perhaps", "sure"]
        confab(actor, "outbox", "send", home=home).expect(0)
        assert taken == ["perhaps", "sure", "perhaps"] and texts(actor, home) == []


def e2e__client__outbox_keeps_aside_what_is_old():
    if programs.client().is_windows:
        skip("the same code; the file is in a folder that others use too")
    home = temp_dir()
    first = Server("--guests")
    away = Port(first.port)
    first.stop()
    confab(away, "send", "dev", "old", home=home).expect(8)
    confab(away, "send", "dev", "young", home=home).expect(8)
    folder = [f for f, _, names in os.walk(f"{home}/state") if names][0]
    path = os.path.join(folder, os.listdir(folder)[0])
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    rows[0]["time"] -= 24 * 3600 * 1000
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows) + '{"id":7,"nonce":"torn')
    with Server("--guests", listen=(f"127.0.0.1:{away.port}",)) as server:
        bob = listen(server)
        confab(server, "send", "dev", "new", home=home).expect(0, "1 message is kept aside")
        bob.expect_event("message", text="young")
        bob.expect_event("message", text="new")
        assert [(m["state"], m["text"]) for m in waiting(away, home)] == [("old", "old")]
        assert confab(server, "send", "dev", "q", "-q", home=home).expect(0).stderr != ""
        confab(server, "outbox", "send", home=home).expect(0)
        bob.expect_event("message", text="old")
        assert texts(away, home) == []


def e2e__client__outbox_of_two_at_once():
    """The second neither waits for the first nor takes what is the first's."""
    home = temp_dir()
    with Server("--guests", "--no-limits", "--client-ca",
                programs.server().file(product_certs().ca)) as server:
        bob = listen(server)
        own = certificate("carol")
        with Person(server, "send", "dev", "-", *own, user=None, home=home) as first:
            first.say("first 1")
            bob.expect_event("message", text="first 1")
            confab(server, "send", "dev", "second", *own, user=None, home=home).expect(0)
            bob.expect_event("message", text="second")
            first.say("first 2")
            bob.expect_event("message", text="first 2")
            first.finish(0)
        bob.request("send", room="dev", text="end")
        bob.expect_event("message", text="end")
    assert texts(server, home) == []


def e2e__client__outbox_survives_kill():
    """confab send is killed at random points, again and again: every line once, in order."""
    home = temp_dir()
    rounds, lines, most = (6, 500, 1.0) if programs.client().is_windows else (20, 1500, 0.08)
    chance = random.Random(7)
    own = certificate("carol")
    with Server("--guests", "--no-limits") as server:
        confab(server, "json", "cmd=create", "room=log", *own, user=None, home=home).expect(0)
        with Person(server, "tail", "log", "--json", *certificate("bob"), user=None) as bob:
            bob.expect("listening", "err")
            appended = []
            for turn in range(rounds):
                text = "".join(f"{turn}-{number}\n" for number in range(lines))
                with Person(server, "send", "log", "-", *own, user=None, home=home) as carol:
                    try:
                        carol.proc.stdin.write(text.encode())
                        carol.proc.stdin.flush()
                    except OSError:
                        pass
                    time.sleep(chance.random() * most)
                    carol.proc.kill()
                    carol.proc.wait(10)
                appended += texts(server, home)
            confab(server, "send", "log", "the end", *own, user=None, home=home).expect(0)
            got = messages_until(bob, "the end")
    assert texts(server, home) == []
    assert len(got) == len(set(got)), "a line came twice"
    assert set(appended) <= set(got), "a line that was in the outbox is lost"
    for turn in range(rounds):
        numbers = [int(t.partition("-")[2]) for t in got if t.startswith(f"{turn}-")]
        assert numbers == list(range(len(numbers))), (turn, numbers[:50])


if __name__ == "__main__":
    main(globals())
