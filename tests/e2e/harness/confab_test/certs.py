"""Certificates for tests: the product's own (confab-certs) for everyday use, and an authority on
the openssl command for the odd ones that confab-certs rightly refuses to make."""

import datetime
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile

from .programs import Failure, programs, run, temp_dir

KEYS = {
    "p256": ["ec", "ec_paramgen_curve:P-256"],
    "p384": ["ec", "ec_paramgen_curve:P-384"],
    "rsa": ["rsa:2048", None],
}

CONFIG = """
[ca]
default_ca = here
[here]
dir = {dir}
database = $dir/index.txt
serial = $dir/serial
crlnumber = $dir/crlnumber
new_certs_dir = $dir
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = {md}
default_days = 30
default_crl_days = 30
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
[req]
distinguished_name = name
prompt = no
[name]
commonName = {cn}
[ca_extensions]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = {usage}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
{names}
"""


def openssl(*args):
    done = subprocess.run(["openssl", *args], stdin=subprocess.DEVNULL, capture_output=True,
                          check=False)
    if done.returncode:
        raise Failure(f"openssl {' '.join(args)}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def stamp(days):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return moment.strftime("%Y%m%d%H%M%SZ")


class Certs:
    """What a server and its clients use: ca, server_cert, server_key, client(user)."""

    ca = server_cert = server_key = None

    def client(self, user):
        raise NotImplementedError


class Authority(Certs):
    """An authority of its own on the openssl command.

    `key` is p256, p384 or rsa, for the authority and all it issues."""

    def __init__(self, name="Test authority", key="p256", parent=None):
        self.dir = tempfile.mkdtemp(prefix="ca-", dir=temp_dir("confab-ca"))
        self.key_kind = key
        self.md = "sha384" if key == "p384" else "sha256"
        self.count = 0
        for file, text in (("index.txt", ""), ("serial", "1000\n"), ("crlnumber", "01\n")):
            self.write(file, text)
        self.ca, self.ca_key = f"{self.dir}/ca.pem", f"{self.dir}/ca.key"
        config = self.config(name)
        if parent:
            # An intermediate authority: its certificates carry the chain behind them.
            request = self.make_request(self.ca_key, config)
            parent.sign(request, self.ca, "ca_extensions", parent.config(name))
            self.chain = self.read(self.ca)
        else:
            openssl("req", "-x509", "-config", config, "-extensions", "ca_extensions", "-days",
                    "3650", "-" + self.md, *self.new_key(self.ca_key), "-out", self.ca)
            self.chain = ""
        self.server_cert, self.server_key = self.issue("localhost")
        self.known = {}

    def write(self, file, text):
        with open(f"{self.dir}/{file}", "w", encoding="utf-8") as out:
            out.write(text)
        return f"{self.dir}/{file}"

    @staticmethod
    def read(path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def config(self, cn, usage="serverAuth", names=()):
        self.count += 1
        line = "subjectAltName = " + ",".join(names) if names else ""
        return self.write(f"{self.count}.cnf", CONFIG.format(
            dir=self.dir, md=self.md, cn=cn, usage=usage, names=line))

    def new_key(self, path):
        kind, option = KEYS[self.key_kind]
        return ["-newkey", kind, *(["-pkeyopt", option] if option else []), "-nodes",
                "-keyout", path]

    def make_request(self, key, config):
        request = f"{self.dir}/{self.count}.csr"
        openssl("req", "-new", "-config", config, *self.new_key(key), "-out", request)
        return request

    def sign(self, request, cert, extensions, config, begin=-1, end=30):
        openssl("ca", "-batch", "-notext", "-config", config, "-extensions", extensions,
                "-startdate", stamp(begin), "-enddate", stamp(end), "-in", request, "-out", cert)

    def issue(self, cn, names=("DNS:localhost", "IP:127.0.0.1", "IP:::1"), usage="serverAuth",
              begin=-1, end=30):
        """(certificate, key); valid from `begin` to `end` days from now."""
        config = self.config(cn, usage, names)
        number = self.count
        key, cert = f"{self.dir}/{number}.key", f"{self.dir}/{number}.pem"
        self.sign(self.make_request(key, config), cert, "leaf", config, begin, end)
        if self.chain:
            with open(cert, "a", encoding="utf-8") as file:
                file.write(self.chain)
        return cert, key

    def issue_client(self, user, **options):
        return self.issue(user, names=(f"URI:confab:user/{user}",), usage="clientAuth", **options)

    def client(self, user):
        if user not in self.known:
            self.known[user] = self.issue_client(user)
        return self.known[user]

    def revoke(self, cert):
        """Withdraws it; the path of a new revocation list."""
        config = self.config("crl")
        openssl("ca", "-batch", "-config", config, "-revoke", cert)
        crl = f"{self.dir}/crl.pem"
        openssl("ca", "-batch", "-config", config, "-gencrl", "-out", crl)
        return crl


class Product(Certs):
    """What confab-certs makes, kept in a folder."""

    def __init__(self, folder):
        self.dir = folder
        self.ca = f"{folder}/ca.pem"
        self.server_cert = f"{folder}/localhost.pem"
        self.server_key = f"{folder}/localhost.key"

    def call(self, *args):
        tool = programs.certs()
        return run(tool, *args, "--dir", tool.file(self.dir)).expect(0)

    def make(self):
        self.call("init")
        self.call("server")

    def client(self, user):
        cert, key = f"{self.dir}/client-{user}.pem", f"{self.dir}/client-{user}.key"
        with locked(self.dir):
            if not os.path.exists(cert):
                self.call("client", user)
        return cert, key


class locked:
    """Tests run side by side and share the folder of certificates."""

    def __init__(self, folder):
        self.path = folder + ".lock"

    def __enter__(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self.file = open(self.path, "w", encoding="ascii")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.file.close()


_made = None


def product_certs():
    """A CA, a server and clients as people would make them; made once for a build of the tool."""
    global _made
    if _made:
        return _made
    if not os.environ.get("CONFAB_CERTS"):
        _made = Authority()
        return _made
    tool = programs.certs()
    with open(tool.path, "rb") as file:
        build = hashlib.sha256(file.read()).hexdigest()[:12]
    today = datetime.date.today().isoformat()
    folder = os.path.join(os.environ["CONFAB_BUILD"], "test-certs", f"{today}-{build}")
    certs = Product(folder)
    with locked(folder):
        if not os.path.exists(certs.server_key):
            shutil.rmtree(folder, ignore_errors=True)
            certs.make()
    _made = certs
    return certs
