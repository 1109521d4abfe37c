#!/usr/bin/python3
"""Roots of jails by the size of their template, in turns with tar(1), cp(1) and rm(1) on the same tree.

    python3 bench/roots.py --socket SOCKET --state-dir DIR [--files N,N,...] [--megabytes N] [--rounds N] [--check]

Needs root and a running jaild; the others work beside its state directory. Templates of so many small files, and one of a
single large file, all of it in /usr/share: imported, then for each a thin jail and one with a copy of all, its snapshot,
and the removal of each. What start and stop of a jail cost by themselves, with a template of nothing, is taken from its
figures. jaild's copies are on disk when it answers, and archives are summed first: so sync(1) of the file system follows
each cp and tar, and sha256sum(1) goes before tar. Prints medians and ratios; with --check the exit code is 1 when one is
beyond its bound.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import sys
import tarfile
import tempfile

from api import UnixConnection, request, run, timed

BOUNDS = {"import": 3.0, "copy": 2.0, "snapshot": 2.0, "remove": 2.0}
NOTHING = "bench-nothing"


def make_tree(tree, files, size):
    """As a base system has them: some files to a directory."""
    for name in ("bin", "etc", "usr/share"):
        (tree / name).mkdir(parents=True)
    for number in range(files):
        directory = tree / "usr/share" / str(number // 25)
        directory.mkdir(exist_ok=True)
        with open(directory / str(number), "wb") as file:
            for begin in range(0, size, 1 << 20):
                file.write(os.urandom(min(size - begin, 1 << 20)))


class Bench:
    def __init__(self, options, scratch):
        self.connection = UnixConnection(options.socket)
        self.scratch = scratch
        self.state = options.state_dir
        self.rounds = options.rounds
        self.figures = {}

    def ask(self, *arguments):
        return request(self.connection, *arguments)

    def keep(self, template, name, figure):
        self.figures.setdefault((template, name), []).append(figure)

    def synced(self, *programs):
        for argv in programs:
            run(*argv)
        run("sync", "-f", str(self.scratch))

    def import_archive(self, name, archive):
        self.ask("POST", "/v1/templates", {"name": name, "version": "1", "sets": [{"file": str(archive)}]}, (201,))

    def make(self, template, kind):
        body = {"name": f"bench-{kind}", "template": f"{template}:1", "root": {"kind": kind}, "network": {"mode": "none"}}
        self.ask("POST", "/v1/jails", body, (201,))

    def remove(self, kind, wanted=(204,)):
        self.ask("DELETE", f"/v1/jails/bench-{kind}?force=true", None, wanted)

    def jails(self, template):
        """One round of what jaild does."""
        self.keep(template, "thin", timed(self.make, template, "thin"))
        self.keep(template, "remove thin", timed(self.remove, "thin"))
        self.keep(template, "copy", timed(self.make, template, "copy"))
        snapshots = "/v1/jails/bench-copy/snapshots"
        self.keep(template, "snapshot", timed(self.ask, "POST", snapshots, {"name": "s"}, (201,)))
        self.keep(template, "snapshot rm", timed(self.ask, "DELETE", f"{snapshots}/s", None, (204,)))
        self.keep(template, "remove copy", timed(self.remove, "copy"))

    def others(self, template, tree, archive):
        """The same without jaild."""
        place = self.scratch / "place"
        copies = {"tar -x": (("sha256sum", str(archive)), ("tar", "-xf", str(archive), "-C", str(place))),
                  "cp -a": (("cp", "-a", str(tree), str(place)),),
                  "cp --reflink": (("cp", "-a", "--reflink=auto", str(tree), str(place)),)}
        for name, programs in copies.items():
            place.mkdir()
            self.keep(template, name, timed(self.synced, *programs))
            self.keep(template, f"rm -rf ({name})", timed(run, "rm", "-rf", str(place)))

    def measure(self, template, files, size):
        tree = self.scratch / template
        make_tree(tree, files, size)
        archive = self.scratch / f"{template}.tar"
        with tarfile.open(archive, "w") as made:
            made.add(tree, ".")
        for round_ in range(self.rounds + 1):
            self.keep(template, "import", timed(self.import_archive, template, archive))
            try:
                if round_ % 2 == 0:  # each goes first every other time
                    self.others(template, tree, archive)
                self.jails(template)
                if round_ % 2 != 0:
                    self.others(template, tree, archive)
            finally:
                for kind in ("thin", "copy"):  # of a round that came to nothing
                    self.remove(kind, (204, 404))
                gone = timed(self.ask, "DELETE", f"/v1/templates/{template}:1", None, (204,))
                self.keep(template, "template rm", gone)
        for (of, _), figures in self.figures.items():
            if of == template:
                figures.pop(0)  # the first of each warms caches
        shutil.rmtree(tree)
        archive.unlink()

    def median(self, template, name):
        return statistics.median(self.figures[template, name])

    def own(self, template, name):
        """Without what a jail of no files takes."""
        return max(0.0, self.median(template, name) - self.median(NOTHING, name))

    def show(self, template):
        """The names of what is beyond its bound."""
        print(f"\n{template}")
        for (of, name), figures in sorted(self.figures.items()):
            if of == template:
                print(f"  {name:24} {statistics.median(figures):9.1f} ms   (min {min(figures):.1f}, max {max(figures):.1f})")
        if template == NOTHING:
            return []
        pairs = {"import": ("import", "tar -x"), "thin": ("thin", "cp -a"), "copy": ("copy", "cp -a"),
                 "snapshot": ("snapshot", "cp --reflink"), "remove": ("remove copy", "rm -rf (cp -a)")}
        beyond = []
        for what, (ours, theirs) in pairs.items():
            ratio = self.own(template, ours) / self.median(template, theirs)
            bound = BOUNDS.get(what)
            print(f"  {ours} / {theirs}: {ratio:.2f}" + (f" (at most {bound})" if bound else ""))
            if bound and ratio > bound:
                beyond.append(f"{template}: {what}")
        return beyond


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--state-dir", required=True, type=pathlib.Path)
    parser.add_argument("--files", default="100,1000,10000", help="of 4 KB each")
    parser.add_argument("--megabytes", type=int, default=256, help="of the large file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()

    scratch = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=options.state_dir.parent))
    bench = Bench(options, scratch)
    templates = [(f"bench-{number}-files", int(number), 4096) for number in options.files.split(",")]
    templates.append((f"bench-{options.megabytes}-megabytes", 1, options.megabytes << 20))
    beyond = []
    try:
        bench.measure(NOTHING, 0, 0)
        bench.show(NOTHING)
        for template, files, size in templates:
            bench.measure(template, files, size)
            beyond += bench.show(template)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if options.check and beyond:
        sys.exit("beyond their bounds: " + ", ".join(beyond))


if __name__ == "__main__":
    main()
