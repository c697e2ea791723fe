"""A wheel is built, installed into an environment of its own, and its commands run there."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = {"config": "config/orca-daemon.toml", "policy": "deploy/iam/policy.json"}
CONSOLE = ROOT / "orca_daemon/console"
pytestmark = pytest.mark.outside


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment that has the wheel, and the libraries of the tests' environment."""
    folder = tmp_path_factory.mktemp("wheel")
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv/bin"
    pip = [str(programs / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    # pip fetches the build backend.
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], check=True)
    (wheel,) = folder.glob("orca_daemon-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    libraries = programs.parent / "lib" / version / "site-packages/libraries.pth"
    libraries.write_text(sysconfig.get_path("purelib"), "utf-8")
    return programs


@pytest.mark.parametrize("command", FILES)
def test_the_wheel_prints_the_files_of_the_project(command: str, environment: Path, tmp_path: Path) -> None:
    program = [str(environment / "orca-daemon"), command]
    printed = subprocess.run(program, cwd=tmp_path, env={}, check=True, capture_output=True, text=True)

    assert printed.stdout == (ROOT / FILES[command]).read_text("utf-8")


def test_the_wheel_has_every_file_of_the_console(environment: Path) -> None:
    (package,) = environment.parent.glob("lib/python*/site-packages/orca_daemon/console")
    files = {path for folder in ("templates", "static") for path in (CONSOLE / folder).iterdir()}

    assert {path.relative_to(CONSOLE) for path in files} == {
        path.relative_to(package)
        for folder in ("templates", "static")
        for path in (package / folder).iterdir()
    }
    assert any(path.name == "htmx.LICENSE.txt" for path in files)


def test_the_daemon_of_the_wheel_is_the_one_that_runs(environment: Path, tmp_path: Path) -> None:
    program = [str(environment / "python"), "-c", "import orca_daemon; print(orca_daemon.__file__)"]
    printed = subprocess.run(program, cwd=tmp_path, env={}, check=True, capture_output=True, text=True)

    assert Path(printed.stdout.strip()).is_relative_to(environment.parent)
