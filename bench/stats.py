#!/usr/bin/python3
"""What a look at all jails costs, in turns with a GET of the list of the same jails.

    python3 bench/stats.py --socket SOCKET [--jails N] [--rounds N]

Needs a running jaild (with `--kernel memory` for a thousand jails on any machine). Makes jails with a command and a network
of their own, and prints how long GET /v1/stats, GET /v1/jails and GET /v1/jails/{name}/stats take.
"""

import argparse
import statistics

from api import UnixConnection, request, timed

PREFIX = "bench-stats-"
NETWORK = "bench-stats"  # one that has addresses for them all


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--jails", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()

    connection = UnixConnection(options.socket)
    request(connection, "POST", "/v1/networks", {"name": NETWORK, "ipv4": "10.98.0.0/16", "nat": False}, (201,))
    names = [f"{PREFIX}{number}" for number in range(options.jails)]
    figures = {"/v1/stats": [], "/v1/jails?limit=1000": [], f"/v1/jails/{names[0]}/stats": []}
    try:
        for name in names:
            request(connection, "POST", "/v1/jails", {"name": name, "command": ["sleep", "100000"],
                                                      "network": {"interfaces": [{"network": NETWORK}]}}, (201,))
        for _ in range(options.rounds):
            for target, times in figures.items():
                times.append(timed(request, connection, "GET", target))
    finally:
        for name in names:
            request(connection, "DELETE", f"/v1/jails/{name}?force=true", None, (200, 202, 204, 404))

        request(connection, "DELETE", f"/v1/networks/{NETWORK}", None, (200, 204))

    print(f"{options.jails} jails")
    for target, times in figures.items():
        print(f"{target:32} {statistics.median(times):8.2f} ms   (min {min(times):.2f}, max {max(times):.2f})")


if __name__ == "__main__":
    main()
