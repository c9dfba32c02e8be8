"""Run a program whose process group ends when stdin closes: started by origin_server.

The other end of stdin is held by edgelift alone, so the group also ends when edgelift is killed -9.
Usage: supervise.py GRACE_S FD[,FD...]|- PROGRAM ARGUMENT...
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading


def end_group(child: subprocess.Popen[bytes], grace_s: float) -> None:
    """Ask the child's process group to end, and kill what is left of it after the grace."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(grace_s)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Start the program, wait for its end or for the end of stdin; return its exit code."""
    grace_s, descriptors, *program = arguments
    passed = [int(fd) for fd in descriptors.split(",")] if descriptors != "-" else []
    # Terminal signals reach edgelift, which then closes stdin: one way to stop, in one order.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        child = subprocess.Popen(
            program,
            stdin=subprocess.DEVNULL,
            pass_fds=passed,
            start_new_session=True,
            preexec_fn=restore_signals,  # noqa: PLW1509 - no thread runs yet
        )
    except OSError as error:
        sys.stderr.write(f"{program[0]} cannot be started: {error.strerror}\n")
        return 127
    for fd in passed:
        os.close(fd)

    def watch() -> None:
        while os.read(0, 1024):
            pass
        end_group(child, float(grace_s))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    code = child.wait()
    end_group(child, 0)
    return code if code >= 0 else 128 - code


def restore_signals() -> None:
    """Give the program the default handling of the signals that this script ignores."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
