"""The administrative verbs: their command line, what they ask of a running server (whose control
channel this file plays), passwords, and what they do to the store's files."""

import fcntl
import json
import os
import pty
import re
import shutil
import socket
import stat
import subprocess
import termios
import threading
import time

from confab_test import Client, Failure, Server, main, programs, run, skip, temp_dir

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")


def admin(*args, data=None, **options):
    program = programs.server()
    where = ["--data", program.file(data)] if data else []
    return run(program, *args, *where, **options)


def fails(code, words, *args, **options):
    result = admin(*args, **options).expect(code, words)
    if len(result.stderr.splitlines()) != 1:
        raise Failure(f"not one line: {result.stderr!r}")
    return result


def same(got, want):
    if got != want:
        raise Failure(f"{got!r} is not {want!r}")


def verbs():
    """Those of the list in --help: name and words."""
    text = admin("--help").expect(0).stdout.partition("\nVerbs")[2]
    rows = re.findall(r"^  ([a-z]+(?: [a-z]+)?)((?: [A-Z\[\]]+)*)(?:  |$)", text, re.MULTILINE)
    if len(rows) < 15:
        raise Failure(f"few verbs: {rows}")
    return rows


# --- The command line ---------------------------------------------------------------------------

def e2e__admin__has_help_for_each_verb():
    for name, words in verbs():
        text = admin(*name.split(), "--help").expect(0).stdout
        if not text.startswith(f"usage: confab-server {name}{words} [OPTIONS]"):
            raise Failure(text)


def e2e__admin__stands_in_the_man_page():
    with open(os.path.join(TOP, "docs/man/confab-server.1"), encoding="utf-8") as file:
        page = re.sub(r"\\f[A-Z]|\"", "", file.read()).replace("\\-", "-")
    for name, _ in verbs():
        if not re.search(rf"^\.B[IR]? {name}\b", page, re.MULTILINE):
            raise Failure(f"the man page has no {name}")
        for option in re.findall(r"--([a-z-]+)", admin(*name.split(), "--help").stdout):
            if f"--{option}" not in page:
                raise Failure(f"the man page has no --{option}")


def e2e__admin__refuses_wrong_usage():
    folder = temp_dir()
    for words, args in [
            ("did you mean user add", ["user", "ad", "alice"]),
            ("did you mean backup", ["bakup", "x"]),
            ("user what?", ["user"]),
            ("NAME is missing", ["user", "add"]),
            ("\"b\" is too much", ["user", "delete", "a", "b"]),
            ("did you mean --reason", ["user", "suspend", "a", "--reson", "x"]),
            ("unknown option --reason", ["user", "delete", "a", "--reason", "x"]),
            ("from 1 to 100000", ["invitecode", "create", "--uses", "0"]),
            ("from 1 to", ["invitecode", "create", "--expires", "soon"]),
            ("no user's name", ["user", "delete", "Alice"]),
            ("no room's name", ["export", "--room", "A B"]),
            ("one source", ["user", "passwd", "a", "--password-fd", "3", "--password-file", "x"]),
            ("no other way", ["user", "add", "a", "--no-password", "--password-file", "x"]),
            ("needs a value", ["user", "list", "--like", ""])]:
        fails(2, re.escape(words), *args, data=folder)


def e2e__admin__tells_when_no_server_runs():
    folder = temp_dir()
    fails(8, "no server runs on", "stats", data=folder)
    fails(8, "no server runs on", "reload", data=folder)
    fails(6, "there is no store in", "user", "list", data=folder)
    fails(6, "there is no store in", "verify", data=folder)
    fails(6, "there is no store in", "export", data=folder)
    fails(6, "there is no file", "restore", "none.db", data=folder)
    fails(6, "cannot open", "import", "none.jsonl", data=folder)
    same(os.listdir(folder), [])


# --- A running server's control channel ---------------------------------------------------------

class Control:
    """Plays the server: answers each request by the function `answer` (None: not at all)."""

    def __init__(self, answer):
        if programs.server().is_windows:
            skip("the channel is a pipe of Windows there, which this system does not have")
        self.data = temp_dir("c")
        self.path = os.path.join(self.data, "control.sock")
        self.answer, self.asked = answer, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        with conn, conn.makefile("rw", encoding="utf-8", newline="\n") as file:
            try:
                file.write('{"event":"welcome"}\n')
                file.flush()
                for line in file:
                    request = json.loads(line)
                    self.asked.append(request)
                    reply = self.answer(request)
                    if reply == "end":
                        return
                    if reply is not None:
                        file.write('{"event":"presence","user":"x"}\n')
                        file.write(json.dumps({"re": request["id"], "ok": True, **reply}) + "\n")
                        file.flush()
                    if request["cmd"] == "shutdown":
                        return
            except OSError:
                pass

    def ask(self, *args, **options):
        return admin(*args, data=self.data, **options)

    def last(self, **want):
        got = dict(self.asked[-1])
        del got["id"]
        same(got, want)


