"""Hides the token of a state machine's task in a text: whoever reads the token can end the task."""

import re

# Quotes may be escaped, because a message may hold another message as a text; the last one may be cut off.
_TOKEN = re.compile(r'(\\*"task_?token\\*"\s*:\s*\\*")(?:[^"\\]|\\[^"\\])*', re.IGNORECASE)
_HIDDEN = "(hidden)"


def hidden(body: str) -> str:
    """The body of a message with `(hidden)` in place of each token of a task."""
    return _TOKEN.sub(rf"\g<1>{_HIDDEN}", body)
