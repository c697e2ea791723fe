"""What a restore by hand asks for, and every reason for which nothing is posted."""

import json
from typing import Any

import pytest

from orca_daemon.db.archived import ArchivedFile, ArchivedGranule, WantedGranule
from orca_daemon.operations.restore_choice import plan
from orca_daemon.operations.restore_plan import (
    RefusedRestoreError,
    RestoreOptions,
    RestorePlan,
    Share,
    check,
    messages,
)
from orca_daemon.queues.restore.rules import RestoreRules
from orca_daemon.settings import load
from orca_daemon.wire import restore
from orca_daemon.wire.restore import Tier

DESTINATIONS = {r"\.(h5|nc)$": "protected", r"BROWSE": "public", r"\.met$": "public"}
OPTIONS = RestoreOptions(tier=Tier.STANDARD, destinations=DESTINATIONS)


def file(name: str, *, storage: str = "GLACIER", archive: str = "archive", size: int = 10) -> ArchivedFile:
    return ArchivedFile(name, f"d/{name}", archive, size, storage)


def granule(*files: ArchivedFile, name: str = "G", collection: str = "C___1") -> ArchivedGranule:
    return ArchivedGranule(collection, name, files)


def planned(*found: ArchivedGranule, **options: Any) -> RestorePlan:
    wanted = [WantedGranule(one.granule_id, one.collection_id) for one in found]
    chosen = {"tier": Tier.STANDARD, "destinations": DESTINATIONS} | options
    return plan(wanted, found, RestoreOptions(**chosen))


def refusal(*found: ArchivedGranule, **options: Any) -> tuple[str, ...]:
    with pytest.raises(RefusedRestoreError) as caught:
        planned(*found, **options)
    return caught.value.reasons


def rules(**environment: str) -> RestoreRules:
    return RestoreRules.of(load(None, environment, need_queue=False))


def test_the_first_pattern_that_is_found_in_the_name_chooses_the_bucket() -> None:
    made = planned(granule(file("a.h5"), file("a_BROWSE.h5"), file("a_BROWSE.jpg"), file("a.met")))

    assert {one.file.name: one.destination for _, one in made.files} == {
        "a.h5": "protected",
        "a_BROWSE.h5": "protected",
        "a_BROWSE.jpg": "public",
        "a.met": "public",
    }


def test_a_plan_is_summed_up_by_archive_destination_and_class() -> None:
    made = planned(
        granule(file("a.h5", size=3), file("b.h5", size=4, storage="DEEP_ARCHIVE"), file("c.met", size=5)),
        granule(file("d.h5", size=6), name="H"),
    )

    assert made.shares == [
        Share("archive", "protected", "DEEP_ARCHIVE", 1, 4),
        Share("archive", "protected", "GLACIER", 2, 9),
        Share("archive", "public", "GLACIER", 1, 5),
    ]
    assert (made.objects, made.bytes, made.to_restore) == (4, 18, 18)


def test_readable_classes_are_not_counted_as_bytes_to_restore() -> None:
    made = planned(granule(file("a.h5", storage="GLACIER_IR", size=7), file("b.h5", size=1)))

    assert (made.bytes, made.to_restore) == (8, 1)


def test_files_are_left_out_by_their_extension_only_if_asked() -> None:
    found = granule(file("a.h5"), file("a.met"))

    assert planned(found).objects == 2
    assert [one.file.name for _, one in planned(found, excluded=(r"\.met",)).files] == ["a.h5"]
    assert planned(found, excluded=(r"\.met",)).excluded == 1
    assert planned(found, excluded=(".*",)).granules == ()


def test_an_unknown_granule_is_named() -> None:
    wanted = [WantedGranule("G"), WantedGranule("X"), WantedGranule("G", "D___1")]

    with pytest.raises(RefusedRestoreError) as caught:
        plan(wanted, [granule(file("a.h5"))], OPTIONS)
    assert caught.value.reasons == (
        "the catalog has no granule X",
        "the catalog has no granule G in collection D___1",
    )


def test_a_granule_of_several_collections_is_refused_with_their_names() -> None:
    found = [granule(file("a.h5")), granule(file("b.h5"), collection="D___1")]

    with pytest.raises(RefusedRestoreError) as caught:
        plan([WantedGranule("G")], found, OPTIONS)
    assert caught.value.reasons == ("granule G is in 2 collections (C___1, D___1): name one by --collection",)


def test_a_file_without_a_destination_is_named_with_the_patterns_that_were_tried() -> None:
    [sentence] = refusal(granule(file("a.h5"), file("a.xml")))
    tried = r"\.(h5|nc)$, BROWSE, \.met$"
    assert sentence == (
        f"a.xml of granule G has no destination: no pattern of restore.destinations matches; tried: {tried}"
    )
    assert refusal(granule(file("a.h5")), destinations={}) == (
        "a.h5 of granule G has no destination: restore.destinations is not set; set it, or pass --to",
    )
    assert planned(granule(file("a.xml")), to="anywhere").objects == 1


