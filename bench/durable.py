#!/usr/bin/env python3
"""Durable rooms: acknowledged messages a second and the time to an acknowledgement, with the disk's
own fsync beside it.

    bench/durable.py [--build DIR] [--data DIR] [--members 100] [--seconds 4] [--rounds 3]
                     [--senders "1x1,4x16,…"] [--durability full,normal]

Starts confab-server of the build folder (default build/release) on a free loopback port with its
store below DIR (default: a temporary folder), one worker on CPU 0, the load on CPU 1 where there
are two. `4x16` is 4 senders with 16 unanswered messages each; all members of the room receive
everything. At the end a lone sender who rests between two messages, beside the two parts of what he
waits for. Prints tables; medians over the rounds, in brackets the lowest and the highest.
Bounded in time; leaves nothing running.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time


def fsync_us(folder, count=300):
    """The median time to append 4 KiB and have it on the disk."""
    path, times = os.path.join(folder, "fsync"), []
    with open(path, "wb", buffering=0) as file:
        for _ in range(count):
            file.write(b"x" * 4096)
            begin = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - begin) * 1e6)
    os.remove(path)
    return statistics.median(times)


PAUSE_MS = 10


class Bench:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.certs = os.path.join(work, "certs")

    def program(self, path):
        return os.path.join(self.options.build, path)

    def make_certs(self):
        tool = self.program("certs/confab-certs")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}
        subprocess.run([tool, "init", "--dir", self.certs], **quiet)
        subprocess.run([tool, "server", "localhost", "--dir", self.certs], **quiet)
        for i in range(self.options.members):
            subprocess.run([tool, "client", f"u{i}", "--dir", self.certs], **quiet)

    def cpu(self, pid):
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def on_cpu(number):
        return ["taskset", "-c", str(number)] if os.cpu_count() >= 2 else []

    def commit_us(self):
        """The median time of a lone append to a store of its own, without any server."""
        done = subprocess.run(
            self.on_cpu(0) + [self.program("bench/store-bench"), "lone", str(PAUSE_MS),
                   self.options.data or self.work],
            stdout=subprocess.PIPE, text=True, timeout=60, check=True)
        return float(done.stdout)

    def one(self, number, durability, senders, in_flight, pause_ms=0, history="full"):
        data = os.path.join(self.options.data or self.work, f"data{number}")
        pem = {name: os.path.join(self.certs, name) for name in os.listdir(self.certs)}
        server = subprocess.Popen(
            self.on_cpu(0) +
            [self.program("server/confab-server"), "--listen", "127.0.0.1:0", "--no-limits",
             "--cert", pem["localhost.pem"], "--key", pem["localhost.key"],
             "--client-ca", pem["ca.pem"], "--workers", "1", "--data", data,
             "--durability", durability],
            stderr=subprocess.PIPE, text=True)
        try:
            port = None
            for line in server.stderr:
                found = re.search(r"ready on .*:(\d+)", line)
                if found:
                    port = found.group(1)
                    break
            before = self.cpu(server.pid)
            done = subprocess.run(
                self.on_cpu(1) +
                [self.program("bench/durable-load"), port, self.certs, str(self.options.members),
                 str(senders), str(in_flight), str(self.options.seconds), "128",
                 str(pause_ms), history],
                stdout=subprocess.PIPE, text=True, timeout=120 + self.options.seconds, check=True)
            result = json.loads(done.stdout)
            result["cpu_us"] = ((self.cpu(server.pid) - before) * 1e6 /
                                max(1, result["acknowledged"]))
            return result
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(20)
            subprocess.run(["rm", "-rf", data], check=True)


def shown(results, key, scale=1.0, digits=0):
    values = [result[key] * scale for result in results]
    return (f"{statistics.median(values):,.{digits}f} "
            f"({min(values):,.{digits}f}-{max(values):,.{digits}f})")


def lone(bench, rounds):
    """What a lone sender waits for, in turn, each with the same pause between two messages."""
    not_stored, commits, stored = [], [], []
    for number in range(rounds):
        not_stored.append(bench.one(1000 + number, "full", 1, 1, PAUSE_MS, "none"))
        commits.append({"us": bench.commit_us()})
        stored.append(bench.one(2000 + number, "full", 1, 1, PAUSE_MS))
    middle = [statistics.median(result[key] for result in results)
              for results, key in ((not_stored, "p50_us"), (commits, "us"), (stored, "p50_us"))]
    print(f"\nA lone sender who rests for {PAUSE_MS} ms behind each answer, so that everything sleeps "
          f"when the message comes; medians of {rounds}, in turn:\n\n"
          "| | ms |\n|---|---|\n"
          f"| the answer in a room that is not stored | {shown(not_stored, 'p50_us', 1e-3, 2)} |\n"
          f"| one commit, in a program that does nothing else | {shown(commits, 'us', 1e-3, 2)} |\n"
          f"| the answer in a stored room | {shown(stored, 'p50_us', 1e-3, 2)} |\n"
          f"| what the third is more than the first two; the goal is 0.05 | "
          f"{(middle[2] - middle[0] - middle[1]) / 1e3:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--data")
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--senders", default="1x1,1x16,4x16,16x16,64x16")
    parser.add_argument("--durability", default="full,normal")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="confab-durable-") as work:
        bench = Bench(options, work)
        bench.make_certs()
        print(f"fsync of 4 KiB: {fsync_us(options.data or work):.0f} µs (median of 300); "
              f"{options.members} members, 128 bytes of text.", flush=True)
        print("\n| durability | senders x in flight | acknowledged/s | p50, ms | p99, ms | "
              "server CPU, µs a message |\n|---|---|---|---|---|---|", flush=True)
        number = 0
        for durability in options.durability.split(","):
            for pair in options.senders.split(","):
                senders, in_flight = map(int, pair.split("x"))
                results = []
                for _ in range(options.rounds):
                    number += 1
                    results.append(bench.one(number, durability, senders, in_flight))
                print(f"| {durability} | {pair} | {shown(results, 'per_second')} | "
                      f"{shown(results, 'p50_us', 1e-3, 2)} | {shown(results, 'p99_us', 1e-3, 2)}"
                      f" | {shown(results, 'cpu_us', 1, 1)} |", flush=True)
        lone(bench, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
