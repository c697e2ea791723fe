"""What a restore by hand would ask for, or why it is refused: functions of values."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from orca_daemon.aws.restore_times import ARCHIVED
from orca_daemon.db.archived import ArchivedFile
from orca_daemon.engine.errors import Reject
from orca_daemon.queues.restore.rules import RestoreRules
from orca_daemon.wire import restore
from orca_daemon.wire.outgoing import Outgoing, dump
from orca_daemon.wire.restore import RestoreFile, RestoreGranule, RestoreRequest, Tier
from orca_daemon.wire.wire_model import MalformedError, make


class RefusedRestoreError(Exception):
    """Nothing may be posted; `reasons` are sentences."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOptions:
    """How the operator wants the files."""

    tier: Tier
    days: int | None = None
    to: str | None = None
    """The bucket for all files; None: by `destinations`."""
    destinations: Mapping[str, str] = field(default_factory=dict)
    """`restore.destinations`."""
    archive: str | None = None
    """Only files in this archive bucket."""
    excluded: tuple[str, ...] = ()
    """Extensions of files that are left out (`excludedFileExtensions`)."""


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file and the bucket where its copy goes."""

    file: ArchivedFile
    destination: str


@dataclass(frozen=True, slots=True)
class PlannedGranule:
    """A granule with the files that are wanted, all in one archive bucket."""

    collection_id: str
    granule_id: str
    archive: str
    files: tuple[PlannedFile, ...]

    @property
    def wire(self) -> RestoreGranule:
        """As it is in a request.  Raises `MalformedError`."""
        name = f"granule {self.granule_id}"
        files = [make(RestoreFile, name, key=one.file.key, destination=one.destination) for one in self.files]
        return make(
            RestoreGranule,
            name,
            collection_id=self.collection_id,
            granule_id=self.granule_id,
            files=tuple(files),
        )


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a plan that goes from one class to one bucket."""

    archive: str
    destination: str
    storage_class: str
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlan:
    """What would be asked for."""

    granules: tuple[PlannedGranule, ...]
    options: RestoreOptions
    excluded: int = 0
    """Files that were left out by their extension."""

    @property
    def files(self) -> Iterator[tuple[PlannedGranule, PlannedFile]]:
        """Every file with its granule."""
        return ((granule, file) for granule in self.granules for file in granule.files)

    @property
    def objects(self) -> int:
        """Number of files."""
        return sum(len(granule.files) for granule in self.granules)

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.file.size for _, file in self.files)

    @property
    def to_restore(self) -> int:
        """Bytes that S3 has to restore: of the archived classes."""
        return sum(file.file.size for _, file in self.files if file.file.storage_class in ARCHIVED)

    @property
    def shares(self) -> list[Share]:
        """The plan by archive, destination and storage class."""
        objects: Counter[tuple[str, str, str]] = Counter()
        sizes: Counter[tuple[str, str, str]] = Counter()
        for granule, one in self.files:
            share = (granule.archive, one.destination, one.file.storage_class)
            objects[share] += 1
            sizes[share] += one.file.size
        return [Share(*share, objects[share], sizes[share]) for share in sorted(objects)]

    def requests(self, job_id: str) -> list[RestoreRequest]:
        """One request for each archive bucket.  Raises `MalformedError`: the tables cannot hold a name."""
        by_archive: dict[str, list[RestoreGranule]] = {}
        for granule in self.granules:
            by_archive.setdefault(granule.archive, []).append(granule.wire)
        return [
            restore.request(
                granules, job_id=job_id, bucket=archive, tier=self.options.tier, days=self.options.days
            )
            for archive, granules in by_archive.items()
        ]


def check(plan: RestorePlan, rules: RestoreRules, job_id: str) -> list[RestoreRequest]:
    """The requests of a plan that the settings allow, as one for each archive bucket.

    The limits of one message count for all that the command asks for together.

    Raises:
        RefusedRestoreError: a setting forbids it, or the tables cannot hold a name.
    """
    try:
        requests = plan.requests(job_id)
        for request in requests:
            rules.check(request)
        rules.check_bytes(plan.to_restore)
    except (MalformedError, Reject) as error:
        raise RefusedRestoreError(str(error)) from None
    if plan.objects > rules.max_files:
        raise RefusedRestoreError(
            f"these are {plan.objects:,} files, and restore.max_files is {rules.max_files:,}"
        )
    if rules.bytes_per_day is not None and plan.to_restore > rules.bytes_per_day:
        raise RefusedRestoreError(
            f"S3 would have to restore {plan.to_restore:,} bytes, and restore.bytes_per_day is"
            f" {rules.bytes_per_day:,}"
        )
    return requests


def messages(requests: Iterable[RestoreRequest], largest: int, *, fifo: bool) -> list[Outgoing]:
    """The requests as messages, cut between granules so that each fits the queue.

    Args:
        requests: each for one archive bucket.
        largest: bytes that a message of the queue may have.
        fifo: whether the queue is FIFO.

    Raises:
        RefusedRestoreError: one granule alone does not fit.
    """
    return [restore.message(part, fifo=fifo) for request in requests for part in _parts(request, largest)]


def _parts(request: RestoreRequest, largest: int) -> Iterator[RestoreRequest]:
    empty = len(restore.message(request.model_copy(update={"granules": ()})).body)
    part: list[RestoreGranule] = []
    size = empty
    for granule in request.granules:
        # JSON of ours is ASCII, and granules are separated by a comma and a blank.
        added = len(dump(restore.granule_document(granule))) + 2
        if empty + added > largest:
            raise RefusedRestoreError(
                f"granule {granule.granule_id} has {len(granule.files):,} files, which make a message of"
                f" {empty + added:,} bytes, and the queue takes {largest:,}: raise its MaximumMessageSize"
            )
        if part and size + added > largest:
            yield request.model_copy(update={"granules": tuple(part)})
            part, size = [], empty
        part.append(granule)
        size += added
    if part:
        yield request.model_copy(update={"granules": tuple(part)})
