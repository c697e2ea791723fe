"""`orca-daemon policy`: the IAM policy that the daemon's role needs, or the console's."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Annotated, Any

import typer

from orca_daemon.cli.samples import CONSOLE_POLICY, POLICY, sample

_WORD = re.compile(r"[A-Z][A-Z_]{2,}")
"""Words that stand for a user's names, such as REGION and ARCHIVE_BUCKET."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("policy")(policy)


def policy(
    given: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORD=VALUE", help="A value for a word in capitals.", show_default=False),
    ] = None,
    console: Annotated[
        bool, typer.Option("--console", help="The policy of the console, which may do less.")
    ] = False,
) -> None:
    """Print the IAM policy that the daemon's role needs.

    It grants each call that is made and no other.  Words in capitals stand for your names.
    WORD=VALUE puts a name in.  The same word again adds lines for another name, and WORD= without a value
    leaves out the lines with that word.  Words that are left are listed on standard error.

    \b
    orca-daemon policy
    orca-daemon policy --console PREFIX=prod
    orca-daemon policy REGION=us-west-2 ACCOUNT=123456789012 PREFIX=prod \\
        ARCHIVE_BUCKET=prod-archive ARCHIVE_BUCKET=prod-archive-2 KEY_ID= >policy.json
    """
    text = sample(CONSOLE_POLICY if console else POLICY)
    document = json.loads(text)
    values = _values(given or [], words(document))
    if not values:
        typer.echo(text, nl=False)
        return
    filled = fill(document, values)
    typer.echo(json.dumps(filled, indent=2))
    if left := [word for word in words(filled) if word not in values]:
        typer.echo(f"orca-daemon: still to be replaced: {', '.join(left)}", err=True)


def words(document: Any) -> list[str]:
    """The words that stand for names in a policy, in alphabetical order."""
    return sorted(set(_WORD.findall(json.dumps(document))))


def fill(document: dict[str, Any], values: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The policy with values for words; a line with several values becomes several lines.

    A statement that is left without a resource is left out: IAM accepts none without.
    """
    statements = [_filled(statement, values) for statement in document["Statement"]]
    return {**document, "Statement": [each for each in statements if each["Resource"]]}


def _filled(part: Any, values: Mapping[str, Sequence[str]]) -> Any:
    if isinstance(part, dict):
        return {name: _filled(inner, values) for name, inner in part.items()}
    if isinstance(part, list):
        return [line for text in part for line in _lines(text, values)]
    return part


def _lines(text: str, values: Mapping[str, Sequence[str]]) -> Iterator[str]:
    named = sorted({word for word in _WORD.findall(text) if word in values})
    for chosen in product(*(values[word] for word in named)):
        replacements = dict(zip(named, chosen, strict=True))
        yield _WORD.sub(lambda match: replacements.get(match[0], match[0]), text)  # noqa: B023  called at once


def _values(given: Sequence[str], known: Sequence[str]) -> dict[str, list[str]]:
    """The values of each word.  Raises BadParameter."""
    values: dict[str, list[str]] = {}
    for argument in given:
        word, equals, value = argument.partition("=")
        if not equals or word not in known:
            raise typer.BadParameter(
                f"{argument!r} is not WORD=VALUE with one of the words {', '.join(known)}"
            )
        values.setdefault(word, []).extend([value] if value else [])
    return values
