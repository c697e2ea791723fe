"""Daemons that are killed, terminated, stopped and continued at random, and started again."""

import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from orca_daemon.local.daemon import Daemon
from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import ended, send_signal

SOON = {
    "START": (1.0, 8.0),
    "SIGKILL": (0.0, 1.0),
    "SIGTERM": (0.0, 2.0),
    "SIGSTOP": (0.5, 14.0),
    "SIGCONT": (0.0, 4.0),
}
"""Seconds until the next action: a stopped daemon often loses its leases, and sometimes keeps them."""
RUNNING = (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGSTOP)
STOPPED = (signal.SIGKILL, signal.SIGCONT, signal.SIGCONT, signal.SIGCONT)
EXPECTED = {0, -signal.SIGKILL, -signal.SIGTERM}
"""Exit codes; a SIGTERM ends a daemon at once before it has a handler, and in the drain."""


@dataclass
class Member:
    """One of the daemons, whichever process it is at the moment."""

    daemon: Daemon
    due: float = 0.0
    """When something is done to it, by the monotonic clock."""
    stopped: bool = False
    ending: bool = False
    """Whether it was told to end."""


@dataclass
class Fleet:
    """Daemons on the same queues."""

    deployment: Deployment
    settings: dict[str, str]
    size: int = 2
    members: list[Member] = field(default_factory=list)
    history: list[tuple[float, int, str]] = field(default_factory=list)
    """When, to which member, what."""

    def disturb(self, seconds: float, seed: int, meanwhile: Callable[[], None]) -> None:
        """Start all, do to them what the seed says for so long, and call `meanwhile` a few times a second."""
        rng, began = random.Random(seed), time.monotonic()
        self.members = [Member(self._launch(), began + rng.uniform(*SOON["START"])) for _ in range(self.size)]
        pause = threading.Event()
        while (now := time.monotonic()) < began + seconds:
            for number, member in enumerate(self.members):
                if member.due <= now:
                    done = self._act(member, rng)
                    member.due = now + rng.uniform(*SOON[done])
                    self.history.append((round(now - began, 3), number, done))
            meanwhile()
            pause.wait(0.2)  # the time between faults is what this is about

    def calm(self) -> list[Daemon]:
        """Let every daemon run, and return them, ready."""
        for member in self.members:
            if member.stopped:
                send_signal(member.daemon, signal.SIGCONT)
                member.stopped = False
            if member.ending:
                ended(member.daemon)
            self._start_if_ended(member)
        for member in self.members:
            member.daemon.ready()
        return [member.daemon for member in self.members]

    def close(self) -> None:
        """Let stopped daemons go on, so that they can be ended."""
        for member in self.members:
            if member.stopped and member.daemon.poll() is None:
                send_signal(member.daemon, signal.SIGCONT)

    def _act(self, member: Member, rng: random.Random) -> str:
        if self._start_if_ended(member):
            return "START"
        action = rng.choice(STOPPED if member.stopped else RUNNING)
        send_signal(member.daemon, action)
        member.stopped = action is signal.SIGSTOP
        member.ending = member.ending or action is signal.SIGTERM
        if action is signal.SIGKILL:
            ended(member.daemon)
        return action.name

    def _start_if_ended(self, member: Member) -> bool:
        code = member.daemon.poll()
        if code is None:
            return False
        assert code in EXPECTED, f"it exited with {code}\n{self.deployment.output()}"
        self.deployment.daemons.remove(member.daemon)
        member.daemon, member.stopped, member.ending = self._launch(), False, False
        return True

    def _launch(self) -> Daemon:
        return self.deployment.launch(**self.settings)
