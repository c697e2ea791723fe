"""Chooses the files of granules and their destinations for a restore by hand: functions of values."""

from collections import Counter
from collections.abc import Iterator, Sequence

from orca_daemon.aws.restore_times import is_possible
from orca_daemon.db.archived import ArchivedFile, ArchivedGranule, WantedGranule
from orca_daemon.operations.restore_plan import (
    PlannedFile,
    PlannedGranule,
    RefusedRestoreError,
    RestoreOptions,
    RestorePlan,
)
from orca_daemon.wire.destinations import PatternError, bucket_for, is_excluded
from orca_daemon.wire.restore import Tier


def plan(
    wanted: Sequence[WantedGranule], found: Sequence[ArchivedGranule], options: RestoreOptions
) -> RestorePlan:
    """Choose the files of the wanted granules, and their destinations.

    Args:
        wanted: the granules that were named.
        found: what the catalog has of them.
        options: how the operator wants them.

    Raises:
        RefusedRestoreError: a granule is unknown or in several collections, or a file cannot be asked for.
    """
    reasons = list(_granule_problems(wanted, found))
    granules, excluded = [], 0
    for granule in found:
        try:
            planned, left_out = _planned(granule, options)
        except RefusedRestoreError as error:
            reasons.extend(error.reasons)
        else:
            excluded += left_out
            granules.extend([planned] if planned else [])
    if reasons:
        raise RefusedRestoreError(*reasons)
    made = RestorePlan(granules=tuple(granules), options=options, excluded=excluded)
    if refusal := _tier_refusal(made):
        raise RefusedRestoreError(refusal)
    return made


def _granule_problems(wanted: Sequence[WantedGranule], found: Sequence[ArchivedGranule]) -> Iterator[str]:
    """Why granules cannot be asked for: the catalog does not have them, or not only once."""
    collections: dict[str, list[str]] = {}
    for granule in found:
        collections.setdefault(granule.granule_id, []).append(granule.collection_id)
    for one in dict.fromkeys(wanted):
        known = collections.get(one.granule_id, [])
        if one.collection_id is not None:
            if one.collection_id not in known:
                yield f"the catalog has no granule {one.granule_id} in collection {one.collection_id}"
        elif not known:
            yield f"the catalog has no granule {one.granule_id}"
        elif len(known) > 1:
            names = ", ".join(known)
            text = f"granule {one.granule_id} is in {len(known)} collections"
            yield f"{text} ({names}): name one by --collection"


def _planned(granule: ArchivedGranule, options: RestoreOptions) -> tuple[PlannedGranule | None, int]:
    """The granule with its wanted files, None if it has none, and how many were excluded."""
    files = [file for file in granule.files if options.archive in {None, file.archive}]
    kept = [file for file in files if not _is_excluded(file, options)]
    label = f"granule {granule.granule_id}"
    if not files:
        where = f" in {options.archive}" if options.archive else ""
        raise RefusedRestoreError(f"{label} has no files{where} in the catalog")
    if len(archives := sorted({file.archive for file in kept})) > 1:
        raise RefusedRestoreError(
            f"{label} has files in several archive buckets ({', '.join(archives)}): name one by --archive"
        )
    counted = Counter(file.key.rpartition("/")[2] for file in kept)
    if twice := [name for name, count in counted.items() if count > 1]:
        raise RefusedRestoreError(
            f"{label} has several files named {twice[0]}, and a job tells files apart by their names"
        )
    destinations = [(file, _destination(file, options)) for file in kept]
    if missing := [file for file, destination in destinations if destination is None]:
        raise RefusedRestoreError(*(_without_destination(label, file, options) for file in missing))
    planned = tuple(PlannedFile(file, to) for file, to in destinations if to is not None)
    made = (
        PlannedGranule(granule.collection_id, granule.granule_id, archives[0], planned) if planned else None
    )
    return made, len(files) - len(kept)


def _is_excluded(file: ArchivedFile, options: RestoreOptions) -> bool:
    try:
        return is_excluded(file.name, options.excluded)
    except PatternError as error:
        raise RefusedRestoreError(f"an extension of --exclude {error}") from None


def _destination(file: ArchivedFile, options: RestoreOptions) -> str | None:
    return options.to or bucket_for(file.name, options.destinations.items())


def _without_destination(label: str, file: ArchivedFile, options: RestoreOptions) -> str:
    """The sentence for a file that no pattern matches."""
    text = f"{file.name} of {label} has no destination"
    if not options.destinations:
        return f"{text}: restore.destinations is not set; set it, or pass --to"
    return f"{text}: no pattern of restore.destinations matches; tried: {', '.join(options.destinations)}"


def _tier_refusal(plan: RestorePlan) -> str | None:
    """Why the tier does not do for a storage class of these files."""
    tier = plan.options.tier
    refused = [one.file for _, one in plan.files if not is_possible(one.file.storage_class, tier)]
    if not refused:
        return None
    others = " or ".join(each for each in Tier if is_possible(refused[0].storage_class, each))
    count = f"{len(refused):,} files are" if len(refused) > 1 else "1 file is"
    return (
        f"{count} in {refused[0].storage_class}, which has no {tier} restores, such as {refused[0].key}:"
        f" use {others}"
    )
