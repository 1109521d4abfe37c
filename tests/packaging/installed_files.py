#!/usr/bin/env python3
"""Installs a build into a scratch directory and compares the files with a list.

usage: installed_files.py --build DIRECTORY --list FILE [--cmake PROGRAM]

The list is a pkg-plist or a plain one, relative to the prefix of the build. Exits 1 and says what differs.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile


def listed(file):
    """The paths of a list: `@sample PATH` counts, other keywords do not; ports compress manual pages by themselves."""
    paths = set()
    for line in file.read_text(encoding="utf-8").splitlines():
        line = line.removeprefix("@sample ").strip()
        if line and not line.startswith("@"):
            paths.add(re.sub(r"(/man\d/.*)\.gz$", r"\1", line))
    return paths


def prefix_of(build):
    cache = (build / "CMakeCache.txt").read_text(encoding="utf-8")
    return re.search(r"^CMAKE_INSTALL_PREFIX:PATH=/?(.*)$", cache, re.MULTILINE).group(1)


def install(build, root, cmake="cmake"):
    """Runs `cmake --install` into `root`; the prefix in there."""
    done = subprocess.run([cmake, "--install", str(build)], env={"DESTDIR": str(root), "PATH": "/usr/bin:/bin:/usr/local/bin"},
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stdout + done.stderr)
    return root / prefix_of(build)


def differences(build, file, cmake="cmake"):
    """What is installed and not listed, or listed and not installed, or has the wrong mode, or an unfilled @VARIABLE@."""
    with tempfile.TemporaryDirectory(prefix="jaild-install-") as scratch:
        root = pathlib.Path(scratch)
        prefix = install(build, root, cmake)
        found = {}
        for path in root.rglob("*"):
            if not path.is_dir():
                name = path.relative_to(root).as_posix()
                if path.is_relative_to(prefix):
                    name = path.relative_to(prefix).as_posix()
                elif not (prefix == root / "usr" and name.startswith("etc/")):  # the FHS: /usr goes with /etc
                    name = "/" + name
                found[name] = path
        wanted = listed(file)
        wrong = [f"installed, but not in {file.name}: {name}" for name in sorted(found.keys() - wanted)]
        wrong += [f"in {file.name}, but not installed: {name}" for name in sorted(wanted - found.keys())]
        for name, path in sorted(found.items()):
            runs = re.match(r"(s?bin|libexec|etc/rc\.d)/", name) is not None
            if path.stat().st_mode & 0o777 != (0o755 if runs else 0o644):
                wrong.append(f"{name} has mode {oct(path.stat().st_mode & 0o777)}")
            if not re.match(r"(s?bin|libexec)/", name) and re.search(r"@[A-Z_]+@", path.read_text(encoding="utf-8")):
                wrong.append(f"{name} has a variable that nobody filled in")
        return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--list", required=True, type=pathlib.Path)
    parser.add_argument("--cmake", default="cmake")
    options = parser.parse_args()
    wrong = differences(options.build.resolve(), options.list, options.cmake)
    for line in wrong:
        print(f"installed_files: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
