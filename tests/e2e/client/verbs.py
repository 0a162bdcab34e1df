"""What `confab` does with a server that does its part: every verb, every exit code it can meet."""

import json
import signal
import subprocess

from confab_test import Client, Server, main, product_certs, programs
from person import Person, confab, flags

TEXT = "Zażółć gęślą jaźń 日本"


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def e2e__client__send_reaches_tail():
    with Server("--guests") as server, Person(server, "tail", "dev", user="bob") as bob:
        bob.expect("listening to dev", "err")
        confab(server, "send", "dev", TEXT, "and more").expect(0)
        bob.expect(rf"^\d\d:\d\d:\d\d dev ~alice: {TEXT} and more$")
        bob.interrupt()
        bob.wait(0)
        assert bob.seen["err"] == ["listening to dev"], bob.seen


def e2e__client__send_says_nothing_but_json():
    with Server("--guests") as server, Person(server, "tail", "dev", user="bob") as bob:
        bob.expect("listening", "err")
        assert confab(server, "send", "dev", "x").expect(0).stdout == ""
        reply = lines(confab(server, "send", "dev", "x", "--json").expect(0).stdout)
        assert len(reply) == 1 and reply[0]["ok"] is True and "seq" in reply[0], reply


def e2e__client__send_keeps_the_order_of_standard_input():
    wanted = [f"line {number} {TEXT}" for number in range(200)]
    text = "\n".join(wanted).replace("line 100 ", "\r\n\n\nline 100 ") + "\r\nlast \x1b[31mred"
    wanted.append("last \x1b[31mred")
    with Server("--guests", "--no-limits") as server, \
            Person(server, "tail", "dev", "--json", user="bob") as bob:
        bob.expect("listening", "err")
        confab(server, "send", "dev", "-", stdin=text).expect(0)
        bob.expect("last ")
        got = [json.loads(line) for line in bob.seen["out"]]
        assert [event["text"] for event in got if event["event"] == "message"] == wanted


def e2e__client__send_cuts_long_lines_and_mends_broken_ones():
    with Server("--guests", "--no-limits") as server, \
            Person(server, "tail", "dev", "--json", user="bob") as bob:
        bob.expect("listening", "err")
        text = "ż" * 10000
        confab(server, "send", "dev", "-", stdin=text + "\na\0b\nend\n").expect(0)
        confab(server, "send", "dev", "-", stdin=b"\xff\xc5\nover\n").expect(0)
        bob.expect('"over"')
        got = [json.loads(line) for line in bob.seen["out"]]
        got = [event["text"] for event in got if event["event"] == "message"]
        end = got.index("end")
        assert "".join(got[:end - 1]) == text and all(len(t.encode()) <= 8192 for t in got)
        assert got[end - 1:] == ["a\ufffdb", "end", "\ufffd\ufffd", "over"], got[end - 1:]


def e2e__client__send_tells_what_is_refused():
    with Server("--guests") as server:
        confab(server, "send", "nowhere", "hi").expect(6, r"no_such_room")
        confab(server, "send", "@nobody", "hi").expect(6, r"no_such_user")
        confab(server, "send", "--to", "nobody", "hi").expect(6, r"no_such_user")
        with Person(server, "tail", "dev", user="bob") as bob:
            bob.expect("listening", "err")
            confab(server, "send", "dev", "x" * 9000).expect(5, r"too_large")
        confab(server, "send", "dev").expect(2, "nothing to send")
        confab(server, "send").expect(2, "whom")
        confab(server, "send", "dev", "").expect(2)


def e2e__client__send_writes_to_users():
    with Server("--guests") as server:
        bob = Client(server)
        bob.login("bob")
        confab(server, "send", "@bob", "one", "two").expect(0)
        confab(server, "send", "--to", "bob", "three").expect(0)
        confab(server, "send", "--to", "@bob", "-", stdin="four\nfive").expect(0)
        for text in ("one two", "three", "four", "five"):
            bob.expect_event("message", to="bob", text=text, **{"from": "alice"})


def e2e__client__tail_prints_lines_of_the_wire():
    with Server("--guests") as server, Person(server, "tail", "dev", "-j", user="bob") as bob, \
            Person(server, "tail", "other", user="carol") as carol:
        bob.expect("listening", "err")
        carol.expect("listening", "err")
        confab(server, "send", "other", "not for bob").expect(0)
        confab(server, "send", "dev", "for bob").expect(0)
        event = json.loads(bob.expect("for bob"))
        assert event["event"] == "message" and event["room"] == "dev"
        assert all(json.loads(line)["room"] == "dev" for line in bob.seen["out"])
        carol.expect("not for bob")


def e2e__client__tail_listens_to_a_user():
    with Server("--guests") as server, Person(server, "tail", "@bob", "lobby") as alice:
        alice.expect("listening to lobby", "err")
        bob = Client(server)
        bob.login("bob")
        bob.request("send", to="alice", text="psst")
        assert alice.expect("psst").endswith("@bob ~bob: psst")