def refused(code, text="no"):
    return {"ok": False, "error": code, "message": text}


def secret_file(text="correct horse\n"):
    path = os.path.join(temp_dir(), "secret")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def e2e__admin__asks_the_server_about_users():
    control = Control(lambda request: {})
    path = secret_file()
    result = control.ask("user", "add", "alice", "--admin", "--password-file", path).expect(0)
    control.last(cmd="useradd", user="alice", password="correct horse", admin=True)
    same(result.stdout, "alice added, an administrator\n")
    control.ask("user", "add", "bob", "--no-password").expect(0)
    control.last(cmd="useradd", user="bob")
    control.ask("user", "passwd", "bob", "--password-command", f"cat '{path}'").expect(0)
    control.last(cmd="userpasswd", user="bob", password="correct horse")
    control.ask("user", "passwd", "bob", "--password-file", "-", stdin="Zażółć gęślą\r\n").expect(0)
    control.last(cmd="userpasswd", user="bob", password="Zażółć gęślą")
    control.ask("user", "grant", "bob").expect(0)
    control.last(cmd="grant", user="bob", admin=True)
    control.ask("user", "grant", "bob", "--revoke").expect(0)
    control.last(cmd="grant", user="bob", admin=False)
    control.ask("user", "suspend", "bob", "--reason", "a \"b\"").expect(0)
    control.last(cmd="suspend", user="bob", reason="a \"b\"")
    control.ask("user", "restore", "bob").expect(0)
    control.last(cmd="restore", user="bob")
    same(json.loads(control.ask("user", "delete", "bob", "--json").expect(0).stdout)["ok"], True)
    control.last(cmd="userdel", user="bob")


def e2e__admin__reads_a_password_from_a_descriptor():
    control = Control(lambda request: {})
    path = secret_file()
    with open(path, "rb") as file:
        control.ask("user", "passwd", "bob", "--password-fd", str(file.fileno()),
                    pass_fds=[file.fileno()]).expect(0)
    control.last(cmd="userpasswd", user="bob", password="correct horse")


def e2e__admin__refuses_bad_passwords():
    control = Control(lambda request: {})
    for text, words in [("\n", "empty"), ("short\n", "at least 8"), ("a\nb\n", "one line"),
                        ("x" * 257, "256 bytes"), ("x" * 5000, "256 bytes")]:
        result = control.ask("user", "passwd", "bob", "--password-file", secret_file(text))
        result.expect(1, words)
    control.ask("user", "passwd", "bob", "--password-command", "exit 4").expect(1, "exit code 4")
    control.ask("user", "passwd", "bob", "--password-file", "none").expect(6, "none")
    # No terminal: the test's own session has none either.
    control.ask("user", "passwd", "bob", preexec_fn=os.setsid).expect(2, "no terminal")
    same(control.asked, [])


def e2e__admin__lists_page_by_page():
    people = [{"user": f"u{i}", "online": i == 1, "admin": i == 2, "suspended": i == 3,
               "deleted": False, "created": "2026-01-01T00:00:00.000Z",
               **({"reason": "no\u001b[2Jcolours"} if i == 3 else {})} for i in range(5)]

    def answer(request):
        first = int(request.get("after", "u-1")[1:]) + 1
        page = people[first:first + 2]
        return {"users": page, "more": first + 2 < len(people), "next": page[-1]["user"]}

    control = Control(answer)
    lines = control.ask("user", "list", "--like", "u").expect(0).stdout.splitlines()
    same(len(lines), 5)
    same(lines[1].split(), ["u1", "2026-01-01T00:00:00.000Z", "online"])
    same(lines[3].partition("Z ")[2], "suspended (no?[2Jcolours)")
    same([request.get("after") for request in control.asked], [None, "u1", "u3"])
    same({request.get("like") for request in control.asked}, {"u"})
    result = control.ask("user", "list", "--json").expect(0)
    same([json.loads(line) for line in result.stdout.splitlines()], people)


