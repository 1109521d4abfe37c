#!/usr/bin/python3
"""From a command's death to its next life under restart policy `always`, in turns with a restart that was asked for.

    python3 bench/restart.py --socket SOCKET [--rounds N]

Needs root and a running jaild. Each turn kills the command of a thin vnet jail with SIGKILL, after it ran longer than
`reset_after`, so that each restart is the first in a row and comes at once. Prints how long it took until the start began
(from the exit's own time, by the event `command.restarted`) and until the command ran again, and the latter as a ratio to
POST /v1/jails/{name}/restart, which does the same work and stops the command first.
"""

import argparse
import os
import signal
import statistics
import time

from api import UnixConnection, request, timed

NAME = "bench-restart"
LONGER_THAN_RESET_AFTER = 1.2
PATIENCE = 30


def command_pid(connection):
    return request(connection, "GET", f"/v1/jails/{NAME}", None, (200,))["status"]["command_pid"]


def killed(connection):
    """Until another process is there."""
    before = command_pid(connection)
    os.kill(before, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while command_pid(connection) in (None, before):
        if time.monotonic() > deadline:
            raise SystemExit("the command did not come back")
        time.sleep(0.002)


def begun(connection):
    """Milliseconds from each exit to the start that answers it."""
    events = request(connection, "GET", f"/v1/events?follow=false&jail={NAME}&limit=1000", None, (200,))["items"]
    return [1000 * event["data"]["waited_seconds"] for event in events if event["type"] == "command.restarted"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()

    connection = UnixConnection(options.socket)
    again, asked = [], []
    request(connection, "POST", "/v1/jails", {"name": NAME, "command": ["sleep", "100000"],
                                              "restart": {"policy": "always", "reset_after": 1}}, (201,))
    try:
        for _ in range(options.rounds):
            time.sleep(LONGER_THAN_RESET_AFTER)
            again.append(timed(killed, connection))
            asked.append(timed(request, connection, "POST", f"/v1/jails/{NAME}/restart", None, (200,)))
        first = begun(connection)[-options.rounds:]
    finally:
        request(connection, "DELETE", f"/v1/jails/{NAME}?force=true", None, (200, 204))

    for what, figures in (("start begins", first), ("runs again", again), ("restart asked for", asked)):
        print(f"{what:18} {statistics.median(figures):8.1f} ms   (min {min(figures):.1f}, max {max(figures):.1f})")
    print(f"runs again / restart asked for: {statistics.median(again) / statistics.median(asked):.2f}")


if __name__ == "__main__":
    main()
