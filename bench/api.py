"""What the benchmarks ask of a running jaild, and how they time it."""

import http.client
import json
import socket
import subprocess
import time


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


def request(connection, method, target, body=None, wanted=(200,)):
    headers = {"Prefer": "wait=60"}
    if body is not None:
        headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
        body = json.dumps(body)
    connection.request(method, target, body, headers)
    response = connection.getresponse()
    text = response.read().decode()
    if response.status not in wanted:
        raise SystemExit(f"{method} {target}: {response.status} {text}")
    return json.loads(text) if text else None


def timed(function, *arguments):
    """In milliseconds."""
    begin = time.monotonic()
    function(*arguments)
    return (time.monotonic() - begin) * 1000


def run(*argv):
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
