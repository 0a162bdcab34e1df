#!/usr/bin/env python3
"""Holds many connections on one server while some of them talk, and watches its memory.

    bench/hold.py [--build DIR] [--connections 2000] [--talkers 100] [--seconds 300]

Starts confab-server and confab-certs of the build folder (default build/release) on a free loopback
port. All connections are logged in and in one of 100 rooms; the talkers send a line every two
seconds each, and everybody checks that every room's seq has no gap. Prints the server's resident
memory every ten seconds. Exit code 1 if a connection is lost, a line is missing, or the memory of
the last quarter is more than 2 % above that of the second. Bounded in time; leaves nothing running.
"""

import argparse
import json
import os
import re
import selectors
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

ROOMS = 100


class Connection:
    def __init__(self, port, context, name, room):
        self.name, self.room = name, room
        self.seq = None
        self.rest = b""
        self.lines = 0
        raw = socket.create_connection(("127.0.0.1", port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = context.wrap_socket(raw, server_hostname="localhost")
        self.ask(cmd="login", id=1, user=name)
        self.ask(cmd="join", id=2, room=room)
        self.tls.settimeout(10)
        joined = False
        while not joined:
            for line in self.take(self.tls.recv(65536)):
                if line.get("ok") is False:
                    raise RuntimeError(f"{name}: {line}")
                joined = joined or line.get("re") == 2
        self.tls.setblocking(False)

    def ask(self, **request):
        self.tls.sendall(json.dumps(request).encode() + b"\n")

    def take(self, data):
        """Whole lines, each checked; b"" is the end of the stream."""
        if not data:
            raise RuntimeError(f"{self.name}: the server has closed the connection")
        *lines, self.rest = (self.rest + data).split(b"\n")
        found = []
        for raw in lines:
            line = json.loads(raw)
            self.lines += 1
            if line.get("event") == "ping":
                self.ask(cmd="ping")
            elif "event" in line and line.get("room") == self.room and "seq" in line:
                if self.seq is not None and line["seq"] != self.seq + 1:
                    raise RuntimeError(f"{self.name}: seq {line['seq']} after {self.seq}")
                self.seq = line["seq"]
            elif line.get("event") == "goodbye":
                raise RuntimeError(f"{self.name}: {line}")
            found.append(line)
        return found

    def read(self):
        try:
            while True:
                self.take(self.tls.recv(65536))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))


def start_server(build, folder):
    certs = [f"{build}/certs/confab-certs"]
    for words in (["init"], ["server", "localhost"]):
        subprocess.run(certs + words + ["--dir", folder, "--quiet"], check=True,
                       stdout=subprocess.DEVNULL)
    server = subprocess.Popen(
        [f"{build}/server/confab-server", "--listen", "127.0.0.1:0", "--cert",
         f"{folder}/localhost.pem", "--key", f"{folder}/localhost.key", "--guests",
         "--per-address", "0"], stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        found = re.search(r"ready on 127\.0\.0\.1:(\d+)", line)
        if found:
            return server, int(found.group(1))
    raise RuntimeError("the server did not start")


def hold(options, server, port, folder):
    context = ssl.create_default_context(cafile=f"{folder}/ca.pem")
    selector = selectors.DefaultSelector()
    connections = []
    began = time.monotonic()
    for index in range(options.connections):
        connection = Connection(port, context, f"u{index}", f"room{index % ROOMS}")
        connections.append(connection)
        selector.register(connection.tls, selectors.EVENT_READ, connection)
        if index % 50 == 0:
            for key, _ in selector.select(0):
                key.data.read()
    print(f"{len(connections)} connections in {time.monotonic() - began:.1f} s; "
          f"{resident_kib(server.pid)} KiB")
    began = time.monotonic()
    samples, sent = [], 0
    due, shown = began, began
    while time.monotonic() < began + options.seconds:
        now = time.monotonic()
        if now >= due:
            connections[sent % options.talkers].ask(
                cmd="send", room=connections[sent % options.talkers].room, text="x" * 100)
            sent += 1
            due += 2.0 / options.talkers
        for key, _ in selector.select(max(0, min(due - time.monotonic(), 0.5))):
            key.data.read()
        if now >= shown + 10:
            shown = now
            samples.append(resident_kib(server.pid))
            print(f"{now - began:5.0f} s: {samples[-1]} KiB, {sent} lines sent, "
                  f"{sum(c.lines for c in connections)} received", flush=True)
    quarter = max(1, len(samples) // 4)
    before = max(samples[quarter:2 * quarter] or samples)
    after = max(samples[-quarter:])
    print(f"memory: {before} KiB in the second quarter, {after} KiB in the last, "
          f"{after / options.connections:.1f} KiB a connection")
    return after <= before * 1.02


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--build", default=f"{top}/build/release")
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--talkers", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server, port = start_server(options.build, folder)
        try:
            flat = hold(options, server, port, folder)
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=10)
        finally:
            if server.poll() is None:
                server.kill()
    if server.returncode != 0 or not flat:
        sys.exit(f"exit code {server.returncode}; memory is {'' if flat else 'not '}flat")


if __name__ == "__main__":
    main()
