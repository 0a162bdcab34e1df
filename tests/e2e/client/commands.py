"""The verbs that are one command each: what they ask, how the answer is printed, page by page; with a
server that plays a script."""

import json
import re

from confab_test import Server, main, product_certs, programs, run
from person import Actor, confab

TIME = "2026-11-22T10:00:0{}.000Z"


def answers(*replies, seen=None):
    """A script that logs in and answers one request after the other; `seen` gets the requests."""
    def script(connection):
        connection.log_in()
        for reply in replies:
            request = connection.read()
            while request["cmd"] == "quit":
                connection.answer(request)
                connection.send({"event": "goodbye", "reason": "quit", "message": "bye"})
                return
            if seen is not None:
                seen.append({key: request[key] for key in request if key != "id"})
            if callable(reply):
                reply(connection, request)
            else:
                connection.answer(request, **reply)
        request = connection.read()
        connection.answer(request)
        connection.send({"event": "goodbye", "reason": "quit", "message": "bye"})
        connection.end()
    return script


def asked(*words, reply=None, code=0, stdin=b""):
    """What is asked for these words, and the result."""
    seen = []
    with Actor(answers(reply or {}, seen=seen)) as actor:
        result = confab(actor, *words, stdin=stdin).expect(code)
    return seen[0] if seen else None, result


def check(words, **request):
    got, result = asked(*words)
    assert got == {"cmd": words[0] if words[0] != "admin" else words[1], **request}, got
    assert result.stdout == "" and result.stderr == "", (result.stdout, result.stderr)


def e2e__client__words_become_requests():
    check(["edit", "dev", "42", "new", "text"], room="dev", target=42, text="new text")
    check(["react", "--to", "bob", "7", "👍"], to="bob", target=7, emoji="👍")
    check(["create", "dev", "--topic", "a b", "--private", "--guests=no", "--history", "30"],
          room="dev", topic="a b", private=True, guests=False, history=30)
    check(["set", "dev", "--history=full", "--slow", "5", "--visible", "joined"], room="dev",
          history="full", slow=5, visible="joined")
    check(["ban", "dev", "@eve", "--for", "60", "--reason", "spam"], room="dev", user="eve",
          reason="spam", **{"for": 60})
    check(["admin", "grant", "bob", "yes"], user="bob", admin=True)
    check(["admin", "invitecode", "create", "--uses", "3"], action="create", uses=3)
    check(["search", "two words", '"a phrase"', "--since", "2026-11-01", "--to", "bob"],
          query='two words "a phrase"', since="2026-11-01T00:00:00.000Z", to="bob")
    check(["delete", "dev", "42", "--reason", "old"], room="dev", target=42, reason="old")
    check(["status", "away", "--text", "lunch"], status="away", text="lunch")


def e2e__client__text_of_standard_input():
    request, _ = asked("edit", "dev", "1", "-", stdin="two\nlines żó\n")
    assert request["text"] == "two\nlines żó", request
    request, _ = asked("admin", "announce", "-", stdin="soon")
    assert request["text"] == "soon", request


def e2e__client__options_before_and_behind():
    seen = []
    with Actor(answers({}, seen=seen)) as actor:
        run(programs.client(), "-s", f"localhost:{actor.port}", "--ca",
            programs.client().file(product_certs().ca), "-u", "alice", "-q", "admin", "--json",
            "kill", "bob", "--reason", "x").expect(0)
    assert seen == [{"cmd": "kill", "user": "bob", "reason": "x"}], seen


def e2e__client__slips_are_told_before_connecting():
    def refused(*words, text):
        run(programs.client(), *words, "-s", "localhost:1").expect(2, text)
    refused("edit", "dev", text=r"confab edit ROOM\|@USER SEQ TEXT…\|-")
    refused("edit", "dev", "x", "y", text="whole number")
    refused("edit", "No Room", "1", "y", text="room's name")
    refused("pin", "dev", "1", "2", text="no place for \"2\"")
    refused("set", "dev", "--pivate", text="did you mean --private")
    refused("set", "dev", "--private=maybe", text="yes or no")
    refused("create", "dev", "--slow", "5", text="unknown option --slow")
    refused("admin", "grant", "bob", "perhaps", text="yes or no")
    refused("admin", "stat", text="did you mean admin stats")
    refused("stats", text="did you mean admin stats")
    refused("rooms", "--to", "bob", text="takes no --to")
    refused("sync", "dev", text="ROOM=SEQ")
    refused("history", "dev", "--all", "--around", "5", text="around")
    refused("history", "dev", "--limit", "many", text="whole number")


