"""Accounts: login with its token, register, passwd, logout; and a connection that is lost and catches
up. With a server that plays a script."""

import json
import os
import re
import stat

from confab_test import Program, main, programs, run, skip, temp_dir
from person import Actor, Person, config_folder, flags, write
from terminal import Terminal

TIME = "2026-11-22T10:00:0{}.000Z"


def folder(home):
    """Where tokens are kept."""
    if not programs.client().is_windows:
        return os.path.join(home, "state", "confab", "tokens")
    # Wine sets LOCALAPPDATA by itself.
    shell = Program("cmd.exe")
    found = run(shell, "/c", "echo %LOCALAPPDATA%").expect(0).stdout.strip()
    prefix = shell.environment(home)["WINEPREFIX"]
    return f"{prefix}/drive_{found[0].lower()}{found[2:]}/Confab/tokens".replace("\\", "/")


class Accounts:
    """What a server knows: users with their passwords, tokens, and all that was asked."""

    def __init__(self, **passwords):
        self.passwords, self.tokens, self.asked = dict(passwords), {}, []
        self.guests = True

    def give_token(self, user, request, fields):
        if request.get("remember"):
            token = f"token-{len(self.asked)}"
            self.tokens[token] = user
            fields["token"] = token

    def log_in(self, connection, request):
        fields = {"role": "user", "session": "s", "rooms": []}
        if "token" in request:
            assert "user" not in request and "password" not in request, request
            user = self.tokens.get(request["token"])
        elif "password" in request:
            user = request["user"]
            user = user if self.passwords.get(user) == request["password"] else None
        else:
            user = request.get("user") if self.guests else None
            fields["guest"] = True
        if user is None:
            connection.answer(request, error="auth_failed", message="wrong user or secret")
            return None
        self.give_token(user, request, fields)
        connection.answer(request, user=user, **fields)
        return user

    def __call__(self, connection):
        connection.send(Actor.WELCOME)
        user = None
        while True:
            request = connection.read()
            self.asked.append(request)
            if request["cmd"] == "login":
                user = self.log_in(connection, request)
            elif request["cmd"] == "register":
                if request["user"] in self.passwords:
                    connection.answer(request, error="name_taken", message="taken")
                    continue
                user, fields = request["user"], {"role": "user", "session": "s", "rooms": []}
                self.passwords[user] = request["password"]
                self.give_token(user, request, fields)
                connection.answer(request, user=user, **fields)
            elif request["cmd"] == "passwd":
                if self.passwords[user] != request["old"]:
                    connection.answer(request, error="auth_failed", message="wrong")
                    continue
                self.passwords[user], self.tokens = request["new"], {}
                connection.answer(request)
            elif request["cmd"] == "logout" and "session" in request:
                connection.answer(request)
            elif request["cmd"] == "logout":
                self.tokens = {t: u for t, u in self.tokens.items() if u != user}
                connection.answer(request)
                connection.send({"event": "goodbye", "reason": "killed", "message": "logged out"})
                connection.end()
                return
            elif request["cmd"] == "quit":
                connection.answer(request)
                connection.send({"event": "goodbye", "reason": "quit", "message": "bye"})
                connection.end()
                return
            else:
                connection.answer(request, user=user)


class Device:
    """One home folder."""

    def __init__(self, actor, **files):
        self.actor, self.home = actor, temp_dir()
        for name, text in files.items():
            write(self.home, name, text)

    def file(self, name):
        return programs.client().file(os.path.join(self.home, name))

    def kept(self):
        """The files of tokens, by name; where the folder is not this test's alone, its own one."""
        windows = programs.client().is_windows
        where = folder(self.home)
        try:
            names = os.listdir(where)
        except FileNotFoundError:
            return {}
        found = {}
        for name in names:
            path = os.path.join(where, name)
            if windows and name != f"server-localhost_{self.actor.port}.json":
                continue
            assert windows or stat.S_IMODE(os.stat(path).st_mode) == 0o600, path
            with open(path, encoding="utf-8") as file:
                found[name] = json.load(file)
        assert windows or stat.S_IMODE(os.stat(where).st_mode) == 0o700
        return found

    def run(self, *words, user=None, **options):
        return run(programs.client(), *words, *flags(self.actor, user), home=self.home, **options)


