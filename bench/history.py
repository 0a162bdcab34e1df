#!/usr/bin/env python3
"""A room of very many messages: opening and paging it, searching in it, catching up, and what the
server's memory does meanwhile.

    bench/history.py [--build DIR] [--messages 1000000] [--pages 300]

Starts confab-server of the build folder (default build/release) on a free loopback port, fills a
room (bench/durable-load with 64 senders), starts the server anew, and measures each request from
its line to its reply, one at a time. Needs the target durable-load. Prints a table. Bounded in
time; leaves nothing running.
"""

import argparse
import json
import os
import random
import re
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

MEMBERS = 64
WORDS = "alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike".split()


class Client:
    def __init__(self, port, certs, user):
        context = ssl.create_default_context(cafile=f"{certs}/ca.pem")
        context.load_cert_chain(f"{certs}/client-{user}.pem", f"{certs}/client-{user}.key")
        raw = socket.create_connection(("127.0.0.1", port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = context.wrap_socket(raw, server_hostname="localhost")
        self.rest, self.number = b"", 0
        self.line()

    def line(self):
        while b"\n" not in self.rest:
            data = self.tls.recv(262144)
            if not data:
                raise RuntimeError("the server has closed the connection")
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def send(self, cmd, **fields):
        self.number += 1
        self.tls.sendall(json.dumps({"cmd": cmd, "id": self.number, **fields}).encode() + b"\n")

    def ask(self, cmd, **fields):
        """(reply, milliseconds); events on the way are passed over."""
        begin = time.perf_counter()
        self.send(cmd, **fields)
        while True:
            line = self.line()
            if line.startswith(b'{"re":'):
                took = (time.perf_counter() - begin) * 1e3
                reply = json.loads(line)
                if not reply["ok"]:
                    raise RuntimeError(f"{cmd} {fields}: {reply}")
                return reply, took


class Server:
    def __init__(self, build, certs, data):
        self.proc = subprocess.Popen(
            [f"{build}/server/confab-server", "--listen", "127.0.0.1:0", "--no-limits",
             "--cert", f"{certs}/localhost.pem", "--key", f"{certs}/localhost.key",
             "--client-ca", f"{certs}/ca.pem", "--workers", "1", "--data", data],
            stderr=subprocess.PIPE, text=True)
        begin = time.perf_counter()
        for line in self.proc.stderr:
            found = re.search(r"ready on .*:(\d+)", line)
            if found:
                self.port = int(found.group(1))
                break
        self.start_ms = (time.perf_counter() - begin) * 1e3

    def memory_mib(self):
        with open(f"/proc/{self.proc.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024

    def stop(self):
        self.proc.send_signal(signal.SIGTERM)
        self.proc.wait(60)


def make_certs(build, certs):
    tool = f"{build}/certs/confab-certs"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}
    subprocess.run([tool, "init", "--dir", certs], **quiet)
    subprocess.run([tool, "server", "localhost", "--dir", certs], **quiet)
    for i in range(MEMBERS):
        subprocess.run([tool, "client", f"u{i}", "--dir", certs], **quiet)


def fill(build, server, certs, wanted):
    done = 0
    while done < wanted:
        out = subprocess.run(
            [f"{build}/bench/durable-load", str(server.port), certs, str(MEMBERS), str(MEMBERS),
             "16", "5", "128"], stdout=subprocess.PIPE, text=True, check=True)
        done += json.loads(out.stdout)["acknowledged"]
    return done


class Table:
    def __init__(self, server):
        self.server = server
        print("\n| what | p50, ms | p99, ms | server's memory behind it, MiB |\n|---|---|---|---|")

    def row(self, what, times):
        times = sorted(times)
        print(f"| {what} | {statistics.median(times):.2f} | "
              f"{times[min(len(times) - 1, int(len(times) * 0.99))]:.2f} | "
              f"{self.server.memory_mib():.1f} |", flush=True)


def sync(client, since):
    """Milliseconds until everything missed has come, and how many lines that were."""
    begin = time.perf_counter()
    client.send("sync", since={"bench": since})
    count = 0
    while True:
        line = client.line()
        if line.startswith(b'{"event":"synced"'):
            return (time.perf_counter() - begin) * 1e3, count
        count += b'"replay":true' in line


def measure(server, certs, options):
    client, table = Client(server.port, certs, "u0"), Table(server)
    print(f"| start, with the room there | {server.start_ms:.0f} | | {server.memory_mib():.1f} |")
    client.ask("login")
    last = client.ask("room", room="bench")[0]["seq"]
    for i in range(200):
        word = f"{WORDS[i % len(WORDS)]} needle{i % 7}"
        client.ask("send", room="bench", text=f"rare words: {word}")
    table.row("open: room, then the newest 50",
              [client.ask("room", room="bench")[1] + client.ask("history", room="bench")[1]
               for _ in range(options.pages)])
    table.row("page of 50 anywhere",
              [client.ask("history", room="bench", before=random.randrange(60, last))[1]
               for _ in range(options.pages)])
    table.row("page of 500 anywhere",
              [client.ask("history", room="bench", before=random.randrange(600, last),
                          limit=500)[1] for _ in range(options.pages // 5)])
    table.row("first search (the index may have to catch up)",
              [client.ask("search", room="bench", query="needle3")[1]])
    table.row("search of a rare word",
              [client.ask("search", room="bench", query=f"needle{i % 7}")[1]
               for i in range(options.pages)])
    table.row("search of a phrase in all rooms",
              [client.ask("search", query=f'"{WORDS[i % len(WORDS)]} needle{i % 7}"')[1]
               for i in range(options.pages)])
    results = [sync(client, last + 200 - 1000) for _ in range(20)]
    if any(count != 1000 for _, count in results):
        raise RuntimeError(f"not 1,000 entries: {results}")
    table.row("sync of 1,000 missed", [took for took, _ in results])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--pages", type=int, default=300)
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    with tempfile.TemporaryDirectory(prefix="confab-history-") as work:
        certs, data = f"{work}/certs", f"{work}/data"
        make_certs(build, certs)
        server = Server(build, certs, data)
        try:
            count = fill(build, server, certs, options.messages)
        finally:
            server.stop()
        size = os.path.getsize(f"{data}/confab.db") / (1 << 20)
        print(f"{count:,} messages of 128 bytes, {size:.0f} MiB of store.")
        server = Server(build, certs, data)
        try:
            measure(server, certs, options)
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
