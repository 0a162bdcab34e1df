"""Tries every field of a command, as the tables describe it: missing, of another type, too short,
too long, out of range, and at its greatest; and who may ask when.

    fields.py COMMAND
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e/harness"))

from confab_test import Client, Ended, Failure, Server  # noqa: E402
from confab_test.runner import run_case  # noqa: E402
from confab_test.schema import Schema  # noqa: E402

TYPES = {"text": "string", "user": "string", "room": "string", "choice": "string", "int": "number",
         "bool": "bool", "time": "string"}
SAMPLES = {"string": "x", "number": 1, "bool": True, "null": None, "array": [], "object": {}}


def good(field):
    """A value that the field's own rules allow."""
    kind = field["kind"]
    if kind == "choice":
        return field["words"][0]
    if kind == "text":
        return "x" * max(1, field["min"])
    return {"user": "ala", "room": "dev", "int": field["min"], "bool": True, "id": 1,
            "json": {}, "time": "2026-01-31T12:00:00.000Z", "days": field.get("words", [""])[0]}[kind]


def greatest(field):
    """Values at the edge of what is allowed."""
    kind = field["kind"]
    if kind == "text":
        return ["x" * field["min"], "x" * field["max"], "語" * (field["max"] // 3)]
    if kind in ("user", "room"):
        return ["a" * field["max"]]
    if kind == "int":
        return [field["min"], field["max"]]
    if kind == "choice":
        return field["words"]
    if kind == "time":
        return ["1970-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "2026-01-31T12:00:00Z"]
    if kind == "days":
        return field["words"] + [field["min"], field["max"]]
    if kind == "json" and field["name"] == "since":
        return [None, {}, {f"{i:0>55}": i for i in range(1000)}]
    if kind == "json":
        return ["x" * (field["max"] - 2)]
    return [True, False]


def wrong(field):
    """(value, error) of what is not allowed."""
    kind = field["kind"]
    cases = []
    if kind in TYPES:
        cases += [(value, "bad_field") for name, value in SAMPLES.items() if name != TYPES[kind]]
    if kind in ("text", "user", "room"):
        cases += [("x" * (field["max"] + 1), "too_large"),
                  ("x" * (field["max"] - 1) + "€", "too_large")]
        if field["min"] > 0:
            cases.append(("", "bad_field"))
        if field["min"] > 1:
            cases.append(("x" * (field["min"] - 1), "bad_field"))
    if kind in ("user", "room"):
        cases += [(name, "bad_field") for name in ("Ala", "-a", "a b", "ą", "a\n", "@a")]
    if kind == "int":
        cases += [(field["min"] - 1, "bad_field"), (field["max"] + 1, "bad_field"),
                  (field["min"] + 0.5, "bad_field"), ("1", "bad_field")]
    if kind == "choice":
        cases += [("", "bad_field"), ("nonsense", "bad_field"),
                  (field["words"][0].upper(), "bad_field"), (field["words"][0] + " ", "bad_field")]
    if kind == "time":
        cases += [(value, "bad_field") for value in ("", "now", "2026-01-31", "2026-01-31T12:00:00")]
    if kind == "days":
        cases += [(value, "bad_field") for value in
                  ("", "nonsense", True, None, [], {}, field["min"] - 1, field["max"] + 1, 1.5, "7")]
    if kind == "bool":
        cases += [("true", "bad_field"), (0, "bad_field")]
    if kind == "json":
        cases.append(("x" * (field["max"] - 1), "too_large"))
    return cases


class Trial:
    def __init__(self, server, row):
        self.server, self.row = server, row
        self.fields = row["fields"]
        self.count = 0

    def connect(self):
        client = Client(self.server)
        client.welcome()
        if self.row["who"] != "new":
            self.count += 1
            client.login(f"u{self.count}")
        return client

    def base(self, without=None):
        """A request with what it must have."""
        chosen = {}
        either = [field for field in self.fields if field["need"] == "either"]
        for field in self.fields:
            if field["need"] == "required" or either and field is either[0]:
                chosen[field["name"]] = good(field)
        if without in [field["name"] for field in either]:
            for field in either:
                chosen.pop(field["name"], None)
        chosen.pop(without, None)
        return chosen

    def ask(self, client, fields):
        return client.reply(client.ask(self.row["name"], **fields))

    def refuse(self, client, fields, error, field, limit=None):
        reply = self.ask(client, fields)
        shown = {name: str(value)[:80] for name, value in fields.items()}
        if reply["ok"] or reply["error"] != error or reply.get("field") not in field:
            raise Failure(f"{self.row['name']} {shown}: should be {error} of {field}: {reply}")
        if limit is not None and reply.get("limit") != limit:
            raise Failure(f"{self.row['name']} {shown}: limit should be {limit}: {reply}")

    def check_missing(self):
        client = self.connect()
        either = [field["name"] for field in self.fields if field["need"] == "either"]
        for field in self.fields:
            if field["need"] == "required":
                self.refuse(client, self.base(field["name"]), "bad_field", [field["name"]])
        if either:
            self.refuse(client, self.base(either[0]), "bad_field", either)
            both = {**self.base(), **{field["name"]: good(field) for field in self.fields
                                      if field["need"] == "either"}}
            self.refuse(client, both, "bad_field", either)

    def check_wrong(self):
        client = self.connect()
        for field in self.fields:
            for value, error in wrong(field):
                fields = self.base(field["name"])
                fields[field["name"]] = value
                limit = field["max"] if error == "too_large" else None
                self.refuse(client, fields, error, [field["name"]], limit)

    def check_greatest(self):
        """Whatever the state says to it, the field itself is not what is wrong."""
        for field in self.fields:
            for value in greatest(field):
                fields = self.base(field["name"])
                fields[field["name"]] = value
                reply = self.ask(self.connect(), fields)
                if not reply["ok"] and reply["error"] in ("bad_field", "too_large"):
                    raise Failure(f"{self.row['name']}: {field['name']} of {str(value)[:40]!r} "
                                  f"({len(str(value))}) should be allowed: {reply}")

    def check_state(self):
        stranger = Client(self.server)
        stranger.welcome()
        friend = Client(self.server)
        friend.welcome()
        friend.login("friend")
        before = self.ask(stranger, self.base())
        after = self.ask(friend, self.base())
        if self.row["who"] == "user" and before.get("error") != "not_logged_in":
            raise Failure(f"before login: {before}")
        if self.row["who"] == "anyone" and not (before["ok"] and after["ok"]):
            raise Failure(f"before login {before}, after {after}")
        if self.row["who"] == "new" and after.get("error") != "already_logged_in":
            raise Failure(f"after login: {after}")

    def play(self):
        self.check_missing()
        self.check_wrong()
        self.check_greatest()
        self.check_state()


def play(command):
    row = next((row for row in Schema.load().tables["commands"] if row["name"] == command), None)
    if row is None:
        raise Failure(f"the tables have no command {command}")
    # A long first line is refused before its fields are looked at: PROTOCOL.md, 1.4.
    with Server("--guests", "--workers", "1", "--max-first-line", "65536") as server:
        try:
            Trial(server, row).play()
        except Ended as why:
            raise Failure(str(why)) from None


if __name__ == "__main__":
    sys.exit(run_case(sys.argv[1], lambda: play(sys.argv[1])))
