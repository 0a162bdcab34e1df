#!/usr/bin/env python3
"""confab-certs end to end: what it makes is judged by openssl, and by Python's ssl in a handshake.

    test_certs.py CASE PROGRAM [EMULATOR]

CASE is one of the functions e2e__… below; EMULATOR runs a Windows program (cmake/wine.sh). Each
case has a folder of its own, with a space and letters beyond ASCII in its name.
"""

import concurrent.futures
import datetime
import hashlib
import os
import re
import shutil
import ssl
import stat
import subprocess
import sys
import tempfile

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
PATIENCE = 60  # seconds until a program counts as hanging
SKIPPED = 77


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(got, want, what=""):
    check(got == want, f"{what} is {got!r}, not {want!r}")


class Result:
    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout.decode().replace("\r\n", "\n")
        self.err = done.stderr.decode()


class Tool:
    """The program under test and one CA's folder."""

    def __init__(self, top, program, emulator):
        self.program, self.emulator = program, emulator
        self.top = top
        self.dir = os.path.join(top, "Zażółć gęślą CA")

    def path(self, path):
        """A path of this system, as the program has to be told it."""
        return "Z:" + path.replace("/", "\\") if self.emulator else path

    def run(self, *args, code=0, err=None, dir=True, cwd=None, stdout=subprocess.PIPE):
        argv = self.emulator + [self.program, *args]
        if dir:
            argv += ["--dir", self.path(self.dir)]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=stdout,
                              stderr=subprocess.PIPE, timeout=PATIENCE, check=False,
                              cwd=cwd or self.top)
        if done.stdout is None:
            done.stdout = b""
        result = Result(done)
        what = f"confab-certs {' '.join(args)}: stdout {result.out!r}, stderr {result.err!r}"
        check(result.code == code, f"exit code {result.code}, not {code}; {what}")
        if err is not None:
            check(re.search(err, result.err), f"stderr does not say {err!r}; {what}")
        for line in result.err.splitlines():
            check(line.startswith("confab-certs: "), f"not one line to a message; {what}")
        return result

    def file(self, name):
        return os.path.join(self.dir, name)

    def read(self, name):
        with open(self.file(name), "rb") as file:
            return file.read()

    def init(self, *args):
        return self.run("init", *args)


def openssl(*args, code=0):
    done = subprocess.run(["openssl", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
    out, err = done.stdout.decode(), done.stderr.decode()
    check(done.returncode == code,
          f"openssl {' '.join(args)}: exit code {done.returncode}, not {code}; {out}{err}")
    return out + err


def text_of(path):
    """The certificate as openssl prints it, which must be without a complaint."""
    text = openssl("x509", "-in", path, "-noout", "-text")
    for word in ("unable", "rror", "WARNING", "<INVALID", "<unsupported", "DER:"):
        check(word not in text, f"openssl x509 -text says {word!r}: {text}")
    return text


def extension(text, name):
    """What stands in the line below the extension's name, and whether it is critical."""
    found = re.search(rf"X509v3 {name}: ?(critical)?\s*\n\s*(\S.*)", text)
    check(found, f"no {name} in {text}")
    return found.group(2).strip(), bool(found.group(1))


def verify(tool, name, purpose, *more, code=0, crl=True):
    args = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", tool.file("ca.pem"), *more]
    if crl:
        args += ["-crl_check", "-CRLfile", tool.file("crl.pem")]
    return openssl(*args, tool.file(name), code=code)


def spki(path):
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], check=True,
                         input=openssl("x509", "-in", path, "-noout", "-pubkey").encode(),
                         stdout=subprocess.PIPE).stdout
    return hashlib.sha256(der).hexdigest()


def serial_of(path):
    return openssl("x509", "-in", path, "-noout", "-serial").strip().partition("=")[2].lower()


def days_between(path):
    text = openssl("x509", "-in", path, "-noout", "-startdate", "-enddate")
    times = [datetime.datetime.strptime(line.partition("=")[2], "%b %d %H:%M:%S %Y GMT")
             for line in text.splitlines()]
    return times[0], times[1]


def crl_text(tool):
    text = openssl("crl", "-in", tool.file("crl.pem"), "-noout", "-text", "-CAfile",
                   tool.file("ca.pem"))
    check("verify OK" in text, text)
    return text


