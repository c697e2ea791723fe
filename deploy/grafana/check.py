"""Checks that Grafana's own model of a dashboard knows every key of ours (`./dev deploy_check`)."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

FILE = Path(__file__).parent / "orca-daemon.json"
UNKNOWN_TO_THE_MODEL = {"titleFormat"}
"""Of annotations: the data source reads it, and the model leaves it out."""


def lost(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """The places of our document that the model does not have, or has otherwise."""
    if isinstance(ours, dict):
        for key, value in ours.items():
            if key not in UNKNOWN_TO_THE_MODEL:
                yield from lost(value, (theirs or {}).get(key), f"{path}/{key}")
    elif isinstance(ours, list):
        pairs = zip(ours, theirs or [None] * len(ours), strict=True)
        for at, (value, other) in enumerate(pairs):
            yield from lost(value, other, f"{path}/{at}")
    elif ours != theirs:
        yield f"{path}: {ours!r}, Grafana reads {theirs!r}"


if __name__ == "__main__":
    register_default_plugins()
    document = json.loads(FILE.read_text("utf-8"))
    read = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(document)))
    sys.exit("\n".join(lost(document, read)) or 0)
