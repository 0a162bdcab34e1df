"""The wire, written a second time: TLS by Python's ssl over memory buffers, so that an orderly end
(close_notify) and a cut-off stream can be told apart, and lines of JSON in it."""

import json
import socket
import ssl
import struct
import time

from .pattern import Mismatch, fits, match
from .programs import PATIENCE, Failure


class Ended(Exception):
    """The connection ended while the test waited for a line; `how` as in Client.ended."""

    def __init__(self, how):
        super().__init__(f"the connection ended ({how}) while a line was awaited")
        self.how = how


class Client:
    """One connection. `ended` is None while it lives, then
       "clean"      the server's close_notify came
       "truncated"  its stream ended without
       "reset"      it was reset
       "alert NAME" it sent a fatal alert
    """

    all = []

    def __init__(self, server=None, *, host="127.0.0.1", port=None, name=None, user=None,
                 cert=None, ca=None, verify_name="localhost", alpn=("confab/1",), tls=None,
                 ciphers=None, session=None, context=None, handshake=True, check=True,
                 receive_buffer=None):
        """`user`: present that user's certificate; `cert`: (certificate, key) to present;
        `tls`: "1.2", "1.3" or None for both; `check`: verify the server."""
        self.name = name or user or f"client{len(Client.all) + 1}"
        self.transcript = []
        self.ended = None
        self.greeting = None
        self.events = []
        self.replies = []
        self.hook = None  # called with every line, before it is looked at
        self._input = bytearray()
        self._next_id = 1000
        Client.all.append(self)
        certs = server.certs if server else None
        if user:
            cert = certs.client(user)
        self.context = context or make_context(
            ca or (certs.ca if certs else None), cert, alpn, tls, ciphers, check)
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((host, port or server.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._from_net, self._to_net = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.context.wrap_bio(self._from_net, self._to_net, session=session,
                                         server_hostname=verify_name)
        if handshake:
            self.handshake()

    # --- bytes -------------------------------------------------------------------------------

    def _flush(self):
        data = self._to_net.read()
        if data and self.ended not in ("reset",):
            try:
                self.socket.settimeout(PATIENCE)
                self.socket.sendall(data)
            except (BrokenPipeError, ConnectionError):
                pass  # what the server said before shows when reading

    def _receive(self, end):
        """Waits for bytes from the network; False at the time `end`."""
        left = end - time.monotonic()
        if left <= 0:
            return False
        self.socket.settimeout(left)
        try:
            data = self.socket.recv(65536)
        except (socket.timeout, BlockingIOError):
            return False
        except ConnectionError:
            self.ended = self.ended or "reset"
            self.transcript.append("* reset")
            return True
        if data:
            self._from_net.write(data)
        else:
            self._from_net.write_eof()
        return True

    def handshake(self, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                if not self._receive(end):
                    raise Failure(f"no handshake within {seconds:g} s") from None
                if self.ended:
                    raise Ended(self.ended) from None
            except ssl.SSLError as why:
                self._flush()
                self._note_error(why)
                raise Ended(self.ended) from None
        self._flush()

    def send_hello(self, really=True):
        """The first flight of the handshake, without waiting for an answer; its bytes."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        flight = self._to_net.read()
        if really:
            self.socket.sendall(flight)
        return flight

    def _note_error(self, why):
        reason = why.reason or str(why)
        if "EOF" in reason.upper():
            self.ended = "truncated"
        elif "ALERT" in reason.upper():
            self.ended = "alert " + reason.lower().replace(" ", "_")
        else:
            self.ended = "error " + reason.lower()
        self.transcript.append("* " + self.ended)

    def _decrypt(self):
        """Moves what has arrived into the line buffer; notes the end of the stream."""
        while not self.ended:
            try:
                data = self.tls.read(65536)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                data = b""
            except ssl.SSLError as why:
                self._note_error(why)
                break
            if not data:
                self.ended = "clean"
                self.transcript.append("* close_notify")
                break
            self._input += data
        self._flush()

    def send_raw(self, data):
        """Bytes into the TLS stream, as they are."""
        if isinstance(data, str):
            data = data.encode()
        shown = data if len(data) < 400 else data[:150] + b" ... " + data[-50:]
        self.transcript.append("> " + shown.decode(errors="backslashreplace").rstrip("\n"))
        view = memoryview(data)
        while view:
            self.tls.write(view[:16000])
            view = view[16000:]
        self._flush()

    def send(self, message):
        self.send_raw(json.dumps(message, ensure_ascii=False, separators=(",", ":")) + "\n")

    # --- lines -------------------------------------------------------------------------------

    def _take_line(self):
        cut = self._input.find(b"\n")
        if cut < 0:
            return None
        raw = bytes(self._input[:cut + 1])
        del self._input[:cut + 1]
        self.transcript.append("< " + raw.decode(errors="backslashreplace").rstrip("\n"))
        line = parse_line(raw)
        if self.hook:
            self.hook(line, raw)
        return line

    def read_line(self, seconds=PATIENCE):
        """The next line as a dict; Ended at the end of the stream; None when time is over."""
        end = time.monotonic() + seconds
        while True:
            line = self._take_line()
            if line is not None:
                return line
            if self.ended:
                if self._input and self.ended == "clean":
                    raise Failure(f"the stream ended within a line: {bytes(self._input)!r}")
                raise Ended(self.ended)
            self._decrypt()
            if b"\n" in self._input or self.ended:
                continue
            if not self._receive(end):
                return None
            self._decrypt()

    def next_line(self, seconds=PATIENCE):
        line = self.read_line(seconds)
        if line is None:
            raise Failure(f"{self.name}: no line within {seconds:g} s")
        return line

    def _sort(self, line):
        if "re" in line:
            self.replies.append(line)
        elif line["event"] == "welcome" and self.greeting is None:
            self.greeting = line
        elif line["event"] != "ping":
            self.events.append(line)

    def welcome(self):
        while self.greeting is None:
            self._sort(self.next_line())
        return self.greeting

    def ask(self, cmd, **fields):
        """Sends a request with an id of our own; the id."""
        self._next_id += 1
        self.send({"cmd": cmd, "id": self._next_id,
                   **{key.rstrip("_"): value for key, value in fields.items()}})
        return self._next_id

    def reply(self, number, seconds=PATIENCE):
        """The reply to the request with that id; events met on the way are kept."""
        end = time.monotonic() + seconds
        while True:
            for line in self.replies:
                if line["re"] == number:
                    self.replies.remove(line)
                    return line
            self._sort(self.next_line(end - time.monotonic()))

    def request(self, cmd, **fields):
        """The reply; a Failure if it is not ok."""
        reply = self.reply(self.ask(cmd, **fields))
        if not reply["ok"]:
            raise Failure(f"{self.name}: {cmd} {fields} failed: {reply}")
        return reply

    def refused(self, error, cmd, **fields):
        reply = self.reply(self.ask(cmd, **fields))
        if reply["ok"] or reply["error"] != error:
            raise Failure(f"{self.name}: {cmd} {fields} should be {error}: {reply}")
        return reply

    def login(self, user=None, **fields):
        if user:
            fields["user"] = user
        return self.request("login", **fields)

    def expect_event(self, event, seconds=PATIENCE, names=None, **pattern):
        """The next event of that name that fits; others before it are dropped."""
        wanted = {"event": event, **{key.rstrip("_"): value for key, value in pattern.items()}}
        end = time.monotonic() + seconds
        seen = []
        while True:
            while self.events:
                line = self.events.pop(0)
                if fits(wanted, line, names):
                    return line
                seen.append(line)
            try:
                self._sort(self.next_line(end - time.monotonic()))
            except (Failure, Ended) as why:
                raise Failure(f"{self.name}: no event {wanted}: {why}; seen: {seen}") from None

    def expect_line(self, pattern, names=None, seconds=PATIENCE):
        """The very next line."""
        line = self.next_line(seconds)
        try:
            match(pattern, line, names)
        except Mismatch as why:
            raise Mismatch(f"{self.name}: {why}\n    in {line}") from None
        return line

    # --- ends --------------------------------------------------------------------------------

    def expect_end(self, how="clean", seconds=PATIENCE):
        """Reads on to the end of the stream; the lines that came before it."""
        end = time.monotonic() + seconds
        lines = []
        try:
            while True:
                lines.append(self.next_line(end - time.monotonic()))
        except Ended:
            pass
        if self.ended != how:
            raise Failure(f"{self.name}: the connection ended {self.ended!r}, not {how!r}")
        return lines

    def close_notify(self):
        """Says that we are done; reading goes on."""
        self._decrypt()
        self.transcript.append("> close_notify")
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass  # the server's own close_notify is not here yet
        self._flush()

    def quit(self):
        """The whole orderly end: quit, reply, goodbye, close_notify both ways."""
        self.request("quit")
        self.expect_event("goodbye", reason="quit")
        self.expect_end("clean")
        self.close_notify()
        self.socket.close()

    def abandon(self):
        self.socket.close()

    def cut(self):
        """Ends the stream without close_notify: a FIN, as when a program is killed."""
        self.transcript.append("> (cut)")
        self.socket.close()

    def reset(self):
        """Ends the connection by a TCP reset."""
        self.transcript.append("> (reset)")
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def parse_line(raw):
    """A line as the protocol says a server writes them."""
    if raw.endswith(b"\r\n"):
        raise Failure(f"a line of the server ends in CR LF: {raw!r}")
    try:
        line = json.loads(raw.decode("utf-8"), object_pairs_hook=no_duplicates)
    except ValueError as why:
        raise Failure(f"a line of the server is no JSON ({why}): {raw!r}") from None
    if not isinstance(line, dict) or ("re" in line) == ("event" in line):
        raise Failure(f"a line of the server is neither reply nor event: {raw!r}")
    if "re" in line and not isinstance(line.get("ok"), bool):
        raise Failure(f"a reply without ok: {raw!r}")
    return line


def no_duplicates(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a key stands twice")
    return dict(pairs)


def make_context(ca, cert, alpn, tls, ciphers=None, check=True):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if check:
        context.load_verify_locations(ca)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert:
        context.load_cert_chain(*cert)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}.get(tls)
    if version:
        context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    return context
