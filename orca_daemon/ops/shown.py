"""Facts of messages as they may be shown outside the log: short, storable as JSON, without secrets."""

import json
from collections.abc import Mapping
from itertools import islice

from orca_daemon.ops.log_lines import HIDDEN, SECRET_KEY, without_secrets

MOST_FACTS = 24
LONGEST = 300
"""Characters of one text."""


def text(value: object, longest: int = LONGEST) -> str:
    """The value as text of at most so many characters, without secrets and what JSON in Postgres refuses."""
    # Cut generously first, because the search for secrets costs time; and then again, as it may lengthen it.
    whole = without_secrets(str(value)[: 4 * longest].replace("\0", "\N{REPLACEMENT CHARACTER}"))
    clean = whole.encode("utf-8", "replace").decode()
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def facts(described: Mapping[str, object]) -> dict[str, str]:
    """The facts of a message; the values of names that look like secrets are hidden, as in the log."""
    return {
        text(name, 60): HIDDEN if SECRET_KEY.search(name) else text(value)
        for name, value in islice(described.items(), MOST_FACTS)
    }


def size(document: object) -> int:
    """Bytes of the document as JSON, as Postgres writes it as well."""
    return len(json.dumps(document, ensure_ascii=False).encode())
