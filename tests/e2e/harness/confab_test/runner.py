"""Runs one test function, and tells what happened when it fails."""

import sys
import time
import traceback

from .pattern import Mismatch
from .programs import Failure, Server
from .wire import Client, Ended

SKIPPED = 77  # known to ctest as SKIP_RETURN_CODE


class Skip(Exception):
    pass


def skip(why):
    raise Skip(why)


def report():
    for client in Client.all:
        print(f"--- connection {client.name}", file=sys.stderr)
        for line in client.transcript[-60:]:
            print("   ", line[:600], file=sys.stderr)
    for server in Server.live:
        print(f"--- server {' '.join(server.argv)}", file=sys.stderr)
        for line in server.log.splitlines()[-100:]:
            print("   ", line, file=sys.stderr)


def run_case(name, function):
    """0 passed, 1 failed, SKIPPED; everything started is ended."""
    began = time.monotonic()
    code = 1
    try:
        function()
        code = 0
        print(f"{name}: passed in {time.monotonic() - began:.2f} s")
    except Skip as why:
        code = SKIPPED
        print(f"{name}: skipped: {why}")
    except (Failure, Mismatch, Ended, AssertionError) as why:
        trace = traceback.extract_tb(why.__traceback__)
        places = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
                            for frame in reversed(trace[-4:]))
        print(f"{name}: FAILED: {why}\n    at {places}", file=sys.stderr)
        report()
    except Exception:
        traceback.print_exc()
        report()
    finally:
        for server in list(Server.live):
            server.kill()
        for client in Client.all:
            client.abandon()
        Client.all.clear()
    return code


def main(names):
    cases = {name: thing for name, thing in names.items()
             if callable(thing) and "__" in name.strip("_") and name.count("__") >= 2
             and not name.startswith("_")}
    wanted = sys.argv[1:] or list(cases)
    if wanted == ["--list"]:
        print("\n".join(cases))
        return
    codes = []
    for name in wanted:
        if name not in cases:
            sys.exit(f"no case named {name}")
        codes.append(run_case(name, cases[name]))
    sys.exit(1 if 1 in codes else codes[0] if len(codes) == 1 else 0)
