"""Files that come with the package: the sample settings and the IAM policies."""

from pathlib import Path

SETTINGS, POLICY, CONSOLE_POLICY = "orca-daemon.toml", "policy.json", "console-policy.json"
IN_CHECKOUT = {
    SETTINGS: "config/orca-daemon.toml",
    POLICY: "deploy/iam/policy.json",
    CONSOLE_POLICY: "deploy/iam/console-policy.json",
}
"""Where a checkout has them.  pyproject.toml has the same list, for the wheel and the image."""
_PACKAGE = Path(__file__).parents[1]


def sample(name: str) -> str:
    """The text of one of these files."""
    installed = _PACKAGE / "samples" / name
    # An editable install and a checkout have no copy: there the file itself is read.
    place = installed if installed.exists() else _PACKAGE.parent / IN_CHECKOUT[name]
    return place.read_text("utf-8")
