"""Peers that behave badly on the network: they talk something else, fall silent, vanish, never
read, never end. Each time somebody else is connected and must not notice."""

import os
import re
import signal
import socket
import time

from confab_test import Client, Ended, Failure, Server, main, skip, wait_until

FLOOD = "x" * 8000


class Bystander:
    """Somebody who is connected all the while, and is asked at the end."""

    def __init__(self, server):
        self.client = Client(server, name="bystander")
        self.client.login("bystander")
        self.client.request("join", room="hall")

    def is_well(self):
        self.client.request("ping")
        self.client.request("send", room="hall", text="all is well")
        self.client.expect_event("message", text="all is well")


def raw(server):
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    return connection


def settled(server):
    """How many files the server has open when nobody but the bystander is there."""
    seen = []

    def is_stable():
        seen.append(server.open_files())
        return len(seen) > 10 and len(set(seen[-10:])) == 1
    wait_until(is_stable, "the number of open files settles")
    return seen[-1]


def read_to_end(connection):
    data = b""
    try:
        while chunk := connection.recv(4096):
            data += chunk
    except ConnectionError:
        pass
    return data


def refused_for(first_bytes, log):
    with Server("--guests") as server:
        bystander = Bystander(server)
        connection = raw(server)
        connection.sendall(first_bytes)
        read_to_end(connection)
        connection.close()
        server.wait_log(log)
        bystander.is_well()


# --- What is no TLS -----------------------------------------------------------------------------

