# SPDX-License-Identifier: MIT
"""The command blocks of docs/administrators-guide.md. Above each stands
<!-- run: WHERE -->; the guide's last section says what is run where."""
import re
import subprocess
from pathlib import Path

GUIDE = Path(__file__).resolve().parent.parent.parent / "docs/administrators-guide.md"
WHERE = ("tree", "systemd", "install", "dkms", "base", "desk", "host", "qemu", "guest", "look",
         "unit", "container")


def all_blocks():
    """[(where, line, commands)] in order. Raises ValueError for a block that
    does not say where, or that a shell cannot read."""
    lines = GUIDE.read_text().splitlines()
    found, at = [], 0
    while at < len(lines):
        if not lines[at].startswith("```"):
            at += 1
            continue
        end = at + 1
        while end < len(lines) and lines[end] != "```":
            end += 1
        marker = re.fullmatch(r"<!-- run: (\w+) -->", lines[at - 1])
        place = f"{GUIDE.name}:{at + 1}"
        if lines[at] != "```sh" or not marker or marker[1] not in WHERE or end == len(lines):
            raise ValueError(f"{place}: a block of commands is ```sh, with <!-- run: "
                             f"{'|'.join(WHERE)} --> above it")
        text = "\n".join(lines[at + 1:end]) + "\n"
        done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise ValueError(f"{place}: {done.stderr.strip()}")
        found.append((marker[1], at + 2, text))
        at = end + 1
    return found


def blocks(where):
    """The commands of all blocks that run there, in order."""
    return [text for place, _, text in all_blocks() if place == where]