def e2e__admin__handles_invite_codes():
    control = Control(lambda request: {"code": "abc"} if request["action"] == "create" else
                      {"codes": [{"code": "abc", "uses": 3, "by": "console"}], "more": False})
    result = control.ask("invitecode", "create", "--uses", "3", "--expires", "60").expect(0)
    same(result.stdout, "abc\n")
    control.last(cmd="invitecode", action="create", uses=3, expires=60)
    result = control.ask("invitecode", "list").expect(0)
    same(result.stdout, "abc  uses left: 3  expires: never  by: console\n")
    control.ask("invitecode", "revoke", "abc").expect(0)
    control.last(cmd="invitecode", action="revoke", code="abc")


def e2e__admin__asks_the_server_about_itself():
    control = Control(lambda request: {"users": 3, "version": "1"})
    same(control.ask("stats").expect(0).stdout, "users        3\nversion      1\n")
    same(json.loads(control.ask("stats", "--json").expect(0).stdout)["users"], 3)
    control.ask("reload").expect(0)
    control.last(cmd="reload")
    control.ask("shutdown").expect(0)
    control.last(cmd="shutdown")
    control.ask("backup", "x.db").expect(0)
    control.last(cmd="backup", file=os.path.join(os.getcwd(), "x.db"))


def e2e__admin__exits_by_what_the_server_says():
    answers = {"stats": refused("not_allowed", "only for you"),
               "userdel": refused("no_such_user", "there is no bob"), "reload": "end",
               "users": None, "restore": refused("unavailable", "the disk is full")}
    control = Control(lambda request: answers[request["cmd"]])
    control.ask("stats").expect(5, "only for you")
    control.ask("user", "delete", "bob").expect(6, "there is no bob")
    control.ask("user", "restore", "bob").expect(5, "the disk is full")
    control.ask("reload").expect(8, "ended the connection")
    control.ask("user", "list", "--timeout", "1").expect(7, "does not answer")


def e2e__admin__keeps_off_the_files_of_a_running_server():
    control = Control(lambda request: {})
    for args in [["verify"], ["restore", "x.db"], ["import", "x.jsonl"]]:
        control.ask(*args).expect(5, "a server runs on")
    same(os.listdir(control.data), ["control.sock"])


def e2e__admin__exports_from_a_copy_of_a_running_server():
    source, _ = served()
    control = Control(lambda request: shutil.copy(os.path.join(source, "confab.db"),
                                                  request["file"]) and {})
    want = admin("export", data=source).expect(0).stdout.splitlines()[1:]
    same(control.ask("export").expect(0).stdout.splitlines()[1:], want)
    same(os.listdir(control.data), ["control.sock"])


