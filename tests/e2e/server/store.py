"""The store when something is wrong with it: a disk that is full and has room again, a folder that
cannot be written, a damaged file, a file of a newer version, a second server on the same data."""

import os
import resource
import sqlite3
import time

from confab_test import Client, Failure, Server, main, skip, temp_dir, wait_until


def ready(server, user):
    client = Client(server, user=user)
    client.login()
    return client


def data_of(home):
    return os.path.join(home, "data")


def put_room(server):
    """Two members, a room that is kept and one that is not."""
    ala, bob = ready(server, "ala"), ready(server, "bob")
    ala.request("create", room="kept")
    ala.request("create", room="passing", history="none")
    for room in ("kept", "passing"):
        bob.request("join", room=room)
    return ala, bob


def e2e__store__survives_a_restart():
    home = temp_dir("confab-server")
    with Server(home=home) as server:
        ala, _ = put_room(server)
        ala.request("set", room="kept", topic="still here")
        ala.request("role", room="kept", user="bob", role="operator")
        ala.request("mute", room="kept", user="bob")
        last = ala.request("send", room="kept", text="one", nonce="n1")["seq"]
        ala.request("send", to="bob", text="in private")
        first_epoch = ala.greeting["epoch"]
    with Server(home=home) as server:
        ala, bob = Client(server, user="ala"), ready(server, "bob")
        if ala.welcome()["epoch"] != first_epoch:
            raise Failure("the epoch has changed")
        rooms = ala.login()["rooms"]
        if sorted(rooms) != ["kept", "passing"]:
            raise Failure(f"rooms after the restart: {rooms}")
        room = ala.request("room", room="kept")
        if (room["topic"], room["seq"], room["role"]) != ("still here", last, "owner"):
            raise Failure(f"the room after the restart: {room}")
        bob.refused("muted", "send", room="kept", text="x")
        again = ala.request("send", room="kept", text="one", nonce="n1")
        if again["seq"] != last or not again.get("duplicate"):
            raise Failure(f"the nonce was forgotten: {again}")
        if ala.request("send", to="bob", text="more")["seq"] != 2:
            raise Failure("the pair began anew")
        if ala.request("send", room="passing", text="x")["seq"] != 1:
            raise Failure("a room without history goes on counting over a start")


def e2e__store__full_disk_and_room_again():
    with Server("--rate", "0") as server:
        if server.program.is_windows:
            skip("this needs a limit on the size of files, which Linux has")
        ala, bob = put_room(server)
        before = ala.request("send", room="kept", text="stored")["seq"]
        pid = server.proc.pid
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        ala.refused("unavailable", "send", room="kept", text="lost")
        ala.refused("unavailable", "create", room="another")
        ala.refused("unavailable", "role", room="kept", user="bob", role="owner")
        ala.refused("unavailable", "send", to="bob", text="lost")
        # What needs no disk goes on, and what was refused has left no trace.
        seq = ala.request("room", room="passing")["seq"]
        for i in range(1, 4):
            if ala.request("send", room="passing", text=f"on {i}")["seq"] != seq + i:
                raise Failure("the room without history lost its order")
        bob.expect_event("message", room="passing", text="on 3")
        if ala.request("room", room="kept")["seq"] != before:
            raise Failure("the refused message took a seq")
        ala.refused("no_such_room", "room", room="another")
        members = {member["user"]: member["role"]
                   for member in ala.request("members", room="kept")["members"]}
        if members != {"ala": "owner", "bob": "member"}:
            raise Failure(f"the refused role is there: {members}")
        server.wait_log("nothing can be stored")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)

        def works():
            return ala.reply(ala.ask("send", room="kept", text="again"))["ok"]
        wait_until(works, "the server to store again", 20)
        if ala.request("room", room="kept")["seq"] != before + 1:
            raise Failure("the sequence has a gap")
        bob.expect_event("message", room="kept", seq=before + 1, text="again")


def e2e__store__second_server_on_the_same_data():
    with Server() as server:
        second = Server(home=server.home, wait=False, expect_exit=1)
        second.wait_log("another process has|in use|is locked|another server")
        second.wait()
        ready(server, "ala")


def e2e__store__damaged_file():
    home = temp_dir("confab-server")
    with Server(home=home) as server:
        put_room(server)
    path = os.path.join(data_of(home), "confab.db")
    with open(path, "r+b") as file:
        file.write(b"x" * 4096)
    server = Server(home=home, wait=False, expect_exit=1)
    server.wait_log("confab.db")
    server.wait()
    if "backup" not in server.log:
        raise Failure(f"it does not say what to do: {server.log}")


def e2e__store__of_a_newer_version():
    home = temp_dir("confab-server")
    with Server(home=home) as server:
        put_room(server)
    database = sqlite3.connect(os.path.join(data_of(home), "confab.db"))
    database.execute("PRAGMA user_version = 1000")
    database.close()
    server = Server(home=home, wait=False, expect_exit=1)
    server.wait_log("newer")
    server.wait()


def e2e__store__folder_that_cannot_be_written():
    home = temp_dir("confab-server")
    with open(data_of(home), "w", encoding="ascii") as file:
        file.write("no folder")
    server = Server(home=home, wait=False, expect_exit=1)
    server.wait()
    if "data" not in server.log:
        raise Failure(f"it does not say where: {server.log}")


def e2e__store__tells_time_that_went_back():
    """The clock of the machine is not ours to turn: the file is, which remembers a later time."""
    home = temp_dir("confab-server")
    with Server(home=home) as server:
        put_room(server)
    database = sqlite3.connect(os.path.join(data_of(home), "confab.db"))
    later = int(time.time() * 1000) + 3_600_000
    columns = [row[1] for row in database.execute("PRAGMA table_info(conversation)")]
    name = "time_ms" if "time_ms" in columns else "time"
    database.execute(f"UPDATE conversation SET {name} = ?", (later,))
    database.commit()
    database.close()
    with Server(home=home) as server:
        ala = ready(server, "ala")
        sent = ala.request("send", room="kept", text="earlier")
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(later / 1000))
        if not sent["time"].startswith(stamp):
            raise Failure(f"the conversation's time went back: {sent} < {stamp}")


if __name__ == "__main__":
    main(globals())
