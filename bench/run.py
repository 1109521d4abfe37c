#!/usr/bin/python3
"""`jaildctl run --rm -- /bin/true` in a new jail and in one of a warm pool, in turns with `runc run` and `podman run --rm` of the same.

    python3 bench/run.py --socket SOCKET --state-dir DIR --jaildctl PROGRAM [--rounds N]

Needs root and a running jaild. Network `none` on all sides: what is measured is a process in a root of its own. runc gets
the very configuration that jaild wrote for a jail of the same kind (root, mounts, capabilities, seccomp), without what
makes the root. podman is left out where there is none. Each call has a minute. Prints medians and ratios.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

from api import UnixConnection, request, timed

PATIENCE = 60  # seconds for each call


def call(*command):
    """It must exit 0. Not subprocess's own timeout, which looks at the process every 50 ms."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    patience = threading.Timer(PATIENCE, process.kill)
    patience.start()
    code = process.wait()
    patience.cancel()
    if code != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {code}")


def runc_bundle(state, reference, where):
    """The configuration of a jail of ours, for a container that is not: it runs /bin/true and ends."""
    jail = next(path for path in (state / "jails").iterdir() if (path / "bundle").exists())
    config = json.loads((jail / "bundle" / "config.json").read_text())
    config["root"]["path"] = str(jail / "root")
    config["hostname"] = reference
    config["process"]["args"] = ["/bin/true"]
    config["process"]["terminal"] = False
    config["linux"]["cgroupsPath"] = "/jaild-bench-runc"
    config["linux"]["namespaces"] = [
        {"type": entry["type"]} if entry["type"] == "network" else entry for entry in config["linux"]["namespaces"]
    ]
    where.mkdir()
    (where / "config.json").write_text(json.dumps(config))


def podman(scratch):
    """The same by podman, of this host's own programs; nothing where there is none."""
    if not shutil.which("podman"):
        return None
    root = scratch / "podman-root"
    for name in ("proc", "sys", "dev", "tmp", "usr", "bin", "lib", "lib64"):
        (root / name).mkdir(parents=True)
    mounts = [word for name in ("usr", "bin", "lib", "lib64") if pathlib.Path("/" + name).exists()
              for word in ("-v", f"/{name}:/{name}:ro")]
    # Its own limits are more than a root without CAP_SYS_RESOURCE may set.
    return ("podman", "run", "--rm", "--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024",
            *mounts, "--rootfs", str(root), "/bin/true")


def until_full(connection):
    """What is measured is a jail that is ready, not how fast others are made beside it."""
    deadline = time.monotonic() + PATIENCE
    while request(connection, "GET", "/v1/pools/bench")["status"]["ready"] < 4:
        if time.monotonic() > deadline:
            raise SystemExit("the pool is not filled")
        time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--state-dir", required=True, type=pathlib.Path)
    parser.add_argument("--jaildctl", required=True)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()

    connection = UnixConnection(options.socket)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="jaild-bench-"))
    reference = "bench-reference"
    jaildctl = (options.jaildctl, "--host", f"unix://{options.socket}")
    ways = {"run --rm": (*jaildctl, "run", "--rm", "--network", "none", "--", "/bin/true"),
            "runc run": ("runc", "--root", str(scratch / "runc"), "run", "--bundle", str(scratch / "bundle"), "bench")}
    by_podman = podman(scratch)
    pooled = {"name": "bench", "size": 4, "jail": {"network": {"mode": "none"}}}
    ways["run --pool"] = (*jaildctl, "run", "--rm", "--pool", "bench", "--", "/bin/true")
    if by_podman:
        ways["podman run --rm"] = by_podman
    else:
        print("podman: there is none here")
    figures = {name: [] for name in ways}
    request(connection, "POST", "/v1/jails", {"name": reference, "network": {"mode": "none"}}, (201,))
    request(connection, "POST", "/v1/pools", pooled, (201,))
    try:
        runc_bundle(options.state_dir, reference, scratch / "bundle")
        ways["exec"] = (*jaildctl, "exec", reference, "--", "/bin/true")
        figures["exec"] = []
        for turn in range(options.rounds + 1):
            for name, command in ways.items():
                if name == "run --pool":
                    until_full(connection)
                took = timed(call, *command)
                if turn > 0:  # the first of each warms caches
                    figures[name].append(took)
    finally:
        request(connection, "DELETE", "/v1/pools/bench", None, (204,))
        request(connection, "DELETE", f"/v1/jails/{reference}?force=true", None, (200, 204))
        shutil.rmtree(scratch, ignore_errors=True)

    middle = {key: statistics.median(values) for key, values in figures.items()}
    for key, value in middle.items():
        print(f"{key:16} {value:8.1f} ms   (min {min(figures[key]):.1f}, max {max(figures[key]):.1f})")
    for key in middle:
        if key.startswith(("runc", "podman")):
            for ours in ("run --rm", "run --pool"):
                print(f"{ours} / {key}: {middle[ours] / middle[key]:.2f}")


if __name__ == "__main__":
    main()
