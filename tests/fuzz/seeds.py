#!/usr/bin/env python3
"""Archives to begin with: good ones, and each thing that is refused. usage: seeds.py DIRECTORY"""

import pathlib
import sys
import tarfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))

from archives import base, entry, write  # noqa: E402

ENTRIES = {
    "base": base(),
    "up": [entry("../evil", data=b"x")],
    "absolute": [entry("/tmp/evil", data=b"x")],
    "through": [entry("link", tarfile.SYMTYPE, linkname="/etc"), entry("link/passwd", data=b"x")],
    "hard": [entry("hard", tarfile.LNKTYPE, linkname="../../outside")],
    "device": [entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3)],
    "fifo": [entry("fifo", tarfile.FIFOTYPE)],
    "long": [entry("d/" * 80 + "n" * 200, data=b"y" * 600)],
    "replaced": [entry("a", tarfile.DIRTYPE), entry("a", tarfile.SYMTYPE, linkname="b"), entry("a/c", data=b"x")],
    "owned": [entry("etc/owned", data=b"x" * 100, mode=0o4755, uid=7, gid=9, mtime=1)],
}


def main():
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for name, entries in ENTRIES.items():
        write(target / f"{name}.tar", entries, "")
    for compression in ("gz", "bz2", "xz"):
        write(target / f"base.{compression}", base(), compression)


if __name__ == "__main__":
    main()
