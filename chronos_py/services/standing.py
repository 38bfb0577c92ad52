"""How the cluster stands: nodes, leader, lag, queue, pool and database, and in words what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from chronos_py import __version__
from chronos_py.clock import SetClock
from chronos_py.model.run import Run, RunState
from chronos_py.pools import Capacity, PoolNode, PoolUnavailable
from chronos_py.services.application import Application
from chronos_py.services.waiting import what_it_waits_for
from chronos_py.store import jobs, nodes, runs, schema, standing
from chronos_py.store.leadership import Leadership, database_time, read_leadership
from chronos_py.store.nodes import NodeFacts, SeenNode
from chronos_py.store.standing import DatabaseFacts, Lag

AWAY_AFTER = nodes.PRESENT_SECONDS
ASKED_ABOUT = 25  # of so many waiting runs the reason is looked for
LATE = timedelta(seconds=30)
MOST_SKEW = timedelta(seconds=2)


Room = Capacity | PoolNode


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """A node of the scheduler."""

    facts: NodeFacts
    seconds_ago: float
    is_leader: bool
    is_this: bool

    @property
    def is_away(self) -> bool:
        return self.seconds_ago > AWAY_AFTER and not self.is_this


@dataclass(frozen=True, slots=True)
class WaitingGroup:
    """Waiting runs with the same reason."""

    reason: str
    runs: Sequence[Run]


@dataclass(frozen=True, slots=True)
class PoolStanding:
    """The pool. ``problem`` says why it is not known more, "" when it answers."""

    name: str
    capacity: Capacity
    nodes: Sequence[PoolNode]
    problem: str


@dataclass(frozen=True, slots=True)
class DatabaseStanding:
    """The database. ``ping`` is how long an answer took, ``ahead`` how far this node's clock is ahead of its."""

    url: str
    facts: DatabaseFacts
    revision: str
    ping: timedelta
    ahead: timedelta


@dataclass(frozen=True, slots=True)
class ZooKeeperStanding:
    """The ZooKeeper that decides who may lead. ``problem`` says why it does not, "" when it answers."""

    hosts: str
    path: str
    problem: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything at one moment. ``lag`` is of the last hour, ``oldest_due`` of what should have begun and has not.

    ``waiting`` tells of the first :data:`ASKED_ABOUT` waiting runs. ``problems`` are sentences that say what to do.
    """

    at: datetime
    leadership: Leadership
    nodes: Sequence[ClusterNode]
    lag: Lag
    oldest_due: datetime | None
    counts: Mapping[RunState, int]
    job_count: int
    waiting: Sequence[WaitingGroup]
    pool: PoolStanding
    database: DatabaseStanding
    election: str
    zookeeper: ZooKeeperStanding | None
    problems: Sequence[str]

    @property
    def leader(self) -> str:
        """The address of the leader, "" while nobody leads."""
        return self.leadership.address if self.leadership.seconds_left > 0 else ""

    @property
    def waiting_count(self) -> int:
        return sum(self.counts.get(state, 0) for state in (RunState.QUEUED, RunState.WAITING_RETRY))


def view_standing(app: Application) -> Standing:
    """How the cluster stands now. Raises DatabaseUnavailable."""
    now, asked = app.clock.now(), app.clock.monotonic()
    with app.database.read() as connection:
        leadership = read_leadership(connection)
        ping = timedelta(seconds=app.clock.monotonic() - asked)
        ahead = _ahead(app, connection)
        seen = nodes.list_nodes(connection)
        lag = standing.measure_lag(connection, now - timedelta(hours=1))
        oldest = standing.oldest_unlaunched(connection, now)
        counts = runs.count_by_state(connection)
        job_count = jobs.count_jobs(connection)
        first = standing.waiting_runs(connection, ASKED_ABOUT)
        facts = standing.database_facts(connection)
        revision = schema.current_revision(connection)
    own = next((each.facts for each in seen if each.facts.address == app.address), None)
    found = Standing(
        at=now,
        leadership=leadership,
        nodes=_nodes(app, seen, leadership),
        lag=lag,
        oldest_due=oldest,
        counts=counts,
        job_count=job_count,
        waiting=_grouped(app, first),
        pool=pool_standing(app),
        database=DatabaseStanding(app.database.shown_url, facts, revision, ping, ahead),
        election=own.election if own is not None else "",
        zookeeper=zookeeper_standing(app),
        problems=(),
    )
    return replace(found, problems=list(_problems(app, found)))


def _ahead(app: Application, connection: Connection) -> timedelta:
    """How far this node's clock surely is ahead of the database's: what a slow answer may explain is none of it."""
    asked, read, answered = app.clock.now(), database_time(connection), app.clock.now()
    unsure = (answered - asked) / 2
    ahead = asked + unsure - read
    if isinstance(app.clock, SetClock):  # which was set by the database's: told is of the machine's
        ahead -= app.clock.behind
    return max(ahead - unsure, min(ahead + unsure, timedelta(0)))


def _nodes(app: Application, seen: Sequence[SeenNode], leadership: Leadership) -> list[ClusterNode]:
    leader = leadership.address if leadership.seconds_left > 0 else None
    found = [
        ClusterNode(each.facts, each.seconds_ago, each.facts.address == leader, each.facts.address == app.address)
        for each in seen
    ]
    if not any(node.is_this for node in found):
        own = NodeFacts(app.address, "", "", __version__, app.pool.name, "", app.started_at)
        found.append(ClusterNode(own, 0.0, app.term.epoch is not None, True))
    return found


def _grouped(app: Application, waiting: Sequence[Run]) -> list[WaitingGroup]:
    groups: dict[str, list[Run]] = {}
    for run in waiting:
        groups.setdefault(what_it_waits_for(app, run), []).append(run)
    return [WaitingGroup(reason, found) for reason, found in groups.items()]


def zookeeper_standing(app: Application) -> ZooKeeperStanding | None:
    """How ZooKeeper stands, as this node's election sees it; None where the database elects."""
    if app.configuration.get("election") != "zookeeper":
        return None
    problem = next((each.message for each in app.health.problems() if each.part == "zookeeper"), "")
    return ZooKeeperStanding(app.configuration["zk_hosts"], app.configuration["zk_path"], problem)


