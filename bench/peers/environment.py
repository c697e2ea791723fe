"""The environment of the peers, `.venv-peers`, made at the first use; and how each empties a queue."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from bench.route import Contender, Cost, run

HERE = Path(__file__).parent
HOME = HERE.parents[1] / ".venv-peers"
NODE = HOME / "node"
FROM_PYPI = ("boto3==1.44.8",)
FROM_NPM = ("sqs-consumer@14.2.8", "@aws-sdk/client-sqs@3")


def peers() -> Mapping[str, Contender]:
    """Those that could be installed."""
    found: dict[str, Contender] = {}
    if python := _python():
        found["boto3, 10 threads"] = partial(_empty, [python, str(HERE / "boto3_threads.py")])
    if node := _node():
        found["sqs-consumer"] = partial(_empty, [node, str(NODE / "sqs_consumer.mjs")])
    return found


def _empty(command: list[str], endpoint: str, queue: str, count: int) -> Cost:
    return run([*command, queue, str(count)], endpoint)


def _python() -> str | None:
    program = HOME / "bin" / "python"
    if not program.exists() and _failed([sys.executable, "-m", "venv", str(HOME)]):
        return None
    return None if _failed([str(program), "-m", "pip", "install", "--quiet", *FROM_PYPI]) else str(program)


def _node() -> str | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    NODE.mkdir(parents=True, exist_ok=True)
    # Node looks for packages beside the script.
    shutil.copy(HERE / "sqs_consumer.mjs", NODE)
    if not (NODE / "node_modules").exists() and _failed(
        [npm, "install", "--silent", "--prefix", str(NODE), *FROM_NPM]
    ):
        return None
    return node


def _failed(command: list[str]) -> bool:
    return subprocess.run(command, check=False, stdout=sys.stderr).returncode != 0
