"""jaildctl, as people and scripts call it."""

import os
import subprocess

from harness import DEADLINE, Settings


class Ran:
    """What a call left: exit code, and both streams as text."""

    def __init__(self, process, out, err):
        self.code = process.returncode
        self.out = out.decode(errors="replace")
        self.err = err.decode(errors="replace")

    def __repr__(self):
        return f"exit {self.code}\nstdout: {self.out[:2000]}\nstderr: {self.err[:2000]}"


def command(daemon, *arguments):
    return [Settings.jaildctl, "--host", f"unix://{daemon.socket}", *arguments]


def start(daemon, *arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, environment=None):
    """Returns at once; end it with finish(). `environment`: beside ours."""
    return subprocess.Popen(command(daemon, *arguments), stdin=stdin, stdout=stdout, stderr=subprocess.PIPE,
                            env={**os.environ, **(environment or {})})


def finish(process, stdin=None, timeout=DEADLINE):
    try:
        out, err = process.communicate(stdin, timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Ran(process, out or b"", err)


def jaildctl(daemon, *arguments, stdin=None, timeout=DEADLINE):
    """Runs to the end; `stdin`: bytes."""
    given = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    return finish(start(daemon, *arguments, stdin=given), stdin, timeout)
