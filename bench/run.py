#!/usr/bin/env python3
"""The measurements of docs/PERFORMANCE.md: runs them and keeps what came out.

    bench/run.py --fanbench FOLDER [--build FOLDER] [--out FILE] [--rounds 5] [--quick] [PART...]

scripts/bench.sh calls this and then bench/report.py. Parts: peers (this server and the installed
ones side by side, by fanbench's peers.sh), grow, large, workers, storm (this server alone). Each
line of the file (build/bench/results.jsonl) is one run. Every program that is started is bounded in
time and ended.
"""

import argparse
import datetime
import glob
import json
import os
import platform
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PARTS = ["peers", "grow", "large", "workers", "storm"]
PEERS = {"redis": "redis-server", "nats": "nats-server", "mosquitto": "mosquitto",
         "ngircd": "ngircd", "inspircd": "inspircd"}
SCENARIOS = "fan100 fan1000 fan10 sparse100 lat100 conn resume pingpong"
SERVER_CPU, GENERATOR_CPU = "0", "1"
CIPHER, GROUP = "TLS_AES_128_GCM_SHA256", "X25519"
FLAGS = ["--guests", "--no-limits", "--log-level", "warn"]
# Names of files and messages, and a socket that is closing while the next one opens.
FILES_TO_SPARE = 600


def say(*words):
    print(*words, file=sys.stderr, flush=True)


class Results:
    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8")

    def put(self, part, scenario, round_number, **found):
        line = {"part": part, "scenario": scenario, "round": round_number, **found}
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()


# --- the server ---------------------------------------------------------------------------------

def make_certs(build, folder):
    for words in (["init"], ["server", "localhost", "127.0.0.1"]):
        subprocess.run([f"{build}/certs/confab-certs", *words, "--dir", folder, "--quiet"],
                       check=True, stdout=subprocess.DEVNULL, timeout=60)


