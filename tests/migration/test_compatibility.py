"""Versions beside each other: what a migration may change, which nodes may stay, and which database is refused."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, inspect, text, update

from chronos_py.errors import ConfigurationError
from chronos_py.scheduler.presence import Presence
from chronos_py.store import database as database_module
from chronos_py.store import schema
from chronos_py.store.database import Database
from chronos_py.store.nodes import NodeFacts, list_nodes, note_node, present_nodes
from chronos_py.store.tables import CompatibilityRow, NodeRow
from tests.cluster.versions import add_migration
from tests.databases import postgres_database
from tests.migration.test_upgrade import revisions, tables, version

HEAD = schema.newest_revision()
BEFORE = "0009"  # the last revision before migrations said what they work with


def node_of(revision: str) -> NodeFacts:
    return NodeFacts("there:1", "someone", "host", "0.1.0", "process", "sql", datetime.now(UTC), revision)


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The migrations of a version to come, in place of this one's."""
    folder = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, folder)
    monkeypatch.setattr(schema, "MIGRATIONS", folder)
    return folder


def be_migrated_further(connection: Connection, works_with: str) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    connection.execute(update(CompatibilityRow).values(works_with=works_with))


Columns = dict[tuple[str, str], tuple[str, bool]]


def columns(connection: Connection) -> tuple[Columns, set[tuple[str, str]]]:
    """Type and nullability of every column, and which need be given when a row is inserted."""
    found: Columns = {}
    required = set()
    for table in inspect(connection).get_table_names():
        for column in inspect(connection).get_columns(table):
            found[table, column["name"]] = (str(column["type"]), column["nullable"])
            if not column["nullable"] and column["default"] is None:
                required.add((table, column["name"]))
    return found, required


@pytest.mark.parametrize("revision", [each for each in revisions() if each > BEFORE])
def test_a_migration_only_adds_where_it_says_that_older_programs_may_stay(
    empty_database_url: str, revision: str
) -> None:
    (script,) = (schema.MIGRATIONS / "versions").glob(f"{revision}_*.py")
    assert "\nworks_with = " in script.read_text(), "it must say what works with it"
    before = revisions()[revisions().index(revision) - 1]
    database = Database(empty_database_url)
    schema.upgrade(database, before)
    with database.read() as connection:
        known, required = columns(connection)
    schema.upgrade(database, revision)
    with database.read() as connection:
        now, now_required = columns(connection)
        works_with = connection.execute(text("SELECT works_with FROM compatibility")).scalar_one()
    database.close()
    if works_with == revision:
        return  # it says that no older program may stay
    assert {name: now.get(name) for name in known} == known, "it changes what older programs use"
    tables_before = {table for table, _ in known}
    added = {(table, name) for table, name in now_required - required if table in tables_before}
    assert added == set(), "older programs do not give these values"


def test_the_database_says_what_works_with_it(empty_database_url: str, next_version: Path) -> None:
    add_migration(next_version, "9001", HEAD, "0009")
    add_migration(next_version, "9002", "9001", "9002")
    add_migration(next_version, "9003", "9002", HEAD)
    database = Database(empty_database_url)
    for revision, oldest in (("9001", "0009"), ("9002", "9002"), ("9003", "9002")):
        schema.upgrade(database, revision)
        with database.read() as connection:
            found = connection.execute(text("SELECT works_with FROM compatibility")).scalar_one()
        assert found == oldest
    database.close()


def test_a_newer_database_that_works_with_this_version_is_left_as_it_is(database: Database) -> None:
    with database.write() as connection:
        be_migrated_further(connection, HEAD)
        connection.execute(text("CREATE TABLE of_tomorrow (id integer)"))
    before = tables(database)
    assert schema.upgrade(database) == "9999"
    assert (tables(database), version(database)) == (before, "9999")


def test_a_newer_database_is_refused_and_left_alone(database: Database) -> None:
    with database.write() as connection:
        be_migrated_further(connection, "9998")
        connection.execute(text("CREATE TABLE of_tomorrow (id integer)"))
    before = tables(database)
    with pytest.raises(ConfigurationError) as refused:
        schema.upgrade(database)
    sentence = str(refused.value)
    assert "is at schema revision 9999, which is newer than this version" in sentence
    assert f"knows up to {HEAD}" in sentence
    assert "\n" not in sentence
    assert (tables(database), version(database)) == (before, "9999")


def test_a_node_that_was_asleep_during_a_migration_that_excludes_it_is_told(database: Database) -> None:
    told: list[str] = []
    presence = Presence(database, node_of(HEAD), told.append)
    presence.beat()
    with database.write() as connection:
        be_migrated_further(connection, HEAD)
    presence.beat()
    assert told == []
    with database.write() as connection:
        connection.execute(update(NodeRow).values(seen_at=0.0))
        be_migrated_further(connection, "9999")
    presence.beat()
    assert "is at schema revision 9999, which is newer than this version of chronos can work with" in told[0]
    with database.read() as connection:
        assert present_nodes(connection) == [], "it does not say any more that it is there"


@pytest.mark.parametrize("says", [True, False], ids=["says what it knows", "of a version before that"])
def test_a_migration_that_excludes_a_node_waits_until_it_is_gone(
    database: Database, next_version: Path, says: bool
) -> None:
    with database.write() as connection:
        note_node(connection, node_of(HEAD if says else ""))
    add_migration(next_version, "9001", HEAD, HEAD)
    add_migration(next_version, "9002", "9001", "9002")
    assert schema.upgrade(database, "9001") == "9001", "it may stay"
    with database.write() as connection:
        connection.execute(update(NodeRow).values(schema_revision=HEAD if says else None))
    with pytest.raises(ConfigurationError, match=r"The node at there:1 runs version 0\.1\.0, which could not work"):
        schema.upgrade(database)
    assert version(database) == "9001"
    with database.write() as connection:
        connection.execute(update(NodeRow).values(seen_at=NodeRow.seen_at - 60))
    assert schema.upgrade(database) == "9002"
    with database.read() as connection:
        assert [node.facts.schema_revision for node in list_nodes(connection)] == [HEAD if says else ""]


@pytest.mark.postgres
def test_a_migration_does_not_hold_up_others_behind_a_long_transaction(
    postgres_engine: Engine, postgres_template: str, next_version: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "IDLE_TRANSACTION_SECONDS", 600)
    add_migration(next_version, "9001", HEAD, HEAD, column_of="runs")
    with postgres_database(postgres_engine, postgres_template) as url:
        database = Database(url)
        with database.read() as connection:
            connection.execute(text("SELECT count(*) FROM runs"))  # and keeps the table, as a backup does
            with pytest.raises(ConfigurationError, match="another transaction, such as a backup, uses a table"):
                schema.upgrade(database)
        assert schema.upgrade(database) == "9001"
        database.close()
