"""Every line of the server against the protocol's tables, as confab-tables prints them: events and
errors that are known, and no field that the tables do not name, none missing."""

import hashlib
import json
import os
import subprocess

from .programs import Failure, programs

ERROR_FIELDS = {"bad_field": {"field"}, "too_large": {"field", "limit"}, "too_many": {"limit"},
                "line_too_long": {"limit"},
                "rate_limited": {"retry_after"}}


def parse_fields(text):
    """'room or to, seq, tls {version, cipher*}, users [{user, idle}], kind*' as a list of
    (names that stand for each other, optional, parts or None)."""
    fields, depth, part = [], 0, ""
    for letter in text + ",":
        depth += letter in "{[("
        depth -= letter in "}])"
        if letter == "," and depth == 0:
            if part.strip():
                fields.append(parse_field(part.strip()))
            part = ""
        else:
            part += letter
    return fields


def parse_field(text):
    name, _, inner = text.partition(" ")
    parts = None
    if inner.startswith("or "):
        names = text.split(" or ")
    else:
        names = [name]
        if inner:
            parts = parse_fields(inner.strip("[]{} "))
    optional = names[-1].endswith("*")
    return [item.rstrip("*") for item in names], optional, parts


def check_fields(fields, value, extra, what):
    known = set(extra)
    for names, optional, parts in fields:
        known.update(names)
        there = [name for name in names if name in value]
        if len(there) > 1 or not there and not optional:
            raise Failure(f"{what}: {' or '.join(names)} should be there once: {value}")
        if parts and there:
            inner = value[there[0]]
            for item in inner if isinstance(inner, list) else [inner]:
                check_fields(parts, item, (), f"{what}: {there[0]}")
    unknown = set(value) - known
    if unknown:
        raise Failure(f"{what}: the tables know no field {', '.join(sorted(unknown))}: {value}")


def printed(tables):
    """What the program prints, asked once for each build of it: hundreds of tests want to know."""
    with open(tables.path, "rb") as file:
        build = hashlib.sha256(file.read()).hexdigest()[:12]
    path = os.path.join(os.environ["CONFAB_BUILD"], f"tables-{build}.json")
    if not os.path.exists(path):
        done = subprocess.run(tables.argv(["--json"]), capture_output=True, check=False,
                              env=tables.environment(os.environ["CONFAB_BUILD"]),
                              stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Failure(f"{tables.path} --json: exit code {done.returncode}: "
                          f"{done.stderr.decode(errors='replace')}")
        # Another test may do the same at this moment.
        with open(f"{path}.{os.getpid()}", "wb") as file:
            file.write(done.stdout)
        os.replace(file.name, path)
    with open(path, "rb") as file:
        return file.read()


class Schema:
    loaded = None

    @classmethod
    def load(cls):
        if cls.loaded is None and os.environ.get("CONFAB_TABLES"):
            cls.loaded = cls(json.loads(printed(programs.get("CONFAB_TABLES"))))
        return cls.loaded

    def __init__(self, tables):
        self.tables = tables
        self.limits = {row["name"]: row["value"] for row in tables["limits"]}
        self.events = {row["name"]: row for row in tables["events"]}
        self.errors = {row["name"] for row in tables["errors"]}
        self.reasons = {row["name"] for row in tables["reasons"]}
        self.replies = {row["name"]: parse_fields(row["reply"]) for row in tables["commands"]}

    def check(self, line, raw, asked):
        """`asked`: commands by the id they were sent with."""
        if "event" in line:
            self.check_event(line, raw)
        else:
            self.check_reply(line, raw, asked)

    def check_event(self, line, raw):
        name = line["event"]
        if name not in self.events:
            raise Failure(f"no such event in the tables: {line}")
        if len(raw) > self.limits["line"]:
            raise Failure(f"an event of {len(raw)} bytes")
        check_fields(parse_fields(self.events[name]["fields"]), line, {"event"}, f"event {name}")
        if name == "goodbye" and line["reason"] not in self.reasons:
            raise Failure(f"no such reason in the tables: {line}")

    def check_reply(self, line, raw, asked):
        if len(raw) > self.limits["reply"]:
            raise Failure(f"a reply of {len(raw)} bytes")
        if not line["ok"]:
            if line.get("error") not in self.errors:
                raise Failure(f"no such error in the tables: {line}")
            wanted = {"re", "ok", "error", "message"} | ERROR_FIELDS.get(line["error"], set())
            if set(line) != wanted or not isinstance(line["message"], str):
                raise Failure(f"an error with the fields {sorted(line)}, not {sorted(wanted)}")
        elif line["re"] in asked:
            cmd = asked[line["re"]]
            check_fields(self.replies[cmd], line, {"re", "ok"}, f"reply to {cmd}")
