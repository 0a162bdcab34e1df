"""Catching up on a real server, with a real store: whoever comes back with what it knows misses
nothing and gets nothing twice, however busy the room is and however slowly the client reads."""

import threading

from confab_test import Client, Failure, Server, main

FLAGS = ("--workers", "2", "--rate", "0")
SENDERS = 3


def enter(server, user, **fields):
    client = Client(server, user=user)
    client.welcome()
    client.send({"cmd": "login", "id": "in", **fields})
    while True:
        line = client.next_line()
        if line.get("re") == "in":
            if not line["ok"]:
                raise Failure(f"the login was refused: {line}")
            return client


class Sender(threading.Thread):
    """Sends to the room and to a user, as fast as it is answered, until it is told to stop."""

    def __init__(self, server, number, to):
        super().__init__(daemon=True)
        self.client = enter(server, f"sender{number}")
        self.client.request("join", room="dev")
        self.to = to
        self.stop = threading.Event()
        self.failure = None

    def run(self):
        try:
            while not self.stop.is_set():
                self.client.request("send", room="dev", text="x" * 50)
                self.client.request("send", to=self.to, text="y")
                del self.client.transcript[:], self.client.events[:], self.client.replies[:]
        except Exception as why:  # told by the main thread
            self.failure = why


class Reader:
    """Comes, reads for a while, is cut off, and comes back with what it has seen."""

    def __init__(self, server):
        self.server, self.client = server, None
        self.seen = {}  # the last seq, by conversation
        self.synced = False

    def come(self):
        if self.client:
            self.client.cut()
        self.client = enter(self.server, "reader", since=self.seen)
        self.synced = False

    def read(self):
        line = self.client.next_line()
        del self.client.transcript[:]
        if line["event"] in ("skipped", "goodbye", "gone"):
            raise Failure(f"that was not to come: {line}")
        if line["event"] == "synced":
            self.synced = True
        if "seq" not in line:
            return
        name = line.get("room") or "@" + line["from"]
        if line["seq"] != self.seen.get(name, 0) + 1:
            raise Failure(f"{name}: {line} follows {self.seen.get(name, 0)}")
        self.seen[name] = line["seq"]

    def read_until(self, seqs):
        while any(self.seen.get(name, 0) < seq for name, seq in seqs.items()):
            self.read()


def e2e__reconnect__in_a_busy_room():
    with Server(*FLAGS) as server:
        owner = enter(server, "owner")
        owner.request("join", room="dev")
        reader = Reader(server)
        reader.come()
        reader.client.request("join", room="dev")
        reader.client.events.clear()
        reader.seen["dev"] = 1
        reader.come()
        senders = [Sender(server, i, "reader") for i in range(SENDERS)]
        for sender in senders:
            sender.start()
        for turn in range(25):
            reader.come()
            while not reader.synced:
                reader.read()
            for _ in range(turn * 7 % 40):
                reader.read()
        for sender in senders:
            sender.stop.set()
        for sender in senders:
            sender.join(20)
            if sender.failure:
                raise sender.failure
        ends = {"dev": owner.request("room", room="dev")["seq"]}
        for i, sender in enumerate(senders):
            reply = sender.client.request("send", to="reader", text="last")
            ends[f"@sender{i}"] = reply["seq"]
        reader.read_until(ends)


def e2e__slow_reader__of_a_long_replay():
    """More waits for it than a connection may have waiting: it is read as the reader takes it."""
    with Server(*FLAGS) as server:
        owner = enter(server, "owner")
        owner.request("join", room="dev")
        for _ in range(900):
            owner.request("send", room="dev", text="z" * 8000)
            del owner.transcript[:], owner.events[:], owner.replies[:]
        slow = Client(server, user="owner", receive_buffer=4096)
        slow.welcome()
        slow.send({"cmd": "login", "id": "in", "since": {"dev": 0}})
        for _ in range(300):  # meanwhile others are served
            owner.request("ping")
        seen, synced = 0, False
        while not synced:
            line = slow.next_line()
            del slow.transcript[:]
            if line.get("event") == "goodbye":
                raise Failure(f"cut off: {line}")
            synced = line.get("event") == "synced"
            if "seq" in line:
                if line["seq"] != seen + 1:
                    raise Failure(f"{line['seq']} follows {seen}")
                seen = line["seq"]
        if seen != 901:
            raise Failure(f"{seen} entries, not 901")


if __name__ == "__main__":
    main(globals())
