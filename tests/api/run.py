#!/usr/bin/env python3
"""The API, from outside: real HTTP against a real jaild.

usage: run.py --jaild BINARY --jaildctl BINARY [--kernel memory|linux] [--lives] [-k PATTERN] [-v]

With --kernel linux (root) the daemon runs in a network namespace of its own. --lives: the tests in lives/, of what is
kept while daemons end and others begin, which take minutes.
"""
import argparse
import os
import pathlib
import signal
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from harness import Settings  # noqa: E402

SKIPPED = 77  # ctest's SKIP_RETURN_CODE


def main():
    # Whoever runs us in the background may ignore these, and so would all that we start.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    parser = argparse.ArgumentParser()
    parser.add_argument("--jaild", required=True)
    parser.add_argument("--jaildctl", required=True)
    parser.add_argument("--kernel", choices=["memory", "linux"], default="memory")
    parser.add_argument("--lives", action="store_true")
    parser.add_argument("-k", dest="patterns", action="append")
    parser.add_argument("-v", dest="verbosity", action="store_const", const=2, default=1)
    options = parser.parse_args()
    Settings.binary = os.path.abspath(options.jaild)
    Settings.jaildctl = os.path.abspath(options.jaildctl)
    Settings.kernel = options.kernel
    if options.kernel == "linux":
        if os.geteuid() != 0:
            print("skipped: jails on a real kernel need root")
            return SKIPPED
        Settings.namespace = f"jaild-api-{os.getpid()}"
        subprocess.run(["ip", "netns", "add", Settings.namespace], check=True)
        subprocess.run(["ip", "-n", Settings.namespace, "link", "set", "lo", "up"], check=True)
    try:
        loader = unittest.TestLoader()
        if options.patterns:
            loader.testNamePatterns = [f"*{pattern}*" for pattern in options.patterns]
        suite = loader.discover(str(HERE / "lives" if options.lives else HERE), pattern="test_*.py")
        result = unittest.TextTestRunner(verbosity=options.verbosity).run(suite)
    finally:
        if Settings.namespace:
            subprocess.run(["ip", "netns", "del", Settings.namespace], check=False)
    bad = len(result.failures) + len(result.errors)
    # A class that cannot be set up is one error, and none of its tests has run.
    passed = max(0, result.testsRun - bad - len(result.skipped))
    print(f"api ({options.kernel}): {passed} passed, {bad} failed, "
          f"{len(result.skipped)} skipped")
    return 1 if bad or result.testsRun == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
