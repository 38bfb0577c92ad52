"""The row that says whose writes count, and the lease on it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, literal_column, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from chronos_py.store.database import Database
from chronos_py.store.tables import LeadershipRow


@dataclass(frozen=True, slots=True)
class Leadership:
    """Who leads. ``seconds_left`` of the lease by the database's clock, negative when it has run out."""

    cluster: str
    epoch: int
    holder: str
    address: str
    seconds_left: float
    acquired_at: datetime | None


def database_seconds(connection: Connection) -> ColumnElement[float]:
    """The database's clock in seconds since 1970: leases never compare the clocks of two nodes."""
    if connection.dialect.name == "sqlite":
        return literal_column("((julianday('now') - 2440587.5) * 86400.0)")
    return literal_column("extract(epoch from clock_timestamp())::double precision")


def database_time(connection: Connection) -> datetime:
    """The time on the database's clock."""
    return datetime.fromtimestamp(connection.execute(select(database_seconds(connection))).scalar_one(), UTC)


def ensure_row(database: Database) -> str:
    """Make the row where there is none yet; return the cluster's name, a short random text that marks its tasks."""
    with database.write() as connection:
        known = connection.execute(select(LeadershipRow.cluster)).scalar_one_or_none()
        if known is not None:
            return known
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        made = dialect.insert(LeadershipRow).values(id=1, cluster=secrets.token_hex(3), epoch=0, lease_until=0.0)
        connection.execute(made.on_conflict_do_nothing())  # another node may make it in this moment
        return connection.execute(select(LeadershipRow.cluster)).scalar_one()


def read_leadership(connection: Connection) -> Leadership:
    row = connection.execute(
        select(
            LeadershipRow.cluster,
            LeadershipRow.epoch,
            LeadershipRow.holder,
            LeadershipRow.address,
            (LeadershipRow.lease_until - database_seconds(connection)).label("seconds_left"),
            LeadershipRow.acquired_at,
        )
    ).one()
    return Leadership(*row)


_END_PAUSED = text("""
    SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE relation = 'leadership'::regclass AND datname = current_database() AND usename = current_user
      AND mode IN ('RowShareLock', 'RowExclusiveLock') AND pid <> pg_backend_pid()
      AND xact_start < clock_timestamp() - make_interval(secs => :seconds)
""")


def _end_paused_leader(connection: Connection, lease_seconds: float) -> None:
    """A leader that was stopped in the middle of a transaction keeps the row locked: do not wait for its lock.

    Only for who takes the leadership now, and only transactions as old as half a lease: also those that wait for
    another one, for they would get its locks and keep them. What is not committed, the next leader does.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_END_PAUSED, {"seconds": lease_seconds / 2})


class SqlLease:
    """The lease of one node on the leadership row; what :class:`chronos_py.election.sql.SqlElection` needs."""

    def __init__(self, database: Database, holder: str, address: str) -> None:
        self._database = database
        self._holder = holder
        self._address = address

    def holder(self) -> str:
        """Who holds it, "" when nobody does."""
        with self._database.read() as connection:
            return read_leadership(connection).holder

    def seconds_left(self) -> float:
        """How long it still runs by the database's clock unless it is renewed; negative when it has run out."""
        with self._database.read() as connection:
            return read_leadership(connection).seconds_left

    def acquire(self, seconds: float, now: datetime, dead_holder: str | None = None) -> int | None:
        """Take the leadership if nobody's lease runs (or only that of ``dead_holder``). The new epoch, or None."""
        with self._database.write() as connection:
            clock = database_seconds(connection)
            is_free = LeadershipRow.lease_until < clock
            if dead_holder is not None:
                is_free = is_free | (LeadershipRow.holder == dead_holder)
            if connection.execute(select(LeadershipRow.id).where(is_free)).first() is None:
                return None
            _end_paused_leader(connection, seconds)
            return connection.execute(
                update(LeadershipRow)
                .where(is_free)
                .values(
                    epoch=LeadershipRow.epoch + 1,
                    holder=self._holder,
                    address=self._address,
                    lease_until=clock + seconds,
                    acquired_at=now,
                )
                .returning(LeadershipRow.epoch)
            ).scalar_one_or_none()

    def claim(self, seconds: float, now: datetime) -> int:
        """Take the leadership, whoever held it: another election has decided that this node may. The new epoch."""
        with self._database.write() as connection:
            _end_paused_leader(connection, seconds)
            return connection.execute(
                update(LeadershipRow)
                .values(
                    epoch=LeadershipRow.epoch + 1,
                    holder=self._holder,
                    address=self._address,
                    lease_until=database_seconds(connection) + seconds,
                    acquired_at=now,
                )
                .returning(LeadershipRow.epoch)
            ).scalar_one()

    def renew(self, epoch: int, seconds: float) -> bool:
        """Prolong the lease of ``epoch``; False when that term is over."""
        with self._database.write() as connection:
            clock = database_seconds(connection)
            renewed = connection.execute(
                update(LeadershipRow)
                .where(LeadershipRow.epoch == epoch, LeadershipRow.holder == self._holder)
                .values(lease_until=clock + seconds)
            )
            return renewed.rowcount == 1

    def release(self, epoch: int) -> None:
        """Let the next node lead at once."""
        with self._database.write() as connection:
            connection.execute(
                update(LeadershipRow)
                .where(LeadershipRow.epoch == epoch, LeadershipRow.holder == self._holder)
                .values(lease_until=0.0, holder="", address="")
            )
