"""Runs the steps of the demo."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import boto3
import psycopg2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from orca_daemon.local.demo.archive import fill
from orca_daemon.local.demo.exporting import export
from orca_daemon.local.demo.granules import granules
from orca_daemon.local.demo.inventory import reconcile, reconcile_disturbed
from orca_daemon.local.demo.mistakes import make_mistakes
from orca_daemon.local.demo.recovery import recover
from orca_daemon.local.demo.scene import Scene, Step
from orca_daemon.local.state import Whereabouts

ARCHIVED = 500
"""Granules in the archive, each of four files."""
RECOVERED = 30
_SPARE = 3


def play(whereabouts: Whereabouts, alive: Callable[[], bool], show: Callable[[Step], None]) -> list[Step]:
    """Feed the sample workload to the daemon.

    Args:
        whereabouts: the addresses of a running stack.
        alive: whether every part of it still runs.
        show: called with each step when it has ended.
    """
    with _scene(whereabouts, alive) as scene:
        return _steps(scene, show)


def _steps(scene: Scene, show: Callable[[Step], None]) -> list[Step]:
    everything = list(granules(ARCHIVED + _SPARE, scene.started))
    archived, spare = everything[:ARCHIVED], everything[ARCHIVED:]
    acts: Sequence[Callable[[], Step]] = (
        lambda: fill(scene, archived),
        lambda: recover(scene, archived[:RECOVERED]),
        lambda: reconcile(scene),
        lambda: make_mistakes(scene, archived[RECOVERED]),
        lambda: reconcile_disturbed(scene, spare),
        lambda: export(scene),
    )
    return [_timed(act, show) for act in acts]


def _timed(act: Callable[[], Step], show: Callable[[Step], None]) -> Step:
    began = time.monotonic()
    step = act()
    step.seconds = round(time.monotonic() - began, 2)
    show(step)
    return step


@contextmanager
def _scene(whereabouts: Whereabouts, alive: Callable[[], bool]) -> Iterator[Scene]:
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    keys = whereabouts.environment
    session = boto3.session.Session(
        keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], region_name=keys["AWS_REGION"]
    )
    with (
        closing(session.client("s3", endpoint_url=whereabouts.aws_endpoint_url)) as s3,
        closing(session.client("sqs", endpoint_url=whereabouts.sqs_endpoint_url)) as sqs,
        closing(psycopg2.connect(whereabouts.database_url)) as connection,
        Progress(
            *columns,
            console=console,
            transient=True,
            disable=not console.is_terminal,
            # Else results would go where the bars are, even if standard output is a file.
            redirect_stdout=sys.stdout.isatty(),
        ) as progress,
    ):
        connection.autocommit = True
        yield Scene(
            whereabouts=whereabouts,
            s3=s3,
            sqs=sqs,
            connection=connection,
            progress=progress,
            alive=alive,
            started=datetime.now(UTC),
        )