def crl_number(tool):
    return int(re.search(r"X509v3 CRL Number: *\n\s*(\d+)", crl_text(tool)).group(1))


def check_private(tool, name):
    if tool.emulator:
        print("not checked here: the mode bits of files mean nothing under Wine")
        return
    mode = stat.S_IMODE(os.stat(tool.file(name)).st_mode)
    equal(oct(mode), oct(0o600), f"mode of {name}")


def e2e__certs__init_makes_a_ca(tool):
    made = tool.init()
    equal(made.out.splitlines(),
          [tool.path(tool.file(name)) for name in ("ca.key", "ca.pem", "crl.pem")], "stdout")
    text = text_of(tool.file("ca.pem"))
    equal(extension(text, "Basic Constraints"), ("CA:TRUE, pathlen:0", True))
    equal(extension(text, "Key Usage"), ("Certificate Sign, CRL Sign", True))
    equal(extension(text, "Subject Key Identifier")[0],
          extension(text, "Authority Key Identifier")[0].replace("keyid:", ""))
    check("NIST CURVE: P-256" in text and "ecdsa-with-SHA256" in text, text)
    check(re.search(r"Subject: CN = Confab CA [0-9a-f]{8}\n", text), text)
    begin, end = days_between(tool.file("ca.pem"))
    equal((end - begin).days, 3652, "days of the CA")
    verify(tool, "ca.pem", "any", "-check_ss_sig", crl=False)
    check("No Revoked Certificates" in crl_text(tool), "the first list is not empty")
    equal(crl_number(tool), 1, "number of the first list")
    check_private(tool, "ca.key")


def e2e__certs__server_by_default_is_localhost(tool):
    tool.init()
    made = tool.run("server", err="confab-server --cert")
    equal(made.out.splitlines(),
          [tool.path(tool.file(name)) for name in ("localhost.key", "localhost.pem")], "stdout")
    text = text_of(tool.file("localhost.pem"))
    equal(extension(text, "Subject Alternative Name"),
          ("DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1", False))
    equal(extension(text, "Key Usage"), ("Digital Signature", True))
    equal(extension(text, "Extended Key Usage")[0], "TLS Web Server Authentication")
    equal(extension(text, "Basic Constraints")[0], "CA:FALSE")
    begin, end = days_between(tool.file("localhost.pem"))
    equal((end - begin), datetime.timedelta(days=397, hours=1), "validity")
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    check(datetime.timedelta(minutes=55) < now - begin < datetime.timedelta(minutes=70),
          f"begins at {begin}, now is {now}")
    for name in ("-verify_hostname localhost", "-verify_ip 127.0.0.1", "-verify_ip ::1"):
        verify(tool, "localhost.pem", "sslserver", *name.split())
    verify(tool, "localhost.pem", "sslclient", code=2)
    verify(tool, "localhost.pem", "sslserver", "-verify_hostname", "other.example", code=2)
    check_private(tool, "localhost.key")


def e2e__certs__server_sorts_names(tool):
    tool.init()
    tool.run("server", "CHAT.Example.org", "10.0.0.5", "*.example.org", "2001:DB8:0:0::5",
             "chat.example.org.", "[::ffff:10.0.0.6]", "--days", "30")
    path = tool.file("chat.example.org.pem")
    equal(extension(text_of(path), "Subject Alternative Name")[0],
          "DNS:chat.example.org, IP Address:10.0.0.5, DNS:*.example.org, "
          "IP Address:2001:DB8:0:0:0:0:0:5, IP Address:0:0:0:0:0:FFFF:A00:6")
    begin, end = days_between(path)
    equal((end - begin).days, 30, "days")
    verify(tool, "chat.example.org.pem", "sslserver", "-verify_hostname", "a.example.org")
    verify(tool, "chat.example.org.pem", "sslserver", "-verify_ip", "2001:db8::5")
    verify(tool, "chat.example.org.pem", "sslserver", "-verify_hostname", "localhost", code=2)
    kinds = openssl("asn1parse", "-in", path)
    check("UTF8STRING        :chat.example.org" in kinds, kinds)


