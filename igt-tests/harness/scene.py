# SPDX-License-Identifier: MIT
"""What GL programs draw: the reference picture of pvgpu-gl's scene, and what is
known of pictures of which nobody has a reference."""
import os
import subprocess

from .host import BUILD
from .picture import read_ppm


def reference_scene(folder, size, frame=0):
    """The scene by the host's own renderer in software, without a card; kept in
    this folder."""
    path = folder / f"{size}-{frame}.ppm"
    if not path.exists():
        done = subprocess.run([BUILD / "guest/pvgpu-gl", "scene", "surfaceless", size,
                               str(frame), path], capture_output=True, text=True, timeout=120,
                              env=dict(os.environ, LIBGL_ALWAYS_SOFTWARE="1"), check=False)
        assert done.returncode == 0, f"the reference renderer: {done.stderr}"
    return read_ppm(path.read_bytes())


def primaries(picture):
    """How many pixels are mostly red, green, blue: what glxgears and
    weston-simple-egl draw with, and desktops do not."""
    counts = [0, 0, 0]
    for i in range(0, len(picture.rgb), 3 * 7):
        pixel = picture.rgb[i:i + 3]
        top = max(pixel)
        for channel in range(3):
            if pixel[channel] == top and sum(pixel) - top < top:
                counts[channel] += 7
    return counts
