"""The client with a real server, by accounts: logins, the verbs that change and find what was said,
and what a restart of the server must not cost."""

import json
import re
import signal

from confab_test import skip, Server, main, programs, run, temp_dir
from person import Person, flags, write

PASSWORD = "Zażółć gęślą jaźń"


class Device:
    """The home folder of an account that has logged in there."""

    def __init__(self, server, user):
        if programs.client().is_windows:
            skip("Wine has one folder for the state of all: these need one for each device")
        self.server, self.user, self.home = server, user, temp_dir()
        server.admin("user", "add", user, "--password-file", "-", stdin=PASSWORD).expect(0)
        self.run("login", "--password-file", "-", stdin=PASSWORD).expect(0, f"logged in as {user}")

    def run(self, *words, **options):
        return run(programs.client(), *words, *flags(self.server, self.user), home=self.home,
                   **options)

    def done(self, *words, **options):
        """What it printed; it must go well."""
        return self.run(*words, **options).expect(0).stdout

    def reply(self, *words):
        return json.loads(self.done(*words, "--json"))

    def person(self, *words):
        return Person(self.server, *words, user=self.user, home=self.home)


def again(server, **options):
    """The server that was stopped, on its port and its store."""
    return Server(home=server.home, listen=(f"127.0.0.1:{server.port}",), **options)


def lines(text):
    """Without times, which are the tester's own, and days."""
    return [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in text.splitlines()
            if not line.startswith("-- ")]


def e2e__live__a_login_is_kept_for_all_verbs():
    with Server("--guests") as server:
        ala = Device(server, "ala")
        assert "user: ala\n" in ala.done("whoami") and "guest: no\n" in ala.done("whoami")
        # A profile written later finds the login, too.
        client, where = programs.client(), flags(server, None)
        config = write(ala.home, "config.json", json.dumps({"profiles": {"work": {
            "server": where[1], "ca": where[3], "user": "ala"}}}))
        work = ("--profile", "work", "--config", client.file(config))
        found = run(client, "whoami", *work, home=ala.home).expect(0)
        assert "user: ala\n" in found.stdout, found.stdout
        # Nobody has the name without its login.
        run(client, "whoami", *flags(server, "ala")).expect(3, "name_taken.*run confab login")
        run(client, "logout", *work, home=ala.home).expect(0, "logged out")
        ala.run("whoami").expect(3, "name_taken")


def e2e__live__a_code_opens_an_account():
    with Server("--registration", "invite") as server:
        code = server.admin("invitecode", "create").expect(0).stdout.strip()
        client, home, where = programs.client(), temp_dir(), flags(server, None)
        register = ("register", "eve", "--password-file", "-", *where)
        run(client, *register, stdin=PASSWORD).expect(5, "registration_closed")
        run(client, *register, "--invite", code, home=home, stdin=PASSWORD).expect(0, "as eve")
        assert "user: eve\n" in run(client, "whoami", *where, home=home).expect(0).stdout
        run(client, *register, "--invite", code, stdin=PASSWORD).expect(5, "registration_closed")


def e2e__live__verbs_change_and_find_what_was_said():
    with Server() as server:
        ala, bob = Device(server, "ala"), Device(server, "bob")
        ala.done("create", "dev", "--topic", "work")
        bob.done("join", "dev")
        seqs = [ala.reply("send", "dev", text)["seq"]
                for text in ("one small step", "a step too far", "out of step @bob")]
        unread, = bob.reply("unread")["conversations"]
        assert (unread["unread"], unread["mentions"]) == (3, 1), unread
        bob.done("read", "dev", seqs[2])
        assert bob.reply("unread")["conversations"] == []

        bob.done("send", "dev", "really?", "--reply", seqs[1])
        ala.done("edit", "dev", seqs[0], "one giant leap")
        bob.run("edit", "dev", seqs[0], "mine").expect(5, "not_allowed")
        bob.done("react", "dev", seqs[0], "+1")
        ala.done("react", "dev", seqs[0], "+1")
        ala.done("unreact", "dev", seqs[0], "+1")
        ala.done("delete", "dev", seqs[1])
        ala.run("delete", "dev", 999).expect(6, "no_such_message")
        ala.done("pin", "dev", seqs[2])
        wanted = [f"dev #{seqs[0]} ala: one giant leap (edited) [+1 bob]",
                  f"dev #{seqs[1]} ala: (deleted)",
                  f"dev #{seqs[2]} ala: out of step @bob (pinned)",
                  f"dev #{seqs[2] + 1} bob (to #{seqs[1]}): really?"]
        assert lines(bob.done("history", "dev")) == wanted, bob.done("history", "dev")
        assert lines(bob.done("history", "dev", "--all", "--limit", "1")) == wanted
        assert lines(bob.done("pins", "dev")) == wanted[2:3]
        assert lines(bob.done("search", "step")) == wanted[2:3]
        assert lines(bob.done("search", '"giant leap"', "--from", "ala")) == wanted[:1]
        bob.run("search", "small").expect(0, "^none$")
        replayed = lines(bob.done("sync", f"dev={seqs[2]}"))
        assert replayed[1] == f"dev -- ala edited #{seqs[0]}: one giant leap", replayed
        assert replayed[-1] == f"dev -- ala pinned #{seqs[2]}" and len(replayed) == 7, replayed
        ala.run("set", "dev").expect(2, "set what")


def e2e__live__tail_catches_up_after_a_restart():
    with Server() as server:
        ala, bob = Device(server, "ala"), Device(server, "bob")
        ala.done("create", "dev")
        with bob.person("tail", "dev", "--json") as tail:
            tail.expect("listening to dev", "err")
            ala.done("send", "dev", "-", stdin="a\nb\n")
            tail.expect('"text":"b"')
            server.stop()
            tail.expect("connecting again", "err")
            # It is away until everything has been said.
            if not tail.program.is_windows:
                tail.proc.send_signal(signal.SIGSTOP)
            with again(server):
                ala.done("send", "dev", "-", stdin="c\nd\n")
                ala.done("react", "dev", ala.reply("send", "dev", "e")["seq"], "x")
                if not tail.program.is_windows:
                    tail.proc.send_signal(signal.SIGCONT)
                tail.expect('"event":"react"')
                ala.done("send", "dev", "f")
                tail.expect('"text":"f"')
                tail.interrupt()
                tail.wait(0)
        events = [json.loads(line) for line in tail.seen["out"]]
        said = [event["text"] for event in events if event["event"] == "message"]
        assert said == list("abcdef"), said
        if not tail.program.is_windows:
            assert sum(event.get("replay", False) for event in events) == 4, events
        seqs = [event["seq"] for event in events]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs))), seqs


def e2e__live__outbox_is_delivered_once_over_a_restart():
    with Server() as server:
        ala = Device(server, "ala")
        ala.done("create", "dev")
        ala.done("send", "dev", "before")
        server.stop()
        ala.run("send", "dev", "-", "-r", 1, stdin="x\ny\n").expect(8, "2 messages wait")
        with again(server) as second:
            ala.done("send", "dev", "after")
            ala.run("outbox", "send").expect(0, "nothing waits")
            second.stop()
        with again(server):
            ala.done("outbox", "send")
            found = ala.reply("history", "dev")["messages"]
            assert [m["text"] for m in found] == ["before", "x", "y", "after"], found
            assert [m.get("reply") for m in found] == [None, 1, 1, None], found


if __name__ == "__main__":
    main(globals())
