"""The life of a real daemon on a real deployment, of which a case scrapes one phase after the other."""

import json
import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from orca_daemon.local.daemon import Daemon
from orca_daemon.local.layout import DEAD_LETTER
from orca_daemon.settings import STANDARD_QUEUES
from tests.deploy.alerts.scrapes import Phase, Scrape, scrape
from tests.end_to_end.conftest import Deployment
from tests.end_to_end.messages import new_job
from tests.faults.conftest import MakeLink
from tests.waiting import until

SCRAPES = 3
SPACING = 1.1
"""Seconds between two scrapes of a phase: a long poll takes one, and in each phase some must have ended."""
HOUR = 60
"""Minutes."""
QUEUES = ("status_update", "recovery", "internal_report")


def of_each_queue(alert: str) -> list[str]:
    """The alert, once for each queue."""
    return [f"{alert} {queue}" for queue in STANDARD_QUEUES]


@dataclass
class Stage:
    """Starts daemons, brings them into states, and keeps what was scraped."""

    deployment: Deployment
    make_link: MakeLink
    phases: list[Phase] = field(default_factory=list)
    _jobs: int = 0

    @property
    def daemon(self) -> Daemon:
        """The latest daemon."""
        return self.deployment.daemons[-1]

    def start(self, bug: str = "none", *, wait: bool = True, **settings: str) -> Daemon:
        """Start a daemon with an injected bug, and wait until it is ready."""
        program, Daemon.program = Daemon.program, ("-m", "tests.deploy.alerts.daemon", bug)
        try:
            launched = self.deployment.launch(**settings)
        finally:
            Daemon.program = program
        if wait:
            launched.ready()
            self.until(lambda now: now.value("last_poll_success_timestamp_seconds") > 0)
        return launched

    def read(self) -> Scrape:
        """What the daemon exports now."""
        return scrape(self.daemon.url)

    def until(self, holds: Callable[[Scrape], bool]) -> None:
        """Wait until a scrape is as it must be."""
        until(lambda: holds(self.read()), output=self.deployment.output)

    def phase(
        self,
        minutes: int,
        *firing: str,
        meanwhile: Iterable[str] = (),
        between: Callable[[], None] = lambda: None,
    ) -> Phase:
        """Scrape the present state, which is to last for `minutes` and in which just these alerts fire.

        An alert about a queue is named with it: `OrcaDaemonNoPermits recovery`.

        `between` is done before each further scrape.
        """
        scrapes = [self.read()]
        while len(scrapes) < SCRAPES:
            between()
            due = scrapes[-1].time + SPACING
            self.until(lambda now, due=due: now.time >= due)  # type: ignore[misc]
            scrapes.append(self.read())
        return self._keep(scrapes, minutes, firing, meanwhile)

    def gone(self, minutes: int, *firing: str, target: bool = True) -> Phase:
        """A scrape that fails, or none at all because there is no target."""
        failed = self.read()
        assert len(failed.samples) == 1
        return self._keep([failed if target else Scrape(failed.time, {})], minutes, firing, ())

    def _keep(
        self, scrapes: list[Scrape], minutes: int, firing: Iterable[str], meanwhile: Iterable[str]
    ) -> Phase:
        self.phases.append(Phase(tuple(scrapes), minutes, frozenset(firing), frozenset(meanwhile)))
        return self.phases[-1]

    # What cases do with a deployment.

    def signal(self, name: signal.Signals) -> None:
        """Send a signal to the daemon."""
        assert self.daemon.pid is not None
        os.kill(self.daemon.pid, name)

    def kill(self) -> None:
        """Kill the daemon, and return when it has ended."""
        self.signal(signal.SIGKILL)
        until(lambda: self.daemon.poll() is not None)

    def jobs(self, count: int) -> None:
        """Send messages that create jobs, each in a group of its own."""
        for _ in range(count):
            self._jobs += 1
            message = new_job(f"job-{self._jobs}", ["a.hdf"])
            self.send("status_update", message.body, message.attributes, group=f"group-{self._jobs}")

    def poison(self, queue: str = "status_update") -> None:
        """Send a message that can never succeed."""
        self._jobs += 1
        self.send(queue, f'{{"number": {self._jobs}', {}, group=f"poison-{self._jobs}")

    def send(self, queue: str, body: str, attributes: Any, *, group: str = "g") -> None:
        """Send a message to the queue with this name in the settings."""
        url = self.deployment.queues[queue]
        fifo = {"MessageGroupId": group, "MessageDeduplicationId": group} if url.endswith(".fifo") else {}
        typed: Any = {n: {"DataType": "String", "StringValue": value} for n, value in attributes.items()}
        self.deployment.sqs.send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageAttributes=typed,
            **fifo,  # type: ignore[arg-type]
        )

    def empty(self, queue: str) -> None:
        """An operator deals with the dead letters of a queue."""
        self.deployment.sqs.purge_queue(QueueUrl=self.deployment.queues[queue + DEAD_LETTER])

    def attribute(self, queue: str, **values: object) -> None:
        """Set attributes of a queue."""
        texts = {
            name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()
        }
        self.deployment.sqs.set_queue_attributes(
            QueueUrl=self.deployment.queues[queue],
            Attributes=texts,  # type: ignore[arg-type]
        )
