"""`confab chat` on a terminal: the prompt, what comes while somebody types, and Ctrl-C."""

import os
import re
import select
import time

from confab_test import Client, Failure, Server, main, programs, skip
from confab_test.programs import PATIENCE
from person import flags


class Terminal:
    def __init__(self, server, *args, home=None):
        import pty  # not on every system
        program = programs.client()
        if program.is_windows:
            skip("a Windows console is not a pseudo-terminal of this system")
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            argv = program.argv([*args, *flags(server)])
            os.execve(argv[0], argv, program.environment(home or server.home))
        self.text = ""

    def expect(self, regex):
        end = time.monotonic() + PATIENCE
        while not re.search(regex, self.text):
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise Failure(f"no {regex!r} on the terminal: {self.text!r}")
            try:
                self.text += os.read(self.fd, 65536).decode()
            except OSError:
                raise Failure(f"it ended without {regex!r}: {self.text!r}") from None

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self, code=0):
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        assert os.waitstatus_to_exitcode(status) == code, (status, self.text)


def e2e__chat__keeps_the_prompt_below():
    with Server("--guests") as server:
        bob = Client(server)
        bob.login("bob")
        bob.request("join", room="dev")
        alice = Terminal(server, "chat", "dev")
        alice.expect(r"in dev, 2 here\r\n[^>]*alice joined\r\ndev> $")
        alice.type("hello\n")
        bob.expect_event("message", text="hello")
        alice.expect(r"dev> hello\r\ndev> $")
        bob.request("send", room="dev", text="hi\x1b[2J there")
        alice.expect("dev> \r +\r\\d\\d:\\d\\d:\\d\\d dev ~bob: hi\ufffd\\[2J there\r\ndev> $")
        # One's own text stands at the prompt already.
        assert "~alice: hello" not in alice.text, alice.text
        alice.type("/quit\n")
        alice.wait()


def e2e__chat__ends_by_control_c():
    with Server("--guests") as server:
        bob = Client(server)
        bob.login("bob")
        bob.request("join", room="dev")
        alice = Terminal(server, "chat", "dev")
        alice.expect("dev> $")
        alice.type("half a te\x03")
        bob.expect_event("leave", user="alice")
        alice.wait()


def e2e__chat__ends_by_control_d():
    with Server("--guests") as server:
        alice = Terminal(server, "chat")
        alice.expect("> $")
        alice.type("\x04")
        alice.wait()


if __name__ == "__main__":
    main(globals())
