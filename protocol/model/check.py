#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks the Spin models: each as the protocol has it must hold over all of
its states, each deliberately broken variant must fail, and by the property
that it breaks. TAP. Run from the tree's root; work goes to build/model/.
"""

import os
import re
import shutil
import subprocess
import sys

OUT = "build/model"
SECONDS = 120           # for one search, on a busy machine

# what it is, model, definitions, the property that fails (None: it holds)
CASES = (
    ("ring of 2 slots, messages of 1 and 2", "ring", "", None),
    ("ring of 4 slots, messages of 1 to 3", "ring",
     "-DCOUNT=4 -DLONGEST=3 -DMESSAGES=4", None),
    ("ring of 2 slots, without end", "ring", "-DLONGEST=1 -DENDLESS", None),
    ("broken: no full barrier after publishing", "ring",
     "-DNO_BARRIER_PUBLISH", "lost_wake_up"),
    ("broken: no full barrier before the last look", "ring",
     "-DNO_BARRIER_SLEEP", "lost_wake_up"),
    ("broken: no last look before sleeping", "ring", "-DNO_LOOK",
     "lost_wake_up"),
    ("broken: no full barrier after releasing", "ring",
     "-DNO_BARRIER_RELEASE", "lost_wake_up"),
    ("broken: no full barrier before the last look for room", "ring",
     "-DNO_BARRIER_ROOM", "lost_wake_up"),
    ("broken: no last look for room", "ring", "-DNO_LOOK_ROOM",
     "lost_wake_up"),
    ("broken: room asked for one slot late", "ring", "-DROOM_WAKE_LATE",
     "lost_wake_up"),
    ("broken: the rule without its lower end", "ring", "-DRULE_OPEN",
     "lost_wake_up"),
    ("broken: position published before the slots", "ring", "-DNO_RELEASE",
     "wrong_message"),
    ("fences of 3 batches in flight", "fence", "", None),
    ("broken: a failure told after its fence", "fence", "-DFENCE_FIRST",
     "untold_failure"),
    ("broken: the fence seen before the failure", "fence", "-DNO_RELEASE",
     "untold_failure"),
    ("broken: completions taken before the fence is read", "fence",
     "-DCOMPLETIONS_FIRST", "untold_failure"),
    ("broken: fences in the order of the renderer", "fence", "-DANY_ORDER",
     "early_fence|untold_failure"),
    ("broken: no full barrier after the fence", "fence",
     "-DNO_BARRIER_FENCE", "lost_wake_up"),
    ("broken: no full barrier before the last look at the fence", "fence",
     "-DNO_BARRIER_WAKE", "lost_wake_up"),
    ("broken: no last look at the fence", "fence", "-DNO_LOOK",
     "lost_wake_up"),
    ("broken: woken for exactly the fence that was asked for", "fence",
     "-DRULE_EXACT", "lost_wake_up"),
    ("attach, two replacements of the worker", "attach", "-DATTACHES=2",
     None),
    ("attach, three guests, one replacement", "attach", "-DDEATHS=1", None),
    ("broken: generation not bumped when a worker is replaced", "attach",
     "-DNO_BUMP", "stale_done|stale_accepted"),
    ("broken: a replacement waits for a doorbell", "attach",
     "-DNO_LOOK_AT_START", "never_answered"),
    ("broken: answered before the queues are empty", "attach",
     "-DANSWER_EARLY", "never_answered"),
)


def said(argv, folder, seconds=SECONDS):
    done = subprocess.run(argv, cwd=folder, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, timeout=seconds,
                          check=False)
    return done.returncode, done.stdout


def search(model, defines):
    """Everything that the verifier of a model says."""
    name = f"{model}{re.sub('[^A-Za-z0-9]+', '_', defines)}"
    folder = f"{OUT}/{name}"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    source = os.path.abspath(f"protocol/model/{model}.pml")
    code, text = said(["spin", "-a", *defines.split(), source], folder)
    if code or "Error" in text:
        return f"spin: {text}"
    code, text = said(["gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-o",
                       "pan", "pan.c"], folder)
    if code:
        return f"gcc: {text}"
    # -E: the models' own watchers say what an end state has to be.
    return said(["./pan", "-E", "-n", "-w23", "-m3000000"], folder)[1]


def judge(text, broken_by):
    """Nothing if the search ended as it should, else why not."""
    failed = re.search(r"assertion violated +!\((\w+)\)", text)
    if broken_by is None:
        whole = "errors: 0" in text and not re.search(
            r"Search not completed|depth too small|error:|out of memory",
            text)
        return "" if whole else text
    if failed and re.fullmatch(broken_by, failed[1]):
        return ""
    return f"expected a violation of {broken_by}\n{text}"


def main():
    missing = [tool for tool in ("spin", "gcc") if not shutil.which(tool)]
    bad = 0
    print(f"TAP version 13\n1..{len(CASES)}")
    for number, (what, model, defines, broken_by) in enumerate(CASES, 1):
        if missing:
            problem = f"apt install {' '.join(missing)}"
            text = ""
        else:
            try:
                text = search(model, defines)
                problem = judge(text, broken_by)
            except subprocess.TimeoutExpired:
                problem = f"not done after {SECONDS} s"
                text = ""
        states = re.search(r"(\d+) states, stored", text)
        print(f"{'not ok' if problem else 'ok'} {number} - {model}: {what}" +
              (f" ({states[1]} states)" if states and not problem else ""))
        for line in problem.splitlines()[:30]:
            print(f"# {line}")
        sys.stdout.flush()
        bad += bool(problem)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
