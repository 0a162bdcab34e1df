"""The server's start: files that are missing or wrong, ports that are taken, the configuration,
and what a machine runs out of. Each says what to do, in one line, with the right exit code."""

import json
import os
import resource
import socket
import time

from confab_test import Authority, Client, Ended, Failure, Server, main, product_certs, programs, \
    run, skip, temp_dir, wait_until


def fails(code, words, *args, home=None):
    """Runs the server, which must end by itself with one line."""
    result = run(programs.server(), *args, home=home).expect(code, words)
    lines = [line for line in result.stderr.splitlines() if line]
    if len(lines) != 1:
        raise Failure(f"{len(lines)} lines instead of one: {result.stderr!r}")
    if result.stdout:
        raise Failure(f"something on stdout: {result.stdout!r}")
    return result


def only_here():
    if programs.server().is_windows:
        skip("done with descriptors of this system, which a Windows program does not have")


def paths(*names):
    server = programs.server()
    return [server.file(name) for name in names]


def with_certs(cert=None, key=None):
    certs = product_certs()
    cert, key = paths(cert or certs.server_cert, key or certs.server_key)
    return ["--listen", "127.0.0.1:0", "--dir", *paths(temp_dir()), "--cert", cert, "--key", key]


def write(name, text):
    path = os.path.join(temp_dir(), name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


# --- Certificates -------------------------------------------------------------------------------

def e2e__refuse__to_start_without_a_certificate():
    fails(4, "confab-certs", "--dir", *paths(temp_dir()))


def e2e__refuse__to_start_with_a_missing_certificate():
    fails(4, "confab-certs", *with_certs(cert=os.path.join(temp_dir(), "none.pem")))


def e2e__refuse__to_start_with_a_missing_key():
    fails(4, "none.key", *with_certs(key=os.path.join(temp_dir(), "none.key")))


def e2e__refuse__to_start_with_an_unreadable_key():
    """A folder in its place is unreadable for everybody."""
    fails(4, "confab-server: .", *with_certs(key=temp_dir()))


def e2e__refuse__to_start_with_a_key_that_is_none():
    fails(4, "no.key", *with_certs(key=write("no.key", "hello\n")))
    fails(4, "no.key", *with_certs(key=write("no.key", "")))


def e2e__refuse__to_start_with_a_certificate_that_is_none():
    fails(4, "no.pem", *with_certs(cert=write("no.pem", "-----BEGIN CERTIFICATE-----\nxx\n")))


def e2e__refuse__to_start_with_a_key_of_another_certificate():
    fails(4, "(?i)belong|match", *with_certs(key=Authority().server_key))


def e2e__refuse__to_start_with_a_client_ca_that_is_none():
    bad = programs.server().file(write("ca.pem", "nothing\n"))
    fails(4, "ca.pem", *with_certs(), "--client-ca", bad)


def e2e__refuse__to_start_with_a_crl_that_is_none():
    certs = product_certs()
    bad = programs.server().file(write("crl.pem", "nothing\n"))
    fails(4, "crl.pem", *with_certs(), "--client-ca", *paths(certs.ca), "--crl", bad)


def e2e__warn__of_a_certificate_that_has_expired():
    certs = Authority()
    certs.server_cert, certs.server_key = certs.issue("localhost", begin=-10, end=-1)
    with Server("--guests", certs=certs) as server:
        server.wait_log("warn .*expired.*confab-certs renew")
        try:
            Client(server)
        except Ended as why:
            if "certificate_verify_failed" not in why.how:
                raise Failure(f"ended {why.how!r}") from None
        else:
            raise Failure("an expired certificate was accepted by the client")


def e2e__warn__of_a_certificate_not_yet_valid():
    certs = Authority()
    certs.server_cert, certs.server_key = certs.issue("localhost", begin=2, end=10)
    with Server("--guests", certs=certs) as server:
        server.wait_log("warn .*not valid yet")


def e2e__warn__of_a_key_that_others_can_read():
    certs = Authority()
    os.chmod(certs.server_key, 0o644)
    with Server("--guests", certs=certs) as server:
        if not server.program.is_windows:
            server.wait_log("warn .*others can read")


def e2e__warn__when_nobody_can_log_in():
    with Server(client_ca=False) as server:
        server.wait_log("warn .*nobody can log in.*--guests")


def e2e__warn__of_no_limits():
    with Server("--guests", "--no-limits") as server:
        server.wait_log("warn .*--no-limits")


# --- Addresses ----------------------------------------------------------------------------------

def e2e__refuse__a_port_in_use():
    with Server("--guests") as server:
        args = with_certs()
        args[1] = f"127.0.0.1:{server.port}"
        result = run(programs.server(), *args, "--guests").expect(1, "in use")
        if "ready on" in result.stderr:
            raise Failure("it said that it was ready")
        Client(server).login("ala")


def e2e__refuse__addresses_that_are_none():
    for address in ("127.0.0.1:99999", "[::1", "127.0.0.1:x", ":8572"):
        args = with_certs()
        args[1] = address
        result = run(programs.server(), *args, "--guests")
        if result.code not in (1, 2) or address not in result.stderr:
            raise Failure(f"{address}: exit code {result.code}, {result.stderr!r}")


def e2e__listen__on_several_addresses():
    with Server("--guests", listen=("127.0.0.1:0", "127.0.0.1:0", "[::1]:0")) as server:
        if len(set(server.ports)) != 3:
            raise Failure(f"ports {server.ports}")
        one = Client(server, port=server.ports[0], name="one")
        two = Client(server, port=server.ports[1], name="two")
        six = Client(server, port=server.ports[2], host="::1", verify_name="::1", name="six")
        for client in (one, two, six):
            client.login(client.name)
            client.request("join", room="dev")
        six.request("send", room="dev", text="from six")
        for client in (one, two, six):
            client.expect_event("message", text="from six")


def e2e__listen__everywhere_by_default():
    """[::] and 0.0.0.0 with the same port; IPv6 may be missing."""
    port = None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Server("--guests", listen=(f"[::]:{port}", f"0.0.0.0:{port}")) as server:
        if server.ports != [port, port]:
            raise Failure(f"ports {server.ports}")
        Client(server, host="127.0.0.1").login("four")
        Client(server, host="::1", verify_name="::1").login("six")


# --- Options and configuration ------------------------------------------------------------------

def e2e__tell__help_and_version():
    server = programs.server()
    help_text = run(server, "--help").expect(0).stdout
    for flag in ("--listen", "--cert", "--key", "--client-ca", "--crl", "--guests", "--workers",
                 "--data", "--dir", "--log-format", "--no-limits", "--config", "--check-config",
                 "--print-config", "--version"):
        if flag not in help_text:
            raise Failure(f"--help does not know {flag}")
    version = run(server, "--version").expect(0).stdout
    if not version.startswith("confab-server 0."):
        raise Failure(f"version: {version!r}")


def e2e__refuse__options_that_are_none():
    fails(2, "--listen", "--lissten", "127.0.0.1:0")
    fails(2, "--guests", "--guest")
    fails(2, "--workers", "--workers", "many")
    fails(2, "--workers", "--workers", "100000")
    fails(2, "--workers", "--workers")
    fails(2, "--log-format", "--log-format", "xml")
    fails(2, "there is no verb", "serve")


def config(text):
    return ["--config", *paths(write("server.json", text))]


def e2e__refuse__a_configuration_with_unknown_keys():
    fails(2, 'did you mean "guests"', *config('{"guest": true}'))
    fails(2, 'did you mean "listen"', *config('{"lisen": []}'))
    fails(2, "unknown key", *config('{"colour_of_the_sky": 1}'))


def e2e__refuse__a_configuration_that_is_none():
    fails(2, "server.json", *config("{"))
    fails(2, "server.json", *config("[]"))
    fails(2, "server.json", *config('{"guests": true, "guests": false}'))
    fails(2, "none.json", "--config", *paths(os.path.join(temp_dir(), "none.json")))


def e2e__refuse__a_configuration_with_wrong_values():
    for key, value in (("guests", '"yes"'), ("workers", '"2"'), ("workers", "1.5"),
                       ("workers", "-1"), ("listen", "8572"), ("listen", "[1]"), ("cert", "5"),
                       ("log_format", '"xml"'), ("crl", "null")):
        fails(2, key, *config(f'{{"{key}": {value}}}'))


def e2e__read__a_configuration_with_comments():
    certs = product_certs()
    cert, key, ca = paths(certs.server_cert, certs.server_key, certs.ca)
    text = """// a server for tests
{
    /* where it
       listens */
    "listen": "127.0.0.1:0", // one address may stand alone
    "cert": %s, "key": %s,
    "client_ca": %s,
    "guests": true,
    "motd": "no // comment /* here */",
    "name": "Zażółć"
}
""" % tuple(json.dumps(path) for path in (cert, key, ca))
    with Server(*config(text), defaults=False) as server:
        client = Client(server)
        welcome = client.welcome()
        if welcome["motd"] != "no // comment /* here */" or welcome["name"] != "Zażółć":
            raise Failure(f"{welcome}")
        client.login("ala")


def e2e__read__the_configuration_of_dir():
    """--dir moves everything: configuration, certificate, key."""
    certs = product_certs()
    home = temp_dir("confab dir")
    for source, name in ((certs.server_cert, "server.pem"), (certs.server_key, "server.key")):
        with open(source, "rb") as file:
            content = file.read()
        descriptor = os.open(os.path.join(home, name), os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, content)
        os.close(descriptor)
    with open(os.path.join(home, "server.json"), "w", encoding="utf-8") as file:
        file.write('{"listen": ["127.0.0.1:0"], "guests": true}')
    with Server("--dir", *paths(home), defaults=False) as server:
        Client(server).login("ala")


def e2e__prefer__flags_to_the_configuration():
    """A flag wins over the file, for a list as a whole."""
    file = config('{"listen": ["127.0.0.1:1"], "name": "file", "guests": true}')
    certs = product_certs()
    cert, key = paths(certs.server_cert, certs.server_key)
    with Server(*file, "--listen", "127.0.0.1:0", "--cert", cert, "--key", key, "--name", "flag",
                defaults=False) as server:
        if len(server.ports) != 1 or Client(server).welcome()["name"] != "flag":
            raise Failure("the file won")


def e2e__check__a_configuration():
    args = with_certs()
    run(programs.server(), *args, "--guests", "--check-config").expect(0)
    fails(2, "did you mean", *config('{"guest": true}'), "--check-config")
    fails(4, "none.key", *with_certs(key=os.path.join(temp_dir(), "none.key")), "--check-config")


def e2e__print__a_configuration_that_reads_back():
    server = programs.server()
    args = ["--listen", "127.0.0.1:7", "--listen", "[::1]:8", "--guests", "--workers", "3",
            "--name", 'Zażółć "x" \\', "--log-format", "json", "--motd", "a\tb"]
    first = run(server, *args, "--print-config").expect(0).stdout
    values = json.loads(first)
    if values["listen"] != ["127.0.0.1:7", "[::1]:8"] or values["guests"] is not True or \
            values["workers"] != 3 or values["name"] != 'Zażółć "x" \\' or \
            values["motd"] != "a\tb":
        raise Failure(first)
    second = run(server, *config(first), "--print-config").expect(0).stdout
    if second != first:
        raise Failure(f"printed again it differs:\n{first}\n{second}")
    defaults = run(server, "--print-config").expect(0).stdout
    run(server, *config(defaults), "--print-config").expect(0)


# --- The log ------------------------------------------------------------------------------------

def e2e__log__as_json():
    with Server("--guests", "--log-format", "json") as server:
        client = Client(server)
        client.welcome()
        client.cut()
        server.wait_log("close_notify")
    for line in server.log.splitlines():
        entry = json.loads(line)
        if set(entry) != {"time", "level", "area", "text"}:
            raise Failure(line)


def e2e__log__nothing_of_what_is_said():
    secret = "Geheimnis-4711"
    with Server("--guests", "--log-level", "debug") as server:
        client = Client(server)
        client.request("ping", data=secret)
        client.login("ala", device=secret)
        client.request("join", room="dev")
        client.request("send", room="dev", text=secret, nonce=secret, data=secret)
        client.request("status", status="busy", text=secret)
        client.refused("already_logged_in", "login", user="ala", password=secret, token=secret)
        client.send_raw(f'{{"cmd":"send","text":"{secret}" oops}}\n')
        client.send_raw(f'{{"cmd":"{secret}"}}\n')
        client.request("ping")
        client.quit()
    if secret in server.log:
        raise Failure(f"the log tells what was said:\n{server.log}")


def serve_without_a_log(server):
    """It has something to log, cannot, and serves all the same; then it stops."""
    port = server.listening_ports()[0]
    for turn in range(3):
        Client(port=port, ca=server.certs.ca).cut()
    client = Client(port=port, ca=server.certs.ca)
    client.login("ala")
    client.quit()
    server.stop()


def e2e__log__to_a_full_disk():
    """Lines are lost, and nothing else."""
    only_here()
    with open("/dev/full", "wb") as full:
        server = Server("--guests", stderr=full)
        wait_until(server.listening_ports, "the server listens")
        serve_without_a_log(server)


def e2e__log__to_a_pipe_that_nobody_reads():
    """Its reader has gone."""
    only_here()
    reader, writer = os.pipe()
    server = Server("--guests", stderr=writer)
    os.close(writer)
    wait_until(server.listening_ports, "the server listens")
    os.close(reader)
    serve_without_a_log(server)


def expect_sleep(server, pause):
    """In the pause the server has next to nothing to do, and uses next to nothing."""
    before = server.cpu_seconds()
    began = time.monotonic()
    pause()
    used = (server.cpu_seconds() - before) / (time.monotonic() - began)
    if used > 0.4 and not os.environ.get("CONFAB_SANITIZE"):
        raise Failure(f"it does not sleep: {used:.0%} of a processor")


def e2e__sleep__when_a_brisk_exchange_is_over():
    """Who says one thing upon the other is waited for without sleeping, but not for long."""
    only_here()
    with Server("--guests", "--no-limits", "--workers", "2") as server:
        client = Client(server, name="ala")
        client.login("ala")
        for _ in range(5):
            for _ in range(200):
                client.send_raw('{"cmd":"ping"}\n')  # without an id it is not answered
            expect_sleep(server, lambda: time.sleep(0.4))  # what it burns while nobody speaks
        client.request("ping")


# --- What a machine runs out of -----------------------------------------------------------------

def e2e__survive__running_out_of_file_descriptors():
    """Accepting pauses, without spinning, and goes on when there are some again."""
    only_here()
    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    with Server("--guests", "--workers", "2", preexec=few_files) as server:
        bystander = Client(server, name="bystander")
        bystander.login("bystander")
        bystander.request("join", room="hall")
        crowd = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)]
        server.wait_log("cannot accept.*too many open files")

        def ping_now_and_then():
            for _ in range(10):
                bystander.request("ping")
                time.sleep(0.1)  # what a server with little to do burns meanwhile

        expect_sleep(server, ping_now_and_then)
        for connection in crowd:
            connection.close()
        newcomer = Client(server, name="newcomer")
        newcomer.login("newcomer")
        newcomer.request("join", room="hall")
        bystander.expect_event("join", user="newcomer")
        if server.log.count("cannot accept") > 3:
            raise Failure("the log is filled with the same line")


def e2e__refuse__to_start_without_file_descriptors():
    only_here()
    server = programs.server()
    certs = product_certs()

    def too_few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (7, 7))

    result = run(server, "--listen", "127.0.0.1:0", "--guests", "--dir", temp_dir(), "--cert",
                 certs.server_cert, "--key", certs.server_key, preexec_fn=too_few)
    if result.code == 0 or not result.stderr or result.code < 0:
        raise Failure(f"exit code {result.code}: {result.stderr!r}")


def e2e__leak__no_descriptors_to_children():
    """What the server opens is closed on exec: nothing to see for a debugger it starts."""
    only_here()
    with Server("--guests") as server:
        client = Client(server)
        client.login("ala")
        for name in os.listdir(f"/proc/{server.proc.pid}/fdinfo"):
            with open(f"/proc/{server.proc.pid}/fdinfo/{name}", encoding="ascii") as info:
                flags = int(next(line for line in info if line.startswith("flags")).split()[1], 8)
            if int(name) > 2 and not flags & os.O_CLOEXEC:
                target = os.readlink(f"/proc/{server.proc.pid}/fd/{name}")
                raise Failure(f"descriptor {name} ({target}) survives an exec")


if __name__ == "__main__":
    main(globals())