def e2e__certs__file_names_for_every_system(tool):
    tool.init()
    for name, stem in (("*.example.org", "_.example.org"), ("2001:db8::1", "2001_db8__1"),
                       ("::1", "__1"), ("ca", "_ca"), ("con", "_con"),
                       ("client-alice", "_client-alice"), ("192.0.2.1", "192.0.2.1")):
        tool.run("server", name)
        verify(tool, f"{stem}.pem", "sslserver")
        check(os.path.exists(tool.file(f"{stem}.key")), f"no key of {stem}")
    tool.run("client", "alice")
    tool.run("client", "con")
    verify(tool, "client-alice.pem", "sslclient")
    # A host and a user of one name: which of the two has to be said.
    tool.run("server", "alice")
    tool.run("show", "alice", code=2, err="alice or client-alice")
    tool.run("revoke", "alice", code=2, err="alice or client-alice")
    tool.run("revoke", "client-alice")
    verify(tool, "client-alice.pem", "sslclient", code=2)
    verify(tool, "alice.pem", "sslserver")


def e2e__certs__long_host_name(tool):
    tool.init()
    host = ".".join(["a" * 63, "b" * 63, "c" * 20, "example"])
    tool.run("server", host)
    text = text_of(tool.file(host + ".pem"))
    check("Subject: CN = Confab server\n" in text, text)
    verify(tool, host + ".pem", "sslserver", "-verify_hostname", host)
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
    tool.run("server", longest, code=2, err="shorter one first")
    names = [f"h{i}.{'x' * 60}.{'y' * 60}.{'z' * 60}.{'w' * 50}.example" for i in range(63)]
    tool.run("server", "many.example", *names)
    verify(tool, "many.example.pem", "sslserver", "-verify_hostname", names[-1])
    tool.run("server", "more.example", *names, "one.example", code=2, err="at most 64")


def e2e__certs__client_names_its_user(tool):
    tool.init()
    made = tool.run("client", "alice.b_c-1", err="--ca .*--cert .*--key ")
    equal([os.path.basename(line.replace("\\", "/")) for line in made.out.splitlines()],
          ["client-alice.b_c-1.key", "client-alice.b_c-1.pem"], "stdout")
    text = text_of(tool.file("client-alice.b_c-1.pem"))
    equal(extension(text, "Subject Alternative Name")[0], "URI:confab:user/alice.b_c-1")
    equal(extension(text, "Extended Key Usage")[0], "TLS Web Client Authentication")
    check("Subject: CN = alice.b_c-1\n" in text, text)
    verify(tool, "client-alice.b_c-1.pem", "sslclient")
    verify(tool, "client-alice.b_c-1.pem", "sslserver", code=2)
    check_private(tool, "client-alice.b_c-1.key")
    for name in ("Alice", "", "ał", "a/b", ".a", "a" * 33, "a b"):
        tool.run("client", name, code=2, err="1 to 32")


def e2e__certs__key_belongs_to_certificate(tool):
    tool.init()
    tool.run("server")
    for name in ("ca", "localhost"):
        public = openssl("x509", "-in", tool.file(name + ".pem"), "-noout", "-pubkey")
        equal(openssl("pkey", "-in", tool.file(name + ".key"), "-pubout"), public, name)
        check("BEGIN CERTIFICATE" in tool.read(name + ".pem").decode(), name)
        equal(tool.read(name + ".pem").count(b"BEGIN"), 1, "blocks of a certificate's file")


def e2e__certs__serials_are_random(tool):
    tool.init()
    serials = [serial_of(tool.file("ca.pem"))]
    for i in range(8):
        tool.run("client", f"u{i}")
        serials.append(serial_of(tool.file(f"client-u{i}.pem")))
    equal(len(set(serials)), 9, "different serial numbers")
    for serial in serials:
        equal(len(serial), 32, f"digits of {serial}")
        check(int(serial, 16) < 1 << 127, "the number could be read as negative")


