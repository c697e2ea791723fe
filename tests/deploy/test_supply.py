"""What is shipped: licences match the lock, and two builds of the wheel are equal."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SUPPLY = ROOT / "deploy/supply"


@pytest.fixture(scope="module")
def scripts() -> Any:
    """The functions of the scripts; they import one another by their folder."""
    before = list(sys.path)
    sys.path.insert(0, str(SUPPLY))
    yield {name: runpy.run_path(str(SUPPLY / f"{name}.py")) for name in ("parts", "licenses", "sbom")}
    sys.path[:] = before
    sys.modules.pop("parts", None)


def test_the_licences_are_those_of_the_lock_and_of_the_files_of_others(scripts: Any) -> None:
    found = scripts["licenses"]

    assert (ROOT / "THIRD_PARTY_LICENSES.md").read_text("utf-8") == found["text"](found["parts"]()), (
        "./dev docs"
    )


def test_every_package_that_is_installed_without_a_mark_for_other_platforms_is_listed(scripts: Any) -> None:
    """The list follows the lock; the file of hashed pins, which the image is made of, says the same."""
    lines = (ROOT / "requirements/run.txt").read_text("utf-8").splitlines()
    pinned = {line.split(" ")[0] for line in lines if "==" in line and "sys_platform == 'win32'" not in line}
    listed = {f"{part.name}=={part.version}" for part in scripts["parts"]["parts"]()}

    assert pinned - listed == set()


def test_a_file_of_others_needs_a_licence_beside_it(scripts: Any, tmp_path: Path) -> None:
    folder = tmp_path / "orca_daemon/console/static"
    folder.mkdir(parents=True)
    (folder / "htmx.min.js").write_text('var htmx={version:"2.0.4"}')
    vendored = scripts["parts"]["vendored"]
    vendored.__globals__["ROOT"] = tmp_path
    with pytest.raises(ValueError, match="no licence beside it"):
        list(vendored())
    (folder / "htmx.LICENSE.txt").touch()
    (part,) = vendored()
    vendored.__globals__["ROOT"] = ROOT

    assert (part.purl, part.licence, part.where) == (
        "pkg:npm/htmx.org@2.0.4",
        "0BSD",
        ("orca_daemon/console/static/htmx.min.js",),
    )


def test_the_bill_of_a_wheel_has_its_checksum_and_every_package(scripts: Any, tmp_path: Path) -> None:
    wheel = tmp_path / "a.whl"
    wheel.write_bytes(b"")
    bill = scripts["sbom"]["bill"](wheel)

    assert bill["metadata"]["component"]["hashes"][0]["content"].startswith("e3b0c44298fc1c149afb")
    assert {each["purl"] for each in bill["components"]} == {
        part.purl for part in scripts["parts"]["parts"]()
    }


@pytest.mark.outside
def test_two_builds_of_the_wheel_are_equal_byte_for_byte(tmp_path: Path) -> None:
    """In folders of other names and depths, at other times, with other umasks, zones and languages."""
    made = [
        build(tmp_path / "a", umask=0o022, TZ="UTC", LC_ALL="C", PYTHONHASHSEED="1"),
        build(
            tmp_path / "another/deeper folder",
            umask=0o077,
            TZ="Asia/Tokyo",
            LC_ALL="C.UTF-8",
            PYTHONHASHSEED="2",
        ),
    ]

    assert made[0] == made[1]
    assert sorted(name.rpartition(".")[2] for name in made[0]) == ["json", "whl"]
    components = json.loads(next(data for name, data in made[0].items() if name.endswith("json")))[
        "components"
    ]
    assert len(components) > 50


def build(folder: Path, umask: int, **environment: str) -> dict[str, bytes]:
    """The files that `./dev wheel` makes of a copy of the project."""
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            # Without its times and permissions, as an unpacked archive may be.
            shutil.copyfile(ROOT / name, folder / name)
            (folder / name).chmod(0o666 & ~umask)
    for link in (".venv", ".state/build"):
        (folder / link).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / link).exists():
            (folder / link).symlink_to(ROOT / link)
    subprocess.run(
        ["sh", "deploy/supply/wheel.sh", "made"],
        cwd=folder,
        check=True,
        umask=umask,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000", **environment},
    )
    return {path.name: path.read_bytes() for path in (folder / "made").iterdir()}
