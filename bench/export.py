#!/usr/bin/python3
"""How fast a jail is exported and imported, in turns with tar(1) and cp -a of the same tree.

    python3 bench/export.py --socket SOCKET --state-dir DIR [--rounds N] [--files N]

Needs root and a running jaild on Linux. A stopped jail with a tree of N small files (ten thousand) is exported over the
UNIX socket, to nobody; its archive is imported, without a start. The peers are `tar -c` into a pipe, the same through
`zstd -3`, which is what jaild packs with, `cp -a`, and `tar -x` of that archive with the sync(1) that an import ends
with. Prints medians and ratios.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile

from api import UnixConnection, request, run, timed

PIECE = 1 << 20


def fill(root, files):
    """Like a base system: many small files of text, some larger ones that do not compress."""
    for number in range(files):
        directory = root / "bench" / str(number // 100)
        if number % 100 == 0:
            directory.mkdir(parents=True)
        size = 200 + number * 7919 % 16384
        text = (f"line {number} of a file of the tree that is exported\n" * (size // 40)).encode()
        (directory / str(number)).write_bytes(os.urandom(size) if number % 10 == 0 else text)


def export(path, name, keep=None):
    connection = UnixConnection(path)
    connection.request("GET", f"/v1/jails/{name}/export")
    response = connection.getresponse()
    if response.status != 200:
        raise SystemExit(f"export: {response.status} {response.read()}")
    while piece := response.read(PIECE):
        if keep:
            keep.write(piece)
    connection.close()


def import_(path, archive):
    connection = UnixConnection(path)
    headers = {"Content-Type": "application/octet-stream", "Prefer": "wait=60"}
    with open(archive, "rb") as file:
        connection.request("POST", "/v1/import/jail?name=bench-imported&start=false", file, headers, encode_chunked=True)
    response = connection.getresponse()
    answer = response.read()
    if response.status != 201:
        raise SystemExit(f"import: {response.status} {answer}")
    connection.close()


def make_template(connection, scratch):
    """Of nothing but what every root has."""
    tree = scratch / "template"
    for name in ("bin", "etc", "usr/bin"):
        (tree / name).mkdir(parents=True)
    shutil.copy("/bin/sleep", tree / "usr/bin/sleep")
    request(connection, "POST", "/v1/templates",
            {"name": "bench-export", "version": "1", "directory": str(tree)}, (201,))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--state-dir", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--files", type=int, default=10_000)
    options = parser.parse_args()

    connection = UnixConnection(options.socket)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="jaild-bench-", dir=options.state_dir.resolve().parent))
    name = "bench-exported"
    figures = {key: [] for key in ("export", "tar", "tar | zstd", "cp -a", "import", "tar -x")}
    make_template(connection, scratch)
    try:
        request(connection, "POST", "/v1/jails", {"name": name, "template": "bench-export", "root": {"kind": "copy"}}, (201,))
        request(connection, "PATCH", f"/v1/jails/{name}", {"running": False})
        connection.request("GET", f"/v1/jails/{name}")
        response = connection.getresponse()
        identity = response.headers["ETag"].strip('"').split(".")[0]
        response.read()
        root = options.state_dir / "jails" / identity / "root"
        fill(root, options.files)
        archive = scratch / "archive"
        with open(archive, "wb") as file:
            export(options.socket, name, file)
        for turn in range(options.rounds + 1):
            took = {"export": timed(export, options.socket, name),
                    "tar": timed(run, "sh", "-c", f"tar -C {root} -cf - . | cat"),
                    "tar | zstd": timed(run, "sh", "-c", f"tar -C {root} -cf - . | zstd -3 -q"),
                    "cp -a": timed(run, "cp", "-a", str(root), str(scratch / "copy"))}
            os.sync()  # what others wrote is not waited for by the next ones
            took["import"] = timed(import_, options.socket, archive)
            (scratch / "unpacked").mkdir()
            os.sync()
            run("sh", "-c", f"tar -C {root} -cf - . | zstd -3 -q > {scratch}/plain")
            took["tar -x"] = timed(run, "sh", "-c", f"zstd -dcq {scratch}/plain | tar -C {scratch}/unpacked -xpf -; sync -f {scratch}")
            request(connection, "DELETE", "/v1/jails/bench-imported", None, (200, 204))
            for left in ("copy", "unpacked"):
                shutil.rmtree(scratch / left)
            if turn == 0:
                continue  # the first of each warms caches
            for key, value in took.items():
                figures[key].append(value)
    finally:
        for jail in (name, "bench-imported"):
            connection.request("DELETE", f"/v1/jails/{jail}?force=true", headers={"Prefer": "wait=60"})
            connection.getresponse().read()
        request(connection, "DELETE", "/v1/templates/bench-export:1", None, (200, 204))
        shutil.rmtree(scratch, ignore_errors=True)

    middle = {key: statistics.median(values) for key, values in figures.items()}
    for key, value in middle.items():
        print(f"{key:12} {value:8.1f} ms   (min {min(figures[key]):.1f}, max {max(figures[key]):.1f})")
    print(f"export / tar:           {middle['export'] / middle['tar']:.2f}")
    print(f"export / (tar | zstd):  {middle['export'] / middle['tar | zstd']:.2f}")
    print(f"export / cp -a:         {middle['export'] / middle['cp -a']:.2f}")
    print(f"import / tar -x:        {middle['import'] / middle['tar -x']:.2f}")


if __name__ == "__main__":
    main()
