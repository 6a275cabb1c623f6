#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Man pages and completion against the programs: the pages are well formed,
name every command, option, key and exit status that the programs know and no
other, and bash completes what the programs offer."""

import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from manager_support import *

MAN = "docs/man"
PAGES = ["pvgpuctl.1", "pvgpu-replay.1", "pvgpud.8", "pvgpu-worker.8",
         "pvgpu-vtest.8", "pvgpu-types.5", "pvgpud.conf.5"]
COMPLETION = os.path.abspath("host-backend/ctl/completion/pvgpuctl")


def output(*command, status=0):
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    check(done.returncode == status and (status or not done.stderr), f"{done}")
    return done.stdout


def ctl_help(*command):
    return output(ASAN_BIN + "/pvgpuctl", *command, "--help")


def page(name):
    with open(f"{MAN}/{name}") as f:
        return f.read()


def section(name, title):
    """The lines of one section of a page."""
    found = re.search(rf"^\.Sh {title}\n(.*?)(?=^\.Sh |\Z)", page(name),
                      re.M | re.S)
    check(found, f"{name}: no section {title}")
    return found[1]


def items(text, macro):
    """Items whose head is of this macro, [(words of the head, body)], of the
    outermost list only."""
    found, depth = [], 0
    for line in text.splitlines():
        if line.startswith(".Bl"):
            depth += 1
        elif line.startswith(".El"):
            depth -= 1
        if depth == 1 and line.startswith(f".It {macro} "):
            found.append([line.split()[2:], ""])
        elif depth == 1 and line.startswith(".It "):
            found.append([None, ""])
        elif found:
            found[-1][1] += line + "\n"
    return [item for item in found if item[0]]


def flags(text):
    """Long options that a text of a page defines, "--name"."""
    heads = re.findall(r"^\.It Fl (.*)$", text, re.M)
    return sorted("--" + word.lstrip("-") for head in heads
                  for word in head.split() if word.startswith("-"))


def defined(text):
    """Long options that a --help defines: at the start of a line."""
    return sorted(set(
        option for line in text.splitlines() if re.match(r" +-", line)
        for option in re.findall(r"--[a-z][a-z-]*",
                                 re.split(r" {2,}", line.strip())[0])))


def commands():
    """{name: usage} as --help lists them."""
    return dict(re.findall(r"^  ([a-z][a-z-]*)(?: (.*?))?  +[a-z]",
                           ctl_help(), re.M))


def pages_are_well_formed():
    check(shutil.which("mandoc"), "install: mandoc")
    check(sorted(os.listdir(MAN)) == sorted(PAGES),
          f"{sorted(os.listdir(MAN))}")
    for name in PAGES:
        done = subprocess.run(["mandoc", "-Tlint", "-W", "warning",
                               f"{MAN}/{name}"], capture_output=True,
                              text=True, timeout=30)
        check(done.returncode == 0 and not done.stdout, done.stdout)
        # Pages are named by what they are about, and refer to what is there.
        title, number = name.rsplit(".", 1)
        check(f".Dt {title.upper()} {number}\n" in page(name), name)
        for other in re.findall(r"^\.Xr (\S+) (\d)", page(name), re.M):
            check(".".join(other) in PAGES, f"{name}: {other}")


def every_command_has_its_page():
    known = commands()
    check(len(known) >= 9, f"{known}")
    described = {head[0]: (head, body) for head, body in
                 items(section("pvgpuctl.1", "COMMANDS"), "Cm")}
    check(sorted(described) == sorted(known),
          f"pvgpuctl.1 has {sorted(described)}, --help {sorted(known)}")
    for name, usage in known.items():
        head, body = described[name]
        for word in re.findall(r"\b[A-Z]{2,}\b", usage):
            check(word in head, f"{name}: {word} is not in {head}")
        check(flags(body) == defined(ctl_help(name)),
              f"{name}: {flags(body)} in the page, "
              f"{defined(ctl_help(name))} in --help")
        check(f"pvgpuctl {name}{' ' + usage if usage else ''} - " in
              ctl_help(name), f"{name} --help")
    text = section("pvgpuctl.1", "DESCRIPTION")
    check(flags(text) == defined(ctl_help()), f"{flags(text)}, "
          f"{defined(ctl_help())}")


def exit_statuses_are_told():
    told = re.findall(r"^\.It (\d)$", section("pvgpuctl.1", "EXIT STATUS"),
                      re.M)
    text = " ".join(ctl_help().partition("Exit status:")[2].split())
    check(told == re.findall(r"(?:^|, )(\d) ", text) ==
          ["0", "1", "2", "3"], f"{told}: {text}")
    for name in ("pvgpud.8", "pvgpu-worker.8", "pvgpu-vtest.8",
                 "pvgpu-replay.1"):
        check(re.findall(r"^\.It (\d)$", section(name, "EXIT STATUS"), re.M)
              == ["0", "1", "2"], name)
    for program in ("pvgpud", "pvgpu-worker", "pvgpuctl", "pvgpu-replay",
                    "pvgpu-vtest"):
        done = subprocess.run([f"{ASAN_BIN}/{program}", "--frob"],
                              capture_output=True, text=True, timeout=30)
        check(done.returncode == 2 and "--frob" in done.stderr, f"{done}")


def daemons_have_their_options():
    text = section("pvgpud.8", "OPTIONS")
    shown = defined(output(ASAN_BIN + "/pvgpud", "--help"))
    check(flags(text) == shown, f"{flags(text)}, {shown}")
    text = section("pvgpu-replay.1", "OPTIONS")
    shown = defined(output(ASAN_BIN + "/pvgpu-replay", "--help"))
    check(flags(text) == shown, f"{flags(text)}, {shown}")
    usage = output(ASAN_BIN + "/pvgpu-worker", "--help")
    shown = sorted(set(re.findall(r"--[a-z][a-z-]*", usage)) | {"--help"})
    text = section("pvgpu-worker.8", "OPTIONS")
    check(flags(text) == shown, f"{flags(text)}, {shown}")
    shown = defined(output(ASAN_BIN + "/pvgpu-vtest", "--help"))
    text = section("pvgpu-vtest.8", "OPTIONS")
    check(flags(text) == shown, f"{flags(text)}, {shown}")


def the_configuration_has_its_keys():
    with tempfile.NamedTemporaryFile("w") as f:
        f.write("[gpu]\nfrob = 1\n[scheduler]\nfrob = 1\n"
                "[manager]\nfrob = 1\n")
        f.flush()
        done = subprocess.run([ASAN_BIN + "/pvgpud", "--config", f.name,
                               "--types-dir", "host-backend/types"],
                              capture_output=True, text=True, timeout=30)
    found = re.findall(r"frob: is not a key of .*; allowed are (.*)",
                       done.stderr)
    described = re.findall(r"^\.It Cm (\S+)$",
                           section("pvgpud.conf.5", "DESCRIPTION"), re.M)
    check(len(found) == 3 and described == " ".join(found).split(),
          f"{described}: {done.stderr}")


def types_have_their_keys():
    directory = tempfile.mkdtemp(prefix="pvgpu-")
    with open(directory + "/x.conf", "w") as f:
        f.write("[A-1Q]\nfrob = 1\n")
    done = subprocess.run([ASAN_BIN + "/pvgpud", "--runtime-dir", directory,
                           "--types-dir", directory], capture_output=True,
                          text=True, timeout=30)
    shutil.rmtree(directory)
    found = re.search(r"frob: is not a key; allowed are (.*)", done.stderr)
    check(found, done.stderr)
    described = re.findall(r"^\.It Cm (\S+)$",
                           section("pvgpu-types.5", "DESCRIPTION"), re.M)
    check(sorted(described) == sorted(found[1].split()),
          f"{described}: {found[1]}")


def complete(daemon, *words):
    """What bash offers for the last word."""
    script = (
        f"source {COMPLETION}\n"
        "COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1))\n"
        "_pvgpuctl \"$1\" \"${@: -1}\" \"${@: -2:1}\"\n"
        "printf '%s\\n' \"${COMPREPLY[@]}\"\n")
    done = subprocess.run(
        ["bash", "-c", script, "bash", ASAN_BIN + "/pvgpuctl", *words],
        capture_output=True, text=True, timeout=30,
        env=dict(os.environ, PVGPU_SOCKET=daemon.control))
    check(not done.stderr, done.stderr)
    return done.stdout.split()


def bash_completes():
    check(output("bash", "-c", f"source {COMPLETION}; complete -p pvgpuctl")
          == "complete -F _pvgpuctl pvgpuctl\n", "complete")
    with Daemon() as daemon:
        daemon.call("Create", name="desk-1", type="PV24-1A")
        daemon.call("Create", name="web", type="PV24-2Q")
        check(complete(daemon, "") == list(commands()),
              f"{complete(daemon, '')}")
        check(complete(daemon, "scr") == ["screenshot"], "scr")
        check(complete(daemon, "show", "") == ["desk-1", "web"], "show")
        check(complete(daemon, "--json", "destroy", "--force", "w") ==
              ["web"], "destroy")
        check(complete(daemon, "screenshot", "web", "") ==
              ["0", "1", "2", "3"], "screenshot")
        check(complete(daemon, "create", "") == [], "create")
        types = complete(daemon, "create", "new", "PV24-2")
        check("PV24-2Q" in types and "PV24-1Q" not in types, f"{types}")
        check(complete(daemon, "gpu", "") == ["set-mode", "placements"],
              "gpu")
        check(complete(daemon, "gpu", "set-mode", "") == ["mixed", "equal"],
              "gpu set-mode")
        check("PV24-1Q" in complete(daemon, "gpu", "placements", "PV24-1"),
              "gpu placements")
        check("PV24-2Q" in complete(daemon, "create", "--placement", "4",
                                    "new", "PV24-2"), "create --placement")
        check(complete(daemon, "head", "web", "0", "--u") == ["--unplug"],
              "head")
        check(complete(daemon, "head", "web", "--mode", "1x1", "") ==
              ["0", "1", "2", "3"], "head")
        check("host-backend/" in [name + "/" for name in complete(
            daemon, "head", "web", "0", "--edid", "host-b")], "--edid")
        for name in commands():
            for option in defined(ctl_help(name)):
                check(option in complete(daemon, name, "--"),
                      f"{name} {option}")
        check("--socket" in complete(daemon, "--"), "--socket")
        for words, offered in ((["gpu", ""], ["set-mode", "placements"]),
                               (["gpu", "set-mode", ""], ["mixed", "equal"]),
                               (["sched", ""], ["show", "set"]),
                               (["sched", "show", ""], ["desk-1", "web"]),
                               (["sched", "set", "--policy", ""],
                                ["best-effort", "equal-share", "fixed-share",
                                 "default"]),
                               (["sched", "set", "--weight", "3", "w"],
                                ["web"]),
                               (["gpu", "placements", "PV24-2Q"], ["PV24-2Q"]),
                               (["list", ""], [])):
            check(complete(daemon, *words) == offered,
                  f"{words}: {complete(daemon, *words)}")
        # Another daemon than the environment's.
        os.environ["PVGPU_SOCKET"] = "/nonexistent"
        check(complete(daemon, "--socket", daemon.control, "show", "w") ==
              ["web"], "--socket")


if __name__ == "__main__":
    run_tests([
        pages_are_well_formed,
        every_command_has_its_page,
        exit_statuses_are_told,
        daemons_have_their_options,
        the_configuration_has_its_keys,
        types_have_their_keys,
        bash_completes,
    ])