def e2e__client__help_of_every_verb():
    client = programs.client()
    text = run(client, "--help").expect(0).stdout
    admin = run(client, "admin", "--help").expect(0).stdout
    names = re.findall(r"^  ([a-z]+)", text.split("Options of all")[0], re.M)
    admins = re.findall(r"^  ([a-z]+)", admin, re.M)
    assert {"history", "search", "sync", "login", "rooms", "blocks"} <= set(names), names
    assert {"stats", "backup", "shutdown", "invitecode"} <= set(admins), admins
    for verb in [[name] for name in names if name != "admin"] + [["admin", n] for n in admins]:
        text = run(client, *verb, "--help").expect(0).stdout
        assert text.startswith("usage: confab " + " ".join(verb)), text
    assert "--visible all|joined" in run(client, "set", "--help").stdout


# --- Answers --------------------------------------------------------------------------------


def e2e__client__lists_are_tables():
    _, result = asked("rooms", reply={"more": False, "rooms": [
        {"room": "dev", "topic": "żółw", "member_count": 12, "joined": True},
        {"room": "a-longer-name", "topic": "", "member_count": 3, "joined": False, "invited": True},
        {"room": "x", "topic": "a\x1b[2J\nb", "member_count": 1, "joined": False}]})
    assert result.stdout.splitlines() == [
        "ROOM           TOPIC    MEMBER COUNT  JOINED  INVITED",
        "dev            żółw     12            yes     -",
        "a-longer-name  -        3             no      yes",
        "x              a\ufffd[2J b  1             no      -"], result.stdout
    _, result = asked("blocks", reply={"users": ["bob", "eve"], "more": False})
    assert result.stdout == "bob\neve\n", result.stdout
    _, result = asked("bans", "dev", reply={"bans": [], "more": False})
    assert result.stdout == "" and result.stderr == "none\n", result


def e2e__client__objects_are_keys_and_values():
    _, result = asked("whoami", reply={"user": "alice", "guest": False, "session": "s1",
                                       "tls": {"version": "TLSv1.3", "cipher": "c"}})
    assert result.stdout == ("user: alice\nguest: no\nsession: s1\n"
                             "tls: version TLSv1.3, cipher c\n"), result.stdout
    _, result = asked("kick", "dev", "bob", reply={"seq": 7})
    assert result.stdout == "", result.stdout


def e2e__client__json_prints_the_line():
    for words in (["whoami"], ["rooms"], ["history", "dev"]):
        reply = {"user": "a\u001b", "rooms": [], "messages": [], "more": False}
        _, result = asked(*words, "--json", reply=reply)
        assert len(result.stdout.splitlines()) == 1
        got = json.loads(result.stdout)
        assert got["ok"] and got["user"] == "a\x1b", got


def e2e__client__refusals_have_exit_codes():
    for error, code in (("no_such_room", 6), ("not_allowed", 5), ("unavailable", 5),
                        ("not_logged_in", 3)):
        _, result = asked("members", "dev", reply={"error": error, "message": "so it is"},
                          code=code)
        assert result.stdout == "" and f"confab: {error}: so it is" in result.stderr, result.stderr
        _, result = asked("members", "dev", "--json", reply={"error": error, "message": "m"},
                          code=code)
        assert json.loads(result.stdout)["error"] == error


MESSAGES = [
    {"seq": 41, "from": "bob", "time": TIME.format(1), "text": "hi"},
    {"seq": 42, "from": "zoe", "time": TIME.format(2), "text": "new\x1b", "guest": True,
     "edited": TIME.format(3), "pinned": True, "reactions": {"👍": ["bob", "alice"], "x": 3}},
    {"seq": 43, "from": "bob", "time": TIME.format(3), "deleted": True},
    {"seq": 44, "from": "bob", "time": "2026-11-24T12:00:00.000Z", "text": "two\nlines", "reply": 41,
     "reactions": [{"emoji": "y", "users": ["eve"]}]},
    {"seq": 45, "from": "bob", "time": "2026-11-24T12:00:01.000Z", "text": "waves", "kind": "action"},
]


