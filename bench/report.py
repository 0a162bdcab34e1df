#!/usr/bin/env python3
"""Writes docs/PERFORMANCE.md and its plots from what bench/run.py has measured.

    bench/report.py [--results FILE]... [--to FOLDER]

Several files of results are one: parts that were run apart. A figure is the median of the rounds,
its least and most behind it. Runs that met other load than the two programs' are left out where
there are calmer ones, as fanbench's own table does.
"""

import argparse
import json
import os
import statistics
import sys

import plot

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOREIGN = 0.15  # cores of other load that a run may have met
FAULTS = ("lost", "undelivered", "duplicates", "disorder", "corrupt", "disconnected", "stalled")

OPENSSL = ("redis", "mosquitto")
NO_GOAL = "none"

# scenario, what, key, unit, goal as a ratio to the best peer, and of which peers. Goals that were set
# as times are here what they were beside the peers' times on the machine they were set on:
# handshakes of 0.45 ms where OpenSSL's servers took 0.32, resumed ones of 0.24 where they took 0.26.
SIDE_BY_SIDE = [
    ("fan100", "CPU a delivery", "server_cpu_s_per_1e6", "µs", 0.8, None),
    ("fan1000", "CPU a delivery", "server_cpu_s_per_1e6", "µs", 0.8, None),
    ("fan10", "CPU a delivery", "server_cpu_s_per_1e6", "µs", 1.0, None),
    ("sparse100", "CPU a delivery", "server_cpu_s_per_1e6", "µs", 0.9, None),
    ("lat100", "last of 100 has it, p99", "fanout_p99_us", "µs", 1.0, None),
    ("lat100", "CPU a delivery", "server_cpu_s_per_1e6", "µs", 0.9, None),
    ("pingpong", "round trip, p50", "rtt_p50_us", "µs", 1.0, None),
    ("pingpong", "CPU a delivery", "server_cpu_us_per_delivery", "µs", 1.0, None),
    ("pingpong", "CPU a round trip", "server_cpu_us_per_rtt", "µs", NO_GOAL, None),
    ("conn", "CPU a full handshake", "server_cpu_ms_per_conn", "ms", 0.45 / 0.32, OPENSSL),
    ("resume", "CPU a resumed login", "server_cpu_ms_per_conn", "ms", 0.24 / 0.26, OPENSSL),
    ("idle", "memory a connection", "rss_kib_per_conn", "KiB", None, None),
]

IDLE_KIB = 10

NOTES = ["", """\
What the figures leave out: in `pingpong` both clients are in one room, in which a sender has its own
messages back, so this server makes four deliveries of a round trip where a peer makes two; and it waits
without sleeping where an answer comes within 50 µs, so its processor time is nearly all of the round
trip. The goals of `conn` and `resume` were set as times, 0.45 and 0.24 ms, on a machine where OpenSSL's
servers took 0.32 and 0.26; here they are the same ratios to OpenSSL's servers in this run. InspIRCd and
ngIRCd have GnuTLS.
""", ""]

# Parts that print a table of their own.
OWN = [("durable", "Rooms that are stored"), ("history", "A room of very many messages")]

INTRO = """\
# Performance

Written by `bench/report.py`; `scripts/bench.sh` measures and writes it anew. {quick}

Every server runs on one processor and the load generator (fanbench) on another; every server speaks
TLS 1.3 with {cipher}, X25519 and a P-256 certificate, in its own protocol, and passes the same
payloads of 128 bytes on. Servers take turns, each run has a fresh one and measures for {seconds} s, a
figure is the median of the rounds with the least and the most behind it. What counts is the ratio to
the best peer in the same run, on the server's processor time first.

| | |
|---|---|
| date | {date} |
| machine | {machine}, {cpus} processors; {system}, Linux {kernel} |
| this server | {confab}, commit {commit}, {compiler}, release preset |
| peers | {peers} |
| their TLS | OpenSSL {openssl}; GnuTLS {gnutls} (ngircd, inspircd) |
"""


