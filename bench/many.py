#!/usr/bin/python3
"""A thousand jails: what it takes to start them all, to look after them, to adopt them and to tell what they use.

    python3 bench/many.py --jaild PROGRAM [--jails N] [--kernel linux|memory] [--state-dir DIR] [--idle SECONDS]

Starts a jaild of its own, on Linux in a network namespace of its own (root), and ends it. Each jail is thin, has a command
that sleeps and a network interface. Measured are: all of them asked for by so many clients at once as there are workers,
until the last one runs; the processor time and memory of the daemon while nothing happens, resyncs included; SIGTERM and a
new daemon, until it has looked at all of them; and GET /v1/stats. On Linux `runc` does the same in turns with it, as far as
it goes: so many `runc run --detach` of the same configuration by so many clients (a tenth of them), and `runc list` of the
same jails, which reads what each of them is. The floor of /v1/stats is a read of /proc/PID/stat of as many processes.
Prints figures and ratios, and removes everything.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time

from api import UnixConnection, request, run, timed

NETWORK = "bench-many"
CLIENTS = 8
PATIENCE = 900  # seconds for each part
TICK = os.sysconf("SC_CLK_TCK")


class Daemon:
    """A jaild of the bench's own, and what the kernel says of it."""

    def __init__(self, options, state):
        self.command = [options.jaild, "--state-dir", str(state), "--kernel", options.kernel, "--log-level", "debug"]
        self.namespace = f"jaild-bench-{os.getpid()}" if options.kernel == "linux" else None
        if self.namespace:
            run("ip", "netns", "add", self.namespace)
            run("ip", "-n", self.namespace, "link", "set", "lo", "up")
            self.command = ["nsenter", f"--net=/run/netns/{self.namespace}", "--", *self.command]
        self.socket = state / "jaild.sock"
        self.log = state.with_name("log")
        self.process = None

    def start(self):
        """Until it has looked at everything: when it answered at first, and when it was ready, in milliseconds."""
        begin = time.monotonic()
        with self.log.open("a") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stderr=log)
        answered = None
        while time.monotonic() < begin + PATIENCE:
            if self.process.poll() is not None:
                raise SystemExit("jaild did not start")
            try:
                connection = UnixConnection(str(self.socket))
                connection.request("GET", "/readyz")
                response = connection.getresponse()
                response.read()
            except OSError:
                time.sleep(0.002)
                continue
            now = (time.monotonic() - begin) * 1000
            answered = answered or now
            if response.status == 200:
                return answered, now
            time.sleep(0.002)
        raise SystemExit("jaild is not ready")

    def stop(self):
        if not self.process or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def end(self):
        self.stop()
        if self.namespace:
            run("ip", "netns", "del", self.namespace)

    def resyncs(self):
        """How long each took, in milliseconds."""
        return [int(took) for took in re.findall(r" resync: (\d+) ms", self.log.read_text())]

    def processor_seconds(self):
        words = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / TICK

    def resident_megabytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def by_clients(socket, work, items):
    """`work(connection, item)` for each, by CLIENTS threads with a connection each."""
    own = threading.local()

    def one(item):
        if not hasattr(own, "connection"):
            own.connection = UnixConnection(str(socket))
        work(own.connection, item)

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(one, item) for item in items]:
            done.result(PATIENCE)


def jail(name):
    return {"name": name, "command": ["sleep", "100000"], "network": {"interfaces": [{"network": NETWORK}]}}


def create(connection, name):
    """Its answer comes when it runs, or after a minute at most; then it is looked at until it does."""
    request(connection, "POST", "/v1/jails", jail(name), (201, 202))
    deadline = time.monotonic() + PATIENCE
    while request(connection, "GET", f"/v1/jails/{name}")["status"]["state"] != "running":
        if time.monotonic() > deadline:
            raise SystemExit(f"{name} does not run")
        time.sleep(0.05)


def remove(connection, name):
    request(connection, "DELETE", f"/v1/jails/{name}?force=true", None, (200, 202, 204, 404))


def bundle_like(state, where):
    """The configuration of a jail of ours, for containers that are not."""
    of = next(path for path in (state / "jails").iterdir() if (path / "bundle").exists())
    config = json.loads((of / "bundle" / "config.json").read_text())
    config["root"]["path"] = str(of / "root")
    config["linux"]["cgroupsPath"] = ""
    config["linux"]["namespaces"] = [
        {"type": entry["type"]} if entry["type"] == "network" else entry for entry in config["linux"]["namespaces"]
    ]
    where.mkdir()
    (where / "config.json").write_text(json.dumps(config))


