"""The engine broken on purpose in how it judges dependencies: who is charged, who waits, and for how long."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from orca_daemon.engine import charges, dependencies
from orca_daemon.engine.circuit import Places
from orca_daemon.engine.dead_lettering import DeadLettering
from orca_daemon.engine.dependencies import Dependencies
from orca_daemon.engine.errors import DependencyDown, Refused
from orca_daemon.engine.events import Cause
from orca_daemon.engine.in_flight_message import InFlightMessage
from orca_daemon.engine.lanes import Run
from tests.simulation.mutant import breaks


@breaks("i7_no_collateral")
def charge_for_an_outage() -> AbstractContextManager[object]:
    """Count an attempt when a dependency is down."""

    async def failed(*_: object, **__: object) -> None:
        return

    return patch.object(Dependencies, "failed", failed)


@breaks("i7_no_collateral")
def charge_without_evidence() -> AbstractContextManager[object]:
    """Take every failure at a place for the fault of the message."""
    return patch.object(charges, "proven", lambda *_: True)


@breaks("i13_poison_hurts_nobody")
def charge_for_not_yet() -> AbstractContextManager[object]:
    """Count an attempt when something is still to come, or asks for patience."""

    def not_yet(_: Dependencies, run: Run) -> float:
        [message] = run.messages
        message.attempts_failed(1)
        if message.attempts >= 3:
            message.dead_letter_reason = "it was early"
        return 0.1

    return patch.object(Dependencies, "not_yet", not_yet)


@breaks("i31_refused_at_a_place_that_is_down")
def charge_where_all_are_refused() -> AbstractContextManager[object]:
    """Take every refusal for the fault of the message, although nobody is allowed there any more."""
    failed = Dependencies.failed

    async def _failed(self: Dependencies, run: Run, error: DependencyDown | Refused, **more: Any) -> Any:
        decision = await failed(self, run, error, **more)
        return None if isinstance(error, Refused) else decision

    return patch.object(Dependencies, "failed", _failed)


@breaks("i28_places_come_back")
def never_close_a_breaker() -> AbstractContextManager[object]:
    """Take a place that was down once for down for ever."""
    return patch.object(Places, "_close", lambda *_: None)


@breaks("i27_half_open")
def let_everybody_try() -> AbstractContextManager[object]:
    """Hold nothing back for a place that is down, but for a pause of its own."""
    failed = Dependencies.failed

    async def _failed(self: Dependencies, run: Run, error: DependencyDown | Refused, **more: Any) -> Any:
        decision = await failed(self, run, error, **more)
        return decision and replace(decision, pause=decision.pause or 1.0)

    @contextmanager
    def both() -> Iterator[None]:
        with (
            patch.object(Dependencies, "failed", _failed),
            patch.object(Places, "admit", lambda *_: None),
        ):
            yield

    return both()


@breaks("i29_unproven")
def wait_without_end() -> AbstractContextManager[object]:
    """Never give up a message that fails alone."""
    judge = charges.judge

    def _judge(*arguments: Any, **more: Any) -> charges.Judgement:
        judgement = judge(*arguments, **more)
        return replace(judgement, cause=None) if judgement.cause is Cause.UNPROVEN else judgement

    return patch.object(dependencies, "judge", _judge)


@breaks("i29_unproven")
def have_no_patience() -> AbstractContextManager[object]:
    """Give up a message that fails alone at its second failure."""
    judge = charges.judge

    def _judge(*arguments: Any, rules: charges.Rules, **more: Any) -> charges.Judgement:
        return judge(*arguments, rules=replace(rules, patience=0.0), **more)

    return patch.object(dependencies, "judge", _judge)


@breaks("i29_unproven")
def give_up_what_fails_with_others() -> AbstractContextManager[object]:
    """End the patience with a message although others fail at the same place."""
    judge = charges.judge

    def _judge(history: Any, standing: charges.Standing, **more: Any) -> charges.Judgement:
        return judge(history, replace(standing, others_wait=False), **more)

    return patch.object(dependencies, "judge", _judge)


@breaks("i30_notification_is_given_up")
def notify_for_ever() -> AbstractContextManager[object]:
    """Try without end to tell of a message that nobody can be told of."""

    async def _notify_again(self: DeadLettering, run: Run, message: InFlightMessage, _: Exception) -> bool:
        message.notification_failed()
        self._give_back(run, 5.0)
        return True

    return patch.object(DeadLettering, "_notify_again", _notify_again)


@breaks("i32_set_aside_at_once")
def hold_up_the_group_of_what_cannot_be_dead_lettered() -> AbstractContextManager[object]:
    """Keep at the head of its group a message that the dead-letter queue will never take."""
    set_aside = DeadLettering._set_aside

    async def _set_aside(self: DeadLettering, run: Run) -> None:
        with patch.object(self._in_flight, "release", lambda *_, **__: self._give_back(run, 10.0)):
            await set_aside(self, run)

    return patch.object(DeadLettering, "_set_aside", _set_aside)
