"""The wheel works where no checkout is: in another folder, in an environment of its own.

That environment finds our dependencies through a .pth file that names the site-packages of the one that runs the
tests, so nothing is downloaded; the package itself comes from the wheel.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from chronos_py import __version__

ROOT = Path(__file__).parents[2]
NOT_SOURCES = shutil.ignore_patterns(
    ".*", "build", "dist", "tests", "bench", "docs", "*.egg-info", "__pycache__", "node_modules"
)


def run(*command: str | Path, folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that what an earlier build left in the checkout cannot get into it."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "source", symlinks=True, ignore=NOT_SOURCES)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, folder / "source", folder=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of the environment."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--python", python)
    run(*pip, "install", "--no-deps", "--no-index", wheel, folder=folder)
    (site_packages,) = folder.glob("venv/lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    found = run(python, "-c", "import chronos_py; print(chronos_py.__file__)", folder=folder).strip()
    assert Path(found).is_relative_to(site_packages), "the tests below would look at the checkout"
    return python.parent


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    """Templates, migrations, static files and the type marker too, as real files."""
    wanted = {
        f"chronos_py/{file.relative_to(ROOT / 'chronos_py')}"
        for part in ("*", "templates/**/*", "migrations/**/*", "[!mt]*/**/*", "model/**/*")
        for file in (ROOT / "chronos_py").glob(part)
        if file.is_file() and "__pycache__" not in file.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("chronos_py/")}
    assert held == wanted
    assert {"chronos_py/migrations/versions/0001_initial.py", "chronos_py/py.typed"} <= held


def test_the_command_is_there(installed: Path, tmp_path: Path) -> None:
    assert __version__ in run(installed / "chronos", "--version", folder=tmp_path)


def test_it_migrates_an_empty_database(installed: Path, tmp_path: Path) -> None:
    program = (
        "from chronos_py.store import schema; from chronos_py.store.database import Database;"
        " print(schema.upgrade(Database('sqlite:///chronos.db')), schema.newest_revision())"
    )
    reached, newest = run(installed / "python", "-c", program, folder=tmp_path).split()
    assert reached == newest
    run(installed / "chronos", "db", "upgrade", "--database-url", "sqlite:///chronos.db", folder=tmp_path)


def test_it_finds_its_pools_and_templates(installed: Path, tmp_path: Path) -> None:
    program = (
        "from importlib.metadata import entry_points;"
        " [point.load() for point in entry_points(group='chronos_py.pools')];"
        " from pathlib import Path; import chronos_py;"
        " print(len(list((Path(chronos_py.__file__).parent / 'templates').rglob('*.html'))))"
    )
    templates = len(list((ROOT / "templates").rglob("*.html")))
    assert int(run(installed / "python", "-c", program, folder=tmp_path)) == templates > 0
