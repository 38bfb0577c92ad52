"""The nodes of a cluster, as they say themselves. Ages are measured on the database's clock alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, inspect, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from chronos_py.store.leadership import database_seconds
from chronos_py.store.tables import NodeRow

FORGOTTEN_AFTER = 86_400.0
# A node says every 10 s that it is there; who has been silent for three times that is away.
PRESENT_SECONDS = 35.0


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a node says of itself. ``address`` is what it advertises, ``identity`` that of its process.

    ``schema_revision`` is the newest that it knows, ``ensemble`` tells the ZooKeeper by which it elects from others;
    "" where its version does not say, or where it elects otherwise.
    """

    address: str
    identity: str
    host: str
    version: str
    pool: str
    election: str
    started_at: datetime
    schema_revision: str = ""
    ensemble: str = ""


@dataclass(frozen=True, slots=True)
class SeenNode:
    """A node, and how many seconds ago it was seen."""

    facts: NodeFacts
    seconds_ago: float


@dataclass(frozen=True, slots=True)
class PresentNode:
    """What matters of a node to one that is about to migrate the database."""

    address: str
    version: str
    schema_revision: str


def note_node(connection: Connection, facts: NodeFacts) -> None:
    """Note that a node is there now, and forget those that have not been seen for a day."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {**asdict(facts), "seen_at": database_seconds(connection)}
    connection.execute(
        dialect.insert(NodeRow).values(values).on_conflict_do_update(index_elements=["address"], set_=values)
    )
    connection.execute(delete(NodeRow).where(NodeRow.seen_at < database_seconds(connection) - FORGOTTEN_AFTER))


def forget_node(connection: Connection, address: str, identity: str) -> None:
    """A process says that it leaves; another one at its address stays."""
    connection.execute(delete(NodeRow).where(NodeRow.address == address, NodeRow.identity == identity))


def list_nodes(connection: Connection) -> list[SeenNode]:
    """Every node that has been seen within a day, by its address."""
    rows = connection.execute(
        select(
            NodeRow.address,
            NodeRow.identity,
            NodeRow.host,
            NodeRow.version,
            NodeRow.pool,
            NodeRow.election,
            NodeRow.started_at,
            func.coalesce(NodeRow.schema_revision, ""),
            func.coalesce(NodeRow.ensemble, ""),
            database_seconds(connection) - NodeRow.seen_at,
        )
        .where(NodeRow.seen_at >= database_seconds(connection) - FORGOTTEN_AFTER)
        .order_by(NodeRow.address)
    )
    return [SeenNode(NodeFacts(*row[:9]), max(row[9], 0.0)) for row in rows]


def present_nodes(connection: Connection) -> list[PresentNode]:
    """The nodes that are there now, in a database of any revision, also one from before there were nodes."""
    if not inspect(connection).has_table(NodeRow.__tablename__):
        return []
    columns = {column["name"] for column in inspect(connection).get_columns(NodeRow.__tablename__)}
    says = NodeRow.schema_revision if "schema_revision" in columns else literal("")
    rows = connection.execute(
        select(NodeRow.address, NodeRow.version, func.coalesce(says, ""))
        .where(NodeRow.seen_at >= database_seconds(connection) - PRESENT_SECONDS)
        .order_by(NodeRow.address)
    )
    return [PresentNode(*row) for row in rows]
