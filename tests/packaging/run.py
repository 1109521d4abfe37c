#!/usr/bin/env python3
"""What is installed, its manual pages, and the service script.

usage: run.py --build DIRECTORY [--cmake PROGRAM] [-k PATTERN] [-v]
"""
import argparse
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from settings import Settings  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--cmake", default="cmake")
    parser.add_argument("-k", dest="patterns", action="append")
    parser.add_argument("-v", dest="verbosity", action="store_const", const=2, default=1)
    options = parser.parse_args()
    Settings.build = options.build.resolve()
    Settings.cmake = options.cmake
    loader = unittest.TestLoader()
    if options.patterns:
        loader.testNamePatterns = [f"*{pattern}*" for pattern in options.patterns]
    result = unittest.TextTestRunner(verbosity=options.verbosity).run(loader.discover(str(HERE), pattern="test_*.py"))
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
