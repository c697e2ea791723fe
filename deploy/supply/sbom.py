"""Prints the bill of materials of a wheel as CycloneDX 1.5 JSON: sbom.py dist/orca_daemon-….whl

It lists the packages of the lock, which the wheel was tested with, and the files of others that the wheel
contains.  The image has a bill of its own, of what is really in it (deploy/image/sbom.py).
"""

import hashlib
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from parts import DAEMON, ROOT, Part, parts


def bill(wheel: Path) -> dict[str, Any]:
    """The CycloneDX document; it has no time and no number, to be the same for the same wheel and lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found = parts()
    own = f"pkg:pypi/{project['name']}@{project['version']}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "purl": own,
                "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}],
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": [_component(part) for part in found],
        "dependencies": [{"ref": own, "dependsOn": [part.purl for part in found]}],
    }


def _component(part: Part) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
        "scope": "required" if DAEMON in part.where or part.registry != "pypi" else "optional",
        "licenses": [{"expression": part.licence}],
        "properties": [{"name": "orca-daemon:part", "value": each} for each in part.where],
    }


if __name__ == "__main__":
    json.dump(bill(Path(sys.argv[1])), sys.stdout, indent=1)
    sys.stdout.write("\n")
