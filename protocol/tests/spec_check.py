#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compares spec.md with the C headers: every struct and field with its offset
and size, every constant with its value, in both directions. TAP.

Run from the tree's root. The offsets are computed here from the fields' types
and natural alignment; that the compilers agree is asserted in
wire_asserts.h.

In spec.md a struct's table follows a line **`struct pvgpu_x`**, N bytes, and
has the columns offset, size, field; constants stand in tables whose columns
are value and name.
"""

import re
import sys

SPEC = "protocol/spec.md"
HEADERS = ("protocol/include/pvgpu/wire.h",
           "protocol/include/pvgpu/format.h",
           "protocol/include/pvgpu/footprint.h")
SCALARS = {"uint8_t": 1, "pvgpu_le16": 2, "pvgpu_le32": 4, "pvgpu_le64": 8}


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def evaluate(expression):
    """A constant expression of the headers, or None."""
    expression = expression.replace("\\\n", " ").strip()
    fourcc = re.fullmatch(r"PVGPU_FOURCC\('(.)', '(.)', '(.)', '(.)'\)",
                          expression)
    if fourcc:
        return sum(ord(c) << 8 * i for i, c in enumerate(fourcc.groups()))
    expression = re.sub(r"\b(0x[0-9a-fA-F]+|\d+)(?:u|ull|ul|l)\b", r"\1",
                        expression)
    if not re.fullmatch(r"[0-9a-fA-Fx()<\s|+*-]+", expression):
        return None
    return eval(expression, {"__builtins__": {}})   # digits and operators


def constants(text):
    """Every #define PVGPU_NAME value, without macros that take arguments."""
    found = {}
    for name, value in re.findall(
            r"^#define\s+(PVGPU_\w+)[ \t]+((?:\\\n|[^\n])+)", text, re.M):
        number = evaluate(value)
        if number is not None:
            found[name] = number
    return found


def wire_structs(text):
    """{struct: (size, [(offset, size, field)])} of structs on the wire."""
    sizes = dict(SCALARS)
    aligns = dict(SCALARS)
    found = {}
    for name, body in re.findall(r"^struct (pvgpu_\w+) \{\n(.*?)^\};", text,
                                 re.M | re.S):
        at, widest, fields = 0, 1, []
        for kind, field, count in re.findall(
                r"(?:struct\s+)?(\w+)\s+(\w+)(?:\[(\d+)\])?;", body):
            size = sizes[kind] * int(count or 1)
            at = -(-at // aligns[kind]) * aligns[kind]
            fields.append((at, size, field))
            at += size
            widest = max(widest, aligns[kind])
        sizes[name] = -(-at // widest) * widest
        aligns[name] = widest
        found[name] = (sizes[name], fields)
    return found


def cells(line):
    return [c.strip() for c in line.strip().strip("|").split("|")]


def spec_tables(lines):
    """(line number, struct or None, announced size, header, rows)."""
    struct, size, number = None, None, 0
    while number < len(lines):
        line = lines[number]
        title = re.search(r"\*\*`struct (pvgpu_\w+)`\*\*, (\d+) bytes", line)
        if title:
            struct, size = title[1], int(title[2])
        if line.startswith("|") and number + 1 < len(lines) and \
                re.match(r"\|[-: |]+\|$", lines[number + 1].strip()):
            start, header, rows = number, cells(line), []
            number += 2
            while number < len(lines) and lines[number].startswith("|"):
                rows.append((number + 1, cells(lines[number])))
                number += 1
            yield start + 1, struct, size, header, rows
            struct, size = None, None
            continue
        number += 1


class Checker:
    """Compares, and keeps what differs by the test that it belongs to."""

    def __init__(self, structs, values):
        self.structs = structs
        self.values = values
        self.seen_structs = {}
        self.seen_values = {}
        self.problems = []

    def fields(self, where, struct, size, rows):
        if struct not in self.structs:
            self.problems.append(f"line {where}: no struct {struct} in C")
            return
        if struct in self.seen_structs:
            self.problems.append(f"line {where}: {struct} again")
        real_size, real = self.structs[struct]
        said = []
        for line, row in rows:
            try:
                said.append((int(row[0]), int(row[1]), row[2].strip("`")))
            except ValueError:
                self.problems.append(f"line {line}: not offset and size")
        if size != real_size:
            self.problems.append(
                f"line {where}: {struct} has {real_size} bytes, not {size}")
        for field in said:
            if field not in real:
                self.problems.append(f"{struct}: {field} is not in C")
        for field in real:
            if field not in said:
                self.problems.append(f"{struct}: {field} is not in the spec")
        self.seen_structs[struct] = where

    def numbers(self, rows):
        for line, row in rows:
            name = row[1].strip("`")
            try:
                value = int(row[0].strip("`"), 0)
            except ValueError:
                self.problems.append(f"line {line}: {row[0]}: no number")
                continue
            if name not in self.values:
                self.problems.append(f"line {line}: no {name} in C")
            elif self.values[name] != value:
                self.problems.append(f"line {line}: {name} is "
                                     f"{self.values[name]}, not {value}")
            elif name in self.seen_values:
                self.problems.append(f"line {line}: {name} again")
            self.seen_values[name] = line

    def result(self):
        problems, self.problems = self.problems, []
        return problems


def main():
    texts = []
    for path in HEADERS:
        with open(path, encoding="utf-8") as file:
            texts.append(without_comments(file.read()))
    with open(SPEC, encoding="utf-8") as file:
        lines = file.read().split("\n")
    structs = wire_structs(texts[0])
    values = {}
    for text in texts:
        values.update(constants(text))
    check = Checker(structs, values)
    results = []

    for where, struct, size, header, rows in spec_tables(lines):
        if header[:3] == ["offset", "size", "field"]:
            if struct is None:
                check.problems.append(f"line {where}: of which struct?")
            else:
                check.fields(where, struct, size, rows)
    results.append(("the structs of the spec are those of C",
                    check.result()))
    for where, struct, size, header, rows in spec_tables(lines):
        if header[:2] == ["value", "name"]:
            check.numbers(rows)
    results.append(("the constants of the spec are those of C",
                    check.result()))
    results.append(("the spec names every struct of wire.h",
                    [f"struct {s}" for s in structs
                     if s not in check.seen_structs]))
    results.append(("the spec names every constant of the headers",
                    [f"{v}" for v in values if v not in check.seen_values]))
    # A reader of C that found nothing would agree with an empty spec.
    few = [] if len(structs) > 20 and len(values) > 60 else \
        [f"{len(structs)} structs, {len(values)} constants"]
    results.append(("there is something to compare", few))

    print(f"TAP version 13\n1..{len(results)}")
    for number, (name, problems) in enumerate(results, 1):
        print(f"{'not ok' if problems else 'ok'} {number} - {name}")
        for problem in problems:
            print(f"# {problem}")
    return 1 if any(problems for _, problems in results) else 0


if __name__ == "__main__":
    sys.exit(main())
