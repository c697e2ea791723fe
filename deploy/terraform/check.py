"""Checks the Terraform module with Terraform itself: format, schema of the AWS provider, and its tests.

usage: check.py FOLDER-OF-@cdktf/provider-aws

Run by ./dev deploy_check.  Where Terraform's registry cannot be reached there is no AWS provider, and
nothing here may touch an account: `provider.py` takes its place with the same schema.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import provider
import schema

HERE = Path(__file__).parent
ADDRESS = "registry.terraform.io/hashicorp/aws"


def main(package: str) -> None:
    """Check, and exit with 1 at the first mistake."""
    _terraform(HERE, "fmt", "-check", "-recursive", "-diff")
    library = Path(package) / "lib"
    blocks = {
        kind: {
            name: schema.block(library, schema.class_folder(of, name))
            for of, name in schema.used(HERE)
            if of == kind
        }
        for kind in ("resource", "data")
    }
    served = provider.serving(schema.block(library, "provider"), blocks["resource"], blocks["data"])
    with served as address, _copy() as module:
        reattach = {"Protocol": "grpc", "ProtocolVersion": 5, "Pid": os.getpid(), "Test": True}
        os.environ["TF_REATTACH_PROVIDERS"] = json.dumps(
            {ADDRESS: {**reattach, "Addr": {"Network": "tcp", "String": address}}}
        )
        for folder in (module, module / "example"):
            _terraform(folder, "init", "-backend=false", "-input=false", "-no-color")
            _terraform(folder, "validate", "-no-color")
        _terraform(module, "test", "-no-color")
        _refuses_mistakes(module)
    sys.stdout.write(f"the schema is that of the AWS provider {schema.version(library)}\n")


def _refuses_mistakes(module: Path) -> None:
    """Show that the check can fail: a wrong name, a wrong type and a missing argument are mistakes."""
    file = module / "alarms.tf"
    good = file.read_text("utf-8")
    for old, new in (
        ("evaluation_periods ", "evaluated_periods "),
        ("dimensions          = each.value.dimensions", 'dimensions = "none"'),
        ("  comparison_operator = each.value.alarm.comparison\n", ""),
    ):
        if old not in good:
            sys.exit(f"alarms.tf has no {old!r}")
        file.write_text(good.replace(old, new), "utf-8")
        if _run(module, "validate", "-no-color").returncode == 0:
            sys.exit(f"Terraform accepts {new!r} in place of {old!r}")
    file.write_text(good, "utf-8")


@contextmanager
def _copy() -> Iterator[Path]:
    """A copy of deploy/, because Terraform writes beside what it reads."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(HERE.parent, Path(folder) / "deploy", ignore=shutil.ignore_patterns(".terraform*"))
        yield Path(folder) / "deploy/terraform"


def _terraform(folder: Path, *arguments: str) -> None:
    done = _run(folder, *arguments)
    if done.returncode:
        sys.exit(f"terraform {' '.join(arguments)} in {folder.name}:\n{done.stdout}{done.stderr}")
    if arguments[0] == "test":
        sys.stdout.write(f"{done.stdout.strip().splitlines()[-1]}\n")


def _run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["terraform", *arguments], cwd=folder, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    main(sys.argv[1])