def e2e__login__keeps_a_token_for_other_verbs():
    accounts = Accounts(alice="secret pass")
    with Actor(accounts) as actor:
        device = Device(actor, secret="secret pass\n")
        result = device.run("login", "alice", "--password-file", device.file("secret")).expect(0)
        assert result.stdout == "" and "logged in as alice" in result.stderr, result.stderr
        assert accounts.asked[0]["remember"] is True and accounts.asked[0]["user"] == "alice"
        (name, token), = device.kept().items()
        assert name == f"server-localhost_{actor.port}.json", name
        assert token["user"] == "alice" and token["server"] == f"localhost:{actor.port}"
        assert accounts.tokens == {token["token"]: "alice"}
        # No user said, or that user: by the token. Another one: a guest.
        assert device.run("whoami").expect(0).stdout == "user: alice\n"
        assert device.run("whoami", user="alice").expect(0).stdout == "user: alice\n"
        assert device.run("whoami", user="bob").expect(0).stdout == "user: bob\n"
        assert "secret pass" not in json.dumps(device.kept())


def e2e__login__is_asked_again_when_the_token_has_ended():
    accounts = Accounts(alice="secret pass")
    with Actor(accounts) as actor:
        device = Device(actor)
        device.run("login", "alice", "--password-file", "-", stdin="secret pass").expect(0)
        accounts.tokens.clear()
        device.run("whoami").expect(3, "auth_failed.*run confab login")
        # The user is known from the token before.
        device.run("login", "--password-command", "echo secret pass").expect(0)
        assert device.run("whoami").expect(0).stdout == "user: alice\n"
        device.run("login", "alice", "--password-file", "-", stdin="wrong one").expect(
            3, r"auth_failed \(wrong user or secret\)\n$")
        assert device.run("whoami").expect(0).stdout == "user: alice\n"


def e2e__login__asks_at_the_terminal():
    accounts = Accounts(alice="secret pass")
    with Actor(accounts) as actor:
        device = Device(actor)
        terminal = Terminal(actor, "login", home=device.home)
        terminal.expect(r"Password for alice at localhost:\d+: $")
        terminal.type("secret pass\r")
        terminal.expect("logged in as alice")
        terminal.wait()
        assert "secret" not in terminal.text, terminal.text
        terminal = Terminal(actor, "passwd", home=device.home)
        for prompt, text in (("Old password for alice at [^ ]+: $", "secret pass"),
                             ("New password for alice at [^ ]+: $", "another pass"),
                             ("The same again: $", "another pass")):
            terminal.expect(prompt)
            terminal.type(text + "\r")
        terminal.expect("the password is changed")
        terminal.wait()
        assert "secret" not in terminal.text and "another" not in terminal.text, terminal.text
        assert device.run("whoami").expect(0).stdout == "user: alice\n"


def e2e__login__prints_the_reply_as_json():
    with Actor(Accounts(alice="secret pass")) as actor:
        device = Device(actor)
        result = device.run("login", "alice", "--json", "--password-file", "-",
                            stdin="secret pass").expect(0)
        assert [json.loads(line)["user"] for line in result.stdout.splitlines()] == ["alice"]


def e2e__login__wants_no_password_on_the_command_line():
    device = Device(None)
    client = programs.client()
    run(client, "login", "alice", "--password", "x", home=device.home).expect(2, "--password")
    run(client, "login", "alice", "bob", home=device.home).expect(2, "one user")
    run(client, "login", "No One", home=device.home).expect(2, "one user")
    run(client, "login", "alice", "--password-file", device.file("none"), home=device.home).expect(1)


def e2e__login__is_kept_for_each_profile():
    accounts = Accounts(alice="secret pass", bob="another one")
    with Actor(accounts) as actor:
        device = Device(actor)
        config, alone = config_folder(device.home)
        if not alone:
            skip("the configuration folder is not this test's alone")
        server = f"localhost:{actor.port}"
        write(config, "config.json", json.dumps({"default": "work", "profiles": {
            "work": {"server": server, "user": "alice"}, "../x": {"server": server},
            "other": {"server": "localhost:1"}}}))
        ca = flags(actor, None)[2:]

        def confab(*words, **options):
            return run(programs.client(), *words, *ca, home=device.home, **options)

        confab("login", "--password-file", "-", stdin="secret pass").expect(0)
        confab("login", "bob", "-p", "../x", "--password-file", "-", stdin="another one").expect(0)
        assert sorted(device.kept()) == ["profile-.._x.json", "profile-work.json"]
        assert confab("whoami").expect(0).stdout == "user: alice\n"
        assert confab("whoami", "-p", "../x").expect(0).stdout == "user: bob\n"
        # A token goes to no other server.
        before = len(accounts.asked)
        with Actor(Accounts()) as elsewhere:
            confab("whoami", "-s", f"localhost:{elsewhere.port}", "-u", "carol").expect(0)
            assert "token" not in elsewhere.script.asked[0], elsewhere.script.asked
        assert len(accounts.asked) == before