def e2e__certs__never_overwrites(tool):
    tool.init()
    tool.run("server")
    tool.run("client", "alice")
    before = {name: tool.read(name) for name in os.listdir(tool.dir)}
    tool.run("init", code=1, err="ca.pem is there already; --force")
    tool.run("server", code=1, err="localhost.pem is there already; --force")
    tool.run("client", "alice", code=1, err="--force")
    os.remove(tool.file("localhost.pem"))
    tool.run("server", code=1, err="localhost.key is there already")
    del before["localhost.pem"]
    equal({name: tool.read(name) for name in os.listdir(tool.dir)}, before, "the folder")
    tool.run("server", "--force")
    tool.run("client", "alice", "--force")
    check(tool.read("localhost.key") != before["localhost.key"], "--force kept the key")
    verify(tool, "localhost.pem", "sslserver")
    verify(tool, "client-alice.pem", "sslclient")
    check_private(tool, "localhost.key")
    tool.init("--force")
    verify(tool, "localhost.pem", "sslserver", code=2, crl=False)
    equal(tool.run("status").out.count("\n"), 3, "lines of a new CA's status")


def e2e__certs__renew_keeps_key_and_names(tool):
    tool.init()
    tool.run("server", "chat.example.org", "::1", "--days", "3")
    path = tool.file("chat.example.org.pem")
    key, names = spki(path), extension(text_of(path), "Subject Alternative Name")
    serial = serial_of(path)
    tool.run("renew", "chat.example.org")
    equal(spki(path), key, "public key")
    equal(extension(text_of(path), "Subject Alternative Name"), names, "names")
    check(serial_of(path) != serial, "the serial number is the old one")
    begin, end = days_between(path)
    equal((end - begin).days, 397, "days")
    verify(tool, "chat.example.org.pem", "sslserver")
    tool.run("renew", tool.path(path), "--new-key", "--days", "20")
    check(spki(path) != key, "--new-key kept the key")
    begin, end = days_between(path)
    equal((end - begin).days, 20, "days")
    verify(tool, "chat.example.org.pem", "sslserver")
    check_private(tool, "chat.example.org.key")


def e2e__certs__renew_needs_a_good_key(tool):
    tool.init()
    tool.run("client", "alice")
    tool.run("client", "bob")
    tool.run("revoke", "alice")
    tool.run("renew", "alice", code=1, err="revoked.*--new-key")
    tool.run("renew", "alice", "--new-key")
    verify(tool, "client-alice.pem", "sslclient")
    os.remove(tool.file("client-bob.key"))
    tool.run("renew", "bob", code=6, err="--new-key")
    with open(tool.file("client-bob.key"), "w", encoding="ascii") as file:
        file.write("-----BEGIN EC PRIVATE KEY-----\nbm8=\n-----END EC PRIVATE KEY-----\n")
    tool.run("renew", "bob", code=1, err="--new-key")
    tool.run("renew", "bob", "--new-key")
    verify(tool, "client-bob.pem", "sslclient")
    tool.run("renew", "nobody", code=6, err="nobody")


def e2e__certs__renew_ca_keeps_what_it_issued(tool):
    tool.init("--days", "40", "--name", "Żółw & Co, O=x")
    tool.run("client", "alice")
    _, end = days_between(tool.file("client-alice.pem"))
    _, ca_end = days_between(tool.file("ca.pem"))
    equal(end, ca_end, "end of what would outlive its CA")
    key = spki(tool.file("ca.pem"))
    tool.run("renew", "ca")
    equal(spki(tool.file("ca.pem")), key, "the CA's key")
    check(days_between(tool.file("ca.pem"))[1] > ca_end, "the CA ends as before")
    verify(tool, "client-alice.pem", "sslclient")
    check("ółw & Co" in openssl("x509", "-in", tool.file("ca.pem"), "-noout", "-subject",
                                "-nameopt", "utf8,sep_comma_plus"), "the CA's name changed")
    equal(crl_number(tool), 2, "number of the list")
    tool.run("renew", "ca", "--new-key", code=2, err="new CA")


