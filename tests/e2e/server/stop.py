"""The server's end: everybody hears goodbye, all connections end in order, in bounded time."""

import signal
import socket
import time

from confab_test import Client, Failure, Server, main

FLOOD = "x" * 8000


def stop_in_time(server, number=signal.SIGTERM, seconds=3.5):
    began = time.monotonic()
    server.stop(number)
    took = time.monotonic() - began
    if took > seconds:
        raise Failure(f"stopping took {took:.1f} s")
    return took


def say_goodbye(number):
    server = Server("--guests", "--workers", "2")
    clients = [Client(server, name=f"c{i}") for i in range(6)]
    for index, client in enumerate(clients[:4]):
        client.login(f"user{index}")
        client.request("join", room="dev")
    for client in clients[4:]:
        client.welcome()  # never logs in, hears it all the same
    server.signal_stop(number)
    for client in clients:
        client.expect_event("goodbye", reason="shutdown")
        client.expect_end("clean")
        client.close_notify()
        client.socket.close()
    server.wait(3)


def e2e__stop__by_sigterm():
    say_goodbye(signal.SIGTERM)


def e2e__stop__by_sigint():
    say_goodbye(signal.SIGINT)


def e2e__stop__by_sighup():
    say_goodbye(signal.SIGHUP)


def e2e__stop__without_a_connection():
    stop_in_time(Server("--guests"), seconds=1.5)


def e2e__stop__at_once_after_the_start():
    for _ in range(5):
        stop_in_time(Server("--guests"), seconds=1.5)


def e2e__stop__with_clients_that_do_not_answer():
    """They read nothing and end nothing; one has megabytes waiting for it."""
    server = Server("--guests", "--no-limits")
    full = Client(server, name="full", receive_buffer=4096)
    full.login("full")
    full.request("join", room="dev")
    talker = Client(server, name="talker")
    talker.login("talker")
    talker.request("join", room="dev")
    for _ in range(300):
        talker.request("send", room="dev", text=FLOOD)
        talker.events.clear()
    mute = [Client(server) for _ in range(5)]
    for index, client in enumerate(mute):
        client.login(f"mute{index}")
    stop_in_time(server)


def e2e__stop__with_half_handshakes():
    server = Server("--guests")
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
    client = Client(server)
    client.login("ala")
    server.signal_stop()
    client.expect_event("goodbye", reason="shutdown")
    client.expect_end("clean")
    client.close_notify()
    client.socket.close()
    server.wait(3.5)
    for connection in silent:
        connection.close()


def e2e__stop__while_everybody_talks():
    """What was acknowledged before the goodbye has reached everybody."""
    server = Server("--guests", "--no-limits", "--workers", "2")
    talker, listener = Client(server, name="talker"), Client(server, name="listener")
    for client in (talker, listener):
        client.login(client.name)
        client.request("join", room="dev")
    talker.send_raw("".join(f'{{"cmd":"send","id":{i},"room":"dev","text":"t"}}\n'
                            for i in range(2000)))
    talker.reply(20)
    server.signal_stop()
    lines = talker.expect_end("clean")
    heard = listener.expect_end("clean")
    talker.close_notify()
    listener.close_notify()
    acknowledged = [line["seq"] for line in [*talker.replies, *lines]
                    if isinstance(line.get("re"), int) and line.get("ok") and "seq" in line]
    got = {line["seq"] for line in [*listener.events, *heard] if line.get("event") == "message"}
    missing = sorted(set(acknowledged) - got)
    if missing:
        raise Failure(f"acknowledged, but never told to the listener: seq {missing[:20]}")
    for client in (talker, listener):
        client.socket.close()
    server.wait(3.5)


def e2e__stop__and_start_on_the_same_port():
    first = Server("--guests")
    port = first.port
    client = Client(first)
    client.login("ala")
    client.request("quit")
    stop_in_time(first)
    second = Server("--guests", listen=(f"127.0.0.1:{port}",))
    Client(second).login("ala")
    client.socket.close()
    stop_in_time(second)


def e2e__stop__refuses_new_connections():
    server = Server("--guests")
    port = server.port
    client = Client(server)
    client.login("ala")
    server.signal_stop()
    client.expect_event("goodbye", reason="shutdown")
    try:
        late = socket.create_connection(("127.0.0.1", port), timeout=3)
        late.settimeout(5)
        if late.recv(10):
            raise Failure("a server that stops still speaks to new connections")
    except OSError:
        pass
    client.expect_end("clean")
    client.close_notify()
    client.socket.close()
    server.wait(3.5)


if __name__ == "__main__":
    main(globals())
