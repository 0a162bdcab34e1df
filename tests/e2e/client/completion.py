"""`confab completion`: the shells themselves complete with what it prints. PowerShell's script can
only be looked at where there is no PowerShell."""

import os
import re
import select
import shutil
import subprocess
import time

from confab_test import Failure, main, programs, run, skip, temp_dir
from confab_test.programs import PATIENCE

CASES = [
    (["hist"], ["history"]),
    (["admin", "inv"], ["invitecode"]),
    (["admin", "invitecode", ""], ["create", "list", "revoke"]),
    (["role", "dev", "bob", "o"], ["operator", "owner"]),
    (["-s", "host", "--quiet", "role", "dev", "bob", "m"], ["member"]),
    (["set", "dev", "--visible", ""], ["all", "joined"]),
    (["create", "dev", "--history", ""], ["full", "none"]),
    (["history", "dev", "--a"], ["--after", "--all", "--around"]),
    (["completion", "p"], ["powershell"]),
    (["status", ""], ["away", "busy", "online"]),
    (["join", "de"], []),
]


def script(shell):
    program = programs.client()
    if program.is_windows:
        skip("the shells of this system run the program of this system")
    path = os.path.join(temp_dir(), f"confab.{shell}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(run(program, "completion", shell).expect(0).stdout)
    return path


def need(shell):
    if shutil.which(shell) is None:
        skip(f"there is no {shell}")
    return script(shell)


def shell(*argv):
    done = subprocess.run(argv, capture_output=True, timeout=PATIENCE, check=False, text=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "HOME": temp_dir()})
    if done.returncode != 0 or done.stderr:
        raise Failure(f"{argv[0]}: {done.returncode}, {done.stderr}")
    return done.stdout.splitlines()


def e2e__completion__usage():
    client = programs.client()
    run(client, "completion").expect(2, "for which shell")
    run(client, "completion", "csh").expect(2, "for which shell")


def e2e__completion__bash():
    path = need("bash")
    call = ('source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _confab; '
            'printf "%s\\n" "${COMPREPLY[@]}"')
    for words, wanted in CASES + [
            (["set", "dev", "--visible", "=", "j"], ["joined"]),
            (["set", "dev", "--visible", "="], ["all", "joined"]),
            (["set", "dev", "--private", "=", "no", "--vis"], ["--visible"])]:
        got = [line for line in shell("bash", "-c", call, path, "confab", *words) if line]
        assert sorted(got) == wanted, (words, got)


def e2e__completion__fish():
    path = need("fish")
    for words, wanted in CASES:
        got = shell("fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", path,
                    " ".join(["confab", *words]))
        assert sorted(line.split("\t")[0] for line in got) == wanted, (words, got)


class Zsh:
    """At a terminal, as its completion works nowhere else."""

    def __init__(self, path):
        import pty
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe("zsh", ["zsh", "-f", "-i"], {**os.environ, "TERM": "dumb",
                                                     "HOME": temp_dir(), "COLUMNS": "200"})
        self.type(f"PS1='> '; autoload -U compinit; compinit -u -D; source '{path}'; "
                  "setopt no_beep; echo rea''dy\n")
        self.expect("ready\r\n")

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, regex):
        text, end = "", time.monotonic() + PATIENCE
        while not re.search(regex, text):
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise Failure(f"no {regex!r} in {text!r}")
            text += os.read(self.fd, 65536).decode(errors="replace")
        return text

    def end(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def e2e__completion__zsh():
    zsh = Zsh(need("zsh"))
    for typed, wanted in (("confab hist\t", "confab history "),
                          ("confab admin inv\tc\t", "create "),
                          ("confab role dev bob op\t", "operator "),
                          ("confab -s host role dev bob m\t", "member "),
                          ("confab set dev --visi\tj\t", "joined "),
                          ("confab set dev --visible=j\t", "--visible=joined "),
                          ("confab history dev --al\t", "--all ")):
        zsh.type(typed)
        zsh.expect(re.escape(wanted))
        zsh.type("\x15")
    zsh.end()


def e2e__completion__powershell():
    program = programs.client()
    text = run(program, "completion", "powershell").expect(0).stdout
    for part in ("Register-ArgumentCompleter -Native -CommandName confab",
                 "'set:--visible' = @('all', 'joined')",
                 "'role:2' = @('member', 'operator', 'owner')"):
        assert part in text, part
    for pair in ("()", "{}", "[]"):
        assert text.count(pair[0]) == text.count(pair[1]), pair
    assert text.count("'") % 2 == 0


if __name__ == "__main__":
    main(globals())