class Runs:
    def __init__(self, paths):
        self.all = []
        for path in paths:
            with open(path, encoding="utf-8") as file:
                self.all += [json.loads(line) for line in file]
        for run in self.all:
            # Two messages; a member of the room has its own back (fanbench's README, pingpong).
            if "server_cpu_us_per_rtt" in run:
                run["server_cpu_us_per_delivery"] = (run["server_cpu_us_per_rtt"] /
                                                     (4 if run.get("members") else 2))
        self.facts = next(run for run in self.all if run["part"] == "facts")

    def of(self, part, scenario, **wanted):
        found = [run for run in self.all if run["part"] == part and run["scenario"] == scenario and
                 all(run.get(key) == value for key, value in wanted.items()) and
                 "failed" not in run]
        calm = [run for run in found if run.get("other_cpu_util", 0) <= FOREIGN]
        return calm or found

    def values(self, key, part, scenario, **wanted):
        return [run[key] for run in self.of(part, scenario, **wanted) if key in run]

    def has(self, part):
        return any(run["part"] == part for run in self.all)

    def heading(self, title, part):
        count = len({run["round"] for run in self.all if run["part"] == part})
        return f"\n## {title}\n\n{count} round{'' if count == 1 else 's'}.\n"

    def problems(self):
        """Runs that failed, and those in which something was lost."""
        for run in self.all:
            name = " ".join(str(run[key]) for key in ("part", "scenario", "peer") if run.get(key))
            faults = [fault for fault in FAULTS if run.get(fault)]
            if "failed" in run:
                yield f"{name}: {run['failed']}"
            elif faults:
                yield f"{name}: " + ", ".join(f"{run[fault]:g} {fault}" for fault in faults)


def show(values):
    middle = plot.number(statistics.median(values))
    low, high = plot.number(min(values)), plot.number(max(values))
    return middle if low == high else f"{middle} ({low}-{high})"


def verdict(ours, limit):
    """Whether the median is within the goal, and whether the rounds agree on that."""
    met = statistics.median(ours) <= limit
    agree = all((value <= limit) == met for value in ours)
    return ("met" if met else "**not met**") + ("" if agree else ", within the spread")


def did_it(run):
    """A server that takes no tickets has no place in `resume`."""
    return run["scenario"] != "resume" or run.get("resumed", 0) >= run.get("conns", 0) / 2


def goal_of(found, goal, whose):
    """The limit, and the goal in words."""
    if goal == NO_GOAL:
        return None, ""
    if goal is None:
        return IDLE_KIB, f"{IDLE_KIB} KiB"
    rivals = [values for peer, values in found.items()
              if peer != "confab" and (whose is None or peer in whose)]
    if not rivals:
        return None, ""
    limit = goal * min(statistics.median(values) for values in rivals)
    if whose is not None:
        return limit, f"{goal:.2f} x OpenSSL's best"
    return limit, "the lowest" if goal == 1 else f"{goal} x"


def side_by_side(runs, folder):
    peers = sorted({run["peer"] for run in runs.all if run["part"] == "peers"})
    out = [runs.heading("Side by side", "peers"),
           "| scenario | figure | confab | best peer | ratio | goal | |", "|---" * 7 + "|"]
    charts = []
    for scenario, what, key, unit, goal, whose in SIDE_BY_SIDE:
        found = {peer: [run[key] for run in runs.of("peers", scenario, peer=peer)
                        if key in run and did_it(run)] for peer in peers}
        found = {peer: values for peer, values in found.items() if values}
        ours = found.get("confab")
        others = {peer: values for peer, values in found.items() if peer != "confab"}
        if not ours:
            continue
        best = min(others, key=lambda peer: statistics.median(others[peer]), default=None)
        limit, words = goal_of(found, goal, whose)
        ratio = statistics.median(ours) / statistics.median(others[best]) if best else None
        out.append(f"| `{scenario}` | {what}, {unit} | {show(ours)} | "
                   f"{best + ' ' + show(others[best]) if best else '-'} | "
                   f"{f'{ratio:.2f}' if best else ''} | {words} | "
                   f"{verdict(ours, limit) if limit else ''} |")
        name = f"{scenario}-{key.replace('_', '-')}.svg"
        rows = [(peer, found[peer], peer == "confab")
                for peer in sorted(found, key=lambda peer: statistics.median(found[peer]))]
        plot.bars(f"{folder}/{name}", f"{scenario}: {what}, {unit}", "less is better", rows, limit)
        charts.append(f"![{scenario}: {what}](performance/{name})")
    return out + NOTES + charts


