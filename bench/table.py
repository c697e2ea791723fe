"""The README's table of speed, made from the reports that `./dev bench NAME --save` kept."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

HERE = Path(__file__).parent
MEASURED = HERE / "measured"
README = HERE.parent / "README.md"
Figures: TypeAlias = Mapping[str, float]
Cells: TypeAlias = Callable[[Figures], tuple[str, str, str]]
"""From the figures of a report: what Lambdas or a plain program take, what others take, what we take."""


def main() -> None:
    """Write the table into the README."""
    README.write_text(filled(README.read_text("utf-8")), "utf-8")


def filled(text: str) -> str:
    """The README with its table made anew.

    Raises:
        ValueError: it has no place for the table.
    """
    table = "\n".join(rows())
    text, count = re.subn(
        r"(<!-- table: speed -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}\n{table}\n\n{found[2]}",
        text,
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError("the README has no place for the table of speed")
    return text


def rows() -> Iterator[str]:
    """One row for each piece of work whose report was kept."""
    yield "| Work | As the Lambdas, or a bare loop | What you might pick instead | Here | `./dev bench` |"
    yield "|---|---|---|---|---|"
    for name, (work, cells) in ROWS.items():
        file = MEASURED / f"{name.partition('/')[0]}.json"
        figures = json.loads(file.read_text("utf-8"))["figures"]
        yield f"| {work} | {' | '.join(cells(figures))} | `{file.stem}` |"


def _number(value: float) -> str:
    """Two digits that count, with commas."""
    digits = 2 - len(f"{value:.0f}") if value >= 1 else 2
    rounded = round(value, digits)
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def _rates(figures: Figures, queue: str, *names: str) -> str:
    found = [(name, figures.get(f"{queue}: {name}, messages/s")) for name in names]
    return ", ".join(f"{name} {_number(rate)}" for name, rate in found if rate is not None)


def _received(queue: str, *ours: str) -> Cells:
    def cells(figures: Figures) -> tuple[str, str, str]:
        plain = _rates(figures, queue, "bare loop, aiobotocore")
        others = _rates(figures, queue, "boto3, 10 threads", "sqs-consumer")
        return f"{plain} a second", f"{others} a second", f"{_rates(figures, queue, *ours)} a second"

    return cells


def _status(figures: Figures) -> tuple[str, str, str]:
    one, many = "one group", "200 groups"
    single = [figures[f"{groups}: a transaction for each message, messages/s"] for groups in (one, many)]
    runs = figures[f"{one}: runs of 10, messages/s"], figures[f"{many}: runs of 100, messages/s"]
    whole = [figures[f"{groups}: from the queue into Postgres, messages/s"] for groups in (one, many)]
    alone, daemon = " and ".join(map(_number, runs)), " and ".join(map(_number, whole))
    ours = (
        f"{alone} a second in Postgres alone in one message group and in 200; {daemon} from queue to Postgres"
    )
    return f"{_number(min(single))} a second in Postgres alone, each a transaction", "", ours


def _copied(figures: Figures) -> tuple[str, str, str]:
    prefix = "1000 small: "
    times = {
        name.removeprefix(prefix).removesuffix(", s"): seconds
        for name, seconds in figures.items()
        if name.startswith(prefix) and name.endswith(", s")
    }
    others = {
        name: seconds for name, seconds in times.items() if not name.startswith(("direct", "aiobotocore"))
    }
    told = ", ".join(f"{name} {_number(seconds)} s" for name, seconds in others.items())
    before = _number(figures["1000 small objects, in sequence, s"])
    return (
        f"{before} s, one after another",
        told,
        f"{_number(times['direct, two requests'])} s, each verified",
    )


def _exported(figures: Figures) -> tuple[str, str, str]:
    def told(way: str) -> str:
        return f"{_number(figures[f'3M {way} seconds'])} s and {_number(figures[f'3M {way} peak MiB'])} MiB"

    duck = f"DuckDB with its Postgres extension {told('duckdb')}" if "3M duckdb seconds" in figures else ""
    return f"{told('dicts')}, fetched as dictionaries", duck, f"{told('stream')}, streamed"


def _compared(figures: Figures) -> tuple[str, str, str]:
    def seconds(what: str) -> str:
        return f"{_number(figures[f'{what} seconds'])} s"

    def ten_million(who: str) -> str:
        return (
            f"{seconds(f'beside peers: {who}')} and {_number(figures[f'beside peers: {who} peak MiB'])} MiB"
        )

    others = f"COPY of the catalog alone {seconds('3M catalog alone')}"
    if "beside peers: duckdb seconds" in figures:
        others += f"; 10 million: DuckDB with its Postgres extension {ten_million('duckdb')}"
    if "beside peers: duckdb within our memory seconds" in figures:
        others += f", with a limit of memory {ten_million('duckdb within our memory')}"
    ours = f"{seconds('3M csv')} from CSV, {seconds('3M parquet')} from Parquet"
    return seconds("3M orca"), others, f"{ours}; 10 million {ten_million('ours')}"


ROWS: Mapping[str, tuple[str, Cells]] = {
    "peers/standard": (
        "Receive, do nothing, delete; standard queue, one message a run",
        _received("standard", "orca-daemon"),
    ),
    "peers/fifo": (
        "The same, FIFO, one message group",
        _received("FIFO, one group", "orca-daemon", "orca-daemon, pipelined"),
    ),
    "status": ("Write status updates into Postgres", _status),
    "copy": ("Copy 1,000 small files, with S3 20 ms away", _copied),
    "reconcile": ("Compare 3 million objects with the catalog, and write the reports", _compared),
    "export": ("Export 3 million rows to Parquet", _exported),
}
"""Report, and what tells the row from others of the same report, to the work and its cells."""

if __name__ == "__main__":
    main()