def e2e__client__history_is_a_conversation():
    seen = []
    with Actor(answers({"messages": MESSAGES, "first": 1, "more": True}, seen=seen)) as actor:
        result = confab(actor, "history", "dev", "--limit", "5").expect(0)
    assert seen == [{"cmd": "history", "room": "dev", "limit": 5}], seen
    assert "there is more: --before 41, or --all" in result.stderr, result.stderr
    lines = [re.sub(r"\d\d:\d\d:\d\d", "T", line) for line in result.stdout.splitlines()]
    assert re.fullmatch(r"-- 2026-11-2[123]", lines[0]), lines
    assert lines[1:4] == ["T dev #41 bob: hi",
                          "T dev #42 ~zoe: new\ufffd (edited) (pinned) [👍 bob alice, x 3]",
                          "T dev #43 bob: (deleted)"], lines
    assert re.fullmatch(r"-- 2026-11-2[345]", lines[4]), lines
    assert lines[5:] == ["T dev #44 bob (to #41): two", "         | lines [y eve]",
                         "T dev #45 * bob waves"], lines
    _, result = asked("search", "hi", reply={"more": False, "messages": [
        {"conversation": "@bob", **MESSAGES[0]}]})
    assert result.stdout.splitlines()[1].endswith(" @bob #41 bob: hi"), result.stdout
    _, result = asked("history", "@bob", reply={"messages": MESSAGES[:1], "more": False})
    assert result.stdout.splitlines()[1].endswith(" @bob #41 bob: hi"), result.stdout


def e2e__client__pages_follow_next():
    seen = []
    pages = [{"rooms": [{"room": "a"}], "more": True, "next": "a"},
             {"rooms": [], "more": True, "next": "m"},
             {"rooms": [{"room": "z"}], "more": False}]
    with Actor(answers(*pages, seen=seen)) as actor:
        result = confab(actor, "rooms", "--all", "--limit", "1").expect(0)
    assert [request.get("after") for request in seen] == [None, "a", "m"], seen
    assert result.stdout == "ROOM\na\nz\n", result.stdout
    _, result = asked("rooms", reply=pages[0])
    assert result.stderr == "there is more: --after a, or --all\n", result.stderr
    seen = []
    pages = [{"messages": [{"conversation": "dev", **MESSAGES[0]}], "more": True, "next": 7},
             {"messages": [], "more": False}]
    with Actor(answers(*pages, seen=seen)) as actor:
        result = confab(actor, "search", "hi", "--all", "--json").expect(0)
    assert [request.get("after") for request in seen] == [None, 7], seen
    assert len(result.stdout.splitlines()) == 2


def e2e__client__all_of_a_history_comes_from_its_start():
    seen = []
    pages = [{"messages": MESSAGES[:2], "first": 1, "more": True},
             {"messages": MESSAGES[2:], "first": 1, "more": False}]
    with Actor(answers(*pages, seen=seen)) as actor:
        result = confab(actor, "history", "dev", "--all").expect(0)
    assert [request["after"] for request in seen] == [0, 42], seen
    assert [int(n) for n in re.findall(r" dev #(\d+)", result.stdout)] == [41, 42, 43, 44, 45]
    assert result.stdout.count("-- 2026") == 2, result.stdout


def e2e__client__sync_prints_what_was_missed():
    def replay(connection, request):
        connection.answer(request)
        message = {"event": "message", "room": "dev", "from": "bob", "time": TIME.format(1)}
        connection.send({"event": "skipped", "conversation": "dev", "first": 2, "last": 9})
        connection.send({**message, "seq": 10, "text": "missed", "replay": True})
        connection.send({**message, "seq": 12, "text": "live"})
        connection.send({"event": "edit", "room": "dev", "seq": 11, "target": 10, "from": "bob",
                         "time": TIME.format(2), "text": "better", "replay": True})
        connection.send({"event": "gone", "conversation": "old"})
        connection.send({"event": "synced"})

    seen = []
    with Actor(answers(replay, replay, seen=seen)) as actor:
        result = confab(actor, "sync", "dev=1", "@bob=7").expect(0)
        lines = [re.sub(r"\d\d:\d\d:\d\d", "T", line) for line in result.stdout.splitlines()]
        assert lines == [
            "--:--:-- dev -- #2 to #9 are too many and not shown here; confab history has them",
            "T dev bob: missed", "T dev -- bob edited #10: better",
            "--:--:-- old -- you are not in it any more"], lines
        result = confab(actor, "sync", "--json").expect(0)
        names = [json.loads(line).get("event") for line in result.stdout.splitlines()]
        assert names == [None, "skipped", "message", "edit", "gone", "synced"], names
    assert [r["since"] for r in seen] == [{"dev": 1, "@bob": 7}, None], seen


def e2e__client__verbs_of_today_meet_a_server():
    with Server("--guests") as server:
        assert confab(server, "create", "dev", "--topic", "t").expect(0).stdout == "room: dev\n"
        out = confab(server, "join", "lobby").expect(0).stdout
        assert out.startswith("room: lobby\n"), out
        assert confab(server, "ping", "--data", "x").expect(0).stdout == "data: x\n"
        assert "guest: yes" in confab(server, "whoami").expect(0).stdout
        confab(server, "who").expect(0)
        confab(server, "leave", "nowhere").expect(6)
        confab(server, "admin", "stats").expect(5)


if __name__ == "__main__":
    main(globals())
