"""Other versions of the package beside this one: the one to come, and one from the past."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[2]

_MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, works_with = {revision!r}, {before!r}, {works_with!r}


def upgrade():
    op.create_table("made_by_{revision}", sa.Column("id", sa.Integer(), primary_key=True))
    if {column_of!r}:
        op.add_column({column_of!r}, sa.Column("of_{revision}", sa.String(40), nullable=True))
        op.create_index("ix_of_{revision}", {column_of!r}, ["of_{revision}"])
"""


def add_migration(folder: Path, revision: str, before: str, works_with: str, column_of: str = "") -> None:
    """Add a migration that adds a table, and a column with an index to the table ``column_of``."""
    text = _MIGRATION.format(revision=revision, before=before, works_with=works_with, column_of=column_of)
    (folder / "versions" / f"{revision}_next.py").write_text(text)


def next_version(folder: Path, head: str, works_with: str) -> Path:
    """This version with a number of its own and one more migration, after which ``works_with`` may still go on."""
    shutil.copytree(ROOT / "chronos_py", folder / "chronos_py", ignore=shutil.ignore_patterns("__pycache__"))
    add_migration(folder / "chronos_py" / "migrations", "9001", head, works_with, column_of="runs")
    package = folder / "chronos_py" / "__init__.py"
    package.write_text(package.read_text() + '\n__version__ = "99.1.0"\n')
    return folder


def first_version_with(folder: Path, file: str) -> Path:
    """The package as it was at the first commit of this repository that has a file."""
    commits = _git("log", "--reverse", "--format=%H", "--diff-filter=A", "--", file).decode().split()
    assert commits, f"the test needs the repository with its history: no commit adds {file}"
    packed = _git("archive", commits[0], "chronos_py", "migrations", "templates")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="fully_trusted")
    return folder


def newest_revision(folder: Path) -> str:
    """Of a version's migrations."""
    return max(path.name.partition("_")[0] for path in (folder / "migrations" / "versions").glob("[0-9]*.py"))


def _git(*words: str) -> bytes:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, f"the test needs the repository with its history: {done.stderr.decode()}"
    return done.stdout
