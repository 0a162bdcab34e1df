"""A person at a shell: `confab` running in the background, its output line by line; and a server
that does what a test tells it to, for what a real one does not do on demand."""

import json
import os
import queue
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

from confab_test import Failure, Program, forget_port, product_certs, programs, temp_dir
from confab_test.programs import PATIENCE, check_sanitizers, run

WINDOWS_INTERRUPT = signal.SIGINT  # Wine hands it to the console's handler


def flags(server, user="alice", certs=None, program=None):
    program = program or programs.client()
    certs = certs or product_certs()
    return ["--server", f"localhost:{server.port}", "--ca", program.file(certs.ca),
            *(["--user", user] if user else [])]


def confab(server, *args, user="alice", certs=None, program=None, **options):
    """Runs `confab` to its end."""
    program = program or programs.client()
    return run(program, *args, *flags(server, user, certs, program), **options)


class Person:
    """`confab` in the background."""

    def __init__(self, server, *args, user="alice", certs=None, program=None, home=None):
        self.program = program or programs.client()
        argv = [*args, *(flags(server, user, certs, self.program) if server else [])]
        self.proc = self.program.start(argv, home or temp_dir(), stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.seen = {"out": [], "err": []}
        self.news = queue.Queue()
        self.readers = [threading.Thread(target=self._read, args=(name, pipe), daemon=True)
                        for name, pipe in (("out", self.proc.stdout), ("err", self.proc.stderr))]
        for reader in self.readers:
            reader.start()

    def _read(self, name, pipe):
        for raw in pipe:
            self.news.put((name, raw.decode(errors="surrogateescape").rstrip("\r\n")))
        self.news.put((name, None))

    def _pump(self, end):
        try:
            name, line = self.news.get(timeout=max(0.01, end - time.monotonic()))
        except queue.Empty:
            raise Failure(f"it did not come; seen {self.seen}") from None
        if line is not None:
            self.seen[name].append(line)

    def expect(self, regex, stream="out", seconds=PATIENCE, since=0):
        """The first line, from `since` on, in which `regex` is found."""
        end = time.monotonic() + seconds
        while True:
            for line in self.seen[stream][since:]:
                if re.search(regex, line):
                    return line
            if time.monotonic() > end:
                raise Failure(f"no {regex!r} in {stream}: {self.seen}")
            self._pump(end)

    def say(self, *lines):
        for line in lines:
            self.proc.stdin.write(line.encode() + b"\n")
        self.proc.stdin.flush()

    def interrupt(self, number=signal.SIGTERM):
        self.proc.send_signal(WINDOWS_INTERRUPT if self.program.is_windows else number)

    def wait(self, code=0, seconds=PATIENCE):
        """Its end, with the output complete."""
        try:
            self.proc.wait(seconds)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            raise Failure(f"it did not end in {seconds:g} s; seen {self.seen}") from None
        for reader in self.readers:
            reader.join(5)
        while not self.news.empty():
            self._pump(time.monotonic() + 1)
        check_sanitizers("confab", "\n".join(self.seen["err"]))
        if self.proc.returncode != code:
            raise Failure(f"exit code {self.proc.returncode}, not {code}; seen {self.seen}")

    def finish(self, code=0):
        self.proc.stdin.close()
        self.wait(code)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait(5)
        # The other pipes belong to the reading threads: closing one would wait for its reader.
        try:
            self.proc.stdin.close()
        except OSError:
            pass


class Actor:
    """A TLS server that plays a script for each connection: script(actor, connection)."""

    WELCOME = {"event": "welcome", "server": "actor/1", "protocol": 1, "name": "actor",
               "epoch": "e", "auth": ["guest"], "limits": {"line": 65536}}

    def __init__(self, script, certs=None, tls=True):
        self.certs = certs or product_certs()
        self.script = script
        self.tls = tls
        self.count = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        forget_port(self.port)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self._play, args=(raw, self.count), daemon=True).start()

    def _play(self, raw, number):
        raw.settimeout(PATIENCE)
        try:
            if self.tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.certs.server_cert, self.certs.server_key)
                context.set_alpn_protocols(["confab/1"])
                raw = context.wrap_socket(raw, server_side=True)
            self.script(Connection(raw, number))
        except (OSError, ValueError):
            pass
        finally:
            raw.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


class Connection:
    def __init__(self, sock, number):
        self.sock, self.number = sock, number
        self.file = sock.makefile("rb")

    def send(self, message):
        line = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.sock.sendall(line + b"\n")

    def read(self):
        line = self.file.readline()
        if not line:
            raise ValueError("the client has ended")
        return json.loads(line)

    def answer(self, request, **fields):
        self.send({"re": request["id"], "ok": "error" not in fields, **fields})

    def log_in(self):
        self.send(Actor.WELCOME)
        request = self.read()
        self.answer(request, user=request.get("user", "actor"), role="user", session="s", rooms=[])

    def end(self):
        """In good order: goodbye was said, close_notify, then the client's."""
        try:
            self.sock.unwrap()
        except (OSError, ssl.SSLError):
            pass

    def wait_end(self):
        while self.file.readline():
            pass


def config_folder(home):
    """Where `confab` looks for its configuration, and whether that folder is this test's alone."""
    if not programs.client().is_windows:
        return f"{home}/config/confab", True
    # Wine sets APPDATA by itself.
    shell = Program("cmd.exe")
    found = run(shell, "/c", "echo %APPDATA%").expect(0).stdout.strip()
    prefix = shell.environment(home)["WINEPREFIX"]
    return f"{prefix}/drive_{found[0].lower()}{found[2:]}/Confab".replace("\\", "/"), False


def write(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path