def pool_standing(app: Application) -> PoolStanding:
    try:
        return PoolStanding(app.pool.name, app.pool.capacity(), app.pool.nodes(), "")
    except PoolUnavailable as error:
        return PoolStanding(app.pool.name, Capacity(), (), str(error))


def _problems(app: Application, found: Standing) -> Iterator[str]:
    """What is wrong, the worst first."""
    if not found.leader:
        yield (
            "Nobody leads, so nothing is started: a node takes over by itself within seconds. If none does, look at"
            " the logs of the nodes below, or start one with “chronos server”."
        )
    problems = app.health.problems()
    told = [problem.message for problem in problems]
    yield from told
    if found.pool.problem and found.pool.problem not in told:
        yield f"{found.pool.problem} What runs there goes on; nothing is started until the pool answers again."
    if found.oldest_due is not None and found.at - found.oldest_due > LATE and found.leader:
        yield (
            f"Something that was due {_minutes(found.at - found.oldest_due)} ago has not been started;"
            " what waits, and why, is listed under “Queue”."
        )
    for node in found.nodes:
        if node.is_away:
            silence = _minutes(timedelta(seconds=node.seconds_ago))
            yield (
                f"Node {node.facts.address} has not been heard of for {silence}."
                " If it was stopped for good there is nothing to do: it is forgotten after a day. If not, look at its"
                " log and at its way to the database."
            )
    versions = sorted({node.facts.version for node in found.nodes if not node.is_away})
    if len(versions) > 1:
        yield f"The nodes run different versions ({', '.join(versions)}); bring them all to the newest one."
    for host in found.pool.nodes:
        if host.state != "ready":
            yield f"Host {host.name} of the pool takes no tasks: it is {host.state}."
    if abs(found.database.ahead) > MOST_SKEW and not any(problem.part == "clock" for problem in problems):
        way = "ahead of" if found.database.ahead > timedelta(0) else "behind"
        yield (
            f"This node's clock is {abs(found.database.ahead).total_seconds():.0f} s {way} the database's; let a time"
            " service such as chrony or systemd-timesyncd set both."
        )


def _minutes(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
