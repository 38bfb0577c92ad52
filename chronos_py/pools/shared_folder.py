"""The folder that the tasks of a pool share."""

from __future__ import annotations

from pathlib import Path

from chronos_py.pools import PoolOptions, PoolUnavailable


def shared_folder(options: PoolOptions) -> Path:
    """Its absolute path; made where it is missing. Raises PoolUnavailable when it cannot be made."""
    try:
        options.shared_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PoolUnavailable(f"The shared folder {options.shared_dir} cannot be made: {error.strerror}.") from error
    return options.shared_dir.absolute()
