#!/usr/bin/python3
"""How long a changed policy takes until packets feel it, and what one more jail costs among many with policies.

    python3 bench/policy.py --socket SOCKET [--rounds N] [--jails N]

Needs root and a running jaild on Linux, in the same network namespace. One jail sends another a datagram each
millisecond, each from a port of its own, so that none belongs to a connection. From the PATCH to the first that is
dropped, and back to the first that passes. The floor is nft(8) loading as small a table. Then jails whose policies
select each other by label: the start of one more, against the start of the first, and how many rules of the others
were replaced for it (their handles are others then).
"""

import argparse
import ctypes
import json
import os
import socket
import statistics
import subprocess
import tempfile
import threading
import time

from api import UnixConnection, request, run, timed

PORT = 4000
NEW_NETWORK = 0x40000000  # CLONE_NEWNET
FLOOR = """table inet jaild-bench { }
delete table inet jaild-bench
table inet jaild-bench {
    set who { type ipv4_addr; flags interval; elements = { 198.51.100.7 } }
    chain one { ip saddr @who accept; ip saddr 203.0.113.0/24 udp dport 4000 accept; drop; }
}
"""
SELECTING = {"ingress": {"rules": [{"from": {"label": "bench=crowd"}}]}}


class Entered:
    """Sockets that this thread makes meanwhile are of that process's network."""

    def __init__(self, pid):
        self.pid = pid

    @staticmethod
    def enter(namespace):
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), NEW_NETWORK) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "setns")

    def __enter__(self):
        self.before = open("/proc/thread-self/ns/net", "rb")
        with open(f"/proc/{self.pid}/ns/net", "rb") as namespace:
            self.enter(namespace)

    def __exit__(self, *failed):
        self.enter(self.before)
        self.before.close()


class Stream:
    """Datagrams from one jail to another. Monotonic times of those that were sent and that came."""

    def __init__(self, sender, receiver, address):
        self.sender, self.address = sender, address
        with Entered(receiver):
            self.inbox = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.inbox.bind((address, PORT))
        self.inbox.settimeout(0.2)
        self.arrived = []
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=work) for work in (self.send, self.receive)]
        for thread in self.threads:
            thread.start()

    def send(self):
        with Entered(self.sender):
            while not self.ended.wait(0.001):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outbox:
                    outbox.sendto(str(time.monotonic()).encode(), (self.address, PORT))

    def receive(self):
        while not self.ended.is_set():
            try:
                self.arrived.append((float(self.inbox.recv(64)), time.monotonic()))
            except TimeoutError:
                pass

    def first_since(self, begin):
        """When the first came that was sent after that moment."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for sent, came in list(self.arrived):
                if sent >= begin:
                    return came
            time.sleep(0.002)
        raise SystemExit("nothing comes through")

    def last(self):
        """When the last was sent that came; waits until none comes."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.arrived and time.monotonic() - self.arrived[-1][1] > 0.3:
                return max(sent for sent, _ in self.arrived)
            time.sleep(0.02)
        raise SystemExit("everything comes through")

    def close(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()
        self.inbox.close()


def handles():
    """Of all rules that jaild loaded for jails, by chain."""
    listed = json.loads(subprocess.run(["nft", "-j", "-a", "list", "ruleset"], check=True, capture_output=True).stdout)
    found = {}
    for entry in listed["nftables"]:
        rule = entry.get("rule")
        if rule and rule["table"].startswith("jaild-"):
            found.setdefault((rule["family"], rule["chain"]), set()).add(rule["handle"])
    return found


def show(name, values):
    print(f"{name:26} {statistics.median(values):8.1f} ms   (min {min(values):.1f}, max {max(values):.1f})")


def change(connection, options):
    for name in ("bench-from", "bench-to"):
        request(connection, "POST", "/v1/jails", {"name": name, "command": ["/bin/sleep", "100000"]}, (201,))
    seen = {name: request(connection, "GET", f"/v1/jails/{name}") for name in ("bench-from", "bench-to")}
    address = seen["bench-to"]["status"]["addresses"][0].split("/")[0]
    stream = Stream(seen["bench-from"]["status"]["pid"], seen["bench-to"]["status"]["pid"], address)
    closed, opened, floor = [], [], []
    with tempfile.NamedTemporaryFile("w", suffix=".nft") as rules:
        rules.write(FLOOR)
        rules.flush()
        try:
            stream.first_since(0)
            for _ in range(options.rounds):
                begin = time.monotonic()
                request(connection, "PATCH", "/v1/jails/bench-to", {"firewall": {"ingress": {}}})
                closed.append((stream.last() - begin) * 1000)
                begin = time.monotonic()
                request(connection, "PATCH", "/v1/jails/bench-to", {"firewall": None})
                opened.append((stream.first_since(begin) - begin) * 1000)
                floor.append(timed(run, "nft", "-f", rules.name))
                stream.arrived.clear()
                stream.first_since(0)
        finally:
            stream.close()
            run("nft", "delete", "table", "inet", "jaild-bench")
    show("PATCH to dropped", closed)
    show("PATCH to passed", opened)
    show("nft -f", floor)
    print(f"PATCH to dropped / nft -f: {statistics.median(closed) / statistics.median(floor):.2f}")


def crowd(connection, options):
    times = []
    for number in range(options.jails):
        body = {"name": f"bench-crowd-{number}", "labels": {"bench": "crowd"}, "firewall": SELECTING}
        times.append(timed(request, connection, "POST", "/v1/jails", body, (201,)))
    before = handles()
    body = {"name": "bench-late", "labels": {"bench": "crowd"}, "firewall": SELECTING}
    late = [timed(request, connection, "POST", "/v1/jails", body, (201,))]
    after = handles()
    replaced = sum(len(rules - after.get(chain, set())) for chain, rules in before.items())
    first = times[: max(1, len(times) // 10)]
    show(f"start among {len(first)}", first)
    show(f"start among {options.jails}", late + times[-5:])
    print(f"rules of the others that were replaced: {replaced} of {sum(map(len, before.values()))}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--jails", type=int, default=0, help="with policies that select each other, for the second part")
    options = parser.parse_args()

    connection = UnixConnection(options.socket)
    try:
        change(connection, options)
        if options.jails:
            crowd(connection, options)
    finally:
        for jail in request(connection, "GET", "/v1/jails?limit=1000")["items"]:
            if jail["name"].startswith("bench-"):
                request(connection, "DELETE", f"/v1/jails/{jail['name']}?force=true", None, (200, 204))


if __name__ == "__main__":
    main()
