"""Runs the image as in production (read-only, without capabilities, not as root), and prints figures.

It runs commands in the container and pauses it, as docs/deploy.md says, and stops it.

`try.py docker|podman IMAGE`.  The container uses an embedded Postgres, SQS and S3.
"""

import json
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError
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
"""podman's defaults need systemd, which a build container does not have."""
LIMITS = ("--pull=never", "--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096")
"""podman's default limits are higher than a nested container may set."""
COMMANDS = {
    "health_check_exit": ("/opt/orca-daemon/bin/python", "-m", "orca_daemon.ops.probe"),
    "check_exit": ("orca-daemon", "check"),
    "jobs_exit": ("orca-daemon", "jobs", "--since", "1d"),
    "config_exit": ("orca-daemon", "config"),
    "policy_exit": ("orca-daemon", "policy"),
}
PAUSES = (("kill", "--signal=USR2", NAME), ("exec", NAME, "sh", "-c", "kill -USR2 1"))
"""Each pauses the daemon, and resumes it if it is sent again."""
HYBRID_CGROUP = Path("/sys/fs/cgroup/unified")


def main() -> None:
    """Try the image; exit code 1 if the health check fails or the container does not exit with 0."""
    tool, image = sys.argv[1:]
    stack = Stack()
    try:
        endpoints = stack.start()
        # The container takes the place of the stack's own daemon; only queues, buckets and database are used.
        if stack.daemon:
            stack.daemon.stop()
        port = str(free_port())
        figures = try_image(tool, image, endpoints.environment | {"ORCA_HTTP__PORT": port}, port)
    finally:
        stack.stop()
    print(json.dumps(figures, indent=2))  # noqa: T201  a command prints
    sys.exit(any(figures[name] for name in (*COMMANDS, "exit")))


def try_image(tool: str, image: str, environment: dict[str, str], port: str) -> dict[str, float]:
    """Start the container, run its health check, stop it; returns times in seconds and the size."""
    variables = [f"--env={name}={value}" for name, value in environment.items()]
    limits = LIMITS if tool == "podman" else ()
    began = time.monotonic()
    container = subprocess.Popen(
        command(tool, "run", *FLAGS, *limits, *variables, image), stdout=subprocess.DEVNULL
    )
    readiness = f"http://127.0.0.1:{port}/readyz"
    await_status(readiness, 200)
    ready = time.monotonic() - began
    codes = {
        name: subprocess.run(
            command(tool, "exec", NAME, *words), check=False, stdout=subprocess.DEVNULL
        ).returncode
        for name, words in COMMANDS.items()
    }
    for pause in PAUSES:
        for status in (503, 200):
            subprocess.run(command(tool, *pause), check=True, stdout=subprocess.DEVNULL)
            await_status(readiness, status)
    began = time.monotonic()
    container.terminate()  # docker and podman forward SIGTERM to the container
    code = container.wait(PATIENCE)
    stopped = time.monotonic() - began
    inspect = command(tool, "image", "inspect", "--format", "{{.Size}}", image)
    size = int(subprocess.run(inspect, check=True, capture_output=True, text=True).stdout)
    return {
        "size_mb": round(size / 1e6),
        "start_to_ready": round(ready, 2),
        **codes,
        "stop_of_an_idle_one": round(stopped, 2),
        "exit": code,
    }


def command(tool: str, *arguments: str) -> list[str]:
    """The command line of docker or podman."""
    if tool != "podman":
        return [tool, *arguments]
    podman = ["podman", *PODMAN, *arguments]
    # podman's runtime refuses to run if cgroups v1 and v2 are both mounted: unmount v2, in a mount namespace
    # of its own so that no other process is affected.
    without_v2 = f"umount {HYBRID_CGROUP}; exec " + '"$@"'
    return ["unshare", "--mount", "sh", "-c", without_v2, "sh", *podman] if HYBRID_CGROUP.is_dir() else podman


def await_status(url: str, expected: int) -> None:
    """Wait until the URL returns this status.  Raises TimeoutError after `PATIENCE` seconds."""
    deadline = time.monotonic() + PATIENCE
    while status_of(url) != expected:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{url} did not return {expected}")
        time.sleep(0.05)


def status_of(url: str) -> int:
    """The status that the URL returns; 0 if nothing answers."""
    try:
        with closing(urlopen(url, timeout=2)) as answer:  # noqa: S310  our own address
            return int(answer.status)
    except HTTPError as error:
        with closing(error):
            return error.code
    except OSError:
        return 0


if __name__ == "__main__":
    main()