def points(runs, scenario, x, y, part="grow"):
    xs = sorted({run[x] for run in runs.all if run["scenario"] == scenario and x in run and
                 run["part"] == part})
    return [(at, runs.values(y, part, scenario, **{x: at})) for at in xs]


def growth(runs, folder):
    plots = [
        ("members", "subs", "server_cpu_s_per_1e6", "members", "Members of the room",
         "members of the room", "CPU a delivery, µs", None),
        ("text", "size", "server_cpu_s_per_1e6", "text", "Length of the text, 100 members",
         "bytes of text", "CPU a delivery, µs", None),
        ("rooms", "rooms", "bytes_per_room", "rooms", "Rooms of one member in which nothing was said",
         "rooms", "memory a room, bytes", None),
        ("rooms", "rooms", "cpu_us_per_join", "rooms-cpu", "Making a room", "rooms there are",
         "CPU a room made, µs", None),
        ("connections", "conns", "rss_kib_per_conn", "connections", "Connections, logged in",
         "connections", "memory a connection, KiB", 10),
        ("connections", "conns", "server_cpu_ms_per_conn", "connections-cpu",
         "Connections, full handshake and login", "connections", "CPU a connection, ms", None),
    ]
    out = [runs.heading("How cost grows", "grow"), """\
What a single room or connection takes is less than can be read off: memory comes in pages of 4 KiB,
processor time in hundredths of a second.
"""]
    for scenario, x, y, name, title, x_title, y_title, goal in plots:
        found = [(at, values) for at, values in points(runs, scenario, x, y) if values]
        if not found:
            continue
        plot.lines(f"{folder}/{name}.svg", title, x_title, y_title, {"confab": found}, goal)
        cells = "; ".join(f"{at:,}: {show(values)}" for at, values in found)
        out += [f"![{title}](performance/{name}.svg)", "", f"{y_title}, by {x_title}: {cells}.", ""]
    return out


def large(runs):
    small = runs.values("server_cpu_s_per_1e6", "large", "room1000")
    big = runs.values("server_cpu_s_per_1e6", "large", "room10000")
    memory = runs.values("rss_kib_per_conn", "large", "room10000-memory")
    out = [runs.heading("A room of 10,000", "large"),
           "| figure | measured | goal | |", "|---" * 4 + "|"]
    if small and big:
        ratio = statistics.median(big) / statistics.median(small)
        out.append(f"| CPU a delivery, µs; beside a room of 1,000 | {show(big)}; {show(small)}: "
                   f"{ratio:.2f} x | 2 x | {verdict([ratio], 2)} |")
    if memory:
        out.append(f"| memory a member, KiB | {show(memory)} | 10 KiB | {verdict(memory, 10)} |")
        one = statistics.median(memory)
        cost = statistics.median(big) if big else 0
        out += ["", f"For 100,000 that is {one * 100000 / 2**20:.1f} GiB of the server's memory "
                "(the kernel's for sockets comes on top), 100,000 file descriptors, at least four "
                "client addresses for each of the server's, and "
                f"{cost * 0.1:.2f} s of one processor for each line everybody gets, shared by the "
                "workers."]
    return out


def workers(runs):
    one = runs.values("server_cpu_s_per_1e6", "workers", "workers1")
    two = runs.values("server_cpu_s_per_1e6", "workers", "workers2")
    out = [runs.heading("Two workers", "workers"),
           "| figure | measured | goal | |", "|---" * 4 + "|"]
    if one and two:
        ratio = statistics.median(two) / statistics.median(one)
        speed = [statistics.median(runs.values("deliveries_per_s", "workers", name))
                 for name in ("workers1", "workers2")]
        out.append(f"| CPU a delivery, µs, `fan100`; beside one worker | {show(two)}; {show(one)}: "
                   f"{ratio:.2f} x | 1.1 x | {verdict([ratio], 1.1)} |")
        out.append(f"| deliveries a second, beside one worker | {speed[1] / speed[0]:.2f} x | 1.7 x "
                   "where there are processors for it | "
                   f"{'' if runs.facts['cpus'] > 2 else 'not judged: both had one processor'} |")
    locks = runs.of("workers", "locks")
    if locks:
        hold = [run["hold_p99"] / 1000 for run in locks]
        share = [100 * run["contended"] / run["locks"] for run in locks]
        out.append(f"| core's mutex held, p99, µs | {show(hold)} | 20 µs | {verdict(hold, 20)} |")
        out.append(f"| found taken, % of times | {show(share)} | none to speak of | |")
        out.append(f"| waited for, p99, µs | {show([r['wait_p99'] / 1000 for r in locks])} | | |")
        out += ["", "The mutex is the one held longest in all, in a run with "
                "`bench/lock_watch.c` loaded in front; its two looks at the clock are in the figure."]
    return out