def e2e__certs__revoke_by_name_file_and_serial(tool):
    tool.init()
    for user in ("alice", "bob", "carol", "dave"):
        tool.run("client", user)
    serial = serial_of(tool.file("client-carol.pem"))
    tool.run("revoke", "alice", err="revoked [0-9a-f]{32} of client-alice")
    tool.run("revoke", tool.path(tool.file("client-bob.pem")))
    os.remove(tool.file("client-carol.pem"))
    tool.run("revoke", serial.upper())
    equal(crl_number(tool), 4, "number of the list")
    text = crl_text(tool)
    equal(text.count("Serial Number:"), 3, "entries")
    check(serial.upper() in text, text)
    for user in ("alice", "bob"):
        message = verify(tool, f"client-{user}.pem", "sslclient", code=2)
        check("certificate revoked" in message, message)
    verify(tool, "client-dave.pem", "sslclient")
    tool.run("revoke", "alice", err="already")
    equal(crl_number(tool), 4, "number of the list, nothing being new")
    # All or nothing: dave stays good when another word is wrong.
    tool.run("revoke", "dave", "nobody", code=6, err="nobody")
    verify(tool, "client-dave.pem", "sslclient")
    tool.run("revoke", "ca", code=2, err="itself")


def e2e__certs__revoke_takes_former_ones_along(tool):
    tool.init()
    tool.run("client", "alice")
    shutil.copy(tool.file("client-alice.pem"), tool.file("old.pem"))
    tool.run("renew", "alice")
    verify(tool, "old.pem", "sslclient")
    tool.run("revoke", "alice")
    verify(tool, "old.pem", "sslclient", code=2)
    verify(tool, "client-alice.pem", "sslclient", code=2)
    rows = tool.run("status", "--all").out.splitlines()
    equal([row.split()[0] for row in rows[3:]], ["revoked", "revoked"], "states")


def e2e__certs__revoke_what_the_record_forgot(tool):
    tool.init()
    record = tool.read("issued.txt")
    tool.run("client", "alice")
    with open(tool.file("issued.txt"), "wb") as file:
        file.write(record)
    tool.run("revoke", "alice", code=6)
    tool.run("revoke", "client-alice.pem", err="record did not know")
    verify(tool, "client-alice.pem", "sslclient", code=2)
    tool.run("revoke", "00ab", code=6)
    tool.run("revoke", "00ab", "--force")
    check("Serial Number: AB\n" in crl_text(tool), crl_text(tool))
    # Another CA's certificate is not ours to revoke.
    other = Tool(os.path.join(tool.top, "other"), tool.program, tool.emulator)
    os.mkdir(other.top)
    other.init()
    other.run("client", "mallory")
    tool.run("revoke", tool.path(other.file("client-mallory.pem")), code=1, err="not issued")
    tool.run("revoke", tool.path(tool.file("ca.pem")), code=1, err="not issued")


def e2e__certs__crl_signed_again(tool):
    tool.init()
    tool.run("client", "alice")
    tool.run("revoke", "alice")
    os.remove(tool.file("crl.pem"))
    tool.run("status", code=6, err="confab-certs crl")
    tool.run("crl", "--days", "10")
    equal(crl_number(tool), 3, "number of the list")
    verify(tool, "client-alice.pem", "sslclient", code=2)
    tool.run("status", code=1)
    tool.run("crl")
    tool.run("status")
    check("client-alice" not in tool.run("show", "crl").out, "a name in the list")
    check(serial_of(tool.file("client-alice.pem")) in tool.run("show", "crl").out, "no serial")


def e2e__certs__status_warns(tool):
    tool.init()
    tool.run("server", "--days", "40")
    tool.run("client", "alice", "--days", "20")
    row = r"soon +(19|20)  .* client  client-alice alice"
    check(re.search(row, tool.run("status", code=1, err="less than 30").out), "no such row")
    tool.run("status", "--warn", "10")
    tool.run("status", "localhost")
    tool.run("status", "alice", code=1)
    tool.run("status", "--warn", "0", "alice")
    tool.run("status", "-w", "5000", "ca", code=1)
    tool.run("status", "nobody", code=6)
    # Anywhere, without a CA's folder.
    tool.run("status", tool.path(tool.file("localhost.pem")), dir=False)
    tool.run("status", tool.path(tool.file("localhost.pem")), "-w", "50", dir=False, code=1)
    # Neither what is revoked nor what another has replaced counts.
    tool.run("revoke", "alice")
    tool.run("status")
    tool.run("client", "bob", "--days", "5")
    tool.run("renew", "bob")
    tool.run("status", "--all")