def runc_all(scratch, count):
    """In milliseconds for each of them."""
    runc = ("runc", "--root", str(scratch / "runc"))
    names = [f"bench-{number}" for number in range(count)]
    try:
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            begin = time.monotonic()
            started = [pool.submit(run, *runc, "run", "--detach", "--bundle", str(scratch / "bundle"), name)
                       for name in names]
            for one in started:
                one.result(PATIENCE)
            return (time.monotonic() - begin) * 1000 / count
    finally:
        for name in names:
            subprocess.run([*runc, "delete", "--force", name], check=False, capture_output=True)


def read_processes(pids):
    for pid in pids:
        pathlib.Path(f"/proc/{pid}/stat").read_text()


def median_of(count, function, *arguments):
    return statistics.median(timed(function, *arguments) for _ in range(count))


def measure(options, daemon, state, scratch):
    linux = options.kernel == "linux"
    names = [f"bench-{number}" for number in range(options.jails)]
    connection = UnixConnection(str(daemon.socket))
    request(connection, "POST", "/v1/networks", {"name": NETWORK, "ipv4": "10.98.0.0/16", "nat": False}, (201,))
    try:
        all_started = timed(by_clients, daemon.socket, create, names)
        print(f"{options.jails} jails started in {all_started / 1000:.1f} s, {all_started / options.jails:.1f} ms each, "
              f"by {CLIENTS} clients")

        before = daemon.processor_seconds()
        earlier = len(daemon.resyncs())
        time.sleep(options.idle)
        used = daemon.processor_seconds() - before
        print(f"idle: {100 * used / options.idle:.1f} % of a processor, {daemon.resident_megabytes():.0f} MB resident")
        connection = UnixConnection(str(daemon.socket))  # the other one was idle for too long
        resyncs = daemon.resyncs()[earlier:] or [0]
        look = statistics.mean(resyncs)
        print(f"{len(resyncs)} resyncs without drift, {look:.0f} ms each")

        stats = median_of(10, request, connection, "GET", "/v1/stats")
        pids = [os.getpid()] * options.jails
        floor = median_of(10, read_processes, pids)
        print(f"GET /v1/stats: {stats:.1f} ms; / read of {options.jails} /proc/PID/stat ({floor:.1f} ms): "
              f"{stats / floor:.2f}")

        connection.close()
        daemon.stop()
        answered, ready = daemon.start()
        if linux:
            print(f"a new daemon answers after {answered:.0f} ms, has adopted all after {ready:.0f} ms")
            instance = request(UnixConnection(str(daemon.socket)), "GET", "/v1/host")["instance"]
            listed = median_of(3, run, "runc", "--root", f"/run/jaild-{instance}/runc", "list", "--quiet")
            print(f"adoption / runc list of the same ({listed:.0f} ms): {ready / listed:.2f}")
            print(f"a resync / runc list of the same: {look / listed:.2f}")
            bundle_like(state, scratch / "bundle")
            each = runc_all(scratch, max(1, options.jails // 10))
            print(f"start / runc run --detach ({each:.1f} ms each): {all_started / options.jails / each:.2f}")
    finally:
        if daemon.process.poll() is not None:
            daemon.start()  # only it can take its jails away
        removed = timed(by_clients, daemon.socket, remove, names)
        print(f"removed in {removed / 1000:.1f} s")
        deadline = time.monotonic() + PATIENCE
        left = UnixConnection(str(daemon.socket))
        while request(left, "GET", "/v1/jails")["items"] and time.monotonic() < deadline:
            time.sleep(0.2)
        request(left, "DELETE", f"/v1/networks/{NETWORK}", None, (200, 204))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jaild", required=True)
    parser.add_argument("--jails", type=int, default=1000)
    parser.add_argument("--kernel", choices=("linux", "memory"), default="linux")
    parser.add_argument("--state-dir", type=pathlib.Path, help="where to make a directory for it")
    parser.add_argument("--idle", type=int, default=60, help="seconds")
    options = parser.parse_args()

    scratch = pathlib.Path(tempfile.mkdtemp(prefix="jaild-bench-", dir=options.state_dir))
    state = scratch / "state"
    daemon = Daemon(options, state)
    try:
        daemon.start()
        measure(options, daemon, state, scratch)
    finally:
        daemon.end()
        if f" {scratch}/" in pathlib.Path("/proc/self/mounts").read_text():
            print(f"left where it is, for there are mounts in it: {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
