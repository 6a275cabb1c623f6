# SPDX-License-Identifier: MIT
"""Tests in Python that speak TAP: register functions with @test or add(),
then call main(). A function that returns has passed; one that raises has
failed, and its message is the diagnostics."""
import signal
import sys
import time
import traceback

_tests = []


class Skip(Exception):
    """Raise with the reason why a test cannot be run here."""


def test(function):
    """Registers a function; its name is the test's, or its docstring if any."""
    add((function.__doc__ or function.__name__.replace("_", " ")).strip().splitlines()[0],
        function)
    return function


def add(name, function, *args):
    _tests.append((name, function, args))


class Lazy:
    """Makes a thing that several tests share when the first one asks for it.
    If that fails, it fails for all of them, with the same reason."""
    def __init__(self, make):
        self._make, self._value, self._error = make, None, None

    @property
    def made(self):
        return self._value is not None

    def __call__(self):
        if self._error:
            raise RuntimeError(f"not tried again: {self._error}")
        if self._value is None:
            try:
                self._value = self._make()
            except Exception as e:
                self._error = e
                raise
        return self._value


def _diagnose(text):
    for line in text.splitlines():
        print(f"# {line}")


def main(cleanup=None):
    """Runs the tests, or those with one of the command line's words in their
    names, then cleanup(); exits 1 if any of them failed."""
    if sys.argv[1:]:
        _tests[:] = [t for t in _tests if any(word in t[0] for word in sys.argv[1:])]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"TAP version 13\n1..{len(_tests)}", flush=True)
    failed = 0
    try:
        for number, (name, function, args) in enumerate(_tests, 1):
            start = time.time()
            try:
                function(*args)
                print(f"ok {number} - {name}", flush=True)
            except Skip as why:
                print(f"ok {number} - {name} # SKIP {why}", flush=True)
            except Exception as e:
                failed += 1
                print(f"not ok {number} - {name}")
                if not isinstance(e, AssertionError) or not str(e):
                    _diagnose(traceback.format_exc())
                else:
                    where = traceback.extract_tb(e.__traceback__)[-1]
                    _diagnose(f"{where.name}, line {where.lineno}: {e}")
            print(f"# {time.time() - start:.1f} s", flush=True)
    finally:
        if cleanup:
            cleanup()
    sys.exit(1 if failed else 0)