def e2e__certs__past_and_future(tool):
    tool.init()
    tool.run("server", "old.example", "--from", "2020-02-29", "--days", "10")
    tool.run("server", "later.example", "--from", "2031-01-01", "--days", "10")
    message = verify(tool, "old.example.pem", "sslserver", code=2)
    check("expired" in message, message)
    message = verify(tool, "later.example.pem", "sslserver", code=2)
    check("not yet valid" in message, message)
    rows = tool.run("status", code=1).out
    check(re.search(r"^expired +-\d+ .*old\.example", rows, re.M), rows)
    check(re.search(r"^early +\d+ .*later\.example", rows, re.M), rows)
    tool.run("server", "--from", "2029-02-29", code=2, err="--from")
    tool.run("server", "--from", "2060-01-01", code=2, err="CA ends")


def e2e__certs__times_after_2049(tool):
    tool.init("--days", "20000")
    tool.run("server", "--days", "10000")
    for args in (("x509", "ca.pem"), ("x509", "localhost.pem"), ("crl", "crl.pem")):
        parsed = openssl("asn1parse", "-in", tool.file(args[1]))
        equal(parsed.count("GENERALIZEDTIME"), 1, f"late times in {args[1]}")
        equal(parsed.count("UTCTIME"), 1, f"early times in {args[1]}")
    verify(tool, "localhost.pem", "sslserver")
    tool.run("status")


def e2e__certs__show_and_fingerprint(tool):
    tool.init()
    tool.run("client", "alice")
    path = tool.file("client-alice.pem")
    shown = tool.run("show", "alice").out
    for line in (f"serial +{serial_of(path)}", "names +URI confab:user/alice", "CN=alice",
                 "usage +digital signature, TLS Web Client Authentication"):
        check(re.search(line, shown), f"no {line!r} in {shown}")
    check("CA (path length 0), certificate signing, CRL signing" in tool.run("show").out, "usage")
    check(re.search("revoked +nothing", tool.run("show", "crl").out), "the list")
    der = subprocess.run(["openssl", "x509", "-in", path, "-outform", "DER"], check=True,
                         stdout=subprocess.PIPE).stdout
    lines = tool.run("fingerprint", "alice").out.splitlines()
    equal(lines, [f"certificate sha256 {hashlib.sha256(der).hexdigest()} {tool.path(path)}",
                  f"spki sha256 {spki(path)} {tool.path(path)}"], "fingerprints")
    equal(len(tool.run("fingerprint").out.splitlines()), 2, "lines for the CA")
    # Somebody else's file: an RSA key, names of all kinds, control characters.
    foreign = tool.file("foreign.pem")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tool.file("foreign.key"),
            "-out", foreign, "-subj", "/CN=x\x1b[31my", "-addext",
            "subjectAltName=DNS:a.example,IP:10.0.0.1,email:a@b.example,URI:x:\x1b[2J")
    result = tool.run("show", tool.path(foreign))
    check("\x1b" not in result.out and "RSA 2048 bits" in result.out, result.out)
    check("\x1b" not in tool.run("status", tool.path(foreign), "-w", "0").out, "raw escape")
    tool.run("show", "nobody", code=6)
    tool.run("show", tool.path(tool.file("issued.txt")), code=1, err="issued.txt")
    tool.run("fingerprint", tool.path(tool.file("ca.key")), code=1, err="no certificate")


def e2e__certs__bad_usage(tool):
    tool.run(dir=False, code=2, err="--help")
    tool.run("serve", dir=False, code=2, err="did you mean server")
    tool.run("xyzzy", dir=False, code=2, err="--help")
    tool.run("init", "--dayz", "3", code=2, err="did you mean --days")
    tool.run("init", "--days", "0", code=2, err="1 to")
    tool.run("init", "--days", "4000000000", code=2, err="1 to")
    tool.run("init", "now", code=2, err="too many words")
    tool.run("init", "--name", "", code=2, err="1 to 64")
    tool.run("init", "--name", "a\nb", code=2, err="readable")
    tool.run("init", "--name", "x" * 65, code=2, err="64")
    tool.run("init", "--dir", "", dir=False, code=2, err="folder")
    tool.run("client", code=2, err="missing")
    tool.run("client", "a", "b", code=2, err="too many")
    check(not os.path.exists(tool.dir), "wrong usage made a folder")
    tool.init()
    tool.run("server", "bücher.example", code=2, err="xn--")
    tool.run("server", "chat.example.org:8572", code=2, err="without a port")
    tool.run("server", "10.0.0.256", code=2, err="IPv4")
    tool.run("server", "a_b.example", code=2, err="letters, digits and hyphens")
    equal(sorted(os.listdir(tool.dir)), ["ca.key", "ca.pem", "crl.pem", "issued.txt"], "folder")


