"""Finds every command line of `orca-daemon` in the documents and in the texts of `--help`, and parses it."""

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import typer

from orca_daemon.cli import app

ROOT = Path(__file__).parents[1]
_ROOTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = (*(ROOT / name for name in _ROOTS), *sorted(ROOT.glob("docs/**/*.md")))
PROGRAM = "orca-daemon"
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_SHELLS = frozenset({"", "sh", "bash", "shell", "console", "text"})
_SPAN = re.compile(r"`([^`]+)`")
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
_ASSIGNMENT = re.compile(r"\w+=")
_PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*")
_WRAPPERS = frozenset({"--", "run", "exec", "sudo", "env", "eval", "time", "watch"})
"""After one of these, the program's name begins a command: `./dev run`, `kubectl exec … --`."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The arguments of one call of the program, and where it is written."""

    arguments: tuple[str, ...]
    place: str

    def __str__(self) -> str:
        return shlex.join(self.arguments)


def documented() -> list[CommandLine]:
    """Every command line, each once, in the order of its text."""
    found: dict[tuple[str, ...], CommandLine] = {}
    for place, text in _texts():
        for arguments in _calls(text):
            found.setdefault(arguments, CommandLine(arguments, place))
    return sorted(found.values(), key=str)


def problem(line: CommandLine) -> str | None:
    """The error of usage in this command line; None if the program would run it."""
    return usage_error(filled(line, {}))


def filled(line: CommandLine, values: Mapping[str, str]) -> tuple[str, ...]:
    """The arguments with values for the words in capitals; without a value, a number if one is wanted."""
    words = tuple(values.get(word, word) for word in line.arguments)
    numbers = tuple("1" if _PLACEHOLDER.fullmatch(word) else word for word in words)
    return numbers if usage_error(words) and not usage_error(numbers) else words


@cache
def commands() -> dict[str, Any]:
    """Every command that does something, by its words: `jobs`, `dlq list`."""
    return dict(_commands(_program()))


@cache
def _program() -> Any:
    """The program, whose commands do nothing."""
    group: Any = typer.main.get_command(app)
    for _, command in _commands(group):
        command.callback = lambda **_: None
    return group


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def _texts() -> Iterator[tuple[str, str]]:
    """Texts that may hold command lines: a line of a shell, or the text between two backquotes."""
    for page in PAGES:
        text = page.read_text("utf-8")
        for _, language, block in _BLOCK.findall(text):
            if language in _SHELLS:
                yield from ((page.name, line) for line in _lines(block))
        spans = (" ".join(span.split()) for span in _SPAN.findall(_BLOCK.sub("", text)))
        yield from ((page.name, f"{span} --help" if _is_name(span) else span) for span in spans)
    # There, a column with explanations follows.
    yield from (("--help", re.split(r" {2,}", line)[0]) for line in _lines(str(app.info.help)))
    for name, command in commands().items():
        yield from (
            (f"{name} --help", line) for line in _lines(command.help or "") if PROGRAM in line.split()
        )


def _is_name(span: str) -> bool:
    """Whether the text is only the name of a command, as prose mentions it."""
    program, _, name = span.partition(" ")
    return program == PROGRAM and any(f"{known} ".startswith(f"{name} ") for known in commands() if name)


def _lines(block: str) -> Iterator[str]:
    """The lines of a shell, with what a backslash continues."""
    yield from (line.strip().removeprefix("$ ") for line in block.replace("\\\n", " ").splitlines())


def _calls(line: str) -> Iterator[tuple[str, ...]]:
    """The arguments of each call of the program in a line of a shell."""
    if PROGRAM not in line:
        return
    for inner in _SUBSTITUTION.findall(line):
        yield from _calls(inner)
    for words in _simple_commands(_SUBSTITUTION.sub("VALUE", line)):
        yield from (call for word in words if " " in word for call in _calls(word))  # `--command "…"`
        start = _start(words)
        if start is not None:
            yield tuple(word.strip("[]") if word[0] in "[]" else word for word in words[start:])


def _simple_commands(line: str) -> Iterator[list[str]]:
    """The commands that pipes, `&&` and the like join, without redirections and comments."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    try:
        tokens = list(lexer)
    except ValueError:  # prose with an apostrophe
        return
    skip = False
    for token in tokens:
        if skip:
            skip = False
        elif token[0] in "<>":
            skip = True
        elif token[0] in "|&;":
            yield words
            words = []
        else:
            words.append(token)
    yield words


def _start(words: list[str]) -> int | None:
    """Where the arguments of the program begin in a command; None if it is not called there.

    Its name is also that of an image, a unit and a deployment: after other words, it is called if a command
    follows.
    """
    known = _program().commands
    begin = next((index for index, word in enumerate(words) if not _ASSIGNMENT.match(word)), len(words))
    for index, word in enumerate(words):
        if word != PROGRAM and not word.endswith(f"/bin/{PROGRAM}"):
            continue
        follows = words[index + 1] if index + 1 < len(words) else PROGRAM
        # Followed by itself, or by nothing, it is the name of a container or a unit.
        if follows != PROGRAM and (index == begin or words[index - 1] in _WRAPPERS or follows in known):
            return index + 1
    return None


def usage_error(arguments: tuple[str, ...]) -> str | None:
    """What typer says about these arguments; None if it accepts them."""
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            _program().main(list(arguments), prog_name=PROGRAM, standalone_mode=False)
    except typer.Exit:
        return None
    except Exception as error:  # noqa: BLE001  typer's own class of usage errors is private
        return str(error.format_message()) if hasattr(error, "format_message") else repr(error)
    return None
