"""What a failure means."""

import random

import pytest

from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import DependencyDown, Reject
from orca_daemon.engine.verdict import REASON_LENGTH, Failure, Next, decide, reason


@pytest.mark.parametrize(
    ("error", "messages", "attempts", "expected"),
    [
        (ValueError(), 10, 0, Next.SPLIT),
        (Reject("bad"), 10, 0, Next.SPLIT),
        (ValueError(), 1, 1, Next.RETRY),
        (ValueError(), 1, 4, Next.RETRY),
        (ValueError(), 1, 5, Next.DEAD_LETTER),
        (Reject("bad"), 1, 1, Next.DEAD_LETTER),
    ],
)
def test_a_run_is_taken_apart_and_a_message_retried_until_it_is_used_up(
    error: Exception, messages: int, attempts: int, expected: Next
) -> None:
    assert decide(Failure(error, messages, attempts), max_attempts=5).next is expected


def test_a_reason_is_one_short_line() -> None:
    assert reason(Reject("no such\n  file")) == "no such file"
    assert reason(DependencyDown("s3", "no answer")) == "s3 is down: no answer"
    assert reason(ValueError()) == "an unexpected ValueError"
    assert len(reason(Reject("x" * 9999))) == REASON_LENGTH


def test_a_reason_does_not_quote_what_others_choked_on() -> None:
    with pytest.raises(ValueError, match="password") as caught:
        int("the password")
    reported = reason(caught.value)
    assert reported.startswith("an unexpected ValueError at test_verdict.py:")
    assert "password" not in reported


def test_delays_grow_to_the_cap_and_are_never_immediate() -> None:
    rng = random.Random(1)
    backoff = Backoff(base=1, cap=30)
    for attempt in (1, 2, 5, 10, 10_000):
        delays = [backoff.delay(attempt, rng) for _ in range(200)]
        ceiling = min(30.0, 2.0 ** min(attempt - 1, 10))
        assert backoff.floor <= min(delays)
        assert ceiling * 0.8 < max(delays) <= ceiling
