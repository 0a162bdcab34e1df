"""A foreign program that carries the wire: lines go to its stdin and come from its stdout."""

import json
import queue
import re
import subprocess
import threading
import time

from .pattern import Mismatch, fits
from .programs import PATIENCE, Failure


class Talk:
    def __init__(self, argv, env=None):
        self.proc = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, env=env)
        self.lines = queue.Queue()
        self.other = []  # what is not of the wire: the program's own talk
        self.seen = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for raw in self.proc.stdout:
            text = raw.decode(errors="replace").rstrip("\r\n")
            # Programs print their own words too, sometimes in front of a line.
            start = text.find('{"')
            try:
                self.lines.put(json.loads(text[start:]) if start >= 0 else text)
            except ValueError:
                self.lines.put(text)
        self.lines.put(None)

    def send(self, **message):
        self.proc.stdin.write(json.dumps(message).encode() + b"\n")
        self.proc.stdin.flush()

    def expect(self, seconds=PATIENCE, **pattern):
        """The next line of the wire that fits."""
        pattern = {key.rstrip("_"): value for key, value in pattern.items()}
        end = time.monotonic() + seconds
        while True:
            line = self._next(end, pattern)
            if isinstance(line, dict):
                self.seen.append(line)
                if fits(pattern, line):
                    return line
                if "re" in line and line["re"] == pattern.get("re"):
                    raise Mismatch(f"{line} is not {pattern}")
            else:
                self.other.append(line)

    def expect_words(self, regex, seconds=PATIENCE):
        """Until the program itself says that."""
        end = time.monotonic() + seconds
        while not any(re.search(regex, words) for words in self.other):
            line = self._next(end, regex)
            (self.seen if isinstance(line, dict) else self.other).append(line)

    def _next(self, end, wanted):
        try:
            line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
        except queue.Empty:
            line = None
        if line is None:
            raise Failure(f"{self.proc.args[0]}: {wanted} did not come; seen {self.seen}; it said "
                          f"{self.other}")
        return line

    def wait(self, seconds=PATIENCE):
        """Reads to the end of its output; its exit code."""
        try:
            code = self.proc.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.proc.args[0]} did not end in {seconds:g} s") from None
        self.reader.join(5)
        while True:
            try:
                line = self.lines.get_nowait()
            except queue.Empty:
                return code
            if line is not None:
                (self.seen if isinstance(line, dict) else self.other).append(line)

    def kill(self):
        """As a power cut would: no word to the peer but the system's FIN."""
        self.proc.kill()
        self.proc.wait(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.proc.poll() is None:
            self.kill()
        for pipe in (self.proc.stdin, self.proc.stdout):
            try:
                pipe.close()
            except OSError:
                pass
