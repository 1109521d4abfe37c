"""Archives for tests of templates: like a small base.txz, and such as nobody should unpack."""

import bz2
import io
import os
import pathlib
import re
import subprocess
import tarfile


def entry(name, kind=tarfile.REGTYPE, data=b"", mode=0o755, **fields):
    made = tarfile.TarInfo(name)
    made.type, made.size, made.mode = kind, len(data), mode
    for key, value in fields.items():
        setattr(made, key, value)
    return made, data


def base(extra=()):
    """Twelve entries, and `extra`."""
    directories = [entry(f"./{name}", tarfile.DIRTYPE) for name in ("bin", "etc", "usr", "usr/bin", "usr/lib")]
    return [entry("./", tarfile.DIRTYPE), *directories,
            entry("./bin/sh", data=b"#!sh\n", mode=0o555), entry("./bin/su", data=b"su\n", mode=0o4555),
            entry("./usr/bin/bash", tarfile.LNKTYPE, linkname="./bin/sh"),
            entry("./usr/lib/libc.so", tarfile.SYMTYPE, linkname="../../bin/sh"),
            entry("./etc/termcap", tarfile.SYMTYPE, linkname="/usr/share/misc/termcap"),
            entry("./etc/owned", data=b"x" * 100, mode=0o640, uid=7, gid=9), *extra]


def programs(*names):
    """Programs of this host, each as /usr/bin/NAME, with what they are linked with where they look for it."""
    files = {f"usr/bin/{name}": pathlib.Path(f"/bin/{name}") for name in names}
    for path in list(files.values()):
        said = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/\S+) \(0x", said):
            files[library[1:]] = pathlib.Path(library)
    known = {"usr", "usr/bin", "usr/lib"}
    made = []
    for name in sorted(files):
        for parent in reversed(pathlib.PurePath(name).parents[:-1]):
            if str(parent) not in known:
                known.add(str(parent))
                made.append(entry(str(parent), tarfile.DIRTYPE))
        made.append(entry(name, data=pathlib.Path(os.path.realpath(files[name])).read_bytes()))
    return made


def write(path, entries, compression="xz"):
    with tarfile.open(path, f"w:{compression}", format=tarfile.PAX_FORMAT) as made:
        for info, data in entries:
            made.addfile(info, io.BytesIO(data))
    return path


def write_zeros(path, gigabytes=10):
    """One file of zeros that is a few kilobytes in the archive: bzip2 streams may follow each other."""
    piece = 64 << 20
    info = tarfile.TarInfo("zeros")
    info.size = gigabytes << 30
    one = bz2.compress(bytes(piece))
    with open(path, "wb") as made:
        made.write(bz2.compress(info.tobuf(tarfile.GNU_FORMAT)))
        for _ in range((gigabytes << 30) // piece):
            made.write(one)
        made.write(bz2.compress(bytes(1024)))
    return path
