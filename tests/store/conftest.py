"""Databases of one kind, for what only that kind promises."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from chronos_py.store import leadership
from chronos_py.store.database import Database
from tests.databases import postgres_database


@pytest.fixture
def sqlite_store(tmp_path: Path, sqlite_template: Path) -> Iterator[Database]:
    file = tmp_path / "store.db"
    shutil.copyfile(sqlite_template, file)
    yield from _opened(f"sqlite:///{file}")


@pytest.fixture
def postgres_store(postgres_engine: Engine, postgres_template: str) -> Iterator[Database]:
    with postgres_database(postgres_engine, postgres_template) as url:
        yield from _opened(url)


def _opened(url: str) -> Iterator[Database]:
    database = Database(url)
    leadership.ensure_row(database)
    yield database
    database.close()
