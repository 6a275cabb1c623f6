# SPDX-License-Identifier: MIT
"""A person at a guest's console: a program on a terminal of its own, by which
one logs in, types commands and reads what they print."""
import os
import pty
import re
import select
import signal
import time


class ConsoleError(Exception):
    pass


class Console:
    """`argv` runs on a new terminal, with `env`. login() waits for the guest's
    prompt; run() types a command, returns what it printed and raises if it
    fails; close() ends the program."""
    def __init__(self, argv, env=None):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(argv[0], argv, env or os.environ)
            finally:
                os._exit(127)
        self._number = 0

    def _read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        if not data:
            raise ConsoleError(f"the console has ended:\n{self.text[-2000:]}")
        self.text += data.decode(errors="replace")

    def wait(self, pattern, seconds, again=None):
        """Waits until a regular expression matches what has come since the last
        match; types `again` every few seconds meanwhile."""
        end = time.monotonic() + seconds
        typed = 0
        while True:
            found = re.search(pattern, self.text)
            if found:
                self.text = self.text[found.end():]
                return found
            if time.monotonic() > end:
                raise ConsoleError(f"no {pattern!r} within {seconds} s:\n{self.text[-2000:]}")
            if again is not None and time.monotonic() - typed > 5:
                typed = time.monotonic()
                self.type(again)
            self._read(0.5)

    def type(self, text):
        os.write(self.fd, (text + "\n").encode())

    def login(self, user, password, seconds):
        """Again if login(1) has lost its patience with a slow machine."""
        end = time.monotonic() + seconds
        while True:
            # Who comes late has missed the prompt.
            self.wait(r"login: *$", max(1, end - time.monotonic()), again="")
            self.type(user)
            self.wait(r"Password: *$", 60)
            self.type(password)
            if self.wait(r"@[^ ]*:[^ ]*[#$] *$|timed out after", 120)[0][0] == "@":
                break
        # Nothing but what commands print; and a shell that does not edit lines.
        self.type("exec sh")
        self.type("stty -echo; dmesg -n 1; PS1=; PS2=; PAGER=cat; export PAGER; echo rea''dy")
        self.wait(r"ready\s", 120)

    def run(self, commands, seconds=60):
        self._number += 1
        self.text = ""
        self.type(f"{{ {commands}\n}} </dev/null; echo end-''{self._number} $?")
        found = self.wait(rf"(?s)(.*)end-{self._number} (\d+)\s", seconds)
        out = found[1].replace("\r", "")
        if found[2] != "0":
            raise ConsoleError(f"status {found[2]}: {commands}\n{out}")
        return out

    def close(self):
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
