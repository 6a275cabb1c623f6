# SPDX-License-Identifier: MIT
"""Pictures: 8-bit RGB, from and to PNG and PPM, with the standard library only;
and what modetest's SMPTE pattern looks like, independently of modetest."""
import struct
import zlib
from itertools import accumulate
from pathlib import Path


class Picture:
    """width, height, and rgb: three bytes a pixel, rows from the top."""
    def __init__(self, width, height, rgb):
        if len(rgb) != width * height * 3:
            raise ValueError(f"{len(rgb)} bytes for {width}x{height} pixels")
        self.width, self.height, self.rgb = width, height, bytes(rgb)

    def __eq__(self, other):
        return (self.width, self.height, self.rgb) == (other.width, other.height, other.rgb)

    def row(self, y):
        return self.rgb[y * self.width * 3:(y + 1) * self.width * 3]

    def pixel(self, x, y):
        at = (y * self.width + x) * 3
        return tuple(self.rgb[at:at + 3])

    def difference(self, other):
        """None, or in words where two pictures first differ."""
        if (self.width, self.height) != (other.width, other.height):
            return f"{self.width}x{self.height} and {other.width}x{other.height} pixels"
        if self == other:
            return None
        count, first = 0, None
        for y in range(self.height):
            a, b = self.row(y), other.row(y)
            if a == b:
                continue
            for x in range(self.width):
                if a[3 * x:3 * x + 3] != b[3 * x:3 * x + 3]:
                    count += 1
                    first = first or (x, y)
        return (f"{count} of {self.width * self.height} pixels, first at {first}: "
                f"{self.pixel(*first)} and {other.pixel(*first)}")

    def unlike(self, other, tolerance=3, share=0.002):
        """None, or in words how two pictures differ by more than renderers may:
        a channel by more than `tolerance` in more than `share` of all pixels."""
        if (self.width, self.height) != (other.width, other.height):
            return f"{self.width}x{self.height} and {other.width}x{other.height} pixels"
        if self == other:
            return None
        far = [abs(a - b) > tolerance for a, b in zip(self.rgb, other.rgb)]
        bad = [i for i in range(0, len(far), 3) if far[i] or far[i + 1] or far[i + 2]]
        if len(bad) * 3 <= share * len(far):
            return None
        y, x = divmod(bad[0] // 3, self.width)
        return (f"{len(bad)} of {self.width * self.height} pixels are off by more than "
                f"{tolerance}, first at {x},{y}: {self.pixel(x, y)} and {other.pixel(x, y)}")

    def write_png(self, path):
        raw = b"".join(b"\0" + self.row(y) for y in range(self.height))
        def chunk(kind, data):
            body = kind + data
            return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
        Path(path).write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(raw, 6)) + chunk(b"IEND", b""))


def read_ppm(data):
    """A binary 8-bit PPM, from its bytes."""
    magic, size, depth, rgb = data.split(b"\n", 3)
    if magic != b"P6" or depth != b"255":
        raise ValueError("not an 8-bit PPM")
    width, height = map(int, size.split())
    return Picture(width, height, rgb)


def _paeth(a, b, c):
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return a if pa <= pb and pa <= pc else b if pb <= pc else c


def _unfilter(kind, row, above, step):
    size = len(row)
    if kind == 0:
        return row
    if kind == 1:
        out = bytearray(size)
        for c in range(step):
            out[c::step] = bytes(accumulate(row[c::step], lambda a, b: (a + b) & 255))
        return bytes(out)
    if kind == 2:
        return bytes((a + b) & 255 for a, b in zip(row, above))
    if kind not in (3, 4):
        raise ValueError(f"PNG filter {kind}")
    out = bytearray(size)
    for i in range(size):
        left = out[i - step] if i >= step else 0
        if kind == 3:
            guess = (left + above[i]) >> 1
        else:
            guess = _paeth(left, above[i], above[i - step] if i >= step else 0)
        out[i] = (row[i] + guess) & 255
    return bytes(out)


def read_png(path):
    """An 8-bit RGB or RGBA PNG without interlace; alpha is dropped."""
    data = Path(path).read_bytes()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError(f"{path}: not a PNG")
    at, packed, header = 8, [], None
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8:at + 8 + size]
        if zlib.crc32(kind + body) != struct.unpack_from(">I", data, at + 8 + size)[0]:
            raise ValueError(f"{path}: checksum of a PNG chunk")
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed.append(body)
        at += 12 + size
    width, height, depth, colour, _, _, interlace = header
    if depth != 8 or colour not in (2, 6) or interlace:
        raise ValueError(f"{path}: PNG of depth {depth}, colour type {colour}")
    step = 3 if colour == 2 else 4
    raw = zlib.decompress(b"".join(packed))
    rows, above, seen = [], bytes(width * step), {}
    for y in range(height):
        start = y * (width * step + 1)
        line = raw[start:start + width * step + 1]
        # Most rows of a screen repeat what has been decoded before.
        row = seen.get((line, above))
        if row is None:
            row = seen[line, above] = _unfilter(line[0], line[1:], above, step)
        above = row
        if step == 4:
            rgb = bytearray(width * 3)
            for c in range(3):
                rgb[c::3] = row[c::4]
            row = bytes(rgb)
        rows.append(row)
    return Picture(width, height, b"".join(rows))


# ------------------------------------------------------------- SMPTE pattern
_TOP = [(192, 192, 192), (192, 192, 0), (0, 192, 192), (0, 192, 0),
        (192, 0, 192), (192, 0, 0), (0, 0, 192)]
_MIDDLE = [(0, 0, 192), (19, 19, 19), (192, 0, 192), (19, 19, 19),
           (0, 192, 192), (19, 19, 19), (192, 192, 192)]


def smpte_problem(picture, x=0, width=None, height=None):
    """None if the picture shows modetest's SMPTE bars, else where it does not.
    It may be the part from column `x` of a pattern of `width` by `height`:
    modetest lays one framebuffer under all its heads. The two upper bands, 7/9
    of the pattern, are compared to the pixel."""
    width, height = width or picture.width, height or picture.height
    bands = ((_TOP, 0, height * 6 // 9), (_MIDDLE, height * 6 // 9, height * 7 // 9))
    for colours, first, last in bands:
        expected = b"".join(bytes(colours[(x + i) * 7 // width]) for i in range(picture.width))
        for y in range(first, min(last, picture.height)):
            if picture.row(y) != expected:
                return f"row {y} is not that of the SMPTE pattern (first pixel {picture.pixel(0, y)})"
    return None