class Server:
    """A fresh server; ended at the end of the with."""

    def __init__(self, options, workers=1, cpus=SERVER_CPU, preload=None):
        self.options = options
        environment = dict(os.environ)
        self.folder = tempfile.mkdtemp(prefix="confab-bench-")
        self.locks = f"{self.folder}/locks"
        if preload:
            environment.update(LD_PRELOAD=preload, LOCK_WATCH=self.locks)
        make_certs(options.build, self.folder)
        self.process = subprocess.Popen(
            ["taskset", "-c", cpus, f"{options.build}/server/confab-server", "--listen",
             "127.0.0.1:0", "--cert", f"{self.folder}/localhost.pem", "--key",
             f"{self.folder}/localhost.key", "--data", f"{self.folder}/data", "--workers",
             str(workers), *[flag if flag != "warn" else "info" for flag in FLAGS]],
            stderr=subprocess.PIPE, text=True, env=environment)
        for line in self.process.stderr:
            found = re.search(r"ready on 127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found.group(1))
                break
        else:
            raise RuntimeError("the server did not start")
        # Nobody reads what it logs; a full pipe must not stop it.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stderr,
                                      stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.drain.wait(10)

    def release(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))

    def cpu_s(self):
        """Of all its threads; in nanoseconds inside, where /proc/PID/stat has hundredths."""
        total = 0
        for path in glob.glob(f"/proc/{self.process.pid}/task/*/schedstat"):
            with open(path, encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total / 1e9

    def fanbench(self, *words):
        return [self.options.binary, "--json", "--adapter", "confab", "--echo", "--port",
                str(self.port), "--cafile", f"{self.folder}/ca.pem", "--ciphers", CIPHER,
                "--groups", GROUP, "--server-pid", str(self.process.pid), "--cpu",
                GENERATOR_CPU, *[str(word) for word in words]]


def fanbench(server, *words, timeout=240):
    done = subprocess.run(server.fanbench(*words), capture_output=True, text=True,
                          timeout=timeout, check=False)
    if not done.stdout.strip():
        return {"failed": done.stderr.strip()[-300:]}
    return json.loads(done.stdout)


def measure(results, options, part, scenario, round_number, *words, **server_options):
    """One run against a server of its own."""
    with Server(options, **server_options) as server:
        found = fanbench(server, *words)
    server.release()
    results.put(part, scenario, round_number, **found)
    say(f"  {scenario}: {found.get('failed') or 'done'}")
    return found


# --- side by side -------------------------------------------------------------------------------

def installed_peers():
    path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
    return [name for name, program in PEERS.items() if shutil.which(program, path=path)]


def run_peers(results, options):
    """fanbench's own script alternates; idle is looked at after a longer time than it has."""
    peers = ["confab"] + installed_peers()
    with tempfile.TemporaryDirectory(prefix="confab-bench-") as folder:
        wrapper = f"{folder}/fanbench"
        with open(wrapper, "w", encoding="ascii") as file:
            file.write(f'#!/bin/sh\nexec "{options.binary}" "$@" $FANBENCH_MORE\n')
        os.chmod(wrapper, 0o755)
        start = (f"exec {options.build}/server/confab-server --listen 127.0.0.1:$PORT "
                 f"--cert $CERT --key $KEY {' '.join(FLAGS)} --workers 1 --data $WORK/data")
        environment = dict(
            os.environ, FANBENCH=wrapper, WORK=f"{folder}/work", XP_NAME="confab",
            XP_ADAPTER="confab", XP_FLAGS="--echo", XP_START=start, SERVER_CPU=SERVER_CPU,
            GEN_CPU=GENERATOR_CPU, CIPHER=CIPHER, GROUP=GROUP,
            PATH=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
        for scenarios, more in ((SCENARIOS, ""), ("idle", "--hold 15")):
            out = f"{folder}/out.jsonl"
            words = ["-r", str(options.rounds), "-t", str(options.seconds), "-o", out, "-p",
                     " ".join(peers), "-s", options.scenarios or scenarios]
            if options.quick:
                words.append("-q")
                environment["TRIES"] = "1"
            if more and options.scenarios:
                continue
            subprocess.run(["bash", f"{options.fanbench}/peers.sh", *words], check=True,
                           env=dict(environment, FANBENCH_MORE=more), stdout=subprocess.DEVNULL,
                           timeout=options.rounds * len(scenarios.split()) * len(peers) * 400)
            with open(out, encoding="utf-8") as file:
                for line in file:
                    found = json.loads(line)
                    results.put("peers", found.pop("scenario"), found.pop("round"), **found)
            os.unlink(out)


# --- how cost grows -----------------------------------------------------------------------------

class Guest:
    """A connection that logs in and joins rooms, as many as a guest may."""

    def __init__(self, server, context, name):
        raw = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = context.wrap_socket(raw, server_hostname="localhost")
        self.rest = b""
        self.ask([{"cmd": "login", "id": 1, "user": name}])

    def ask(self, requests):
        """All at once; returns when all are answered."""
        self.tls.sendall(b"".join(json.dumps(r).encode() + b"\n" for r in requests))
        left = {r["id"] for r in requests}
        while left:
            data = self.tls.recv(65536)
            if not data:
                raise RuntimeError("the server has closed the connection")
            *lines, self.rest = (self.rest + data).split(b"\n")
            for line in map(json.loads, lines):
                if line.get("ok") is False:
                    raise RuntimeError(f"refused: {line}")
                left.discard(line.get("re"))


ROOMS_EACH = 50 # limits.guest_rooms


def grow_rooms(results, options, round_number):
    """Rooms with nobody but the guest who made them, in which nothing was said."""
    most = 10000 if options.quick else 100000
    context = None
    with Server(options) as server:
        context = ssl.create_default_context(cafile=f"{server.folder}/ca.pem")
        guests = [Guest(server, context, f"g{n}") for n in range(most // ROOMS_EACH)]
        time.sleep(1)
        memory, cpu, made = server.resident_kib(), server.cpu_s(), 0
        for wanted in (1, 10, 100, 1000, 10000, 100000):
            if wanted > most:
                break
            before, at = server.cpu_s(), made
            while made < wanted:
                guest = guests[made // ROOMS_EACH]
                count = min(wanted - made, ROOMS_EACH - made % ROOMS_EACH)
                guest.ask([{"cmd": "join", "id": n, "room": f"room{made + n}"}
                           for n in range(count)])
                made += count
            results.put("grow", "rooms", round_number, rooms=made,
                        bytes_per_room=(server.resident_kib() - memory) * 1024 / made,
                        cpu_us_per_join=(server.cpu_s() - before) * 1e6 / (made - at))
        say(f"  rooms: {made}, {server.cpu_s() - cpu:.1f} s")
        for guest in guests:
            guest.tls.close()
    server.release()


def run_grow(results, options):
    seconds = options.seconds
    for round_number in range(1, options.rounds + 1):
        for members in (10, 100, 1000, 10000):
            measure(results, options, "grow", "members", round_number, "-m", "throughput", "-S",
                    members, "-P", 2, "-w", 32, "-t", seconds, "--warmup", 1, "-s", 128)
        for size in (48, 128, 512, 2048, 8000):
            measure(results, options, "grow", "text", round_number, "-m", "throughput", "-S", 100,
                    "-P", 4, "-w", 32, "-t", seconds, "--warmup", 1, "-s", size)
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        most = min(100000, most - FILES_TO_SPARE) // 1000 * 1000
        for connections in sorted({1, 10, 100, 1000, 5000, 2000 if options.quick else most}):
            measure(results, options, "grow", "connections", round_number, "-m", "connect", "-C",
                    connections, "-K", 32, "--depth", "login", "--hold",
                    4 if options.quick else 15, "--src-addrs", 4)
        grow_rooms(results, options, round_number)


# --- large rooms, two workers, a storm ----------------------------------------------------------

def run_large(results, options):
    """A room of 10,000, compared with one of 1,000 in the same run (fan1000); and what a member
    holds."""
    for round_number in range(1, options.rounds + 1):
        for members in (1000, 10000):
            measure(results, options, "large", f"room{members}", round_number, "-m", "throughput",
                    "-S", members, "-P", 2, "-w", 32, "-t", options.seconds, "--warmup", 1, "-s",
                    128)
        measure(results, options, "large", "room10000-memory", round_number, "-m", "connect",
                "-C", 10000, "-K", 32, "--depth", "join", "--hold", 4 if options.quick else 15,
                "--src-addrs", 4)


def run_workers(results, options):
    """One and two workers in turn, on the same processor where there are two in all; then once
    with the locks watched, whose figures do not count."""
    cpus = "0,2" if (os.cpu_count() or 1) > 2 else SERVER_CPU
    words = ("-m", "throughput", "-S", 100, "-P", 4, "-w", 32, "-t", options.seconds, "--warmup",
             1, "-s", 128)
    for round_number in range(1, options.rounds + 1):
        for workers in (1, 2):
            measure(results, options, "workers", f"workers{workers}", round_number, *words,
                    workers=workers, cpus=cpus)
        preload = f"{options.build}/bench/lock_watch.so"
        with Server(options, workers=2, cpus="0,1", preload=preload) as server:
            fanbench(server, *words)
        if os.path.exists(server.locks):
            with open(server.locks, encoding="ascii") as file:
                names = ("locks", "contended", "held", "hold_p50", "hold_p99", "hold_max",
                         "wait_p99", "wait_max")
                found = dict(zip(names, map(int, file.readline().split())))
            results.put("workers", "locks", round_number, **found)
        server.release()


def storm(results, options, round_number, resume):
    """5,000 at once while 100 others chat: first they come, then all go at once and come again.
    The others' generator is preferred where that is allowed: it shares a processor with the
    storm's."""
    count = 1000 if options.quick else 5000
    kind = "resume" if resume else "full"
    preferred = ["chrt", "-f", "1"]
    if subprocess.run([*preferred, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        preferred = []
    connect = ["-m", "connect", "-C", count, "-K", count, "--depth", "join", "--hold", 1,
               "--src-addrs", 4, "--room", "storm", "--user", "storm"]
    with Server(options) as server:
        calm = fanbench(server, *connect[:5], 32, *connect[6:], *(["--resume"] if resume else []))
        bystanders = subprocess.Popen(
            preferred + server.fanbench("-m", "latency", "-S", 100, "-P", 4, "-r", 100, "-t", 4,
                                        "--warmup", 1, "-s", 128),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        time.sleep(1)
        found = fanbench(server, *connect, *(["--resume"] if resume else []))
        chat = json.loads(bystanders.communicate(timeout=60)[0] or "{}")
    server.release()
    if "failed" in found or "failed" in calm:
        results.put("storm", kind, round_number, failed=found.get("failed") or calm["failed"])
        return
    results.put("storm", kind, round_number, clients=count,
                seconds=count / found["handshakes_per_s"],
                calm_seconds=count / calm["handshakes_per_s"],
                server_cpu_s=count * found["server_cpu_ms_per_conn"] / 1000,
                calm_cpu_s=count * calm["server_cpu_ms_per_conn"] / 1000,
                generator_cpu_s=count * found["gen_cpu_ms_per_conn"] / 1000,
                slowest_ms=found["ready_p99_us"] / 1000, preferred=bool(preferred),
                bystanders_p50_ms=chat.get("latency_p50_us", 0) / 1000,
                bystanders_p99_ms=chat.get("latency_p99_us", 0) / 1000,
                bystanders_lost=chat.get("lost", 0) + chat.get("undelivered", 0))
    say(f"  storm, {kind}: done")


def run_storm(results, options):
    for round_number in range(1, options.rounds + 1):
        storm(results, options, round_number, False)
        storm(results, options, round_number, True)


# --- everything ---------------------------------------------------------------------------------

def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return ""
    return (done.stdout + done.stderr).strip().split("\n")[0]


def package_version(name):
    return first_line("dpkg-query", "-W", "-f", "${Version}", name)


def facts(options):
    model = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo", encoding="utf-8").read())
    system = re.search(r'PRETTY_NAME="(.*)"', open("/etc/os-release", encoding="utf-8").read())
    packages = {"redis": "redis-server", "nats": "nats-server", "mosquitto": "mosquitto",
                "ngircd": "ngircd", "inspircd": "inspircd"}
    return {
        "date": datetime.date.today().isoformat(), "quick": options.quick,
        "rounds": options.rounds, "seconds": options.seconds,
        "machine": model.group(1) if model else platform.processor(),
        "cpus": os.cpu_count(), "system": system.group(1) if system else platform.platform(),
        "kernel": platform.release(),
        "compiler": first_line("cc", "--version"),
        "confab": first_line(f"{options.build}/server/confab-server", "--version"),
        "commit": first_line("git", "-C", TOP, "rev-parse", "--short=12", "HEAD"),
        "peers": {name: package_version(packages[name]) for name in installed_peers()},
        "openssl": package_version("libssl3"), "gnutls": package_version("libgnutls30"),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fanbench", required=True)
    parser.add_argument("--build", default=f"{TOP}/build/release")
    parser.add_argument("--out", default=f"{TOP}/build/bench/results.jsonl")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--scenarios", default="", help="of the part peers: only these")
    parser.add_argument("parts", nargs="*", choices=PARTS + [[]], default=[])
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (2 if options.quick else 8)
    options.binary = next(iter(glob.glob(f"{options.fanbench}/build/fanbench")), None)
    if not options.binary:
        sys.exit(f"there is no {options.fanbench}/build/fanbench: run make there")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.makedirs(os.path.dirname(options.out), exist_ok=True)
    results = Results(options.out)
    results.put("facts", "", 0, **facts(options))
    for part in options.parts or PARTS:
        say(f"{part}:")
        globals()[f"run_{part}"](results, options)


if __name__ == "__main__":
    main()
