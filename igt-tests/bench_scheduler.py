#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make bench`, group "scheduler": the CPU time of one decision at 1,024 vGPUs
(a turn ends, the one armed begins, the next is armed), against the 200 ns that
it may take. Rows go into build/bench/results.json, in place of those of this
group. Fails if a decision takes longer."""

import json
import os
import subprocess
import sys

LIMIT = 200.0


def main():
    out = subprocess.run(["build/bin/bench-scheduler"], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    rows = []
    for line in out.splitlines():
        name, cost = line.split("\t")
        rows.append({"group": "scheduler", "name": f"decision, 1024 vGPUs, {name}",
                     "unit": "ns", "ours": float(cost), "peer": LIMIT,
                     "ratio": LIMIT / float(cost)})
    os.makedirs("build/bench", exist_ok=True)
    path, others = "build/bench/results.json", []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            others = [r for r in json.load(file) if r["group"] != "scheduler"]
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(others + rows, indent=1) + "\n")
    print(f"{'group':10} {'what':52} {'unit':4} {'cost':>8} {'limit':>8}")
    for r in rows:
        print(f"{r['group']:10} {r['name']:52} {r['unit']:4} {r['ours']:8.1f} {r['peer']:8.1f}")
    if any(r["ours"] >= LIMIT for r in rows):
        sys.exit(f"bench: a decision of the scheduler takes more than {LIMIT:.0f} ns")


main()
