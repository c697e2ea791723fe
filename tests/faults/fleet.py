"""A fleet of daemons that gets SIGKILL, SIGTERM, SIGSTOP and SIGCONT at random and is restarted."""

import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from orca_daemon.local.daemon import Daemon
from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import send_signal, wait_for_exit

DELAYS = {
    "START": (1.0, 8.0),
    "SIGKILL": (0.0, 1.0),
    "SIGTERM": (0.0, 2.0),
    "SIGSTOP": (0.5, 14.0),
    "SIGCONT": (0.0, 4.0),
}
"""Range of seconds from this action to the next one on the same daemon.

SIGSTOP lasts up to 14 seconds, the lease six: a stopped daemon often loses its leases, sometimes keeps them.
"""
SIGNALS_IF_RUNNING = (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGSTOP)
SIGNALS_IF_STOPPED = (signal.SIGKILL, signal.SIGCONT, signal.SIGCONT, signal.SIGCONT)
EXPECTED_EXITS = {0, -signal.SIGKILL, -signal.SIGTERM}
"""Exit codes.  SIGTERM kills a daemon that has not installed its handler yet, or that is already draining."""


@dataclass
class Member:
    """One place in the fleet; `daemon` is its current process."""

    daemon: Daemon
    due: float = 0.0
    """Time of the next action, by the monotonic clock."""
    stopped: bool = False
    terminating: bool = False
    """Whether the process got a SIGTERM."""


@dataclass
class Fleet:
    """Several daemons on the same queues."""

    deployment: Deployment
    settings: dict[str, str]
    size: int = 2
    members: list[Member] = field(default_factory=list)
    history: list[tuple[float, int, str]] = field(default_factory=list)
    """Seconds since the start, index of the member, action."""

    def disturb(self, seconds: float, seed: int, meanwhile: Callable[[], None]) -> None:
        """Start all daemons, disturb them at random for `seconds`, call `meanwhile` five times a second."""
        rng, began = random.Random(seed), time.monotonic()
        self.members = [
            Member(self._launch(), began + rng.uniform(*DELAYS["START"])) for _ in range(self.size)
        ]
        pause = threading.Event()
        while (now := time.monotonic()) < began + seconds:
            for number, member in enumerate(self.members):
                if member.due <= now:
                    action = self._act(member, rng)
                    member.due = now + rng.uniform(*DELAYS[action])
                    self.history.append((round(now - began, 3), number, action))
            meanwhile()
            pause.wait(0.2)  # a real pause: the test is about the time between faults

    def settle(self) -> list[Daemon]:
        """Continue or restart every daemon, and return them once all are ready."""
        for member in self.members:
            if member.stopped:
                send_signal(member.daemon, signal.SIGCONT)
                member.stopped = False
            if member.terminating:
                wait_for_exit(member.daemon)
            self._restart_if_exited(member)
        for member in self.members:
            member.daemon.ready()
        return [member.daemon for member in self.members]

    def close(self) -> None:
        """Continue stopped daemons: a stopped process does not handle the SIGTERM of the clean-up."""
        for member in self.members:
            if member.stopped and member.daemon.poll() is None:
                send_signal(member.daemon, signal.SIGCONT)

    def _act(self, member: Member, rng: random.Random) -> str:
        if self._restart_if_exited(member):
            return "START"
        action = rng.choice(SIGNALS_IF_STOPPED if member.stopped else SIGNALS_IF_RUNNING)
        send_signal(member.daemon, action)
        member.stopped = action is signal.SIGSTOP
        member.terminating = member.terminating or action is signal.SIGTERM
        if action is signal.SIGKILL:
            wait_for_exit(member.daemon)
        return action.name

    def _restart_if_exited(self, member: Member) -> bool:
        code = member.daemon.poll()
        if code is None:
            return False
        assert code in EXPECTED_EXITS, f"a daemon exited with {code}\n{self.deployment.output()}"
        self.deployment.daemons.remove(member.daemon)
        member.daemon, member.stopped, member.terminating = self._launch(), False, False
        return True

    def _launch(self) -> Daemon:
        return self.deployment.launch(**self.settings)
