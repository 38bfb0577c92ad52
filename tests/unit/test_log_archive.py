"""The archive of output when something goes wrong while it is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chronos_py.logs import LogArchive
from chronos_py.pools import PoolUnavailable


def breaking_off(error: Exception) -> Iterator[bytes]:
    yield b"first line\n"
    raise error


def files_in(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PoolUnavailable("the engine is away")])
def test_what_could_not_be_stored_whole_leaves_nothing(tmp_path: Path, error: Exception) -> None:
    archive = LogArchive(str(tmp_path))
    for _ in range(2):
        with pytest.raises(type(error), match=str(error.args[-1])):
            archive.store(7, 1, "stdout", breaking_off(error))
    assert files_in(tmp_path) == []
    archive.store(7, 1, "stdout", iter([b"first line\n"]))
    assert [file.name for file in files_in(tmp_path)] == ["1.stdout"]


def test_a_file_system_that_fails_in_words_of_its_own_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoCredentials(Exception):
        """As a bucket's client raises it."""

    def refuse(*_: object, **__: object) -> None:
        raise NoCredentials("Unable to locate credentials")

    archive = LogArchive(f"memory:/{tmp_path}")
    monkeypatch.setattr(archive._files, "open", refuse)
    with pytest.raises(OSError, match="Unable to locate credentials"):
        archive.store(7, 1, "stdout", iter([b""]))
