#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pvgpuctl top on a terminal of ours: what is drawn, within its size; keys and
resizing; and that the terminal is what it was, whatever ended it. Without a
terminal it writes lines."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import sys
import termios
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from manager_support import *

CTL = os.path.abspath(ASAN_BIN + "/pvgpuctl")
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
# A heading's words.
COLUMNS = "NAME GPU% SHARE/ENTIT TURNS LEN% BOR% OVER WAIT WINDOW DEVICE FPS"


class Terminal:
    """A program on a terminal of this size, and the screen that it draws."""

    def __init__(self, columns, rows, *command):
        self.master, slave = pty.openpty()
        self.columns, self.rows = columns, rows
        self.set_size(slave)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.text = ""
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def set_size(self, fd):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack(
            "HHHH", self.rows, self.columns, 0, 0))

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.text = ""
        self.set_size(self.master)

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            self.text += os.read(self.master, 65536).decode()
        return self.text

    def type(self, keys):
        os.write(self.master, keys.encode())

    def screen(self):
        """The lines of the last whole drawing, or None; one that is wider or
        longer than the terminal is a failure."""
        drawings = self.read().split("\x1b[H")
        if len(drawings) < 3:
            return None
        lines = drawings[-2].split("\r\n")
        check(len(lines) <= self.rows + 1, f"{len(lines)} lines")
        plain = []
        for line in lines:
            bare = re.sub(r"\x1b\[\??[0-9;]*[a-zA-Z]", "", line)
            check(len(bare) <= self.columns and bare.isprintable(), f"{bare!r}"
                  f" on {self.columns} columns")
            # What is shorter clears what was there.
            check(len(bare) == self.columns or "\x1b[K" in line or
                  "\x1b[J" in line, f"{line!r} leaves something")
            plain.append(bare)
        return [line for line in plain if line]

    def wait_screen(self, condition, what):
        def look():
            lines = self.screen()
            return lines if lines and condition(lines) else None
        return wait_until(look, f"{what}; {self.text[-1500:]!r}")

    def end(self):
        """Its exit status; the terminal is as it was, and of the first
        screen."""
        def dead():
            self.read()
            return self.process.poll() is not None
        wait_until(dead, f"its end; {self.text[-500:]!r}")
        self.read()
        check(termios.tcgetattr(self.slave) == self.before,
              "the terminal is another one")
        check(self.text.rfind(LEAVE) > self.text.rfind(ENTER) and
              self.text.rfind("\x1b[?25h") > self.text.rfind("\x1b[?25l"),
              f"{self.text[-200:]!r}")
        os.close(self.master)
        os.close(self.slave)
        return self.process.returncode


def loaded(daemon, count=3):
    qemu = None
    for i in range(count):
        daemon.call("Create", name=f"v{i}", type="PV24-1Q")
    qemu = Qemu(daemon.directory + "/v1.sock")
    wait_until(lambda: daemon.call("Show", name="v1")["vgpu"]["state"] ==
               "running", "running")
    return qemu


def top(daemon, *options, size=(80, 24)):
    return Terminal(*size, CTL, "--socket", daemon.control, "top", *options)


def it_draws_what_there_is():
    with Daemon() as daemon:
        qemu = loaded(daemon)
        terminal = top(daemon, "-d", "0.2")
        lines = terminal.wait_screen(
            lambda lines: any(re.match(r"v1 +\d", line) for line in lines),
            "rates")
        check(re.match(r"\d\d:\d\d:\d\d  gpu0: best-effort, 3 vGPUs, \d+\.\d "
                       r"% busy, 3 GiB of 24 GiB used$", lines[0]), lines[0])
        check("q: quit" in lines[1] and lines[2].split() == COLUMNS.split(),
              f"{lines}")
        row = lines[3].split()
        check(row[0] == "v1" and float(row[1]) > 0 and
              row[2] == "100.0/-" and row[-3:-1] == ["8.0M", "6.1M"] and
              float(row[-1]) > 0, f"{row}")
        check([line.split()[:2] for line in lines[4:]] ==
              [["v0", "waiting"], ["v2", "waiting"]], f"{lines}")
        terminal.type("n")
        terminal.wait_screen(lambda lines: [line.split()[0] for line in
                                            lines[3:]] == ["v0", "v1", "v2"],
                             "by name")
        terminal.type("xyz\x1b[A\t")        # nothing to it
        terminal.type("g")
        terminal.wait_screen(lambda lines: lines[3].startswith("v1"),
                             "by GPU")
        # Never ^Z: it would leave this screen to the shell.
        terminal.type("\x1a")
        time.sleep(0.3)
        check(terminal.process.poll() is None, "it stopped")
        terminal.type("q")
        check(terminal.end() == 0, "status")
        qemu.close()


