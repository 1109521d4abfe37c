#!/usr/bin/python3
"""create+start and stop+remove of one thin vnet jail, in turns with `runc run` and `runc delete` of the same root.

    python3 bench/start.py --socket SOCKET --state-dir DIR [--rounds N]

Needs root and a running jaild. runc gets the very configuration that jaild wrote for a jail of the same kind (root,
mounts, capabilities, seccomp), with a network namespace of its own; the third pair is what moving a veth costs by ip(8).
Prints medians and ratios.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import tempfile

from api import UnixConnection, request, run, timed


def runc_bundle(state, reference, where):
    """The configuration of a jail of ours, for a container that is not."""
    jail = next(path for path in (state / "jails").iterdir() if (path / "bundle").exists())
    config = json.loads((jail / "bundle" / "config.json").read_text())
    config["root"]["path"] = str(jail / "root")
    config["hostname"] = reference
    config["linux"]["cgroupsPath"] = "/jaild-bench-runc"
    config["linux"]["namespaces"] = [
        {"type": entry["type"]} if entry["type"] == "network" else entry for entry in config["linux"]["namespaces"]
    ]
    where.mkdir()
    (where / "config.json").write_text(json.dumps(config))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--state-dir", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()

    connection = UnixConnection(options.socket)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="jaild-bench-"))
    reference = "bench-reference"
    figures = {name: [] for name in ("start", "remove", "runc run", "runc delete", "veth")}
    request(connection, "POST", "/v1/jails", {"name": reference}, (201,))
    try:
        runc_bundle(options.state_dir, reference, scratch / "bundle")
        runc = ("runc", "--root", str(scratch / "runc"))
        for turn in range(options.rounds + 1):
            name = f"bench-{turn}"
            start = timed(request, connection, "POST", "/v1/jails", {"name": name}, (201,))
            remove = timed(request, connection, "DELETE", f"/v1/jails/{name}?force=true", None, (200, 204))
            runc_run = timed(run, *runc, "run", "--detach", "--bundle", str(scratch / "bundle"), "bench")
            runc_delete = timed(run, *runc, "delete", "--force", "bench")
            run("ip", "netns", "add", "jaild-bench")
            veth = timed(run, "ip", "link", "add", "jbench0", "type", "veth", "peer", "name", "jbench1", "netns",
                         "jaild-bench")
            run("ip", "link", "del", "jbench0")
            run("ip", "netns", "del", "jaild-bench")
            if turn == 0:
                continue  # the first of each warms caches
            for key, value in zip(figures, (start, remove, runc_run, runc_delete, veth)):
                figures[key].append(value)
    finally:
        request(connection, "DELETE", f"/v1/jails/{reference}?force=true", None, (200, 204))
        shutil.rmtree(scratch, ignore_errors=True)

    middle = {key: statistics.median(values) for key, values in figures.items()}
    for key, value in middle.items():
        print(f"{key:12} {value:8.1f} ms   (min {min(figures[key]):.1f}, max {max(figures[key]):.1f})")
    print(f"start / (runc run + veth): {middle['start'] / (middle['runc run'] + middle['veth']):.2f}")
    print(f"remove / runc delete:      {middle['remove'] / middle['runc delete']:.2f}")


if __name__ == "__main__":
    main()