def storms(runs):
    out = [runs.heading("Reconnect storm", "storm"),
           "| clients | all back after, s | a calm run's, s | server CPU, s | calm, s | generator CPU, s"
           " | bystanders' p50, ms | p99, ms | goal | |", "|---" * 10 + "|"]
    for kind in ("full", "resume"):
        found = runs.of("storm", kind)
        if not found:
            continue
        cells = [show([run[key] for run in found]) for key in
                 ("seconds", "calm_seconds", "server_cpu_s", "calm_cpu_s", "generator_cpu_s",
                  "bystanders_p50_ms", "bystanders_p99_ms")]
        p99 = [run["bystanders_p99_ms"] for run in found]
        out.append(f"| {found[0]['clients']:,}, {kind} | " + " | ".join(cells) +
                   f" | 20 ms | {verdict(p99, 20)} |")
    out += ["", "All start at once while 100 others chat, 100 lines a second. Calm: the same "
            "clients, 32 at a time. Clients and bystanders share the generator's processor, the "
            "bystanders' program being preferred there where the system allows it."]
    return out


def flames(folder):
    """Those that bench/flame.py has drawn."""
    names = sorted(name for name in os.listdir(folder) if name.startswith("flame-"))
    if not names:
        return []
    return ["\n## Where the time goes\n", "Flame graphs by `bench/flame.py`; *stock* is mbedTLS as it "
            "comes (`CONFAB_FAST_*=OFF`), *before* an earlier commit.", ""] + [
                f"- [{name[len('flame-'):-len('.svg')]}](performance/{name})" for name in names]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", action="append", default=[])
    parser.add_argument("--note", default="", help="a sentence about how this was measured")
    parser.add_argument("--to", default=f"{TOP}/docs")
    options = parser.parse_args()
    runs = Runs(options.results or [f"{TOP}/build/bench/results.jsonl"])
    folder = f"{options.to}/performance"
    os.makedirs(folder, exist_ok=True)
    facts = runs.facts
    out = [INTRO.format(
        **{key: value for key, value in facts.items() if key not in ("peers", "quick")},
        peers=", ".join(f"{name} {version}" for name, version in facts["peers"].items()) or "none",
        cipher="TLS_AES_128_GCM_SHA256",
        quick="**This is a quick run, on a machine that was not quiet: it shows that the "
              "measurements work, and its figures mean little.**" if facts["quick"] else
              "A difference below the spread is none." + (f" {options.note}" if options.note else ""))]
    for part, write in (("peers", lambda: side_by_side(runs, folder)),
                        ("grow", lambda: growth(runs, folder)), ("large", lambda: large(runs)),
                        ("workers", lambda: workers(runs)), ("storm", lambda: storms(runs))):
        if runs.has(part):
            out += write()
    for part, title in OWN:
        path = f"{TOP}/build/bench/{part}.md"
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                out += [f"\n## {title}\n", f"`bench/{part}.py`. {file.read().strip()}\n"]
    out += flames(folder)
    problems = list(runs.problems())
    if problems:
        out += ["\n## Runs with faults\n"] + [f"- {problem}" for problem in problems]
    with open(f"{options.to}/PERFORMANCE.md", "w", encoding="utf-8") as file:
        file.write("\n".join(out).rstrip() + "\n")
    print(f"{options.to}/PERFORMANCE.md", file=sys.stderr)


if __name__ == "__main__":
    main()
