"""Fixtures for the Mesos pool: a double that runs tasks, or the real master that CHRONOS_TEST_MESOS_MASTER names.

Every test has a framework of its own and tears it down. The agents of a real master must see the folders of the tests
(``--basetemp`` names another place for them) and reach the web server on loopback that tests fetch files from.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chronos_py.model.task import Task
from chronos_py.pools import LaunchWaits, Pool, PoolOptions, PoolUnavailable
from chronos_py.pools.mesos.pool import MesosPool

from .mesos_live_double import LiveDouble
from .mesos_wiretap import Wiretap
from .waiting import final

REAL_MASTER = os.environ.get("CHRONOS_TEST_MESOS_MASTER", "")

# A real master makes offers once a second, and not to one framework alone; any launch takes long on a slow machine.
LAUNCH_SECONDS = 60.0

# What Mesos does otherwise, or the double has nothing of; some for one set of parameters only. What it does instead
# is tested in test_mesos.py and test_mesos_fetching.py.
FETCHES_LATER = "the agent fetches after the launch, so that what cannot be had is an attempt that fails"
OTHERWISE = {
    "test_keeps_the_streams_apart": "stderr has the words of Mesos' executor, too",
    "test_says_that_a_program_does_not_exist": "Mesos tells exit status 1 of a program that is not there",
    "test_names_the_memory_limit_as_the_cause": "memory is held by isolators that an agent need not have",
    "test_another_user_can_write_it[65534]": "an agent knows users by their names only",
    "test_archives_are_unpacked[/a.TGZ-<lambda>]": "an agent knows archives by endings in small letters only",
    "test_what_fsspec_opens_is_fetched": "an agent fetches what it knows itself",
    "test_a_missing_file_is_a_refused_launch": FETCHES_LATER,
    "test_a_refused_launch_can_be_tried_again": FETCHES_LATER,
    "test_a_slow_server_is_given_up": FETCHES_LATER,
    "test_a_recovered_launch_fetches_anew": FETCHES_LATER,
    "test_a_recovery_that_cannot_fetch_leaves_nothing_to_start": FETCHES_LATER,
    "test_a_copy_that_the_server_vouches_for_is_used": "an agent uses its copy without a look at the server",
}

if REAL_MASTER:
    OTHERWISE["test_a_forgotten_name_is_free"] = "an agent's executor of the same id may not be gone yet"
    unrecorded = "whether an agent unpacks hard links is not recorded"
    OTHERWISE["test_links_and_modes_within_an_archive_are_kept"] = unrecorded


@pytest.fixture
def mesos_double(tmp_path: Path) -> Iterator[LiveDouble]:
    """For what can be had of no real master."""
    double = LiveDouble(tmp_path / "sandboxes")
    yield double
    double.stop()


@pytest.fixture(scope="session")
def real_master(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the real master that was given, "" without one; its agents see what tests do."""
    if REAL_MASTER:
        shared = tmp_path_factory.mktemp("mesos")
        pool = mesos_pool(REAL_MASTER, shared)
        try:
            with contextlib.suppress(LaunchWaits):
                pool.submit(Task(name="probe", command='touch "$CHRONOS_SHARED_DIR/seen"'), allow)
            ended = final(pool, "probe", 60)
            seen = (shared / "shared" / "seen").exists()
            assert seen, f"no agent of {REAL_MASTER} sees {shared}; name another folder with --basetemp: {ended}"
        finally:
            end_framework(pool)
    return REAL_MASTER


@pytest.fixture(autouse=True)
def patience_with_masters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chronos_py.pools.mesos.pool.LAUNCH_SECONDS", LAUNCH_SECONDS)


@pytest.fixture
def mesos_address(request: pytest.FixtureRequest, real_master: str) -> str:
    """The master's, be it real or the double."""
    if real_master:
        return real_master
    double: LiveDouble = request.getfixturevalue("mesos_double")
    return double.url


@pytest.fixture
def mesos(mesos_address: str) -> Iterator[Wiretap]:
    """What is said between the pool and the master."""
    tap = Wiretap(mesos_address)
    yield tap
    tap.stop()


@pytest.fixture(scope="session")
def mesos_pool_factory(real_master: str) -> Iterator[Callable[[Path], Pool]]:
    folder = Path(tempfile.mkdtemp())  # which other users' tasks can reach
    double = None if real_master else LiveDouble(folder)
    master = double.url if double else real_master
    yield lambda data_dir: mesos_pool(master, data_dir)
    if double:
        double.stop()
    shutil.rmtree(folder, ignore_errors=True)  # what was just killed may still write


def mesos_pool(master: str, data_dir: Path, cluster: str = "test", **extra: str) -> MesosPool:
    options = PoolOptions(
        cluster=cluster,
        data_dir=data_dir,
        shared_dir=data_dir / "shared",
        extra={"mesos_master": master, "mesos_failover_timeout": "60", **extra},
    )
    (data_dir / "shared").mkdir(parents=True, exist_ok=True)
    return MesosPool.from_options(options)


def end_framework(pool: Pool) -> None:
    """Tear down what a test has made, with all its tasks. Other pools than that of Mesos have none."""
    if isinstance(pool, MesosPool):
        pool.close()
        with contextlib.suppress(PoolUnavailable):  # there is none, or none any more
            pool.teardown()
        pool.close()  # what the last call has opened


@pytest.fixture(name="make")
def make_mesos_pool(mesos: Wiretap, tmp_path: Path) -> Iterator[Callable[..., MesosPool]]:
    pools: list[MesosPool] = []

    def make(master: str = "", **extra: str) -> MesosPool:
        pools.append(mesos_pool(master or mesos.url, tmp_path, **extra))
        return pools[-1]

    yield make
    mesos.undo()
    for pool in pools:
        pool.close()
    if pools:
        end_framework(mesos_pool(mesos.url, tmp_path))


def allow() -> None:
    """The permit of a leader whose term goes on."""


@contextlib.contextmanager
def launches_wait_soon(seconds: float = 0.5) -> Iterator[None]:
    """For a launch that is expected to wait: whoever submits it is told so within a moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chronos_py.pools.mesos.pool.LAUNCH_SECONDS", seconds)
        yield


def keeps_trying(look: Callable[[], Any]) -> Callable[[], Any]:
    """What is answered once Mesos can be reached again."""

    def attempt() -> Any:
        try:
            return look()
        except PoolUnavailable:
            return None

    return attempt
