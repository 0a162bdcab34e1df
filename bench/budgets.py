#!/usr/bin/env python3
"""Compares the instructions of the hot paths with their budget.

    bench/budgets.py [--micro FILE] [--budgets FILE] [--write] [NAME...]
    bench/budgets.py --can-fail     a budget that is too low must be found, and one that is too high

Counts with valgrind (callgrind) what bench/micro does in its functions measured_*, for two numbers
of times, and takes the difference. Above the budget by more than 5 % is a failure; below by more
than 10 % asks for a lower one. --write records what was counted. Where compiler or processor are
others than those recorded, more is allowed, which is said; the part of the C library in it is the
installed one's. Exit code 77: no valgrind.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

OVER, UNDER = 0.05, 0.10
# Another release of the same compiler, and another compiler.
OVER_RELEASE, OVER_OTHER = 0.15, 0.40

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read_budgets(path):
    made, rows = None, {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if not words or words[0] == "#":
                continue
            if words[0] == "made":
                made = words[1:]
            else:
                rows[words[0]] = [int(word) for word in words[1:]]
    return made, rows


def count(micro, name, times):
    """Instructions and operations of so many times, and what the program says of itself."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
             "--collect-atstart=no", "--toggle-collect=measured_*", micro, "count", name,
             str(times)],
            capture_output=True, text=True, timeout=100, check=False)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not collected:
        sys.exit(f"{name}: valgrind ended with {done.returncode}\n{done.stdout}{done.stderr}")
    facts = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    return int(collected.group(1)), int(facts["operations"]), facts


def cost(micro, name, few, many):
    first, first_operations, facts = count(micro, name, few)
    last, last_operations, _ = count(micro, name, many)
    return (last - first) / (last_operations - first_operations), facts


def allowance(made, facts):
    """How much above the budget is allowed here, and why."""
    machine, compiler, gcm = made
    here = platform.machine(), facts["compiler"], facts["gcm"]
    if here[0] != machine or here[2] != gcm:
        return None, f"recorded on {machine} with AES-GCM {gcm}"
    if here[1] == compiler:
        return OVER, ""
    if here[1].split(".")[0] == compiler.split(".")[0]:
        return OVER, f"recorded with {compiler}"
    if here[1].split("-")[0] == compiler.split("-")[0]:
        return OVER_RELEASE, f"recorded with {compiler}"
    return OVER_OTHER, f"recorded with {compiler}"


def judge(name, budget, got, made, facts):
    """Prints the row; false if it is over."""
    over, why = allowance(made, facts)
    change = got / budget - 1
    verdict = "within"
    if over is None:
        verdict = "not compared"
    elif change > over:
        verdict = f"OVER by more than {over:.0%}: find out why, or raise it with --write"
    elif change < -UNDER:
        verdict = "well below: lower it with --write, so that it guards what was won"
    print(f"{name:<12} {got:12.1f} {budget:10} {change:+7.1%}  {verdict}"
          f"  (AES-GCM {facts['gcm']}, {facts['compiler']}{'; ' + why if why else ''})", flush=True)
    return over is None or change <= over


def write(path, made, found):
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    for index, line in enumerate(lines):
        words = line.split()
        if words and words[0] == "made":
            lines[index] = "made " + " ".join(made)
        elif words and words[0] in found:
            lines[index] = " ".join(words[:3] + [str(round(found[words[0]]))])
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def can_fail(micro, budgets):
    made, rows = read_budgets(budgets)
    few, many, _ = rows["line"]
    got, facts = cost(micro, "line", few, many)
    made = [platform.machine(), facts["compiler"], facts["gcm"]]
    if judge("line", round(got * 0.9), got, made, facts):
        sys.exit("a path that is a tenth over its budget was let through")
    if not judge("line", round(got * 1.04), got, made, facts):
        sys.exit("a path within its budget was refused")
    other = [made[0], "Other-1.0", made[2]]
    if judge("line", round(got / 2), got, other, facts):
        sys.exit("with another compiler even the double was let through")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--micro", default=f"{TOP}/build/release/bench/micro")
    parser.add_argument("--budgets", default=f"{TOP}/bench/budgets.txt")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--can-fail", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        print("valgrind is not installed: nothing was counted")
        sys.exit(77)
    if options.can_fail:
        can_fail(options.micro, options.budgets)
        return
    made, rows = read_budgets(options.budgets)
    found, is_good, facts = {}, True, None
    for name in options.names or rows:
        if name not in rows:
            sys.exit(f"{options.budgets} has no row for '{name}'")
        few, many, budget = rows[name]
        found[name], facts = cost(options.micro, name, few, many)
        is_good = judge(name, budget, found[name], made, facts) and is_good
    if options.write:
        write(options.budgets, [platform.machine(), facts["compiler"], facts["gcm"]], found)
    elif not is_good:
        sys.exit(1)


if __name__ == "__main__":
    main()
