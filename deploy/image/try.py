"""Starts the image as production does (read-only, no capabilities, not root), stops it, prints figures.

`try.py docker|podman IMAGE`.  It uses the embedded Postgres, SQS and S3.
"""

import json
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from orca_daemon.local.ports import free_port
from orca_daemon.local.stack import Stack

PATIENCE = 60.0
NAME = "orca-daemon-try"
FLAGS = (
    *("--rm", "--name", NAME, "--network=host", "--read-only", "--cap-drop=all"),
    *("--security-opt=no-new-privileges", "--memory=1g", "--cpus=1"),
)
PODMAN = ("--cgroup-manager=cgroupfs", "--events-backend=file")
"""Without systemd."""
LIMITS = ("--pull=never", "--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096")
"""Podman needs more rights than a container within a container has."""
HYBRID = Path("/sys/fs/cgroup/unified")


def main() -> None:
    """Run the image; exits 1 if a check fails."""
    tool, image = sys.argv[1:]
    stack = Stack()
    try:
        where = stack.start()
        # Use only the stack's queues, buckets and database: the image's daemon replaces its own.
        if stack.daemon:
            stack.daemon.stop()
        port = str(free_port())
        figures = tried(tool, image, where.environment | {"ORCA_HTTP__PORT": port}, port)
    finally:
        stack.stop()
    print(json.dumps(figures, indent=2))  # noqa: T201  the result
    sys.exit(any(figures[name] for name in ("health_check_exit", "exit")))


def tried(tool: str, image: str, environment: dict[str, str], port: str) -> dict[str, float]:
    """Start the image, check it, stop it; returns figures, times in seconds."""
    variables = [f"--env={name}={value}" for name, value in environment.items()]
    limits = LIMITS if tool == "podman" else ()
    began = time.monotonic()
    running = subprocess.Popen(
        command(tool, "run", *FLAGS, *limits, *variables, image), stdout=subprocess.DEVNULL
    )
    wait(f"http://127.0.0.1:{port}/readyz")
    ready = time.monotonic() - began
    probe = command(tool, "exec", NAME, "/opt/orca-daemon/bin/python", "-m", "orca_daemon.ops.probe")
    healthy = subprocess.run(probe, check=False, stdout=subprocess.DEVNULL).returncode
    began = time.monotonic()
    running.terminate()  # the tool forwards the signal
    code = running.wait(PATIENCE)
    asked = command(tool, "image", "inspect", "--format", "{{.Size}}", image)
    size = int(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
    return {
        "size_mb": round(size / 1e6),
        "start_to_ready": round(ready, 2),
        "health_check_exit": healthy,
        "stop_of_an_idle_one": round(time.monotonic() - began, 2),
        "exit": code,
    }


def command(tool: str, *arguments: str) -> list[str]:
    """The tool's command line."""
    if tool != "podman":
        return [tool, *arguments]
    called = ["podman", *PODMAN, *arguments]
    # Podman's runtime refuses two versions of control groups side by side; hide one from it.
    hidden = f"umount {HYBRID}; exec " + '"$@"'
    return ["unshare", "--mount", "sh", "-c", hidden, "sh", *called] if HYBRID.is_dir() else called


def wait(url: str) -> None:
    """Return when the URL answers 200."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with closing(urlopen(url, timeout=2)):  # noqa: S310  our own address
                return
        except (URLError, OSError) as error:
            if isinstance(error, HTTPError):
                error.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    main()