def e2e__login__is_not_used_when_others_could_read_it():
    with Actor(Accounts(alice="secret pass")) as actor:
        device = Device(actor)
        if programs.client().is_windows:
            skip("modes are those of Unix")
        device.run("login", "alice", "--password-file", "-", stdin="secret pass").expect(0)
        path, = [os.path.join(folder(device.home), name) for name in device.kept()]
        os.chmod(path, 0o644)
        device.run("whoami").expect(1, "can be read by others")
        with open(path, "w", encoding="utf-8") as file:
            file.write("nonsense")
        os.chmod(path, 0o600)
        device.run("whoami").expect(1, "not what confab login writes")


def e2e__logout__ends_another_session():
    accounts = Accounts(alice="secret pass")
    with Actor(accounts) as actor:
        device = Device(actor)
        device.run("logout").expect(1, "no login is kept")
        device.run("login", "alice", "--password-file", "-", stdin="secret pass").expect(0)
        device.run("logout", "--session", "s9").expect(0)
        assert [r["session"] for r in accounts.asked if r["cmd"] == "logout"] == ["s9"]
        assert device.run("whoami").expect(0).stdout == "user: alice\n"


def e2e__logout__removes_what_is_kept():
    accounts = Accounts(alice="secret pass")
    with Actor(accounts) as actor:
        device = Device(actor)
        device.run("login", "alice", "--password-file", "-", stdin="secret pass").expect(0)
        device.run("logout").expect(0, "logged out")
        assert device.kept() == {} and accounts.tokens == {}
        device.run("login", "alice", "--password-file", "-", stdin="secret pass").expect(0)
        accounts.tokens.clear()
        device.run("logout").expect(3, "auth_failed")
        assert device.kept() == {}


def e2e__register__opens_an_account_and_stays_logged_in():
    accounts = Accounts(bob="x" * 8)
    with Actor(accounts) as actor:
        device = Device(actor, secret="secret pass")
        device.run("register", "bob", "--password-file", device.file("secret")).expect(
            3, "name_taken")
        assert device.kept() == {}
        result = device.run("register", "alice", "--invite", "code", "--json",
                            "--password-file", device.file("secret")).expect(0)
        assert json.loads(result.stdout)["user"] == "alice"
        request = [r for r in accounts.asked if r["cmd"] == "register"][-1]
        assert request["invite"] == "code" and request["password"] == "secret pass", request
        assert request["remember"] is True and request["device"] == "confab", request
        assert device.run("whoami").expect(0).stdout == "user: alice\n"


def e2e__passwd__keeps_this_device_logged_in():
    accounts = Accounts(alice="secret pass")
    with Actor(accounts) as actor:
        device = Device(actor, old="secret pass", new="another pass")
        device.run("login", "alice", "--password-file", device.file("old")).expect(0)
        before = device.kept()
        words = ["passwd", "--password-file", device.file("old"), "--new-password-file",
                 device.file("new")]
        assert device.run(*words).expect(0).stdout == ""
        assert accounts.passwords == {"alice": "another pass"}
        assert device.kept() != before and len(accounts.tokens) == 1
        assert device.run("whoami").expect(0).stdout == "user: alice\n"
        device.run(*words).expect(3, "auth_failed")
        assert device.run("whoami").expect(0).stdout == "user: alice\n"


def e2e__admin__passwords_are_asked_for():
    accounts = Accounts()
    with Actor(accounts) as actor:
        device = Device(actor, secret="secret pass")

        def ask(*words):
            device.run("admin", *words, user="root").expect(0)
            return [r for r in accounts.asked if r["cmd"] == words[0]][-1]

        assert "password" not in ask("useradd", "bob")
        request = ask("useradd", "bob", "--admin", "--password-file", device.file("secret"))
        assert request["password"] == "secret pass" and request["admin"] is True, request
        request = ask("userpasswd", "bob", "--password-file", device.file("secret"))
        assert request["password"] == "secret pass", request


# --- Catching up ----------------------------------------------------------------------------


def message(seq, text, **fields):
    return {"event": "message", "room": "dev", "seq": seq, "from": "bob", "text": text,
            "time": TIME.format(seq % 10), **fields}


