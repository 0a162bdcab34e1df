"""A whole session of each program under valgrind: no error, nothing lost."""

import os
import shutil
import subprocess

from confab_test import Client, Server, main, programs, run, skip, temp_dir
from confab_test.programs import Program

SECONDS = 90


class Valgrind(Program):
    """An error or a leak makes the exit code 99, which no program of ours has."""

    def argv(self, args):
        return ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full",
                "--errors-for-leak-kinds=definite,indirect,possible",
                "--num-callers=30"] + super().argv(args)


def under_valgrind(program):
    if os.environ.get("CONFAB_SANITIZE"):
        skip("a sanitizer watches this build already")
    if program.is_windows:
        skip("valgrind runs no Windows programs")
    if not shutil.which("valgrind"):
        skip("valgrind is not installed")
    return Valgrind(program.path)


def e2e__valgrind__server():
    with Server("--guests", "--workers", "2", program=under_valgrind(programs.server())) as server:
        ala, bob = Client(server, name="ala"), Client(server, cert=server.certs.client("bob"), name="bob")
        ala.login("ala")
        bob.login()
        for client in (ala, bob):
            client.request("join", room="dev")
        ala.request("send", room="dev", text="hello", nonce="n", data={"a": [1, 2]})
        bob.expect_event("message", text="hello")
        ala.request("send", room="dev", text="hello", nonce="n", data={"a": [1, 2]})
        ala.request("send", to="bob", text="psst")
        bob.request("typing", room="dev")
        bob.request("status", status="away", text="tea")
        for command in ("who", "rooms", "whoami", "sessions", "blocks"):
            ala.request(command)
        ala.request("members", room="dev")
        ala.request("set", room="dev", topic="t", slow=1)
        ala.request("ban", room="dev", user="bob", reason="r")
        ala.request("bans", room="dev")
        ala.send_raw('{"cmd":"nonsense"}\n{"bad json\n{"cmd":"join","room":"!"}\n')
        ala.quit()
        for _ in range(3):  # ends of all kinds, and one that is still there at the stop
            guest = Client(server)
            guest.login("guest")
            guest.request("join", room="dev")
            guest.cut()
        Client(server).reset()
        server.stop(seconds=SECONDS)


def e2e__valgrind__client():
    client = under_valgrind(programs.client())
    with Server("--guests") as server:
        where = ["--server", f"localhost:{server.port}", "--ca", server.certs.ca]

        def session(*args, stdin=""):
            run(client, *args, *where, stdin=stdin, seconds=SECONDS).expect(0)

        keeper = Client(server, name="keeper")
        keeper.login("keeper")
        keeper.request("join", room="dev")
        session("send", "dev", "hello", "--user", "ala")
        session("send", "dev", "-", "--user", "ala", stdin="one\ntwo\n")
        session("json", "cmd=create", "room=ops", "--user", "ala")
        session("pipe", "--user", "ala", stdin='{"cmd":"join","room":"dev","id":1}\n')
        session("chat", "dev", "--user", "ala", stdin="hello\n/who\n/me waves\n/quit\n")
        listener = client.start(["tail", "dev", "--user", "ear"] + where, temp_dir(),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        ala = Client(server, name="ala")
        ala.login("ala")
        ala.request("join", room="dev")
        if not any(m["user"] == "ear" for m in ala.request("members", room="dev")["members"]):
            ala.expect_event("join", user="ear", seconds=SECONDS)
        ala.request("send", room="dev", text="hello")
        listener.stdout.readline()
        listener.terminate()
        _, said = listener.communicate(timeout=SECONDS)
        assert listener.returncode == 0, said.decode()


def e2e__valgrind__certs():
    certs = under_valgrind(programs.certs())
    home = temp_dir()
    for words in (["init"], ["server", "localhost", "192.0.2.1"], ["client", "ala"], ["show", "ca"],
                  ["status"], ["renew", "localhost"], ["renew", "ala", "--new-key"],
                  ["fingerprint", "localhost"], ["revoke", "client-ala"], ["crl"]):
        result = run(certs, *words, "--dir", home + "/certs", seconds=SECONDS)
        assert result.code != 99, result.stderr


if __name__ == "__main__":
    main(globals())
