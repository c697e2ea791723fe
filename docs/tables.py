"""Writes what is made from the code: the tables of docs/operate.md (`./dev docs`).

Every setting with its text comes from `settings/sections.py`, every metric from the registry, so that neither
can be forgotten.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from orca_daemon import settings
from orca_daemon.aws.operations import OPERATIONS
from orca_daemon.engine.source import QueueFacts
from orca_daemon.ops.metrics import Metrics
from orca_daemon.settings import sections

PAGE = Path(__file__).parent / "operate.md"
NAMES = {dotted: name for name, dotted in settings.ORCA_NAMES.items()}


def main() -> None:
    """Write the page, or say that it is not up to date."""
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")


def filled(text: str) -> str:
    """The page with its tables made anew."""
    for name, rows in (("settings", settings_table()), ("metrics", metrics_table())):
        pattern = rf"(<!-- table: {name} -->\n).*?(<!-- end -->)"
        table = "\n".join(rows)
        text, count = re.subn(
            pattern, lambda found, table=table: f"{found[1]}\n{table}\n\n{found[2]}", text, flags=re.DOTALL
        )
        if count != 1:
            raise ValueError(f"the page has no place for the table of {name}")
    return text


def settings_table() -> Iterator[str]:
    """One row for each setting."""
    yield "| Setting | Environment | Default | Meaning |"
    yield "|---|---|---|---|"
    texts = docstrings()
    for section, field in settings.Settings.model_fields.items():
        model = _model(field.annotation)
        if section == "queues":
            yield from _rows("queues.NAME", settings.QueueSection, texts)
        elif model is not None:
            yield from _rows(section, model, texts)
        if section == "export":
            yield from _rows("export.tables.NAME", settings.ExportTable, texts)


def _rows(section: str, model: type[BaseModel], texts: dict[str, dict[str, str]]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        dotted = f"{section}.{name}"
        ours = "ORCA_" + dotted.upper().replace(".", "__")
        orca = NAMES.get(dotted) or ", ".join(
            theirs for known, theirs in NAMES.items() if re.fullmatch(dotted.replace("NAME", r"\w+"), known)
        )
        environment = f"`{ours}`" + (f", or ORCA's `{orca.replace(', ', '`, `')}`" if orca else "")
        meaning = _cell(texts[model.__name__].get(name, ""))
        yield f"| `{dotted}` | {environment} | {_default(field)} | {meaning} |"


def docstrings() -> dict[str, dict[str, str]]:
    """The text under each field of each class of settings."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(Path(sections.__file__).read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            pairs = zip(node.body, node.body[1:], strict=False)
            found[node.name] = {
                field.target.id: text.value.value
                for field, text in pairs
                if isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
                and isinstance(text.value.value, str)
            }
    return found


def _model(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _default(field: Any) -> str:
    default = field.get_default(call_default_factory=True)
    if default is None or default is PydanticUndefined or default == ():
        return "-"
    if isinstance(default, SecretStr):
        return "(hidden)"
    if isinstance(default, tuple):
        return "`" + ",".join(default) + "`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`" if default != {} else "-"


def metrics_table() -> Iterator[str]:
    """One row for each metric."""
    yield "| Metric | Type | Labels | Meaning |"
    yield "|---|---|---|---|"
    metrics = Metrics({"recovery": "recovery"}, operations=OPERATIONS)
    metrics.queues.configured("recovery", QueueFacts(fifo=False, visibility=1.0))
    metrics.reconcile.show("archive", 0.0, {"phantom": 0, "orphan": 0, "mismatch": 0})
    metrics.reconcile.compared("archive", listed=0, catalogued=0, seconds=1.0, peak_mib=0)
    families = sorted(metrics.registry.collect(), key=lambda family: family.name)
    for family in families:
        if family.name.startswith("orca_daemon_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            names = {label for sample in family.samples for label in sample.labels} - {"le"}
            labels = ", ".join(f"`{label}`" for label in sorted(names)) or "-"
            yield f"| `{name}` | {family.type} | {labels} | {_cell(family.documentation)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
