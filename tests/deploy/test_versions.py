"""The supported versions of Python are those that the workflow tests, and the workflow has few rights."""

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))


def promised() -> list[str]:
    """The minor versions that `requires-python` admits, oldest first."""
    bounds = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"])
    assert bounds is not None
    return [f"3.{minor}" for minor in range(int(bounds[1]), int(bounds[2]))]


def test_the_workflow_runs_every_python_that_is_promised() -> None:
    assert WORKFLOW["jobs"]["test"]["strategy"]["matrix"]["python"] == promised()


def test_the_classifiers_name_every_python_that_is_promised() -> None:
    prefix = "Programming Language :: Python :: "
    named = [entry.removeprefix(prefix) for entry in PROJECT["classifiers"] if entry.startswith(prefix)]
    assert [version for version in named if re.fullmatch(r"3\.\d+", version)] == promised()


def test_dev_looks_for_every_python_that_is_promised() -> None:
    (names,) = re.findall(r"for name in (python3\.[\w. ]+); do", (ROOT / "dev").read_text("utf-8"))
    wanted = [name.removeprefix("python") for name in names.split() if "." in name]
    assert sorted(wanted, key=lambda version: int(version.partition(".")[2])) == promised()


def test_every_python_of_the_workflow_runs_what_continuous_integration_runs() -> None:
    steps = WORKFLOW["jobs"]["test"]["steps"]
    assert [step["env"] for step in steps if step.get("run") == ".ci/run"] == [
        {"UV_PYTHON": "${{ matrix.python }}"}
    ]


def test_the_workflow_may_read_and_nothing_else() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert [name for name, job in WORKFLOW["jobs"].items() if "permissions" in job] == []


def test_actions_are_pinned_to_commits() -> None:
    used = [step["uses"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "uses" in step]
    assert [action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []


def test_hooks_need_nothing_from_elsewhere() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert [entry["repo"] for entry in hooks["repos"]] == ["local"]