def e2e__client__tail_shows_no_control_of_others():
    with Server("--guests") as server, Person(server, "tail", "dev", user="bob") as bob:
        bob.expect("listening", "err")
        eve = Client(server)
        eve.login("eve")
        eve.request("join", room="dev")
        eve.request("send", room="dev",
                    text="a\x1b]0;x\x07\x9b31m\u202e\u2066\x08\n10:00:00 dev bob: fake\r\x7f")
        eve.request("send", room="dev", text="the end")
        bob.expect("the end")
        text = "\n".join(bob.seen["out"])
        assert not [c for c in text if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160)], text
        assert "\u202e" not in text and "\u2066" not in text
        # What looks like a line of its own is marked as part of eve's.
        assert any(line.startswith("         | 10:00:00") for line in bob.seen["out"]), text


def e2e__client__tail_ends_quietly_with_its_reader():
    program = programs.client()
    with Server("--guests", "--no-limits") as server:
        proc = program.start(["tail", "dev", *flags(server, "bob")], server.home,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        proc.stdout.readline()  # its own join
        proc.stdout.close()
        confab(server, "send", "dev", "-", stdin="x\n" * 50)
        _, err = proc.communicate(timeout=20)
        assert proc.returncode == 0, (proc.returncode, err)
        assert err.decode().strip() == "listening to dev", err


def e2e__client__tail_connects_again():
    server = Server("--guests")
    with Person(server, "tail", "dev", user="bob") as bob:
        bob.expect("listening to dev", "err")
        server.stop()
        bob.expect("shutdown.*connecting again", "err")
        with Server("--guests", listen=(f"127.0.0.1:{server.port}",)) as again:
            bob.expect("listening to dev again", "err", seconds=60)
            confab(again, "send", "dev", "are you back?").expect(0)
            bob.expect("are you back")
            bob.interrupt(signal.SIGINT)
            bob.wait(0)


def e2e__client__tail_refused_at_first_does_not_wait():
    with Server("--guests") as server:
        bob = Client(server)
        bob.login("bob")
        confab(server, "tail", "dev", user="bob").expect(3, "name_taken")


def e2e__client__json_exit_codes():
    with Server("--guests") as server:
        reply = lines(confab(server, "json", '{"cmd":"whoami"}').expect(0).stdout)
        assert reply[0]["ok"] and reply[0]["user"] == "alice" and len(reply) == 1
        reply = lines(confab(server, "json", '{"cmd":"nosuch","id":"x y"}').expect(5).stdout)
        assert reply[0]["error"] == "unknown_command" and reply[0]["re"] == "x y"
        confab(server, "json", '{"cmd":"room","room":"none"}').expect(6, "no_such_room")
        confab(server, "json", '{"cmd":"send","to":"none","text":"x"}').expect(6, "no_such_user")
        confab(server, "json", '{"cmd":"send","text":"x"}').expect(5, "bad_field")
        confab(server, "json", '{"cmd":"whoami"}', "--no-login").expect(3, "not_logged_in")
        confab(server, "json", '{"cmd":"ping"}', "--no-login").expect(0)
        confab(server, "json", '{"cmd":').expect(2, "JSON")
        confab(server, "json", '{"cmd":"ping","id":-1}').expect(2, "id")
        confab(server, "json", '{"a":1,"a":2}').expect(2, "JSON")
        confab(server, "json").expect(2)
        confab(server, "json", '{"cmd":"quit"}').expect(0)


def e2e__client__json_takes_words_and_standard_input():
    with Server("--guests") as server:
        bob = Client(server)
        bob.login("bob")
        bob.request("join", room="dev")
        reply = confab(server, "json", "cmd=room", "room=dev", "id=7").expect(0).stdout
        assert lines(reply)[0]["re"] == 7
        reply = confab(server, "json", "-", stdin='{\n "cmd": "rooms",\r\n "limit": 1\n}\n')
        assert lines(reply.expect(0).stdout)[0]["rooms"][0]["room"] == "dev"
        confab(server, "json", "cmd=send", "--to", "bob", f"text={TEXT} = \"x\"",
               'data:={"a":[1,null]}').expect(0)
        bob.expect_event("message", text=f'{TEXT} = "x"', data={"a": [1, None]})
        confab(server, "json", "cmd=rooms", "limit=ten").expect(5, "bad_field")
        confab(server, "json", "cmd=sned", "room=dev").expect(2, "did you mean cmd=send")
        confab(server, "json", "rooms").expect(2, "field=value")


def e2e__client__pipe_ends_when_all_replies_are_in():
    commands = [{"cmd": "join", "room": "dev", "id": "j"}]
    commands += [{"cmd": "send", "room": "dev", "text": f"{i}", "id": i} for i in range(300)]
    commands += [{"cmd": "send", "room": "none", "text": "x"}]
    text = "\n".join(json.dumps(c) for c in commands) + "\nnonsense"
    with Server("--guests", "--no-limits") as server:
        got = lines(confab(server, "pipe", stdin=text).expect(0).stdout)
    assert got[0]["event"] == "welcome"
    assert sorted(line["re"] for line in got if isinstance(line.get("re"), int)) == list(range(300))
    assert all(line["ok"] for line in got if isinstance(line.get("re"), int))
    assert [line["error"] for line in got if line.get("re", 0) is None] in (
        ["no_such_room", "bad_json"], ["bad_json", "no_such_room"]), got[-4:]
    texts = [line["text"] for line in got if line.get("event") == "message"]
    assert texts == [f"{i}" for i in range(300)], texts


def e2e__client__pipe_logs_in_by_itself():
    with Server("--guests") as server:
        text = '{"cmd":"login","user":"zoe","id":1}\n{"cmd":"whoami","id":2}\n'
        got = lines(confab(server, "pipe", "--no-login", stdin=text).expect(0).stdout)
        assert [line["user"] for line in got if "user" in line] == ["zoe", "zoe"], got
        confab(server, "pipe", "word").expect(2)
        confab(server, "pipe", stdin='{"cmd":"quit","id":1}\n{"cmd":"ping","id":2}\n').expect(0)


def e2e__client__pipe_carries_a_bot():
    with Server("--guests") as server, Person(server, "pipe", user="bot") as bot:
        bot.expect("confab-login")
        bot.say('{"cmd":"join","room":"dev","id":1}')
        bot.expect('"re":1,"ok":true')
        confab(server, "send", "dev", "hello bot").expect(0)
        bot.expect("hello bot")
        bot.say('{"cmd":"send","to":"bot","text":"noted","id":2}')
        bot.expect('"re":2,"ok":true')
        bot.finish(0)


def e2e__client__pipe_tells_when_the_server_is_gone():
    server = Server("--guests")
    with Person(server, "pipe") as pipe:
        pipe.expect("confab-login")
        server.kill()
        pipe.wait(8)
        pipe.expect("^confab: localhost:", "err")


def e2e__client__pipe_ends_on_interrupt():
    with Server("--guests") as server, Person(server, "pipe") as pipe:
        pipe.expect("confab-login")
        pipe.interrupt()
        pipe.wait(0)


def e2e__client__chat_over_a_pipe():
    with Server("--guests") as server:
        bob = Client(server)
        bob.login("bob")
        bob.request("join", room="dev")
        with Person(server, "chat", "dev") as alice:
            alice.expect("in dev, 2 here", "err")
            alice.say(TEXT, "/me waves", "//slash", "/msg bob psst", "/members", "/rooms", "/who",
                      "/nope", "/quti", "/help", "/room nowhere", "/join No", "/msg bob")
            bob.expect_event("message", text=TEXT)
            bob.expect_event("message", text="waves", kind="action")
            bob.expect_event("message", text="/slash")
            bob.expect_event("message", text="psst", to="bob")
            bob.request("send", room="dev", text="hi alice")
            alice.expect("dev ~bob: hi alice")
            alice.expect(f"dev ~alice: {TEXT}")
            alice.expect("-- members:")
            alice.expect(r"~bob \(owner\)")
            alice.expect("did you mean /quit", "err")
            alice.expect("/help +this list", "err")
            alice.say("/room @bob", "to you", "/leave dev", "/join dev2", "in the other")
            bob.expect_event("message", text="to you", to="bob")
            alice.expect("dev2 ~alice: in the other")
            alice.finish(0)


def e2e__client__chat_sends_all_before_the_end():
    wanted = [f"text {number}" for number in range(40)]
    with Server("--guests", "--no-limits") as server:
        bob = Client(server)
        bob.login("bob")
        bob.request("join", room="dev")
        confab(server, "chat", stdin="/join dev\n" + "\n".join(wanted)).expect(0)
        for text in wanted:
            bob.expect_event("message", text=text)


def e2e__client__chat_quits_and_speaks_json():
    with Server("--guests") as server:
        out = confab(server, "chat", "--json", stdin="/join dev\nhi\n/quit\n").expect(0).stdout
        assert any(line.get("text") == "hi" for line in lines(out)), out
        confab(server, "chat", "dev", "more").expect(2)
        confab(server, "chat", "Dev").expect(2)
        result = confab(server, "chat", "--quiet", stdin="/help\n/join dev\n").expect(0)
        assert result.stderr == "", result.stderr


def e2e__client__logs_in_by_certificate():
    certs = product_certs()
    program = programs.client()
    cert, key = certs.client("carol")
    own = ["--cert", program.file(cert), "--key", program.file(key)]
    with Server() as server:
        out = confab(server, "json", "cmd=whoami", *own, user=None).expect(0).stdout
        reply = lines(out)[0]
        assert reply["user"] == "carol" and reply["guest"] is False, reply
        confab(server, "json", "cmd=whoami", *own, user="carol").expect(0)
        confab(server, "json", "cmd=whoami", *own, user="dave").expect(3)
        confab(server, "json", "cmd=whoami", user="dave").expect(3, "auth_failed")
        confab(server, "json", "cmd=whoami", *own[:2], user=None).expect(2, "key")
        confab(server, "json", "cmd=whoami", "--cert", program.file(cert), "--key",
               program.file(cert), user=None).expect(4)


if __name__ == "__main__":
    main(globals())
