"""Starting and ending the programs under test, native ones and Windows ones under Wine.

The environment names them: CONFAB_SERVER, CONFAB_CLIENT, CONFAB_CERTS, CONFAB_TABLES, in a
Windows build also CONFAB_NATIVE_SERVER and CONFAB_NATIVE_CLIENT, and CONFAB_WINE, the wrapper that
runs a .exe. CONFAB_BUILD is the build folder; what is kept between tests goes below it.
"""

import atexit
import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

PATIENCE = float(os.environ.get("CONFAB_PATIENCE", "20"))  # seconds until a test gives up waiting
SANITIZER = re.compile(
    r"ERROR: (Address|Leak|Undefined|Thread|Memory)Sanitizer|WARNING: ThreadSanitizer"
    r"|runtime error: |Assertion .* failed|Assertion failed")


class Failure(Exception):
    """The product did something else than the test wants."""


def wait_until(condition, what, seconds=PATIENCE):
    """Polls for what has no event to wait for (a process's figures, a file)."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"waited {seconds:g} s in vain: {what}")
        time.sleep(0.02)


def temp_dir(name="confab-test"):
    """A folder that goes with the test; its name has a space and letters beyond ASCII."""
    path = tempfile.mkdtemp(prefix=f"{name} Zażółć ")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


class Program:
    """The path of an executable and how to start it."""

    def __init__(self, path):
        self.path = path
        self.is_windows = path.endswith(".exe")

    def file(self, path):
        """A path of this system, as the program has to be told it."""
        return "Z:" + os.path.abspath(path).replace("/", "\\") if self.is_windows else path

    def argv(self, args):
        prefix = [os.environ["CONFAB_WINE"]] if self.is_windows else []
        return prefix + [self.path] + [str(arg) for arg in args]

    def environment(self, home):
        """Nothing of the tester's own configuration reaches the program."""
        env = dict(os.environ)
        for name in list(env):
            if name.startswith("CONFAB_"):
                del env[name]
        env.update(XDG_CONFIG_HOME=f"{home}/config", XDG_DATA_HOME=f"{home}/data",
                   XDG_STATE_HOME=f"{home}/state", HOME=home)
        if self.is_windows:
            # Wine keeps its prefix by HOME unless told; folders of users are Windows paths.
            env["WINEPREFIX"] = os.environ.get(
                "WINEPREFIX", os.path.join(os.environ["CONFAB_BUILD"], "wineprefix"))
            env["APPDATA"] = self.file(f"{home}/config")
            env["LOCALAPPDATA"] = self.file(f"{home}/data")
        return env

    def start(self, args, home, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(self.argv(args), env=self.environment(home), **options)


class programs:
    """The programs by name; a test that needs one which was not built fails on its use."""

    @staticmethod
    def get(variable):
        path = os.environ.get(variable)
        if not path:
            raise Failure(f"{variable} is not set: run this test through ctest")
        return Program(path)

    @staticmethod
    def server():
        return programs.get("CONFAB_SERVER")

    @staticmethod
    def client():
        return programs.get("CONFAB_CLIENT")

    @staticmethod
    def certs():
        return programs.get("CONFAB_CERTS")


class Result:
    def __init__(self, code, stdout, stderr):
        self.code, self.stdout, self.stderr = code, stdout, stderr

    def expect(self, code, stderr=None):
        """The exit code, and a regular expression to be found in what the program said."""
        if self.code != code:
            raise Failure(f"exit code {self.code}, not {code}\nstdout: {self.stdout}\n"
                          f"stderr: {self.stderr}")
        if stderr is not None and not re.search(stderr, self.stderr):
            raise Failure(f"stderr does not say {stderr!r}: {self.stderr!r}")
        return self


_ports_seen = set()


def forget_port(port):
    """All Windows programs under Wine have one state folder. What an earlier test left there for a
    server with the number of this port is none of this test's: removed, before the test's first
    client can find it."""
    if port in _ports_seen or not os.environ.get("CONFAB_CLIENT", "").endswith(".exe"):
        return
    _ports_seen.add(port)
    prefix = os.environ.get("WINEPREFIX", os.path.join(os.environ["CONFAB_BUILD"], "wineprefix"))
    state = os.path.join(prefix, "drive_c", "users", "*", "AppData", "Local", "Confab", "*")
    for path in glob.glob(os.path.join(state, f"*[,_]{port}*")):
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.remove(path)


def run(program, *args, home=None, stdin=b"", seconds=PATIENCE, **options):
    """Runs a program to its end."""
    home = home or temp_dir()
    if isinstance(stdin, str):
        stdin = stdin.encode()
    proc = program.start(args, home, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, **options)
    try:
        out, err = proc.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        proc.kill()
        out, err = proc.communicate()
        raise Failure(f"{program.path} {args} did not end in {seconds:g} s; stdout {out!r}, "
                      f"stderr {err!r}") from None
    result = Result(proc.returncode, out.decode(), err.decode(errors="replace"))
    check_sanitizers(program.path, result.stderr)
    return result


def check_sanitizers(name, text):
    if SANITIZER.search(text):
        raise Failure(f"{name} was found at fault:\n{text}")


class Server:
    """A server on free ports of the loopback, ready when the constructor returns.

    with Server("--guests") as server: … ; leaving the block stops it and checks its exit code."""

    live = []

    def __init__(self, *args, certs=None, program=None, listen=("127.0.0.1:0",), expect_exit=0,
                 stderr=None, wait=True, preexec=None, client_ca=True, defaults=True, home=None):
        from .certs import product_certs
        self.program = program or programs.server()
        self.certs = certs or product_certs()
        self.home = home or temp_dir("confab-server")
        self.expect_exit = expect_exit
        self.lines = []
        self.news = threading.Condition()
        argv = []
        if defaults:
            argv += ["--dir", self.program.file(self.home)]
            for address in listen:
                argv += ["--listen", address]
            argv += ["--cert", self.program.file(self.certs.server_cert),
                     "--key", self.program.file(self.certs.server_key)]
            if client_ca:
                argv += ["--client-ca", self.program.file(self.certs.ca)]
        argv += args
        self.argv = argv
        self.proc = self.program.start(argv, self.home, stdout=subprocess.DEVNULL,
                                       stderr=stderr or subprocess.PIPE, preexec_fn=preexec)
        Server.live.append(self)
        self.reader = None
        if stderr is None:
            self.reader = threading.Thread(target=self._read, daemon=True)
            self.reader.start()
        self.ports = []
        if wait and stderr is None:
            self.wait_ready()

    def _read(self):
        for raw in self.proc.stderr:
            with self.news:
                self.lines.append(raw.decode(errors="replace").rstrip("\r\n"))
                self.news.notify_all()
        with self.news:
            self.lines.append(None)
            self.news.notify_all()

    def wait_ready(self):
        line = self.wait_log(r"ready on ")
        addresses = re.search(r"ready on ([^\"]*)", line).group(1)
        self.ports = [int(text.rpartition(":")[2]) for text in addresses.split(", ")]
        for port in self.ports:
            forget_port(port)

    @property
    def port(self):
        return self.ports[0]

    @property
    def log(self):
        with self.news:
            return "\n".join(line for line in self.lines if line is not None)

    def wait_log(self, regex, seconds=PATIENCE, count=1, since=0):
        """The count-th line of the log, from line `since` on, in which `regex` is found."""
        end = time.monotonic() + seconds
        with self.news:
            while True:
                found = [line for line in self.lines[since:] if line and re.search(regex, line)]
                if len(found) >= count:
                    return found[count - 1]
                ended = self.lines and self.lines[-1] is None
                left = end - time.monotonic()
                if ended or left <= 0:
                    why = "it ended" if ended else f"not within {seconds:g} s"
                    raise Failure(f"the server's log has no {regex!r} ({why})")
                self.news.wait(left)

    def mark(self):
        """A place in the log, for wait_log(since=)."""
        with self.news:
            return len(self.lines)

    def admin(self, *args, **options):
        """A verb of the server's program, through the control channel of this one; its Result."""
        return run(self.program, *args, "--data", self.program.file(f"{self.home}/data"),
                   **options)

    def grant(self, user):
        """Makes an account an administrator."""
        self.admin("user", "grant", user).expect(0)

    def signal_stop(self, number=signal.SIGTERM):
        # Under Wine only SIGINT reaches the console handler; SIGTERM is a hard kill there.
        self.proc.send_signal(signal.SIGINT if self.program.is_windows else number)

    def wait(self, seconds=PATIENCE):
        try:
            self.proc.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"the server did not end in {seconds:g} s") from None
        if self.reader:
            self.reader.join(5)
        if self in Server.live:
            Server.live.remove(self)
        if self.proc.returncode != self.expect_exit:
            raise Failure(f"the server's exit code is {self.proc.returncode}, "
                          f"not {self.expect_exit}")
        check_sanitizers("the server", self.log)
        return self.proc.returncode

    def stop(self, number=signal.SIGTERM, seconds=PATIENCE):
        if self.proc.poll() is None:
            self.signal_stop(number)
        return self.wait(seconds)

    def kill(self):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait(5)
        if self in Server.live:
            Server.live.remove(self)

    def listening_ports(self):
        """Found through /proc, for a server whose log cannot be read."""
        inodes = set()
        for fd in os.listdir(f"/proc/{self.proc.pid}/fd"):
            try:
                inodes.add(os.readlink(f"/proc/{self.proc.pid}/fd/{fd}"))
            except OSError:
                pass
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table][1:]
        return [int(row[1].rpartition(":")[2], 16) for row in rows
                if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]

    def open_files(self):
        return len(os.listdir(f"/proc/{self.proc.pid}/fd"))

    def cpu_seconds(self):
        """User and system time so far (Linux)."""
        with open(f"/proc/{self.proc.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_kib(self):
        with open(f"/proc/{self.proc.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            # A server waits up to two seconds for the end of clients that still seem to be there.
            from .wire import Client
            for client in Client.all:
                client.abandon()
            self.stop()
        # After a failure the server stays for the report; the runner ends it.