def e2e__certs__help_and_version(tool):
    equal(tool.run("--version", dir=False).out.split()[0], "confab-certs")
    text = tool.run("--help", dir=False).out
    for verb in ("init", "server", "client", "show", "status", "renew", "revoke", "crl",
                 "fingerprint"):
        check(f"  {verb} " in text, f"--help has no {verb}")
        own = tool.run(verb, "--help", dir=False).out
        check(f"usage: confab-certs {verb} " in own and "--dir" in own, own)
        check(all(len(line) <= 100 for line in own.splitlines()), own)


def e2e__certs__missing_and_damaged(tool):
    tool.run("server", code=6, err="no CA in .*confab-certs init")
    check(not os.path.exists(tool.dir), "a folder was made for nothing")
    tool.init()
    good = {name: tool.read(name) for name in os.listdir(tool.dir)}

    def broken(name, content, code, err):
        if content is None:
            os.remove(tool.file(name))
        else:
            with open(tool.file(name), "wb") as file:
                file.write(content)
        tool.run("client", "alice", code=code, err=err)
        with open(tool.file(name), "wb") as file:
            file.write(good[name])
        if name == "ca.key":
            os.chmod(tool.file(name), 0o600)
        check(not os.path.exists(tool.file("client-alice.pem")), "made all the same")
        check(not os.path.exists(tool.file("lock")), "the folder stayed locked")

    broken("ca.key", None, 6, "ca.key is not there")
    broken("ca.key", b"", 1, "no private key")
    other = Tool(os.path.join(tool.top, "other"), tool.program, tool.emulator)
    os.mkdir(other.top)
    other.init()
    broken("ca.key", other.read("ca.key"), 1, "not the key of")
    broken("ca.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n", 1, "ca.pem")
    broken("issued.txt", None, 6, "restore it from a backup")
    broken("issued.txt", good["issued.txt"] + b"0a01 client\n", 1, "line 2 makes no sense")
    broken("issued.txt", good["issued.txt"][:-1], 1, "cut short")
    tool.run("client", "alice")


def e2e__certs__others_can_read_the_key(tool):
    if tool.emulator:
        print("skipped: the mode bits of files mean nothing under Wine")
        sys.exit(SKIPPED)
    tool.init()
    os.chmod(tool.file("ca.key"), 0o644)
    tool.run("server", err="warning: others can read")


def e2e__certs__output_is_full(tool):
    tool.init()
    if tool.emulator or not os.path.exists("/dev/full"):
        print("skipped: there is no /dev/full for this program")
        sys.exit(SKIPPED)
    with open("/dev/full", "wb") as full:
        tool.run("status", stdout=full, code=1, err="standard output")


def e2e__certs__side_by_side(tool):
    tool.init()
    users = [f"u{i}" for i in range(12)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda user: tool.run("client", user), users))
    rows = tool.run("status").out
    for user in users:
        check(f" client-{user} " in rows, f"the record lost {user}")
        verify(tool, f"client-{user}.pem", "sslclient")


def e2e__certs__lock_left_behind(tool):
    tool.init()
    with open(tool.file("lock"), "wb"):
        pass
    tool.run("client", "alice", code=1, err="delete its file 'lock'")
    tool.run("status")
    os.remove(tool.file("lock"))
    tool.run("client", "alice")


def e2e__certs__default_folder(tool):
    tool.run("init", dir=False, cwd=tool.top)
    made = tool.run("server", dir=False, cwd=tool.top).out.replace("\\", "/")
    equal(made.split(), ["confab-certs/localhost.key", "confab-certs/localhost.pem"], "stdout")
    tool.dir = os.path.join(tool.top, "confab-certs")
    verify(tool, "localhost.pem", "sslserver")


