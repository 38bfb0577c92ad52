"""Migrations: from nothing, from every earlier revision with its data, by several nodes at once, never backwards."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from chronos_py.model.constraints import Constraint, Operator, placement_of, read_placement
from chronos_py.store import jobs, schema
from chronos_py.store.database import Database
from chronos_py.store.tables import Table
from tests.migration.sampling import contents, fill


def revisions() -> list[str]:
    """All of them, the oldest first."""
    configuration = Config()
    configuration.set_main_option("script_location", str(schema.MIGRATIONS))
    return [script.revision for script in ScriptDirectory.from_config(configuration).walk_revisions()][::-1]


def tables(database: Database) -> set[str]:
    with database.read() as connection:
        return set(inspect(connection).get_table_names())


def version(database: Database) -> str | None:
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def test_revisions_form_one_line() -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(schema.MIGRATIONS))
    scripts = ScriptDirectory.from_config(configuration)
    assert len(scripts.get_heads()) == len(scripts.get_bases()) == 1
    assert schema.newest_revision() == revisions()[-1]


def test_an_empty_database_is_migrated_and_then_left_alone(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    assert schema.upgrade(database) == schema.newest_revision() == version(database)
    made = tables(database)
    assert made == {"alembic_version", *Table.metadata.tables}
    with database.write() as connection:
        fill(connection)
        before = contents(connection)
    assert schema.upgrade(database) == schema.newest_revision()
    with database.read() as connection:
        assert contents(connection) == before
    database.close()


@pytest.mark.parametrize("revision", revisions())
def test_data_of_every_revision_survives(empty_database_url: str, revision: str) -> None:
    database = Database(empty_database_url)
    assert schema.upgrade(database, revision) == revision
    with database.write() as connection:
        fill(connection)
        before = contents(connection)
    assert schema.upgrade(database) == schema.newest_revision()
    with database.read() as connection:
        after = contents(connection)
        job = jobs.find_job(connection, "sample")
    assert job is not None
    assert job.definition.command == "true"
    for table, row in before.items():
        kept = after.get(table, {})
        assert {name: kept[name] for name in row if name in kept} == {
            name: value for name, value in row.items() if name in kept
        }
    database.close()


def test_constraints_that_were_kept_have_an_effect(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    schema.upgrade(database, "0004")
    wrong = [["os"], ["a", "NEAR", "b"], "rack", None]
    with database.write() as connection:
        fill(connection)
        constraints = [["rack", "LIKE", "b"], ["os", "EQUALS", "ü"], *wrong]
        document = json.dumps({"name": "sample", "command": "true", "constraints": constraints})
        connection.execute(text("UPDATE jobs SET document = :document"), {"document": document})
    schema.upgrade(database)
    with database.read() as connection:
        placement = connection.execute(text("SELECT placement FROM jobs")).scalar_one()
    known = [Constraint("os", Operator.EQUALS, "ü"), Constraint("rack", Operator.LIKE, "b")]
    assert placement == placement_of(known)
    assert list(read_placement(placement)) == known
    database.close()


@pytest.mark.parametrize("revision", revisions())
def test_each_revision_can_be_reached_alone(empty_database_url: str, revision: str) -> None:
    database = Database(empty_database_url)
    for step in revisions()[: revisions().index(revision) + 1]:
        assert schema.upgrade(database, step) == step
    assert version(database) == revision
    database.close()


def test_models_and_migrations_agree(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    schema.upgrade(database)
    with database.read() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Table.metadata) == []
        migrated = index_definitions(connection)
    with database.write() as connection:
        for name in [*Table.metadata.tables][::-1]:
            connection.execute(text(f"DROP TABLE {name} {'CASCADE' if database.dialect == 'postgresql' else ''}"))
    with database.write() as connection:
        Table.metadata.create_all(connection)
        assert index_definitions(connection) == migrated, (
            "conditions of partial indexes, which Alembic does not compare"
        )
    database.close()


def index_definitions(connection: Connection) -> set[str]:
    if connection.dialect.name == "postgresql":
        query = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    else:
        query = "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    return set(connection.execute(text(query)).scalars())


def test_a_migration_that_fails_changes_nothing(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(empty_database_url)
    schema.upgrade(database)
    before, head = tables(database), schema.newest_revision()
    folder = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, folder)
    (folder / "versions" / "9998_fails.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        f"revision, down_revision = '9998', {head!r}\n"
        "def upgrade():\n"
        "    op.create_table('half', sa.Column('id', sa.Integer()))\n"
        '    op.execute("UPDATE leadership SET epoch = 99")\n'
        "    raise ZeroDivisionError\n"
    )
    monkeypatch.setattr(schema, "MIGRATIONS", folder)
    with pytest.raises(ZeroDivisionError):
        schema.upgrade(database)
    assert (tables(database), version(database)) == (before, head)
    database.close()


START = """
import sys
from chronos_py.store import leadership, schema
from chronos_py.store.database import Database
print("up", flush=True)
sys.stdin.readline()
database = Database(sys.argv[1])
print(schema.upgrade(database), leadership.ensure_row(database))
"""


def test_four_nodes_that_start_at_once_migrate_once(empty_database_url: str) -> None:
    nodes = [
        subprocess.Popen(
            [sys.executable, "-c", START, empty_database_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for node in nodes:  # none begins before the last is up
        assert node.stdout is not None
        assert node.stdout.readline() == "up\n"
    for node in nodes:
        assert node.stdin is not None
        node.stdin.write("\n")
        node.stdin.flush()
    ended = [node.communicate(timeout=60) for node in nodes]
    assert [errors for _, errors in ended] == [""] * 4
    assert {answer.split()[0] for answer, _ in ended} == {schema.newest_revision()}
    assert len({answer for answer, _ in ended}) == 1, "all found the same cluster"
    database = Database(empty_database_url)
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1
    database.close()