def e2e__admin__ends_when_the_reader_has_gone():
    control = Control(lambda request: {"users": [{"user": "x" * 30}] * 400, "more": True,
                                       "next": "x"})
    proc = programs.server().start(["user", "list", "--data", control.data], temp_dir(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    proc.stdout.read(10)
    proc.stdout.close()
    proc.wait(20)
    same((proc.returncode, proc.stderr.read()), (0, b""))
    proc.stderr.close()


# --- The prompt ---------------------------------------------------------------------------------

class Typist:
    """A program at a terminal of its own."""

    def __init__(self, control, *args):
        self.master, self.slave = pty.openpty()
        self.text = b""

        def take_terminal():
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

        self.proc = programs.server().start(
            [*args, "--data", control.data], temp_dir(), stdin=self.slave, stdout=self.slave,
            stderr=self.slave, preexec_fn=take_terminal)

    def wait(self, words, seconds=20):
        os.set_blocking(self.master, False)
        end = time.monotonic() + seconds
        while words not in self.text:
            if time.monotonic() > end:
                raise Failure(f"no {words!r} in {self.text!r}")
            try:
                self.text += os.read(self.master, 4096)
            except BlockingIOError:
                time.sleep(0.01)

    def type(self, keys):
        os.write(self.master, keys)

    def echo(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def end(self, code, words):
        self.wait(words)
        self.proc.wait(20)
        same(self.proc.returncode, code)
        same(self.echo(), True)
        os.close(self.master)
        os.close(self.slave)


def e2e__prompt__asks_twice_without_echo():
    control = Control(lambda request: {})
    typist = Typist(control, "user", "add", "alice")
    typist.wait(b"New password for alice: ")
    same(typist.echo(), False)
    typist.type(b"wrong\x15correct horsf\x7fe\r")
    typist.wait(b"Once more: ")
    typist.type(b"correct horse\r")
    typist.end(0, b"alice added")
    control.last(cmd="useradd", user="alice", password="correct horse")
    if b"horse" in typist.text:
        raise Failure(f"shown: {typist.text!r}")


def e2e__prompt__refuses_two_different_ones():
    control = Control(lambda request: {})
    typist = Typist(control, "user", "passwd", "alice")
    typist.wait(b"New password for alice: ")
    typist.type(b"correct horse\r")
    typist.wait(b"Once more: ")
    typist.type(b"correct house\r")
    typist.end(1, b"not the same")
    same(control.asked, [])


def e2e__prompt__gives_the_terminal_back_after_ctrl_c():
    control = Control(lambda request: {})
    typist = Typist(control, "user", "passwd", "alice")
    typist.wait(b"New password for alice: ")
    typist.type(b"corr\x03")
    typist.end(1, b"interrupted")


def e2e__prompt__gives_the_terminal_back_after_a_signal():
    control = Control(lambda request: {})
    typist = Typist(control, "user", "passwd", "alice")
    typist.wait(b"New password for alice: ")
    typist.proc.terminate()
    typist.end(1, b"interrupted")


# --- Files --------------------------------------------------------------------------------------

TEXTS = ["one", "two \"three\"", "Zażółć"]


def served():
    """The data folder of a server that has run, with a room and what was said in it."""
    with Server() as server:
        client = Client(server, user="alice")
        client.login()
        client.request("join", room="hall")
        for text in TEXTS:
            client.request("send", room="hall", text=text)
    return os.path.join(server.home, "data"), server


def e2e__verify__counts_what_is_there():
    data, _ = served()
    admin("verify", data=data).expect(0)
    counts = json.loads(admin("verify", "--json", data=data).expect(0).stdout)
    same(sorted(counts), ["conversations", "entries", "records"])


def e2e__export__is_what_an_import_takes():
    data, _ = served()
    program = programs.server()
    folder = temp_dir()
    first, second = os.path.join(folder, "first"), os.path.join(folder, "second")
    admin("export", "--jsonl", program.file(first), data=data).expect(0)
    if not program.is_windows:
        same(stat.S_IMODE(os.stat(first).st_mode), 0o600)
    other = os.path.join(folder, "other")
    admin("import", program.file(first), data=other).expect(0)
    same(sorted(name for name in os.listdir(other) if "." not in name), [])
    admin("verify", data=other).expect(0)
    admin("export", program.file(second), data=other).expect(0)
    with open(first, "rb") as a, open(second, "rb") as b:
        lines, others = a.read().splitlines(), b.read().splitlines()
    same(others[1:], lines[1:])
    same(json.loads(lines[0])["export"], "confab")
    said = [entry for entry in map(json.loads, lines) if entry.get("entry") == "message"]
    same([(entry["room"], entry["from"], entry["text"]) for entry in said],
         [("hall", "alice", text) for text in TEXTS])
    same(json.loads(lines[-1])["end"], len(lines) - 1)
    admin("export", program.file(first), data=data).expect(1, "create")
    admin("import", program.file(first), data=other).expect(1, "there is a store in")


def e2e__import__leaves_nothing_of_what_is_broken():
    data, _ = served()
    text = admin("export", data=data).expect(0).stdout
    folder = os.path.join(temp_dir(), "new")
    cut = "\n".join(text.splitlines()[:-1])
    admin("import", "-", data=folder, stdin=cut).expect(1, "cut off behind line")
    admin("import", "-", data=folder, stdin="hello\n").expect(1, "line 1")
    admin("import", "-", data=folder, stdin="x" * 2000000).expect(1, "too long")
    same(os.listdir(folder), [])
    admin("import", "-", data=folder, stdin=text).expect(0)


def e2e__restore__puts_a_copy_in_place():
    data, _ = served()
    program = programs.server()
    copy = os.path.join(temp_dir(), "copy.db")
    shutil.copy(os.path.join(data, "confab.db"), copy)
    admin("restore", program.file(copy), data=data).expect(0)
    if "confab.db.replaced" not in os.listdir(data):
        raise Failure(f"{os.listdir(data)}")
    admin("verify", data=data).expect(0)


if __name__ == "__main__":
    main(globals())
