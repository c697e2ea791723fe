"""Reads the commands of documents (`sh` blocks, tables, sentences) and of comments in manifests."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MANIFESTS = sorted(
    path for path in (ROOT / "deploy").rglob("*") if path.suffix in {".yaml", ".yml", ".json", ".service"}
)
Command = list[str]
_SEPARATORS = {"&", "|", ";"}
"""The first characters of what joins commands."""


def sections(page: Path) -> dict[str, str]:
    """The text below each heading of the second level."""
    parts = re.split(r"^## (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def blocks(text: str) -> list[list[Command]]:
    """The commands of each `sh` block."""
    found = re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [list(parsed(block)) for block in found]


def spans(text: str) -> Iterator[Command]:
    """The commands in `code` within sentences and tables."""
    outside_blocks = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    for span in re.findall(r"`([^`]+)`", outside_blocks):
        if re.match(r"(kubectl|docker|aws|systemctl) \S+", span):
            yield from parsed(span)


def comments(manifest: Path) -> Iterator[Command]:
    """The commands in a manifest's comments: indented by more than a sentence."""
    for line in re.findall(r"^ *#   (\S.*)$", manifest.read_text("utf-8"), re.MULTILINE):
        yield from parsed(line)


def parsed(script: str) -> Iterator[Command]:
    """The simple commands of a script; redirections and comments are left out."""
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
        lexer.whitespace_split = True
        command: Command = []
        for word in _without_redirections(lexer):
            if word[:1] in _SEPARATORS:
                if command:
                    yield command
                command = []
            else:
                command.append(word)
        if command:
            yield command


def _without_redirections(words: Iterator[str]) -> Iterator[str]:
    for word in words:
        if word[:1] in {"<", ">"}:
            next(words, None)
        else:
            yield word