def test_expedited_does_not_do_for_deep_archive() -> None:
    deep = granule(file("a.h5", storage="DEEP_ARCHIVE"), file("b.h5"))

    assert refusal(deep, tier=Tier.EXPEDITED) == (
        "1 file is in DEEP_ARCHIVE, which has no Expedited restores, such as d/a.h5: use Standard or Bulk",
    )
    assert planned(deep, tier=Tier.BULK).objects == 2


def test_what_a_job_cannot_hold_is_refused() -> None:
    two = [ArchivedFile("a.h5", f"{folder}/a.h5", "archive", 1, "GLACIER") for folder in "xy"]
    split = [file("a.h5"), file("b.h5", archive="other")]

    assert refusal(granule(*two)) == (
        "granule G has several files named a.h5, and a job tells files apart by their names",
    )
    assert refusal(granule(*split)) == (
        "granule G has files in several archive buckets (archive, other): name one by --archive",
    )
    assert [one.file.name for _, one in planned(granule(*split), archive="other").files] == ["b.h5"]
    assert refusal(granule(*split), archive="third") == ("granule G has no files in third in the catalog",)
    assert refusal(granule()) == ("granule G has no files in the catalog",)


def test_a_pattern_that_is_no_expression_is_refused() -> None:
    assert refusal(granule(file("a.h5")), excluded=("(",)) == (
        "an extension of --exclude is no regular expression",
    )


def test_all_reasons_are_told_at_once() -> None:
    assert len(refusal(granule(file("a.xml"), file("b.xml")), granule(name="H"))) == 3


@pytest.mark.parametrize(
    ("environment", "setting"),
    [
        ({"ORCA_RESTORE__MAX_FILES": "1"}, "restore.max_files is 1"),
        ({"ORCA_RESTORE__MAX_BYTES": "19"}, "restore.max_bytes is 19"),
        ({"ORCA_RESTORE__BYTES_PER_DAY": "19"}, "restore.bytes_per_day is 19"),
        ({"ORCA_RESTORE__TIERS": "Bulk", "ORCA_RESTORE__TIER": "Bulk"}, "restore.tiers"),
        ({"ORCA_RESTORE__SOURCES": "other-*"}, "restore.sources"),
        ({"ORCA_RESTORE__TARGETS": "other-*"}, "restore.targets"),
        ({"ORCA_COPIES__SOURCES": "other-*"}, "copies.sources"),
        ({"ORCA_COPIES__TARGETS": "other-*"}, "copies.targets"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_limit_is_named(environment: dict[str, str], setting: str) -> None:
    made = planned(granule(file("a.h5")), granule(file("b.h5"), name="H"))

    assert len(check(made, rules(), "job")) == 1
    with pytest.raises(RefusedRestoreError, match=setting):
        check(made, rules(**environment), "job")


def test_names_that_the_tables_cannot_hold_are_refused() -> None:
    made = planned(granule(file("a.h5"), name="G" * 3_000))

    with pytest.raises(RefusedRestoreError, match="granuleId is too long"):
        check(made, rules(), "job")


def test_each_archive_has_a_request_of_its_own_and_all_have_one_job() -> None:
    made = planned(granule(file("a.h5")), granule(file("b.h5", archive="other"), name="H"), days=7)

    requests = check(made, rules(), "job")

    assert [(one.bucket, one.job_id, one.tier, one.days) for one in requests] == [
        ("archive", "job", Tier.STANDARD, 7),
        ("other", "job", Tier.STANDARD, 7),
    ]
    assert [[granule.granule_id for granule in one.granules] for one in requests] == [["G"], ["H"]]


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "FIFO"])
def test_ten_thousand_granules_are_cut_into_messages_that_fit(*, fifo: bool) -> None:
    found = [granule(file(f"{number}.h5"), name=f"G{number}") for number in range(10_000)]
    requests = check(planned(*found), rules(), "job")

    cut = messages(requests, 262_144, fifo=fifo)

    assert all(message.size <= 262_144 for message in cut)
    # No message could take the first granule of its successor as well.
    assert all(message.size > 262_144 - 200 for message in cut[:-1])
    read = [restore.decode(message.body) for message in cut]
    names = [one.granule_id for request in read for one in request.granules]
    assert names == [one.granule_id for one in found]
    assert {request.job_id for request in read} == {"job"}
    assert len({message.group for message in cut}) == (len(cut) if fifo else 1)


def test_a_queue_that_takes_more_gets_fewer_messages() -> None:
    found = [granule(file(f"{number}.h5"), name=f"G{number}") for number in range(10_000)]
    requests = check(planned(*found), rules(), "job")

    assert len(messages(requests, 1_048_576, fifo=False)) < len(messages(requests, 262_144, fifo=False))


def test_a_granule_that_alone_is_too_large_is_refused() -> None:
    requests = check(planned(granule(*(file(f"{number}.h5") for number in range(100)))), rules(), "job")
    size = len(json.dumps(restore.document(requests[0]))) + 2

    assert len(messages(requests, size, fifo=False)) == 1
    with pytest.raises(RefusedRestoreError, match=r"granule G has 100 files.*raise its MaximumMessageSize"):
        messages(requests, size - 1, fifo=False)