class Loss:
    """A server whose first connection is cut off after some messages; `again` plays the others."""

    def __init__(self, again, guest=False, epochs=("e", "e", "e"), join=None):
        self.again, self.guest, self.epochs, self.logins = again, guest, epochs, []
        self.join = join or {}

    def log_in(self, connection, refuse=None):
        epoch = self.epochs[min(connection.number, len(self.epochs)) - 1]
        connection.send({**Actor.WELCOME, "epoch": epoch})
        request = connection.read()
        self.logins.append(request)
        if refuse is not None and "since" in request:
            connection.answer(request, error=refuse, field="since", message="no")
            request = connection.read()
            self.logins.append(request)
        fields = {"guest": True} if self.guest else {}
        connection.answer(request, user="alice", role="user", session="s", rooms=[], **fields)

    def joined(self, connection, seq):
        request = connection.read()
        assert request["cmd"] == "join", request
        connection.answer(request, room="dev", topic="", member_count=2, seq=seq, first=1, read=1,
                          already=True, **self.join)

    def __call__(self, connection):
        if connection.number == 1:
            self.log_in(connection)
            self.joined(connection, 4)
            for seq in (5, 6):
                connection.send(message(seq, f"before {seq}"))
            return
        self.again(self, connection)


def tail(script, count, *words):
    """What `confab tail dev` prints: `count` lines, and then no more until it is stopped."""
    with Actor(script) as actor:
        home = temp_dir()
        token = {"server": f"localhost:{actor.port}", "user": "alice", "token": "t"}
        if not script.guest:
            name = f"server-localhost_{actor.port}.json"
            path = write(folder(home), name, json.dumps(token))
            os.chmod(path, 0o600)
        with Person(actor, "tail", "dev", *words, user="alice" if script.guest else None,
                    home=home) as person:
            person.expect("the end", seconds=30)
            person.interrupt()
            person.wait(0)
        lines = [re.sub(r"^[-:\d]{8} ", "", line) for line in person.seen["out"]]
        assert len(lines) == count, lines
        return lines, "\n".join(person.seen["err"])


def e2e__catch_up__tail_loses_nothing_and_repeats_nothing():
    def again(script, connection):
        script.log_in(connection)
        # One that is known already, as a server may send all the same.
        connection.send(message(6, "before 6", replay=True))
        connection.send(message(7, "missed 7", replay=True))
        connection.send({"event": "edit", "room": "dev", "seq": 8, "target": 7, "from": "bob",
                         "time": TIME.format(8), "text": "mended", "replay": True})
        connection.send({"event": "message", "to": "alice", "seq": 3, "from": "bob", "replay": True,
                         "time": TIME.format(1), "text": "unread for long"})
        connection.send({"event": "synced"})
        script.joined(connection, 8)
        connection.send(message(9, "the end"))
        connection.wait_end()

    script = Loss(again)
    lines, err = tail(script, 5)
    assert lines == ["dev bob: before 5", "dev bob: before 6", "dev bob: missed 7",
                     "dev -- bob edited #7: mended", "dev bob: the end"], lines
    assert "since" not in script.logins[0] and script.logins[0]["token"] == "t", script.logins
    assert script.logins[1]["since"] == {"dev": 6} and script.logins[1]["token"] == "t"
    assert "may be missing" not in err, err


def e2e__catch_up__asks_for_the_seq_of_the_join():
    def again(script, connection):
        script.log_in(connection)
        connection.send({"event": "skipped", "conversation": "dev", "first": 7, "last": 9})
        connection.send(message(10, "the end", replay=True))
        connection.send({"event": "synced"})
        connection.wait_end()

    class Quiet(Loss):
        def __call__(self, connection):
            if connection.number > 1:
                self.again(self, connection)
            else:
                self.log_in(connection)
                self.joined(connection, 4)

    script = Quiet(again)
    lines, _ = tail(script, 2)
    assert script.logins[1]["since"] == {"dev": 4}, script.logins
    assert "dev -- #7 to #9 are too many" in lines[0], lines


def e2e__catch_up__not_with_another_epoch_nor_for_guests_nor_without_history():
    def again(script, connection):
        script.log_in(connection)
        script.joined(connection, 1)
        connection.send(message(2, "the end"))
        connection.wait_end()

    for script in (Loss(again, epochs=("e", "f")), Loss(again, guest=True),
                   Loss(again, join={"epoch": "of this room"})):
        tail(script, 3)
        assert len(script.logins) == 2 and "since" not in script.logins[1], script.logins


def e2e__catch_up__goes_on_without_when_it_is_refused():
    def again(script, connection):
        script.log_in(connection, refuse="bad_field")
        script.joined(connection, 1)
        connection.send(message(2, "the end"))
        connection.wait_end()

    script = Loss(again)
    tail(script, 3)
    assert ["since" in login for login in script.logins] == [False, True, False], script.logins


if __name__ == "__main__":
    main(globals())