def e2e__refuse__http():
    refused_for(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP")


def e2e__refuse__http_post():
    refused_for(b"POST /x HTTP/1.0\r\n\r\n", "HTTP")


def e2e__refuse__plain_json():
    refused_for(b'{"cmd":"login","user":"ala"}\n', "plain text")


def e2e__refuse__plain_text():
    refused_for(b"hello?\r\n", "plain text")


def e2e__refuse__random_bytes():
    with Server("--guests") as server:
        bystander = Bystander(server)
        for length in (1, 2, 5, 6, 100, 20000):
            connection = raw(server)
            connection.sendall(b"\x80" + os.urandom(length))
            if length >= 5:
                read_to_end(connection)
            connection.close()
        server.wait_log("refused", count=4)
        bystander.is_well()


def e2e__refuse__random_bytes_in_a_record():
    """Looks like a ClientHello, but is none."""
    with Server("--guests") as server:
        bystander = Bystander(server)
        for length in (4, 40, 400, 16000):
            connection = raw(server)
            connection.sendall(b"\x16\x03\x01" + length.to_bytes(2, "big") + os.urandom(length))
            read_to_end(connection)
            connection.close()
        server.wait_log("refused", count=4)
        bystander.is_well()


def e2e__refuse__garbage_after_the_handshake():
    with Server("--guests") as server:
        bystander = Bystander(server)
        client = Client(server)
        client.welcome()
        client.socket.sendall(b"\x17\x03\x03\x00\x40" + os.urandom(64))
        lines = client.expect_end("alert sslv3_alert_bad_record_mac")
        if lines:
            raise Failure(f"lines after garbage: {lines}")
        server.wait_log(r"(?i)TLS|MAC")
        bystander.is_well()


def e2e__refuse__an_alert_instead_of_a_hello():
    with Server("--guests") as server:
        bystander = Bystander(server)
        connection = raw(server)
        connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # fatal, handshake_failure
        read_to_end(connection)
        server.wait_log("refused: the client (does not speak TLS|ended the TLS connection)")
        bystander.is_well()


# --- What never finishes ------------------------------------------------------------------------

def e2e__time_out__half_handshakes():
    """Nothing, one byte, half a ClientHello: each gone about ten seconds later."""
    with Server("--guests") as server:
        bystander = Bystander(server)
        flight = Client(server, handshake=False).send_hello(False)
        began = time.monotonic()
        connections = []
        for start in (b"", flight[:1], flight[:60]):
            connection = raw(server)
            connection.sendall(start)
            connections.append(connection)
        for connection in connections:
            read_to_end(connection)
            connection.close()
        took = time.monotonic() - began
        if not 8 <= took <= 16:
            raise Failure(f"half handshakes ended after {took:.1f} s, not about 10 s")
        server.wait_log("handshake was not done in time", count=3)
        bystander.is_well()


def e2e__time_out__no_login():
    """Thirty seconds without a login end a connection."""
    with Server("--guests") as server:
        bystander = Bystander(server)
        client = Client(server)
        client.welcome()
        began = time.monotonic()
        line = client.next_line(45)
        took = time.monotonic() - began
        if line.get("event") != "goodbye" or line["reason"] != "login_timeout":
            raise Failure(f"instead of a goodbye came {line}")
        if took < 25:
            raise Failure(f"it came after {took:.1f} s already")
        client.expect_end("clean")
        bystander.is_well()


def e2e__time_out__after_quit_without_an_end():
    """A client that quits and then neither ends nor reads on is cut off after two seconds."""
    with Server("--guests") as server:
        bystander = Bystander(server)
        client = Client(server)
        client.login("ala")
        client.request("join", room="hall")
        bystander.client.expect_event("join", user="ala")
        client.request("quit")
        client.expect_event("goodbye")
        bystander.client.expect_event("leave", user="ala", seconds=8)
        bystander.is_well()


# --- What vanishes ------------------------------------------------------------------------------

def vanish(how):
    with Server("--guests") as server:
        bystander = Bystander(server)
        for turn in range(5):
            client = Client(server)
            client.login("ala")
            client.request("join", room="hall")
            client.expect_event("join", user="ala")
            bystander.client.expect_event("join", user="ala")
            how(client)
            bystander.client.expect_event("leave", user="ala")
        server.wait_log(r"without close_notify|reset", count=5)
        bystander.is_well()


def e2e__vanish__by_end_of_stream():
    vanish(Client.cut)


def e2e__vanish__by_reset():
    vanish(Client.reset)


def e2e__vanish__by_half_close():
    """The stream ends without close_notify, though the socket could still be read."""
    vanish(lambda client: client.socket.shutdown(socket.SHUT_WR))


def e2e__vanish__in_the_handshake():
    with Server("--guests") as server:
        bystander = Bystander(server)

        def vanish_early(count):
            for turn in range(count):
                client = Client(server, handshake=False)
                client.send_hello()
                (client.cut, client.reset)[turn % 2]()

        vanish_early(6)
        before = settled(server)
        vanish_early(20)
        wait_until(lambda: server.open_files() <= before, "the sockets are closed")
        bystander.is_well()


def e2e__vanish__behind_many_requests():
    """What was received before the cut is carried out; nothing breaks."""
    with Server("--guests", "--no-limits") as server:
        bystander = Bystander(server)
        client = Client(server)
        client.login("ala")
        client.request("join", room="hall")
        client.send_raw('{"cmd":"send","room":"hall","text":"going"}\n' * 500)
        client.cut()
        bystander.client.expect_event("leave", user="ala")
        bystander.is_well()


def e2e__open__and_close_many_times():
    """Nothing is kept of connections that have ended."""
    with Server("--guests", "--no-limits") as server:
        bystander = Bystander(server)

        def come_and_go(count):
            for turn in range(count):
                client = Client(server)
                client.login("ala" + str(turn))
                (client.quit, client.cut, client.reset)[turn % 3]()

        # The loops open what they keep for good with the first connections they close.
        come_and_go(6)
        before = settled(server)
        come_and_go(60)
        wait_until(lambda: server.open_files() <= before, "the sockets are closed")
        bystander.is_well()


# --- What never reads ---------------------------------------------------------------------------

def flood_room(server, bystander, until):
    """Sends to the hall until the log says so."""
    talker = Client(server, name="talker")
    talker.login("talker")
    talker.request("join", room="hall")
    for turn in range(4000):
        talker.request("send", room="hall", text=FLOOD)
        talker.events.clear()
        # The bystander keeps up.
        bystander.client.expect_event("message", text=FLOOD)
        if until():
            return turn
    raise Failure("4,000 messages and it is still connected")


def e2e__drop__a_slow_consumer():
    with Server("--guests", "--no-limits") as server:
        bystander = Bystander(server)
        slow = Client(server, name="slow", receive_buffer=4096)
        slow.login("slow")
        slow.request("join", room="hall")
        bystander.client.expect_event("join", user="slow")
        flood_room(server, bystander, lambda: "does not keep up" in server.log)
        bystander.client.expect_event("leave", user="slow", seconds=15)
        bystander.is_well()
        # It finds its stream ended, by a goodbye if that could still be written.
        try:
            while True:
                line = slow.next_line()
                if line.get("event") == "goodbye" and line["reason"] != "slow_consumer":
                    raise Failure(f"the goodbye is {line}")
        except Ended:
            pass
        except Failure as why:
            if "within a line" not in str(why):  # cut off while it took nothing
                raise


def keep__a_reader_in_a_burst(workers):
    """More than limits.backlog comes in one turn, from many at once; who reads is not slow."""
    with Server("--guests", "--workers", workers) as server:
        if server.program.is_windows:
            skip("nothing stops a process for a while under Wine")
        reader = Client(server, name="reader")
        talkers = [Client(server, name=f"talker{i}") for i in range(90)]
        for client in (reader, *talkers):
            client.login(client.name)
            client.request("join", room="hall")
        server.proc.send_signal(signal.SIGSTOP)
        for client in talkers:
            client.send_raw((b'{"cmd":"send","room":"hall","text":"%s"}\n' % (b"x" * 8000)) * 7)
        server.proc.send_signal(signal.SIGCONT)
        for _ in range(90 * 7):
            reader.expect_event("message")


def e2e__keep__a_reader_in_a_burst_of_one_worker():
    keep__a_reader_in_a_burst("1")


def e2e__keep__a_reader_in_a_burst_of_two_workers():
    keep__a_reader_in_a_burst("2")


def e2e__drop__a_slow_consumer_of_its_own_replies():
    """Asks and asks and reads no answer: the server stops reading from it, and nobody is hurt."""
    with Server("--guests", "--no-limits") as server:
        bystander = Bystander(server)
        greedy = Client(server, name="greedy", receive_buffer=4096)
        greedy.login("greedy")
        greedy.socket.settimeout(0.5)
        request = b'{"cmd":"ping","id":"%s","data":"%s"}\n' % (b"i" * 60, b"d" * 60)
        sent = 0
        try:
            for _ in range(400):
                greedy.tls.write(request * 60)
                data = greedy._to_net.read()
                greedy.socket.sendall(data)
                sent += 60
        except (TimeoutError, ConnectionError):
            pass
        memory = server.memory_kib()
        if memory > 400 * 1024:
            raise Failure(f"the server holds {memory} KiB for {sent} unread replies")
        bystander.is_well()


def e2e__ignore__a_client_that_only_sends_blanks():
    with Server("--guests", "--no-limits") as server:
        bystander = Bystander(server)
        client = Client(server)
        client.login("ala")
        for _ in range(50):
            client.send_raw(b"\n" * 16000)
        client.request("ping")
        bystander.is_well()


def e2e__limit__requests_per_second():
    with Server("--guests", "--rate", "5", "--burst", "10") as server:
        bystander = Bystander(server)
        client = Client(server)
        client.login("ala")
        client.send_raw("".join(f'{{"cmd":"ping","id":{i}}}\n' for i in range(30)))
        replies = [client.reply(i) for i in range(30)]
        refused = [reply for reply in replies if not reply["ok"]]
        if not refused or any(reply["error"] != "rate_limited" or reply["retry_after"] < 1
                              for reply in refused):
            raise Failure(f"replies: {replies}")
        if not any(reply["ok"] for reply in replies):
            raise Failure("not one request was carried out")
        time.sleep(refused[-1]["retry_after"])  # what the server asked for
        client.request("ping")
        bystander.is_well()


def e2e__limit__lists_cost_more():
    with Server("--guests", "--rate", "1", "--burst", "50") as server:
        client = Client(server)
        client.login("ala")
        client.send_raw("".join(f'{{"cmd":"who","id":{i}}}\n' for i in range(15)))
        replies = [client.reply(i) for i in range(15)]
        good = [reply for reply in replies if reply["ok"]]
        # 49 tokens are left after the login, and a list takes five.
        if not 9 <= len(good) <= 11 or replies[-1]["error"] != "rate_limited":
            raise Failure(f"replies: {replies}")
        time.sleep(replies[-1]["retry_after"])
        client.request("who")


def e2e__limit__connections_of_one_address():
    with Server("--guests", "--per-address", "5") as server:
        bystander = Bystander(server)
        clients = [Client(server) for _ in range(4)]
        try:
            Client(server)
        except (Ended, ConnectionError):
            pass
        else:
            raise Failure("a sixth connection was let in")
        server.wait_log("per_address")
        clients.pop().cut()
        again = []

        def gets_in():
            try:
                again.append(Client(server))
            except (Ended, ConnectionError):
                return False
            return True
        wait_until(gets_in, "room for another connection")
        bystander.is_well()


def e2e__report__who_was_cut_off_and_who_was_not():
    """Only a stream that ends without close_notify is reported as truncated."""
    with Server("--guests", "--log-level", "debug") as server:
        good, half, bad = (Client(server) for _ in range(3))
        ports = [client.socket.getsockname()[1] for client in (good, half, bad)]
        good.quit()
        half.close_notify()
        half.expect_end("clean")
        half.socket.close()
        bad.welcome()
        bad.cut()
        server.wait_log(f"127.0.0.1:{ports[2]}: the peer's stream ended without close_notify")
        for port in ports[:2]:
            line = server.wait_log(f"127.0.0.1:{port}: (closed|the peer)")
            if not re.search("closed$", line):
                raise Failure(f"an orderly end is told as {line!r}")


if __name__ == "__main__":
    main(globals())
