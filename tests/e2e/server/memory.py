"""Memory: a whole session of each program under valgrind (no error, nothing lost), and what an idle
connection holds."""

import os
import shutil
import subprocess

from confab_test import Client, Server, main, programs, run, skip, temp_dir
from confab_test.programs import Program

SECONDS = 90
IDLE_KIB = 10  # resident, for a connection that is logged in


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


def resident_kib(server):
    with open(f"/proc/{server.proc.pid}/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS:")).split()[1])


def log_in(server, names, **options):
    clients = []
    for name in names:
        clients.append(Client(server, name=name, **options))
        clients[-1].login(name)
        # Large records each way leave nothing behind either.
        clients[-1].request("send", to=name, text="x" * 8000)
    return clients


def idle_connections(**options):
    if os.environ.get("CONFAB_SANITIZE"):
        skip("a sanitizer's allocator keeps what was freed")
    if programs.server().is_windows or not os.path.exists("/proc/self/status"):
        skip("there is no /proc to ask")
    with Server("--guests", "--workers", "1", "--per-address", "0") as server:
        log_in(server, [f"first{i}" for i in range(20)], **options)
        before = resident_kib(server)
        log_in(server, [f"more{i}" for i in range(200)], **options)
        each = (resident_kib(server) - before) / 200
        assert each <= IDLE_KIB, f"{each:.1f} KiB for a connection"


def e2e__idle_memory__tls13():
    idle_connections(tls="1.3")


def e2e__idle_memory__tls12():
    idle_connections(tls="1.2")


if __name__ == "__main__":
    main(globals())
