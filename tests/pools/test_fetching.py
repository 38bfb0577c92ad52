"""What a task fetches is there when it begins, in every pool; what cannot be had is a refused launch."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from chronos_py.errors import Deposed
from chronos_py.model.fetch import Fetch
from chronos_py.model.task import Task
from chronos_py.pools import LaunchRefused, Pool, TaskState
from chronos_py.pools.fetch import cache as fetch_cache
from chronos_py.pools.fetch import fetching

from .file_server import FileServer, serving
from .test_conformance import allow, deposed_at, run, times_run, witness
from .waiting import final, status_of


@pytest.fixture(scope="module")
def shared_server() -> Iterator[FileServer]:
    with serving() as server:
        yield server


@pytest.fixture
def server(shared_server: FileServer) -> FileServer:
    for known in (shared_server.files, shared_server.etags, shared_server.endless, shared_server.broken):
        known.clear()
    shared_server.requests.clear()
    shared_server.authorizations.clear()
    shared_server.on_request = lambda: None
    return shared_server


@pytest.fixture
def name() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def process_pool(process_pool_factory: Callable[[Path], Pool], data_dir: Path) -> Iterator[Pool]:
    """For what has nothing to do with where the task runs."""
    pool = process_pool_factory(data_dir)
    yield pool
    pool.close()


def tar_of(*entries: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode=mode) as tar:  # type: ignore[call-overload]
        for entry, content in entries:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def zip_of(entries: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path, content in entries.items():
            zipped.writestr(path, content)
    return archive.getvalue()


def output(pool: Pool, name: str, command: str, *fetch: Fetch, user: str = "") -> str:
    return run(pool, Task(name=name, command=command, fetch=fetch, user=user)).decode()


def refusal(pool: Pool, name: str, *fetch: Fetch) -> str:
    with pytest.raises(LaunchRefused) as refused:
        pool.submit(Task(name=name, command="true", fetch=fetch), allow)
    assert status_of(pool, name) is None, "nothing is left of it"
    return str(refused.value)


# --- what is there -----------------------------------------------------------------------------------------


def test_files_lie_where_the_command_begins(pool: Pool, name: str, server: FileServer) -> None:
    server.files.update({"/dir/data.csv": b"1,2\n", "/tool": b"#!/bin/sh\necho tool $1\n", "/x": b"x\n"})
    found = output(
        pool,
        name,
        'cat data.csv "$MESOS_SANDBOX/data.csv" sub/dir/renamed && ./tool works && [ ! -x data.csv ]',
        Fetch(server.url("/dir/data.csv?token=1#part")),
        Fetch(server.url("/tool"), executable=True),
        Fetch(server.url("/x"), output_file="sub/dir/renamed"),
    )
    assert found == "1,2\n1,2\nx\ntool works\n"


@pytest.mark.parametrize(
    ("path", "pack"),
    [
        ("/a.tar", lambda: tar_of((entry("in/file"), b"in it\n"))),
        ("/a.tar.gz", lambda: gzip.compress(tar_of((entry("in/file"), b"in it\n")))),
        ("/a.TGZ", lambda: gzip.compress(tar_of((entry("in/file"), b"in it\n")))),
        ("/a.tar.bz2", lambda: bz2.compress(tar_of((entry("in/file"), b"in it\n")))),
        ("/a.tar.xz", lambda: lzma.compress(tar_of((entry("in/file"), b"in it\n")))),
        ("/a.zip", lambda: zip_of({"in/file": b"in it\n"})),
        ("/file.gz", lambda: gzip.compress(b"in it\n")),
    ],
)
def test_archives_are_unpacked(
    pool: Pool, name: str, server: FileServer, path: str, pack: Callable[[], bytes]
) -> None:
    server.files[path] = pack()
    beside = path[1:]
    unpacked = "file" if beside == "file.gz" else "in/file"
    assert output(pool, name, f"cat {unpacked} && ls -d {beside}", Fetch(server.url(path))) == f"in it\n{beside}\n"


def test_an_archive_stays_whole_where_it_shall(pool: Pool, name: str, server: FileServer) -> None:
    server.files["/a.zip"] = zip_of({"file": b""})
    command = "ls a.zip && [ ! -e file ]"
    assert output(pool, name, command, Fetch(server.url("/a.zip"), extract=False)) == "a.zip\n"


def test_links_and_modes_within_an_archive_are_kept(pool: Pool, name: str, server: FileServer) -> None:
    server.files["/a.tar"] = tar_of(
        (entry("bin/run", mode=0o4755), b"#!/bin/sh\necho run\n"),
        (entry("run", tarfile.SYMTYPE, "bin/run"), b""),
        (entry("again", tarfile.LNKTYPE, "bin/run"), b""),
    )
    assert output(pool, name, "./run && ./again && [ ! -u bin/run ]", Fetch(server.url("/a.tar"))) == "run\nrun\n"


def test_a_program_that_is_fetched_runs_without_a_shell(pool: Pool, name: str, server: FileServer) -> None:
    server.files["/tool"] = b'#!/bin/sh\necho "$@"\n'
    task = Task(
        name=name,
        command="./tool",
        shell=False,
        arguments=("a b", "c"),
        fetch=(Fetch(server.url("/tool"), executable=True),),
    )
    assert run(pool, task) == b"a b c\n"


def test_credentials_in_the_uri_are_used(pool: Pool, name: str, server: FileServer) -> None:
    server.files["/x"] = b"x"
    assert output(pool, name, "cat x", Fetch(f"http://ann:secret@{server.address}/x")) == "x"
    assert server.authorizations == ["Basic YW5uOnNlY3JldA=="]


def test_passwords_of_the_server_are_sent_to_nobody(
    process_pool: Pool, name: str, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login server password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.files["/x"] = b"x"
    assert output(process_pool, name, "cat x", Fetch(server.url("/x"))) == "x"
    assert server.authorizations == [""]


def test_what_fsspec_opens_is_fetched(pool: Pool, name: str) -> None:
    with fsspec.open("memory://folder/x.txt", "wb") as file:
        file.write(b"from memory")
    assert output(pool, name, "cat x.txt", Fetch("memory://folder/x.txt")) == "from memory"


def test_files_of_the_machine_are_fetched(pool: Pool, name: str, tmp_path: Path) -> None:
    file = tmp_path / "with blank.txt"
    file.write_text("local")
    uri = f"file://{tmp_path}/with%20blank.txt"
    if pool.name == "swarm":  # its tasks run on any machine
        assert "it is a file of the server's machine" in refusal(pool, name, Fetch(uri))
        return
    assert output(pool, name, "cat 'with blank.txt'", Fetch(uri)) == "local"


def test_the_tasks_user_owns_what_it_may_change(pool: Pool, name: str, server: FileServer) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may run tasks as others")
    server.files["/a.tar"] = tar_of((entry("dir", tarfile.DIRTYPE, mode=0o755), b""), (entry("dir/file"), b"1"))
    command = "id -u; echo 2 >> dir/file && touch dir/new new && cat dir/file"
    assert output(pool, name, command, Fetch(server.url("/a.tar")), user="nobody") == "65534\n12\n"


# --- what is refused ---------------------------------------------------------------------------------------


def test_a_missing_file_is_a_refused_launch(pool: Pool, name: str, server: FileServer) -> None:
    uri = f"http://ann:secret@{server.address}/missing?key=alsosecret"
    assert refusal(pool, name, Fetch(uri)) == (
        f"The file http://***@{server.address}/missing?... cannot be fetched: the server answers 404 Not Found."
    )


def test_a_refused_launch_can_be_tried_again(pool: Pool, name: str, server: FileServer) -> None:
    refusal(pool, name, Fetch(server.url("/x")))
    server.files["/x"] = b"now"
    assert output(pool, name, "cat x", Fetch(server.url("/x"))) == "now"


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (lambda: tar_of((entry("../evil"), b"x")), "leads out of the folder"),
        (lambda: tar_of((entry("/evil"), b"x")), "leads out of the folder"),
        (
            lambda: tar_of((entry("a", tarfile.SYMTYPE, "/etc"), b""), (entry("a/evil"), b"x")),
            "leads out of the folder",
        ),
        (lambda: tar_of((entry("a", tarfile.SYMTYPE, "../.."), b"")), "leads out of the folder"),
        (
            lambda: tar_of(
                (entry("x", tarfile.SYMTYPE, "d/.."), b""),
                (entry("d", tarfile.SYMTYPE, "."), b""),
                (entry("x/evil"), b"x"),
            ),
            "leads out of the folder",
        ),
        (lambda: tar_of((entry("a", tarfile.LNKTYPE, "../../secret"), b"")), "leads out of the folder"),
        (lambda: tar_of((entry("a", tarfile.LNKTYPE, "nothing"), b"")), "no file before it"),
        (lambda: tar_of((entry("null", tarfile.CHRTYPE), b"")), "a device"),
        (lambda: tar_of((entry("pipe", tarfile.FIFOTYPE), b"")), "a device"),
        (lambda: b"no archive at all", "cannot be unpacked"),
    ],
)
def test_archives_with_ways_out_are_refused(
    process_pool: Pool, name: str, server: FileServer, archive: Callable[[], bytes], words: str
) -> None:
    server.files["/a.tar"] = archive()
    said = refusal(process_pool, name, Fetch(server.url("/a.tar")))
    assert words in said
    assert said.count("\n") == 0


@pytest.mark.parametrize(
    ("content", "path"), [(b"PK damaged", "/a.zip"), (b"\x1f\x8bdamaged", "/a.gz"), (b"", "/a.tar.xz")]
)
def test_damaged_archives_are_refused(
    process_pool: Pool, name: str, server: FileServer, content: bytes, path: str
) -> None:
    server.files[path] = content
    assert "cannot be unpacked" in refusal(process_pool, name, Fetch(server.url(path)))


def test_a_zip_with_a_way_out_is_refused(process_pool: Pool, name: str, server: FileServer) -> None:
    server.files["/a.zip"] = zip_of({"../evil": b"x"})
    assert "leads out of the folder" in refusal(process_pool, name, Fetch(server.url("/a.zip")))


def test_what_unpacks_to_too_much_is_refused(
    process_pool: Pool, name: str, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MOST_UNPACKED_BYTES", 1_000_000)
    monkeypatch.setattr(fetching, "MOST_ENTRIES", 5)
    server.files["/zeros.zip"] = zip_of({"a": bytes(600_000), "b": bytes(600_000)})
    assert len(server.files["/zeros.zip"]) < 5000
    assert "unpacks to more than 1000000 bytes" in refusal(process_pool, name, Fetch(server.url("/zeros.zip")))
    server.files["/many.tar"] = tar_of(*((entry(f"f{number}"), b"") for number in range(6)))
    assert "more than 5 entries" in refusal(process_pool, name, Fetch(server.url("/many.tar")))


def test_what_is_too_large_is_refused(
    process_pool: Pool, name: str, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MOST_BYTES", 1000)
    server.files["/large"] = bytes(1001)
    assert "it has more than 1000 bytes" in refusal(process_pool, name, Fetch(server.url("/large")))


def test_a_slow_server_is_given_up(
    pool: Pool, name: str, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "FETCH_SECONDS", 0.5)
    server.endless.add("/slow")
    assert "take longer than 0.5 s" in refusal(pool, name, Fetch(server.url("/slow")))


def test_what_breaks_off_is_refused(process_pool: Pool, name: str, server: FileServer) -> None:
    server.files["/x"] = b"half"
    server.broken.add("/x")
    assert "it broke off" in refusal(process_pool, name, Fetch(server.url("/x")))


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("http://127.0.0.1:9/x", "no connection"),
        ("nosuch://h/x", "nosuch"),
        ("relative/path", "neither a path nor a URI"),
        ("simplecache::http://127.0.0.1:9/x", "neither a path nor a URI"),
        ("file:///nothing/there", "No such file"),
        ("file:///dev/zero", "no regular file"),
        ("memory://nothing", "no such file"),
    ],
)
def test_what_cannot_be_opened_is_refused_in_words(process_pool: Pool, name: str, uri: str, words: str) -> None:
    assert words in refusal(process_pool, name, Fetch(uri, output_file="x"))


def test_a_job_gets_no_file_that_its_own_user_may_not_read(process_pool: Pool, name: str, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may run tasks as others")
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o600)
    with pytest.raises(LaunchRefused, match="Permission denied"):
        process_pool.submit(Task(name=name, command="true", user="nobody", fetch=(Fetch(str(secret)),)), allow)


# --- at most once ------------------------------------------------------------------------------------------


def test_a_leader_deposed_while_it_fetches_starts_nothing(
    pool: Pool, name: str, server: FileServer, data_dir: Path, pool_again: Callable[[], Pool]
) -> None:
    server.files["/x"] = b"x"
    task = replace(witness(name), fetch=(Fetch(server.url("/x")),))
    # Before it takes the name, and before it starts; where the pool itself fetches, it asks meanwhile, too.
    for call in range(1, 3 if pool.name == "mesos" else 4):
        with pytest.raises(Deposed):
            pool.submit(task, deposed_at(call))
    assert times_run(data_dir, name) == 0
    later = pool_again()
    later.recover(task, allow)
    assert final(later, name).exit_code == 0
    assert times_run(data_dir, name) == 1
    fetched = len(server.requests)
    earlier = later if pool.name == "mesos" else pool  # Mesos has but one leader
    assert later.recover(task, allow) == earlier.submit(task, allow)
    assert len(server.requests) == fetched, "what was launched is not fetched again"
    assert times_run(data_dir, name) == 1


def test_a_recovered_launch_fetches_anew(
    pool: Pool, name: str, server: FileServer, pool_again: Callable[[], Pool]
) -> None:
    server.files.update({"/x": b"old", "/y": b"old"})
    task = Task(name=name, command="ls && cat x", fetch=(Fetch(server.url("/x")), Fetch(server.url("/y"))))
    permits = 0

    def until_it_exists() -> None:
        nonlocal permits
        permits += 1
        found = status_of(pool, name)
        if found is not None and found.state is TaskState.CREATED:
            raise Deposed("Another node holds a higher epoch.")

    with pytest.raises(Deposed):
        pool.submit(task, until_it_exists)
    server.files["/x"] = b"new"
    later = pool_again()
    handle = later.recover(Task(name=name, command=task.command, fetch=task.fetch[:1]), allow)
    assert final(later, name).exit_code == 0
    assert later.logs(handle, "stdout", 0, 100) == b"x\nnew"


def test_a_recovery_that_cannot_fetch_leaves_nothing_to_start(
    pool: Pool, name: str, server: FileServer, pool_again: Callable[[], Pool]
) -> None:
    server.files["/x"] = b"x"
    task = Task(name=name, command="true", fetch=(Fetch(server.url("/x")),))

    def until_it_exists() -> None:
        if status_of(pool, name) is not None:
            raise Deposed("Another node holds a higher epoch.")

    with pytest.raises(Deposed):
        pool.submit(task, until_it_exists)
    del server.files["/x"]
    later = pool_again()
    with pytest.raises(LaunchRefused, match="404"):
        later.recover(task, allow)
    assert status_of(later, name) is None


# --- the cache ---------------------------------------------------------------------------------------------


def test_a_copy_that_the_server_vouches_for_is_used(pool: Pool, server: FileServer) -> None:
    server.files["/x"], server.etags["/x"] = b"one", '"1"'
    names = [f"test-{uuid.uuid4().hex[:12]}" for _ in range(3)]
    fetch = Fetch(server.url("/x"), cache=True)
    assert output(pool, names[0], "cat x && echo changed > x", fetch) == "one"
    assert output(pool, names[1], "cat x", fetch) == "one"
    server.files["/x"], server.etags["/x"] = b"two", '"2"'
    assert output(pool, names[2], "cat x", fetch) == "two"
    assert [status for _, status in server.requests] == [200, 304, 200]


def test_a_copy_that_nobody_vouches_for_is_used_for_a_while(
    process_pool: Pool, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/x"] = b"one"
    names = [f"test-{uuid.uuid4().hex[:12]}" for _ in range(4)]
    fetch = Fetch(server.url("/x"), cache=True)
    assert output(process_pool, names[0], "cat x", fetch) == "one"
    assert output(process_pool, names[1], "cat x", fetch) == "one"
    assert len(server.requests) == 1
    assert output(process_pool, names[2], "cat x", Fetch(server.url("/x"))) == "one"
    monkeypatch.setattr(fetch_cache, "FRESH_SECONDS", 0)
    assert output(process_pool, names[3], "cat x", fetch) == "one"
    assert len(server.requests) == 3


def test_the_cache_is_bounded(
    process_pool: Pool, server: FileServer, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_cache, "CACHE_BYTES", 2500)
    for number in range(5):
        server.files[f"/{number}"] = bytes(1000)
        output(process_pool, f"test-{uuid.uuid4().hex[:12]}", "true", Fetch(server.url(f"/{number}"), cache=True))
    copies = list((data_dir / "fetched").glob("*.data"))
    assert len(copies) == 2
    assert len(list((data_dir / "fetched").glob("*.json"))) == 2


def test_nothing_is_left_of_what_was_put_together(
    process_pool: Pool, name: str, server: FileServer, data_dir: Path
) -> None:
    server.files["/x"] = b"x"
    output(process_pool, name, "true", Fetch(server.url("/x")))
    refusal(process_pool, f"{name}-2", Fetch(server.url("/missing")))
    assert list((data_dir / "fetching").iterdir()) == []
