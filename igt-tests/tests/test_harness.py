#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The harness itself: what judges the other tests must be able to say no."""
import random
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

sys.path.insert(0, "igt-tests")
from harness import Picture, main, read_png, read_ppm, smpte_problem, test
from harness.vm import BAD_DMESG, GOOD_DMESG


def smpte(width, height):
    """The pattern by its definition, pixel by pixel."""
    top = ["c0c0c0", "c0c000", "00c0c0", "00c000", "c000c0", "c00000", "0000c0"]
    middle = ["0000c0", "131313", "c000c0", "131313", "00c0c0", "131313", "c0c0c0"]
    rows = []
    for y in range(height):
        bars = top if y < height * 6 // 9 else middle
        rows += [bytes.fromhex(bars[x * 7 // width]) for x in range(width)]
    return Picture(width, height, b"".join(rows))


def filtered(kind, row, above, step):
    """A PNG row by one of the five filters of its specification."""
    out = bytearray([kind])
    for i, value in enumerate(row):
        a = row[i - step] if i >= step else 0
        b = above[i]
        c = above[i - step] if i >= step else 0
        p = a + b - c
        paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        out.append((value - (0, a, b, (a + b) // 2, paeth)[kind]) & 255)
    return bytes(out)


@test
def png_rows_of_every_filter_are_read():
    width, height, numbers = 13, 10, random.Random(1)
    for step, colour in ((3, 2), (4, 6)):
        rows = [numbers.randbytes(width * step) for _ in range(height)]
        raw = b"".join(filtered(y % 5, row, rows[y - 1] if y else bytes(width * step), step)
                       for y, row in enumerate(rows))
        png = b"\x89PNG\r\n\x1a\n"
        for kind, body in ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)),
                           (b"IDAT", zlib.compress(raw)), (b"IEND", b"")):
            png += struct.pack(">I", len(body)) + kind + body
            png += struct.pack(">I", zlib.crc32(kind + body))
        with tempfile.NamedTemporaryFile() as f:
            Path(f.name).write_bytes(png)
            want = b"".join(row[i:i + 3] for row in rows for i in range(0, width * step, step))
            assert read_png(f.name) == Picture(width, height, want), f"{step} bytes a pixel"


@test
def one_wrong_pixel_is_found():
    good = smpte(70, 45)
    assert smpte_problem(good) is None and good.difference(smpte(70, 45)) is None
    for x, y in ((0, 0), (69, 29), (35, 34)):
        rgb = bytearray(good.rgb)
        rgb[(y * 70 + x) * 3 + 1] ^= 1
        bad = Picture(70, 45, rgb)
        assert smpte_problem(bad), f"({x}, {y})"
        assert f"first at ({x}, {y})" in good.difference(bad)
    assert smpte_problem(Picture(70, 45, bytes(70 * 45 * 3))), "black"
    assert smpte_problem(good, x=10, width=140, height=45), "another part of the pattern"
    assert good.difference(Picture(45, 70, good.rgb)), "another size"


@test
def pictures_survive_png_and_ppm():
    picture = Picture(7, 5, random.Random(2).randbytes(105))
    with tempfile.NamedTemporaryFile() as f:
        picture.write_png(f.name)
        assert read_png(f.name) == picture
    assert read_ppm(b"P6\n7 5\n255\n" + picture.rgb) == picture


def verdict(script):
    """What check.py says of a program: its last line and its exit status."""
    with tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False) as f:
        f.write("#!/bin/sh\n" + script)
    path = Path(f.name)
    path.chmod(0o755)
    try:
        done = subprocess.run([sys.executable, "igt-tests/check.py", "--", path],
                              capture_output=True, text=True, timeout=60, check=False)
    finally:
        path.unlink()
        log = Path("build/check") / f"{str(path).replace('/', '-').strip('-')}.log"
        log.unlink(missing_ok=True)
    return done.stdout.splitlines()[-1], done.returncode


@test
def only_what_passed_counts_as_passed():
    for script, want in [
            ("echo 1..2; echo ok 1 - a; echo ok 2 - b", ("2 passed, 0 failed, 0 skipped", 0)),
            ("echo 1..2; echo ok 1 - a; echo 'ok 2 - b # SKIP why'",
             ("1 passed, 0 failed, 1 skipped", 0)),
            ("echo 1..1; echo 'ok 1 - a # SKIP why'", ("0 passed, 0 failed, 1 skipped", 1)),
            ("echo 1..1; echo not ok 1 - a", ("0 passed, 1 failed, 0 skipped", 1)),
            ("echo 1..2; echo ok 1 - a", ("1 passed, 1 failed, 0 skipped", 1)),
            ("echo ok 1 - a", ("1 passed, 1 failed, 0 skipped", 1)),
            ("echo 1..1; echo ok 1 - a; exit 3", ("1 passed, 1 failed, 0 skipped", 1)),
            ("echo 1..1; echo ok 1 - a; kill -SEGV $$", ("1 passed, 1 failed, 0 skipped", 1)),
            ("", ("0 passed, 1 failed, 0 skipped", 1))]:
        got = verdict(script)
        assert got == want, f"{script!r}: {got}, not {want}"


@test
def what_must_not_be_in_dmesg_is_found():
    for line in ("WARNING: CPU: 0 PID: 1 at drivers/gpu/drm/drm_gem.c:1",
                 "BUG: kernel NULL pointer dereference", "refcount_t: underflow",
                 "[drm:drm_atomic_helper] *ERROR* flip_done timed out",
                 "pvgpu 0000:00:03.0: [drm] probe failed", "UBSAN: shift-out-of-bounds",
                 "INFO: task modetest:1 blocked for more than 120 seconds.",
                 "Memory manager not clean during takedown, leaked 1 node"):
        assert BAD_DMESG.search(line) and not GOOD_DMESG.search(line), line
    for line in ("pvgpu: module verification failed: signature and/or required key missing",
                 "[drm] Initialized pvgpu 0.1.0 for 0000:00:03.0 on minor 0"):
        assert not BAD_DMESG.search(line) or GOOD_DMESG.search(line), line


main()
