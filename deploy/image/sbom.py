"""Prints the image's bill of materials as CycloneDX 1.5 JSON: Python and Debian packages, scripts."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
VENDORED = {"htmx.org": ("2.0.10", "0BSD"), "idiomorph": ("0.7.4", "0BSD")}
"""Packages of npm whose files are in `orca_daemon/console/static`: version and licence."""


def bill() -> dict[str, Any]:
    """The CycloneDX document."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    components = sorted(
        [python_component(each) for each in distributions() if each.name != project["name"]]
        + debian_components()
        + vendored_components(),
        key=lambda each: each["purl"],
    )
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "name": project["name"],
                "version": project["version"],
                "purl": f"pkg:pypi/{project['name']}@{project['version']}",
            }
        },
        "components": components,
    }


def python_component(distribution: Distribution) -> dict[str, Any]:
    """The component of one Python package."""
    name = distribution.name.lower().replace("_", "-")
    component: dict[str, Any] = {
        "type": "library",
        "name": name,
        "version": distribution.version,
        "purl": f"pkg:pypi/{name}@{distribution.version}",
    }
    if expression := distribution.metadata.get("License-Expression"):
        component["licenses"] = [{"expression": expression}]
    return component


def vendored_components() -> list[dict[str, Any]]:
    """The components of scripts that the console's pages load."""
    return [
        {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:npm/{name}@{version}",
            "licenses": [{"expression": licence}],
        }
        for name, (version, licence) in VENDORED.items()
    ]


def debian_components() -> list[dict[str, Any]]:
    """The components of the base image's Debian packages; empty if this is not Debian."""
    if not shutil.which("dpkg-query"):
        return []
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package}\\t${Version}\\t${Architecture}\\n"],
        check=False,
        capture_output=True,
        text=True,
    ).stdout
    return [
        {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:deb/debian/{name}@{version}?arch={architecture}",
        }
        for name, version, architecture in (line.split("\t") for line in listed.splitlines())
    ]


if __name__ == "__main__":
    json.dump(bill(), sys.stdout, indent=1)