def shake_hands(server, client, host):
    """A TLS handshake in memory; raises what either side finds wrong."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname=host)
    two = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (one, two):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
    one.write(b"hello")
    equal(two.read(5), b"hello", "what came through")
    return two


def e2e__certs__python_shakes_hands(tool):
    tool.init()
    tool.run("server", "chat.example.org", "10.0.0.5")
    for user in ("alice", "mallory"):
        tool.run("client", user)
    tool.run("revoke", "mallory")

    def context(kind, name):
        made = ssl.SSLContext(kind)
        made.load_cert_chain(tool.file(name + ".pem"), tool.file(name + ".key"))
        made.load_verify_locations(tool.file("ca.pem"))
        made.load_verify_locations(tool.file("crl.pem"))
        made.verify_mode = ssl.CERT_REQUIRED
        made.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_X509_STRICT
        return made

    server = context(ssl.PROTOCOL_TLS_SERVER, "chat.example.org")
    alice = context(ssl.PROTOCOL_TLS_CLIENT, "client-alice")
    for host in ("chat.example.org", "10.0.0.5"):
        seen = shake_hands(server, alice, host).getpeercert()
        equal(seen["subjectAltName"], (("URI", "confab:user/alice"),), "the user")
    for client, host, reason in ((alice, "other.example", "ostname mismatch"),
                                 (context(ssl.PROTOCOL_TLS_CLIENT, "client-mallory"),
                                  "chat.example.org", "certificate revoked")):
        try:
            shake_hands(server, client, host)
        except ssl.SSLCertVerificationError as error:
            check(reason in str(error), str(error))
        else:
            raise AssertionError(f"not refused: {reason}")


def e2e__certs__script_makes_all(tool):
    if tool.emulator:
        print("skipped: gen-certs.sh is a script of systems with a shell")
        sys.exit(SKIPPED)
    script = os.path.join(SOURCE, "scripts", "gen-certs.sh")
    env = dict(os.environ, CONFAB_CERTS=tool.program)

    def call(*args, code=0):
        done = subprocess.run([script, *args], cwd=tool.top, env=env, timeout=PATIENCE,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        equal(done.returncode, code, f"exit code of {args} ({done.stderr.decode()})")
        return done.stdout.decode(), done.stderr.decode()

    out, err = call("--dir", tool.dir, "chat.example.org", "10.0.0.5", "--user", "bob")
    equal([os.path.basename(line) for line in out.splitlines()],
          ["ca.key", "ca.pem", "crl.pem", "chat.example.org.key", "chat.example.org.pem",
           "client-bob.key", "client-bob.pem"], "made")
    check("--server chat.example.org" in err and "--client-ca" in err, err)
    verify(tool, "chat.example.org.pem", "sslserver", "-verify_ip", "10.0.0.5")
    verify(tool, "client-bob.pem", "sslclient")
    # A second call adds what is missing and replaces nothing.
    before = tool.read("ca.pem"), tool.read("chat.example.org.pem")
    out, err = call("--dir", tool.dir, "chat.example.org", "--user=carol")
    equal([os.path.basename(line) for line in out.splitlines()],
          ["client-carol.key", "client-carol.pem"], "made")
    equal((tool.read("ca.pem"), tool.read("chat.example.org.pem")), before, "what was there")
    call("--user", code=2)
    call("--nonsense", code=2)
    call("--dir", tool.dir, "a b", code=2)
    check("usage" in call("--help")[0], "no help")
    # Without the program it says what to run.
    env["CONFAB_CERTS"] = os.path.join(tool.top, "nothing")
    check("CONFAB_CERTS" in call(code=1)[1], "not told")


def main():
    name, program, emulator = sys.argv[1], os.path.abspath(sys.argv[2]), sys.argv[3:]
    case = globals()[name]
    if emulator:
        # The first Wine process leaves services behind that would keep our pipes open.
        subprocess.run(emulator + ["cmd", "/c", "exit"], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    with tempfile.TemporaryDirectory(prefix="confab certs Zażółć ") as top:
        case(Tool(top, program, emulator))


if __name__ == "__main__":
    main()
