"""After a backup was put back: later runs are forgotten, but their tasks may still be there."""

from __future__ import annotations

from sqlalchemy import text

from chronos_py.store.database import Database

# More than what any cluster decides between two backups; there is room for nine million million of them.
GAP = 1_000_000

_LEAVE_A_GAP = {
    "postgresql": (
        "SELECT setval(ids, nextval(ids) + :gap) FROM (SELECT pg_get_serial_sequence('runs', 'id')) AS runs(ids)",
    ),
    "sqlite": (
        "INSERT INTO sqlite_sequence (name, seq)"
        " SELECT 'runs', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'runs')",
        "UPDATE sqlite_sequence SET seq = seq + :gap WHERE name = 'runs'",
    ),
}


def leave_a_gap(database: Database) -> None:
    """Let no later run get the id, and its tasks the names, of one that was decided after the backup.

    A pool takes a task with the name of an attempt for that attempt.
    """
    with database.write() as connection:
        for statement in _LEAVE_A_GAP[database.dialect]:
            connection.execute(text(statement), {"gap": GAP})
