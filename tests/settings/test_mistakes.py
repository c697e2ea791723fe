"""Every mistake in the settings is a sentence of ours, with the setting's key and its variable."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca_daemon.settings import STANDARD_QUEUES, QueueSection, Settings, SettingsError, load

FOREIGN = re.compile(
    r"Input should|Extra inputs|Field required|further information|pydantic|value_error|_type\b|\[type="
    r"|constrained|function-|\[key\]|\w+Section|Errno|is not a value that this setting can have"
)
"""Words of pydantic, and our own sentence for a mistake that nobody foresaw."""
LITERALS = ("-1", "1e400", "1.5", "nan", "true", "2026-11-29", '""', '"/"', "[1]", "{a = {b = 1}}")
TEXTS = ("x", "-1", "inf", "[1]", '{"/": {}}', "\udcff", "9" * 5000)


def names() -> Iterator[tuple[str, ...]]:
    for section, field in Settings.model_fields.items():
        if section == "queues":
            yield from (
                (section, queue, key) for queue in STANDARD_QUEUES for key in QueueSection.model_fields
            )
        else:
            yield from ((section, key) for key in getattr(field.annotation, "model_fields", {}))


NAMES = sorted(names())
KEY = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12).filter(lambda name: "__" not in name)


def variable(path: tuple[str, ...]) -> str:
    return f"ORCA_{'__'.join(path).upper()}"


def mistakes(file: Path | None, environ: dict[str, str]) -> list[str]:
    try:
        load(file, environ, need_queue=False)
    except SettingsError as error:
        return error.mistakes
    return []


def assert_ours(found: list[str], path: tuple[str, ...]) -> None:
    for mistake in found:
        key, _, rest = mistake.partition(" (")
        assert key.startswith(".".join(path)), mistake
        assert rest.startswith(variable(path)), mistake
        assert FOREIGN.search(mistake) is None, mistake
        assert "\n" not in mistake


@pytest.mark.parametrize("path", NAMES, ids=".".join)
def test_a_wrong_value_in_the_file_is_a_sentence_of_ours(path: tuple[str, ...], tmp_path: Path) -> None:
    file, wrong = tmp_path / "settings.toml", 0
    for literal in LITERALS:
        *table, key = path
        file.write_text(f"[{'.'.join(table)}]\n{key} = {literal}\n", "utf-8")
        found = mistakes(file, {})
        assert_ours(found, path)
        wrong += bool(found)
    assert wrong > 0


@pytest.mark.parametrize("path", NAMES, ids=".".join)
def test_a_wrong_value_in_the_environment_is_a_sentence_of_ours(path: tuple[str, ...]) -> None:
    for text in TEXTS:
        assert_ours(mistakes(None, {variable(path): text}), path)


@pytest.mark.parametrize("section", sorted(Settings.model_fields))
def test_a_section_that_is_no_table_is_a_sentence_of_ours(section: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f"{section} = 3\n", "utf-8")

    assert mistakes(file, {}) == [f"{section} (ORCA_{section.upper()}__<KEY>): must be a table"]


@pytest.mark.parametrize("path", NAMES, ids=".".join)
def test_a_setting_with_a_letter_too_few_is_answered_with_the_setting(path: tuple[str, ...]) -> None:
    wrong = (*path[:-1], path[-1][:-1])
    if wrong in NAMES:
        return  # no such name today; then it would be another setting
    assert mistakes(None, {variable(wrong): "x"}) == [
        (
            f"{'.'.join(wrong)} ({variable(wrong)}): there is no such setting; "
            f"did you mean {'.'.join(path)} ({variable(path)})?"
        )
    ]


@pytest.mark.parametrize(
    ("environ", "mistake"),
    [
        (
            {"ORCA_DATABSE__URL": "x"},
            (
                "databse.url (ORCA_DATABSE__URL): there is no such setting; "
                "did you mean database.url (ORCA_DATABASE__URL)?"
            ),
        ),
        (
            {"ORCA_QUEUE__RECOVERY__URL": "x"},
            (
                "queue.recovery.url (ORCA_QUEUE__RECOVERY__URL): there is no such setting; "
                "did you mean queues.recovery.url (ORCA_QUEUES__RECOVERY__URL)?"
            ),
        ),
        (
            {"ORCA_QUEUES__MINE__URI": "x"},
            (
                "queues.mine.uri (ORCA_QUEUES__MINE__URI): there is no such setting; "
                "did you mean queues.mine.url (ORCA_QUEUES__MINE__URL)?"
            ),
        ),
        (
            {"DATABASE_PORT": "abc"},
            (
                "database.port (ORCA_DATABASE__PORT, set by DATABASE_PORT): must be a whole number, "
                "or must be ssm:NAME or secret:ARN"
            ),
        ),
        (
            {"ORCA_HTTP__PORT": "70000"},
            "http.port (ORCA_HTTP__PORT): must be at most 65535",
        ),
        (
            {"ORCA_DATABASE__ZZZZZZZZ": "x"},
            "database.zzzzzzzz (ORCA_DATABASE__ZZZZZZZZ): there is no such setting",
        ),
    ],
    ids=["section", "queue", "our queue", "variable of ORCA's", "limit", "nothing like it"],
)
def test_a_mistake_names_the_setting_its_variable_and_what_would_be_right(
    environ: dict[str, str], mistake: str
) -> None:
    assert mistakes(None, environ) == [mistake]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("lease = 1", "lease: there is no such setting; did you mean engine.lease (ORCA_ENGINE__LEASE)?"),
        (
            "[engin]\nlease = 7\nheld = 3",
            (
                "engin.lease (ORCA_ENGIN__LEASE): there is no such setting; "
                "did you mean engine.lease (ORCA_ENGINE__LEASE)?\n"
                "engin.held (ORCA_ENGIN__HELD): there is no such setting; "
                "did you mean engine.held (ORCA_ENGINE__HELD)?"
            ),
        ),
        (
            '[export.tables.staff]\ncolum = "x"',
            (
                "export.tables.staff.colum (ORCA_EXPORT__TABLES__STAFF__COLUM): there is no such setting; "
                "did you mean export.tables.staff.column (ORCA_EXPORT__TABLES__STAFF__COLUMN)?"
            ),
        ),
        (
            "[recovery.bucket_map]\nh5 = 3",
            "recovery.bucket_map (ORCA_RECOVERY__BUCKET_MAP): the value of 'h5' must be a text",
        ),
        ("[copies]\nsources = [1]", "copies.sources (ORCA_COPIES__SOURCES): item 1 must be a text"),
        (
            '[queues.a]\nurl = "http://h/1/q"\n[queues.b]\nurl = "http://h/1/q"',
            "queues.b.url (ORCA_QUEUES__B__URL): is that of queues.a.url: two queues have the same URL",
        ),
        ("lease =", "FILE: it is not TOML: Invalid value (at end of document)"),
    ],
    ids=["no table", "table", "export", "entry", "item", "two queues", "not TOML"],
)
def test_a_mistake_in_the_file_says_where_it_is(text: str, mistake: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text, "utf-8")

    assert "\n".join(mistakes(file, {})).replace(str(file), "FILE") == mistake


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    other = tmp_path / "latin"
    other.write_bytes(b"\xff")

    assert mistakes(tmp_path, {}) == [f"{tmp_path}: Is a directory"]
    assert mistakes(other, {}) == [f"{other}: it is not text in UTF-8"]


@given(st.lists(KEY, min_size=1, max_size=4), st.text(max_size=5))
def test_any_name_of_a_setting_is_accepted_or_answered_in_our_words(path: list[str], value: str) -> None:
    for mistake in mistakes(None, {variable(tuple(path)): value}):
        assert FOREIGN.search(mistake) is None
        assert variable(tuple(path)) in mistake
