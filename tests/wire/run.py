"""Plays a case of tests/wire/*.json against a server of its own.

    run.py FILE.json CASE        one case
    run.py FILE.json             all of them

A file: {"about": …, "server": [flags], "cases": [case…]}. A case: "name", "rule" (number and title
of the rule in proto/PROTOCOL.md), "server" (instead of the file's), "steps". A step is an object
of one key, which begins with the name of a connection; connections open when first named, and
their welcome is read.

    {"a>": {…}}              sends an object as a line; a string is sent as a line as it is
    {"a>>": "…"}             sends a string as it is, without LF
    {"a>hex": "…"}           sends these bytes
    {"a>line": {"head": …, "fill": "x", "tail": …, "bytes": n}}   a line of n bytes with its LF
    {"a>": {"token": "$t"}}   a string that a pattern took is sent in its place
    {"a<": pattern}          the next line; presence, session and ping are passed over unless
                             they are asked for. Patterns: harness/confab_test/pattern.py
    {"a<strict": pattern}    the very next line, none passed over
    {"a<until": pattern}     a line that comes sooner or later
    {"a<all": [pattern…]}    the next lines, in any order
    {"a<none": true}         no line is there: a ping of our own is answered next
    {"a<end": "clean"}       the stream ends here, without another line ("truncated", "reset")
    {"a<end after": "clean"} the same, whatever lines come before
    {"a open": {options}}    connects, welcome unread; options of harness Client
    {"a login": "ala"}       logs in as a guest; {"cert": "ala"} by certificate
    {"a join": "dev"}        joins, own join event included
    {"a close": "notify"}    close_notify; "cut" without; "reset"
    {"repeat": n, "steps": […]}   steps n times; "{i}" in strings that are sent is the turn
    {"differ": ["$a", "$b"]} what patterns took as $a and $b is not the same
    {"server log": "regex"}  waits for a line of the log
    {"grant": "ala"}         makes the account an administrator, from the server's own machine

Anywhere in a step {"*repeat": ["x", 100, "y", 1]} stands for a string, so many of each.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e/harness"))

from confab_test import Client, Ended, Failure, Mismatch, Server, match  # noqa: E402
from confab_test.pattern import fits  # noqa: E402
from confab_test.runner import run_case  # noqa: E402
from confab_test.schema import Schema  # noqa: E402

PASSED_OVER = ("presence", "session", "ping")
SERVER = ["--guests", "--workers", "1"]


def expand(value):
    if isinstance(value, dict):
        if list(value) == ["*repeat"]:
            pairs = value["*repeat"]
            return "".join(text * count for text, count in zip(pairs[::2], pairs[1::2]))
        return {key: expand(item) for key, item in value.items()}
    return [expand(item) for item in value] if isinstance(value, list) else value


class Play:
    def __init__(self, server):
        self.server = server
        self.clients = {}
        self.commands = {}
        self.names = {}
        self.fences = 0
        self.schema = Schema.load()

    def client(self, name, options=None, greet=True):
        if name not in self.clients:
            client = Client(self.server, name=name, **(options or {}))
            self.clients[name] = client
            asked = self.commands.setdefault(name, {})
            if self.schema:
                client.hook = lambda line, raw: self.schema.check(line, raw, asked)
            if greet:
                client.welcome()
        return self.clients[name]

    def note(self, name, message):
        if isinstance(message, dict) and isinstance(message.get("cmd"), str):
            number = message.get("id")
            if isinstance(number, (int, str)):
                self.commands[name][number] = message["cmd"]

    def next_line(self, client, pattern):
        wanted = pattern.get("event") if isinstance(pattern, dict) else None
        while True:
            line = client.next_line()
            if line.get("event") not in PASSED_OVER or line["event"] == wanted:
                return line

    def step(self, step):
        if "repeat" in step:
            for turn in range(step["repeat"]):
                for inner in step["steps"]:
                    self.step(json.loads(json.dumps(inner).replace("{i}", str(turn))))
            return
        (key, value), = expand(step).items()
        if key == "server log":
            self.server.wait_log(value)
            return
        if key == "grant":
            self.server.grant(value)
            return
        if key == "differ":
            one, two = (self.names[name] for name in value)
            if one == two:
                raise Mismatch(f"{value[0]} and {value[1]} are both {one!r}")
            return
        name = key.split(" ")[0].split("<")[0].split(">")[0]
        verb = key[len(name):].strip()
        if verb == "open":
            self.client(name, value, greet=False)
            return
        options = {"user": value["cert"]} if verb == "login" and isinstance(value, dict) else None
        client = self.client(name, options)
        getattr(self, VERBS[verb])(name, client, value)

    def do_send(self, name, client, value):
        if isinstance(value, str):
            client.send_raw(value + "\n")
            try:
                self.note(name, json.loads(value))
            except (ValueError, RecursionError):
                pass  # no JSON, on purpose
        else:
            value = {key: self.names.get(item, item) if isinstance(item, str) else item
                     for key, item in value.items()}
            self.note(name, value)
            client.send(value)

    def do_send_raw(self, _, client, value):
        client.send_raw(value)

    def do_send_hex(self, _, client, value):
        client.send_raw(bytes.fromhex(value))

    def do_send_line(self, _, client, value):
        head, tail = value["head"].encode(), value["tail"].encode()
        fill = value.get("fill", "x").encode()
        room = value["bytes"] - len(head) - len(tail) - 1
        assert room >= 0 and room % len(fill) == 0
        client.send_raw(head + fill * (room // len(fill)) + tail + b"\n")

    def do_expect(self, _, client, value):
        line = self.next_line(client, value)
        try:
            match(value, line, self.names)
        except Mismatch as why:
            raise Mismatch(f"{client.name}: {why}\n    expected {value}\n    got {line}") from None

    def do_expect_strict(self, _, client, value):
        client.expect_line(value, self.names)

    def do_expect_until(self, _, client, value):
        while not fits(value, client.next_line(), self.names):
            pass

    def do_expect_all(self, _, client, value):
        wanted = list(value)
        while wanted:
            asked = next((p for p in wanted if p.get("event") in PASSED_OVER), {})
            line = self.next_line(client, asked)
            found = next((p for p in wanted if fits(p, line, self.names)), None)
            if found is None:
                raise Mismatch(f"{client.name}: {line} is none of {wanted}")
            wanted.remove(found)

    def do_expect_none(self, _, client, __):
        self.fences += 1
        fence = f"fence-{self.fences}"
        client.send({"cmd": "ping", "id": fence})
        line = self.next_line(client, {})
        if line.get("re") != fence:
            raise Mismatch(f"{client.name}: a line that should not be there: {line}")

    def do_expect_end(self, _, client, value):
        try:
            line = self.next_line(client, {})
        except Ended:
            if client.ended != value:
                raise Failure(f"{client.name} ended {client.ended!r}, not {value!r}") from None
        else:
            raise Failure(f"{client.name}: a line instead of the end: {line}")

    def do_expect_end_after(self, _, client, value):
        client.expect_end(value)

    def do_login(self, name, client, value):
        message = {"cmd": "login", "id": "login"}
        if isinstance(value, str):
            message["user"] = value
        self.do_send(name, client, message)
        self.do_expect(name, client, {"re": "login", "ok": True})

    def do_join(self, name, client, value):
        self.do_send(name, client, {"cmd": "join", "id": "join", "room": value})
        self.do_expect(name, client, {"re": "join", "ok": True})
        self.do_expect(name, client, {"event": "join", "room": value})

    def do_close(self, _, client, value):
        {"notify": client.close_notify, "cut": client.cut, "reset": client.reset}[value]()


VERBS = {
    ">": "do_send", ">>": "do_send_raw", ">hex": "do_send_hex", ">line": "do_send_line",
    "<": "do_expect", "<strict": "do_expect_strict", "<until": "do_expect_until",
    "<all": "do_expect_all", "<none": "do_expect_none", "<end": "do_expect_end",
    "<end after": "do_expect_end_after", "login": "do_login", "join": "do_join",
    "close": "do_close",
}


def play(case, flags):
    with Server(*flags) as server:
        game = Play(server)
        for number, step in enumerate(case["steps"], 1):
            try:
                game.step(step)
            except (Failure, Mismatch, Ended) as why:
                raise Failure(f"rule {case['rule']!r}, step {number}, {json.dumps(step)[:300]}: "
                              f"{why}") from None


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        book = json.load(file)
    wanted = sys.argv[2:]
    known = {case["name"] for case in book["cases"]}
    for name in wanted:
        if name not in known:
            sys.exit(f"{sys.argv[1]} has no case {name}")
    code = 0
    for case in book["cases"]:
        if wanted and case["name"] not in wanted:
            continue
        flags = case.get("server", book.get("server", SERVER))
        code |= run_case(case["name"], lambda: play(case, flags))
    sys.exit(code)


if __name__ == "__main__":
    main()