def it_fits_any_size():
    with Daemon() as daemon:
        qemu = loaded(daemon, 20)
        terminal = top(daemon, "-d", "3600", size=(80, 10))
        wait_until(lambda: "\x1b[H" in terminal.read(), "a drawing")
        # Drawn anew at once, long before the next sample.
        for columns, rows in ((30, 5), (200, 40), (1, 1), (5, 2), (80, 24)):
            terminal.resize(columns, rows)
            wait_until(lambda: "\x1b[H" in terminal.read(), "a drawing")
            terminal.type("g")      # another, so that one is whole
            lines = terminal.wait_screen(
                lambda lines: len(lines) == min(rows, 23), f"{columns}x{rows}")
        terminal.type("q")
        check(terminal.end() == 0, "status")
        qemu.close()


def however_it_ends():
    with Daemon() as daemon:
        qemu = loaded(daemon)
        terminal = top(daemon, "-d", "0.1", "-n", "2")
        check(terminal.end() == 0, "after two")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            terminal = top(daemon, "-d", "0.2")
            terminal.wait_screen(lambda lines: True, "a drawing")
            if number == signal.SIGINT:
                terminal.type("\x03")
            else:
                terminal.process.send_signal(number)
            check(terminal.end() == -number, f"{number}")
        terminal = top(daemon, "-d", "0.2")
        terminal.wait_screen(lambda lines: True, "a drawing")
        qemu.close()
        check(daemon.stop() == 0, "pvgpud")
        check(terminal.end() == 3, "status without a daemon")
        # It is told behind the screen, where it can be read.
        check("pvgpuctl: top: " in terminal.text.rpartition(LEAVE)[2],
              f"{terminal.text[-300:]!r}")


def without_a_terminal():
    with Daemon() as daemon:
        qemu = loaded(daemon)

        def run(*arguments):
            done = subprocess.run(
                [CTL, "--socket", daemon.control, "top", *arguments],
                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=60)
            check(done.returncode == 0 and not done.stderr, f"{done}")
            check("\x1b" not in done.stdout, f"{done}")
            return done.stdout
        text = run("-n", "2", "-d", "0.1")
        check(text.count("vGPUs, ") == 2 and text.count("\nv0 ") == 2 and
              text.splitlines()[1].split() == COLUMNS.split(), text)
        check(all(len(line) <= 80 for line in text.splitlines()), text)
        lines = run("--json", "-n", "3", "-d", "0.1").splitlines()
        check(len(lines) == 3 and all("rates" in row for line in lines
                                      for row in json.loads(line)["vgpus"]
                                      if row["name"] == "v1"), f"{lines}")
        # On a terminal, too, if it is told so.
        terminal = top(daemon, "-b", "-n", "1", "-d", "0.1")
        terminal.process.wait(30)
        check("\x1b" not in terminal.read() and "v2 " in terminal.text,
              f"{terminal.text!r}")
        os.close(terminal.master)
        os.close(terminal.slave)
        # Nobody reads: it ends.
        process = subprocess.Popen(
            [CTL, "--socket", daemon.control, "top", "-d", "0.1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        process.stdout.readline()
        process.stdout.close()
        check(process.wait(30) != 0, "it goes on")
        process.stderr.close()
        qemu.close()


if __name__ == "__main__":
    run_tests([
        it_draws_what_there_is,
        it_fits_any_size,
        however_it_ends,
        without_a_terminal,
    ])
