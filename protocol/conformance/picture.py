#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compares a PNG of a head with what pvgpu-conform's draw tests drew there.

usage: picture.py FILE HEAD WIDTH HEIGHT
"""

import struct
import sys
import zlib

CURSOR = 32


def paeth(a, b, c):
    guess = a + b - c
    da, db, dc = abs(guess - a), abs(guess - b), abs(guess - c)
    if da <= db and da <= dc:
        return a
    return b if db <= dc else c


def unfilter(kind, line, above, step):
    """One row of a PNG, as bytes without the filter."""
    out = bytearray(line)
    if kind == 1:
        for i in range(step, len(out)):
            out[i] = (out[i] + out[i - step]) & 255
    elif kind == 2:
        for i, up in enumerate(above):
            out[i] = (out[i] + up) & 255
    elif kind == 3:
        for i, up in enumerate(above):
            left = out[i - step] if i >= step else 0
            out[i] = (out[i] + (left + up) // 2) & 255
    elif kind == 4:
        for i, up in enumerate(above):
            left, corner = (out[i - step], above[i - step]) if i >= step \
                else (0, 0)
            out[i] = (out[i] + paeth(left, up, corner)) & 255
    elif kind:
        raise ValueError(f"filter {kind}")
    return out


def read_png(data):
    """(width, height, rows of RGB bytes) of an 8-bit RGB or RGBA picture."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("no PNG")
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, lace = struct.unpack(
                ">IIBBBBB", body)
            if depth != 8 or colour not in (2, 6) or lace:
                raise ValueError(f"depth {depth}, colour type {colour}")
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    step = 3 if colour == 2 else 4
    raw, rows = zlib.decompress(packed), []
    above = bytes(width * step)
    for y in range(height):
        begin = y * (width * step + 1)
        above = unfilter(raw[begin],
                         raw[begin + 1:begin + 1 + width * step], above, step)
        row = bytes(above)
        if step == 4:
            row = b"".join(row[i:i + 3] for i in range(0, len(row), 4))
        rows.append(row)
    return width, height, rows


def expected_row(head, width, height, y):
    """What test_draw.c drew: the pattern, and an orange cursor over it."""
    row = bytearray()
    for x in range(width):
        row += bytes(((x * 3 + head * 50) & 255, (y * 5) & 255,
                      (x + y) & 255))
    left, top = (-16, height - 10) if head % 2 else (100, 60)
    if top <= y < top + CURSOR:
        for x in range(max(left, 0), min(left + CURSOR, width)):
            if x - left >= y - top:
                row[3 * x:3 * x + 3] = b"\xff\x80\x00"
    return bytes(row)


def main():
    path = sys.argv[1]
    head, width, height = (int(word) for word in sys.argv[2:5])
    with open(path, "rb") as file:
        real_width, real_height, rows = read_png(file.read())
    if (real_width, real_height) != (width, height):
        print(f"# {real_width}x{real_height}, not {width}x{height}")
        return 1
    for y, row in enumerate(rows):
        wanted = expected_row(head, width, height, y)
        if row != wanted:
            x = next(i for i in range(len(row)) if row[i] != wanted[i]) // 3
            print(f"# head {head}: pixel {x}, {y} is "
                  f"{row[3 * x:3 * x + 3].hex()}, not "
                  f"{wanted[3 * x:3 * x + 3].hex()}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
