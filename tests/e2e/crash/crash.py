"""The server is killed at random moments while clients send as fast as they can: what it
acknowledged is there once, at the seq it told, in order; what it did not, and was sent again with
its nonce, is there once.

CONFAB_CRASHES says how often each test kills it (default 20), CONFAB_SEED makes the moments the
same again; both are printed."""

import os
import random
import threading
import time

from confab_test import Client, Ended, Failure, Server, main, product_certs, temp_dir
from confab_test.programs import programs

# Under Wine each start takes a second, and few of them show that the files survive there.
CRASHES = int(os.environ.get("CONFAB_CRASHES", "4" if programs.server().is_windows else "20"))
SEED = int(os.environ.get("CONFAB_SEED", str(random.SystemRandom().randrange(1 << 32))))
IN_FLIGHT = 16
LINES_EACH = 1_000_000  # more than anybody can send: the senders end when they are told to
SENDERS = 4


class Life:
    """The server in its folder, through all its deaths."""

    def __init__(self, *flags):
        self.home, self.flags = temp_dir("confab-crash"), flags
        self.certs = product_certs()
        self.up = threading.Event()
        self.server = None

    def start(self):
        self.server = Server(*self.flags, certs=self.certs, home=self.home)
        self.up.set()

    def kill(self):
        self.up.clear()
        self.server.kill()


class Sender(threading.Thread):
    """Sends numbered messages, many at once; after each death the unanswered ones again."""

    def __init__(self, life, name, room):
        super().__init__(daemon=True)
        self.life, self.user, self.room = life, name, room
        self.acknowledged = {}  # number: seq
        self.open = []          # numbers that were sent and not acknowledged, in order
        self.next = 0
        self.again = 0          # how many were sent once more
        self.stop = threading.Event()
        self.error = None

    def run(self):
        try:
            while not (self.stop.is_set() and not self.open):
                if not self.life.up.wait(30):
                    raise Failure("the server did not come back")
                try:
                    self.talk()
                except (Ended, OSError):
                    time.sleep(0.01)
        except BaseException as why:  # told by the main thread
            self.error = why

    def send(self, client, number):
        client.send({"cmd": "send", "id": number, "room": self.room,
                     "nonce": f"{self.user}-{number}", "text": f"{self.user} {number}"})

    def talk(self):
        server = self.life.server
        client = Client(server, user=self.user)
        client.transcript = Few()
        client.login()
        client.request("join", room=self.room)
        self.again += len(self.open)
        for number in self.open:
            self.send(client, number)
        while self.open or not self.stop.is_set():
            while len(self.open) < IN_FLIGHT and not self.stop.is_set():
                self.open.append(self.next)
                self.next += 1
                self.send(client, self.open[-1])
            line = self.read(client, server)
            if "re" in line:
                self.take(line)
        client.request("quit")
        client.abandon()

    def read(self, client, server):
        """The next line. Wine may hold the socket of a dead process open for a while."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            line = client.read_line(0.5)
            if line is not None:
                return line
            if self.life.server is not server or not self.life.up.is_set():
                raise Ended("its server has died")
        raise Failure(f"{self.user}: no answer in 20 s")

    def take(self, line):
        if not line["ok"]:
            raise Failure(f"{self.user}: refused: {line}")
        number = line["re"]
        self.open.remove(number)
        self.acknowledged[number] = line["seq"]


class Few(list):
    """A transcript that keeps the last lines only."""

    def append(self, line):
        super().append(line)
        if len(self) > 200:
            del self[:100]


def read_all(server, room):
    """Every entry of the room, in order."""
    client = Client(server, user="reader")
    client.login()
    client.request("join", room=room)
    entries, after = [], 0
    while True:
        page = client.request("history", room=room, after=after, limit=500, events=True)
        entries += page["events"]
        if not page["more"]:
            return entries
        after = entries[-1]["seq"]


def check(entries, senders):
    if [entry["seq"] for entry in entries] != list(range(1, len(entries) + 1)):
        raise Failure("the sequence is not dense")
    messages = {}
    for entry in entries:
        if entry["event"] == "message":
            user, _, number = entry["text"].partition(" ")
            messages.setdefault(user, []).append((int(number), entry["seq"]))
    for sender in senders:
        stored = messages.get(sender.user, [])
        numbers = [number for number, _ in stored]
        if numbers != sorted(numbers):
            raise Failure(f"{sender.user}: out of order")
        if len(set(numbers)) != len(numbers):
            raise Failure(f"{sender.user}: stored twice")
        seqs = dict(stored)
        for number, seq in sender.acknowledged.items():
            if seqs.get(number) != seq:
                raise Failure(f"{sender.user}: message {number} was acknowledged as {seq} "
                              f"and is at {seqs.get(number)}")
        if len(sender.acknowledged) != sender.next or sender.next != len(numbers):
            raise Failure(f"{sender.user}: {sender.next} sent, {len(sender.acknowledged)} "
                          f"acknowledged, {len(numbers)} stored")


def crash(*flags):
    moments = random.Random(SEED)
    print(f"CONFAB_SEED={SEED} CONFAB_CRASHES={CRASHES}")
    life = Life("--workers", "2", "--rate", "0", *flags)
    life.start()
    senders = [Sender(life, f"u{i}", "dev") for i in range(SENDERS)]
    for sender in senders:
        sender.start()
    for _ in range(CRASHES):
        time.sleep(moments.uniform(0.02, 0.4))
        life.kill()
        life.start()
    time.sleep(0.2)
    for sender in senders:
        sender.stop.set()
    for sender in senders:
        sender.join(60)
        if sender.error is not None:
            raise sender.error
        if sender.is_alive():
            raise Failure(f"{sender.user} did not end")
    check(read_all(life.server, "dev"), senders)
    acknowledged = sum(len(sender.acknowledged) for sender in senders)
    print(f"{CRASHES} deaths, {acknowledged} messages acknowledged, "
          f"{sum(sender.again for sender in senders)} sent again")
    if acknowledged < CRASHES:
        raise Failure("so few messages prove nothing")
    life.server.stop()


def e2e__crash__full():
    crash()


def e2e__crash__normal():
    crash("--durability", "normal")


if __name__ == "__main__":
    main(globals())
