"""Writes the tables of README.md from variables.tf and outputs.tf (`./dev docs`)."""

import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE / "README.md"
BLOCK = re.compile(r'^(?:variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)


def main() -> None:
    """Write the page."""
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")


def filled(text: str) -> str:
    """The page with its tables made anew."""
    for name, rows in (("variables", _variables()), ("outputs", _outputs())):
        table = "\n".join(rows)
        text, count = re.subn(
            rf"(<!-- table: {name} -->\n).*?(<!-- end -->)",
            lambda found, table=table: f"{found[1]}\n{table}\n\n{found[2]}",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
        if count != 1:
            raise ValueError(f"the page has no place for the table of {name}")
    return text


def _variables() -> Iterator[str]:
    yield "| Variable | Type | Default | Meaning |"
    yield "|---|---|---|---|"
    for name, body in BLOCK.findall((HERE / "variables.tf").read_text("utf-8")):
        kind = " ".join(_argument(body, "type").split())
        default = _argument(body, "default")
        yield f"| `{name}` | `{kind}` | {f'`{default}`' if default else 'required'} | {_text(body)} |"


def _outputs() -> Iterator[str]:
    yield "| Output | Meaning |"
    yield "|---|---|"
    for name, body in BLOCK.findall((HERE / "outputs.tf").read_text("utf-8")):
        yield f"| `{name}` | {_text(body)} |"


def _argument(body: str, name: str) -> str:
    """What an argument is set to, on one line or in brackets over several; empty if it is not set."""
    found = re.search(rf"^  {name} +=\s*(.*?)(?=^  \w|^  validation|\Z)", body, re.MULTILINE | re.DOTALL)
    return found[1].strip().replace("|", "\\|") if found else ""


def _text(body: str) -> str:
    found = re.search(r'^  description = "(.*)"$', body, re.MULTILINE)
    if not found:
        raise ValueError(f"a block has no description:\n{body}")
    return found[1].replace('\\"', '"').replace("|", "\\|")


if __name__ == "__main__":
    main()
