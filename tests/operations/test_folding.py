"""Folding of error texts: what has one cause becomes one text, and the text stays one."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orca_daemon.operations.folding import LONGEST, fold, reason_id

KEY = "MOD09GQ___006/2017/025/MOD/MOD09GQ.A2017025.h21v00.006.2017034065104.hdf"
UUID = "8f3a61c2-52e4-4d0b-9d3e-0c1f6a7b8e90"
FOLDED = {
    f"s3://archive-1/{KEY} does not exist": "s3://archive-1/<name> does not exist",
    f"no job asked for s3://a-b/{KEY}": "no job asked for s3://a-b/<name>",
    f"job {UUID} failed at 2026-11-29T04:30:00Z": "job <name> failed at <time>",
    "the copy has 12,345 bytes and the source 999": "the copy has <n> bytes and the source <n>",
    "it took 30.5s, and 12MB were read": "it took <n>s, and <n>MB were read",
    "status 503 on HeadObject, without a code of AWS": "status 503 on HeadObject, without a code of AWS",
    "another row has the same key (SQLSTATE 23505, unique_violation)": (
        "another row has the same key (SQLSTATE 23505, unique_violation)"
    ),
    "AccessDenied on s3:GetObject in us-west-2": "AccessDenied on s3:GetObject in us-west-2",
    "copies.targets does not name demo-public": "copies.targets does not name demo-public",
    'Could not connect to "https://b.s3.us-west-2.amazonaws.com/k"': 'Could not connect to "<url>"',
    f"granules a1, {UUID}, MOD.h5 and 17 more": "granules <name>… and <n> more",
    "arn:aws:iam::123456789012:role/orca may not": "<name> may not",
    "line\none\ttwo": "line one two",
    "": "",
}


@pytest.mark.parametrize(("text", "folded"), FOLDED.items(), ids=map(str, range(len(FOLDED))))
def test_a_text_is_folded_to_what_it_has_in_common_with_others(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_texts_that_differ_in_keys_numbers_ids_and_times_fold_to_one() -> None:
    texts = {
        f"s3://archive/{number}/{KEY}.{number} differs: {number:,} bytes at 2026-11-{number % 30 + 1:02}T01Z"
        for number in range(2_000)
    }
    assert {fold(text) for text in texts} == {"s3://archive/<name> differs: <n> bytes at <time>"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("status 503 on HeadObject", "status 404 on HeadObject"),
        ("s3://a-one/k does not exist", "s3://a-two/k does not exist"),
        ("a row breaks a check (SQLSTATE 23514)", "a row breaks a check (SQLSTATE 23505)"),
        ("AccessDenied on CopyObject", "NoSuchKey on CopyObject"),
    ],
    ids=["status", "bucket", "SQLSTATE", "code"],
)
def test_texts_of_different_causes_stay_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)


TEXTS = (
    "s3://",
    "bucket",
    "/",
    "status",
    "503",
    "23505",
    "error",
    "1,000",
    "<name>",
    "<n>",
    "é",
    "12:30",
    " of ",
)
PIECES = st.sampled_from(
    [
        *"abcXYZ019/:.,;-_ …'\"()<>[]{}=|\n\t\0\udcff",
        *TEXTS,
        UUID,
        KEY,
        "2026-11-29T04:30:00Z",
        "http://",
        "5MB",
    ]
)


@given(st.one_of(st.text(max_size=400), st.lists(PIECES, max_size=120).map("".join)))
@example("status 503" + " word" * 100)
@example("a/b" * 200)
@example("x," * 300)
def test_what_is_folded_folds_to_itself_and_is_short(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    assert len(folded) <= LONGEST


@pytest.mark.parametrize(
    "piece", ["1,", "s3://a/", "<n> ", "[", "9.", "a-", "12:30:", "-us", " ", "0123456789abcdef/"], ids=repr
)
def test_the_time_is_bounded_whatever_the_text(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    began = time.process_time()
    fold(text)
    assert time.process_time() - began < 0.1


def test_the_id_of_a_reason_is_stable_and_separates_its_parts() -> None:
    assert reason_id("files", "s3://a/<name> does not exist") == "17cc752eea"
    assert reason_id("ab", "c") != reason_id("a", "bc")
