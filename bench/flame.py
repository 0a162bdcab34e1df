#!/usr/bin/env python3
"""Flame graphs of the server under fanbench's load: docs/performance/flame-SCENARIO-NAME.svg.

    bench/flame.py --fanbench FOLDER [--build FOLDER] [--name NAME] [--seconds N] [SCENARIO...]

Needs Linux's perf. NAME tells builds apart, as in before and after. A box is a function, as wide as
its share of the processor time of the whole server, upon its caller; what it shows when pointed at
is the exact share. Left to right is the alphabet and no time. Kernel functions are tinted.
"""

import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile
import time
from xml.sax.saxutils import escape

import run

SCENARIOS = {
    "fan100": "-m throughput -S 100 -P 4 -w 32 -s 128",
    "fan10": "-m throughput -S 10 -P 10 -w 32 -s 128",
    "sparse100": "-m throughput -S 100 -P 1 -w 1 -s 128",
    "pingpong": "-m pingpong --spin -s 128",
    "conn": "-m connect -C 9000 -K 32 --depth tls --hold 1",
    "resume": "-m connect -C 9000 -K 32 --depth login --resume --hold 1",
}
WIDTH, ROW, TOP, LEAST = 1200, 17, 40, 0.004 # px, px, px, share of a box that is drawn
HERTZ = 499
STYLE = """
svg { font: 11px system-ui, sans-serif; } .bg { fill: #ffffff; } .h { fill: #1f2328; }
.u { fill: #f2b36b; } .k { fill: #9fc3ea; } rect { stroke: #ffffff; stroke-width: 0.5; }
.b { fill: #1f2328; }
@media (prefers-color-scheme: dark) {
.bg { fill: #0d1117; } .h { fill: #f0f6fc; } rect { stroke: #0d1117; }
}
"""


class Box:
    def __init__(self):
        self.count = 0
        self.callees = {}


def stacks(script):
    """Outermost first, of perf's text: a line of the sample, then a line for each frame, innermost
    first, and an empty line."""
    stack = []
    for line in script:
        frame = re.match(r"\s+[0-9a-f]+ (.+) \((.*)\)$", line)
        if frame:
            name = re.sub(r"\+0x[0-9a-f]+$", "", frame.group(1))
            name = re.sub(r"\.(isra|part|constprop|cold)(\.\d+)*$", "", name)
            if name == "[unknown]":
                name = "in " + os.path.basename(frame.group(2)).split(".so")[0]
            stack.append((name, "k" if "kernel" in frame.group(2) else "u"))
        elif not line.strip() and stack:
            yield stack[::-1]
            stack = []
    if stack:
        yield stack[::-1]


def tree_of(script):
    root = Box()
    for stack in stacks(script):
        box = root
        box.count += 1
        last = None
        for frame in stack:
            if frame == last and frame[0].startswith("in "):
                continue # a library without symbols, deep in itself
            last = frame
            box = box.callees.setdefault(frame, Box())
            box.count += 1
    return root


def depth_of(box, total):
    return 1 + max((depth_of(callee, total) for callee in box.callees.values()
                    if callee.count / total >= LEAST), default=0)


def draw(root, title, path):
    height = TOP + depth_of(root, root.count) * ROW
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
           f'width="{WIDTH}" height="{height}" role="img" aria-label="{escape(title)}">',
           f"<style>{STYLE}</style>", f'<rect class="bg" width="{WIDTH}" height="{height}"/>',
           f'<text class="h" x="8" y="24" font-size="15">{escape(title)}</text>']

    def put(box, x, level):
        for (name, kind), callee in sorted(box.callees.items()):
            width = callee.count / root.count * WIDTH
            if callee.count / root.count >= LEAST:
                y = height - (level + 1) * ROW
                shown = name if len(name) * 6 + 6 < width else name[:max(0, int(width / 6) - 2)]
                out.append(
                    f'<g><title>{escape(name)}: {100 * callee.count / root.count:.1f} %</title>'
                    f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{width:.1f}" '
                    f'height="{ROW}"/>' +
                    (f'<text class="b" x="{x + 3:.1f}" y="{y + 12}">{escape(shown)}</text>'
                     if len(shown) > 2 else "") + "</g>")
                put(callee, x, level + 1)
            x += width

    put(root, 0, 0)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out + ["</svg>", ""]))


def record(options, scenario, to):
    """Samples of the middle of a run."""
    with tempfile.TemporaryDirectory(prefix="confab-bench-") as folder, \
         run.Server(options) as server:
        load = subprocess.Popen(
            server.fanbench(*SCENARIOS[scenario].split(), "-t", options.seconds + 4, "--warmup", 1),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(2)
        data = f"{folder}/perf.data"
        try:
            subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", str(HERTZ),
                            "--call-graph", "dwarf,49152", "-p", str(server.process.pid), "-o",
                            data, "--", "sleep", str(options.seconds)], check=True,
                           timeout=options.seconds + 60)
        finally:
            load.kill()
            load.wait(60)
        script = subprocess.run(["perf", "script", "-i", data, "-F", "comm,ip,sym,dso"],
                                capture_output=True, text=True, timeout=600, check=True)
    server.release()
    root = tree_of(script.stdout.splitlines())
    if root.count == 0:
        sys.exit("flame.py: perf has found nothing")
    name = f"{to}/flame-{scenario}-{options.name}.svg"
    draw(root, f"{scenario}, {options.name}: {root.count:,} samples", name)
    print(name, file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fanbench", required=True)
    parser.add_argument("--build", default=f"{run.TOP}/build/release")
    parser.add_argument("--name", default="now")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("scenarios", nargs="*", choices=list(SCENARIOS) + [[]], default=[])
    options = parser.parse_args()
    options.binary = next(iter(glob.glob(f"{options.fanbench}/build/fanbench")), None)
    if not options.binary:
        sys.exit(f"there is no {options.fanbench}/build/fanbench: run make there")
    to = f"{run.TOP}/docs/performance"
    os.makedirs(to, exist_ok=True)
    for scenario in options.scenarios or SCENARIOS:
        record(options, scenario, to)


if __name__ == "__main__":
    main()
