"""Which buckets a copy may read and write: patterns, refusals, and settings that contradict each other."""

import re

import pytest

from orca_daemon.settings import SettingsError, load
from orca_daemon.settings.buckets import CopyRules, matches

RULES = CopyRules(sources=("archive", "archive-*"), targets=("protected", "public-?"), export="exports")


@pytest.mark.parametrize(
    ("pattern", "bucket", "expected"),
    [
        ("archive", "archive", True),
        ("archive", "archive-2", False),
        ("archive-*", "archive-", True),
        ("*-archive", "my-archive", True),
        ("a?c", "abc", True),
        ("a[bd]c", "adc", True),
        ("a[!b]c", "abc", False),
        ("Archive", "archive", False),
        ("archive", "ARCHIVE", False),
        ("a.c", "abc", False),
    ],
)
def test_a_pattern_matches_whole_names(pattern: str, bucket: str, expected: bool) -> None:  # noqa: FBT001  parametrised
    assert matches(bucket, ("nothing", pattern)) is expected


@pytest.mark.parametrize(
    ("source", "target", "refusal"),
    [
        ("archive", "protected", None),
        ("archive-2", "public-1", None),
        ("other", "protected", "nothing is copied from other: copies.sources does not name it"),
        ("archive", "other", "nothing is copied to other: copies.targets does not name it"),
        ("exports", "protected", "nothing is copied from exports: it holds exports (export.bucket)"),
        ("archive", "exports", "nothing is copied to exports: it holds exports (export.bucket)"),
        (
            "archive",
            "archive-2",
            "nothing is copied to archive-2: copies.sources names it, and an archive is only read",
        ),
        ("..", "protected", "nothing is copied from '..': it is not the name of a bucket"),
        (
            "archive",
            "arn:aws:s3:::x",
            "nothing is copied to 'arn:aws:s3:::x': it is not the name of a bucket",
        ),
    ],
)
def test_a_refusal_names_the_setting(source: str, target: str, refusal: str | None) -> None:
    assert RULES.refusal(source, target) == refusal


def test_without_rules_only_the_export_bucket_is_refused() -> None:
    rules = CopyRules(export="exports")
    assert rules.refusal("any", "other") is None
    assert rules.unset == ["copies.sources", "copies.targets"]
    assert rules.refusal("any", "exports")
    assert rules.refusal("exports", "any")
    assert RULES.unset == []


def test_an_archive_is_refused_as_target_even_if_targets_name_it() -> None:
    assert CopyRules(sources=("archive",), targets=("*",)).target_refusal("archive")
    assert CopyRules(sources=("archive",)).target_refusal("archive")


def test_compared_buckets_are_refused_as_targets_unless_targets_name_them() -> None:
    rules = CopyRules(compared=("archive", "reports"))
    refusal = rules.target_refusal("reports")
    assert refusal is not None
    assert "reconcile.sources names it" in refusal
    assert rules.refusal("archive", "protected") is None
    assert CopyRules(compared=("reports",), targets=("reports",)).target_refusal("reports") is None


QUEUE = {"ORCA_QUEUES__STATUS_UPDATE__URL": "http://127.0.0.1/1/q"}
ROUTE = {"ORCA_RECOVERY__UNKNOWN_KEYS": "route", "ORCA_RECOVERY__PUBLIC_BUCKET": "public"}


@pytest.mark.parametrize(
    ("environ", "mistake"),
    [
        ({"ORCA_COPIES__SOURCES": "a,*"}, "copies.sources: * names every bucket"),
        ({"ORCA_COPIES__SOURCES": ""}, "copies.sources: must name buckets, or be left out"),
        ({"ORCA_COPIES__TARGETS": " , "}, "copies.targets: must name buckets, or be left out"),
        (
            {"ORCA_COPIES__SOURCES": "a*", "ORCA_COPIES__TARGETS": "ab"},
            "copies.targets: nothing is copied to ab",
        ),
        ({**ROUTE, "ORCA_EXPORT__BUCKET": "public"}, "recovery.public_bucket: nothing is copied to public"),
        ({**ROUTE, "ORCA_COPIES__TARGETS": "other"}, "recovery.public_bucket: nothing is copied to public"),
        (
            {**ROUTE, "BUCKET_MAP": '{"other": "rest"}', "ORCA_COPIES__SOURCES": "re*"},
            "recovery.bucket_map.other: nothing is copied to rest",
        ),
        (
            {**ROUTE, "ORCA_RECONCILE__SOURCES": "pub*"},
            "recovery.public_bucket: nothing is copied to public: reconcile.sources names it",
        ),
    ],
    ids=["any", "empty", "blank", "both", "exports", "elsewhere", "map", "compared"],
)
def test_settings_that_contradict_each_other_are_a_mistake(environ: dict[str, str], mistake: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(None, QUEUE | environ)
    assert mistake in re.sub(r" \(ORCA_[A-Z_]+\)", "", str(raised.value))


def test_patterns_are_read_from_the_environment() -> None:
    settings = load(None, QUEUE | {"ORCA_COPIES__SOURCES": "a, b-*", "ORCA_COPIES__TARGETS": "c*"})
    assert CopyRules.of(settings) == CopyRules(sources=("a", "b-*"), targets=("c*",))


def test_a_star_in_reconcile_sources_forbids_no_copy() -> None:
    settings = load(None, QUEUE | ROUTE | {"ORCA_RECONCILE__SOURCES": "*"})
    assert CopyRules.of(settings).refusal("any", "other") is None


def test_without_disaster_recovery_its_buckets_are_not_checked() -> None:
    load(None, QUEUE | {"PUBLIC_BUCKET": "public", "ORCA_COPIES__TARGETS": "other"})
