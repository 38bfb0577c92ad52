"""Settings: flags over environment over file over defaults, and one sentence for what is wrong."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from chronos_py.config import OPTIONS, Settings, load_settings
from chronos_py.errors import ConfigurationError


def test_the_table_of_options_and_the_settings_agree() -> None:
    kept = [field for field in fields(Settings) if field.name not in ("pool_settings", "notes")]
    assert [option.name for option in OPTIONS] == [field.name for field in kept]
    assert {option.name: option.default for option in OPTIONS} == {field.name: field.default for field in kept}


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "chronos.toml"
    file.write_text('listen = "127.0.0.1:1"\npool = "process"\nlease-seconds = 5\nmax_running = 7\n')
    settings = load_settings(
        {"listen": "127.0.0.1:3", "pool": None},
        str(file),
        {"CHRONOS_LISTEN": "127.0.0.1:2", "CHRONOS_LEASE_SECONDS": "6", "CHRONOS_INSECURE": "true"},
    )
    assert (settings.listen, settings.pool, settings.lease_seconds) == ("127.0.0.1:3", "process", 6.0)
    assert (settings.max_running, settings.insecure, settings.zk_path) == (7, True, "/chronos")


def test_the_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "chronos.toml"
    file.write_text('data_dir = "/somewhere"\n')
    assert load_settings({}, None, {"CHRONOS_CONFIG": str(file)}).data_dir == "/somewhere"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"CHRONOS_LEASE_SECONDS": "soon"}, 'CHRONOS_LEASE_SECONDS is "soon" but must be a number'),
        ({"CHRONOS_MAX_RUNNING": "0"}, "max-running is 0"),
        ({"CHRONOS_LEASE_SECONDS": "0.5"}, "lease-seconds is 0.5"),
        ({"CHRONOS_LEASE_SECONDS": "nan"}, "lease-seconds is nan"),
        ({"CHRONOS_LEASE_SECONDS": "inf"}, "lease-seconds is inf"),
        ({"CHRONOS_INSECURE": "perhaps"}, "must be true or false"),
        ({"CHRONOS_ELECTION": "dice"}, "one of sql, zookeeper"),
        ({"CHRONOS_CONFIG": "/nowhere.toml"}, "/nowhere.toml cannot be read"),
    ],
)
def test_what_is_wrong_is_named_with_its_source(environment: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load_settings({}, None, environment)


def test_an_unknown_key_in_the_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "chronos.toml"
    file.write_text("listn = 1\n")
    with pytest.raises(ConfigurationError, match='unknown key "listn"'):
        load_settings({}, str(file), {})


@pytest.mark.parametrize("line", ["max_running = inf", "lease_seconds = []", "lease_seconds = nan"])
def test_values_of_the_wrong_kind_in_the_file_are_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "chronos.toml"
    file.write_text(line)
    with pytest.raises(ConfigurationError, match=r"max_running|lease.seconds"):
        load_settings({}, str(file), {})


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    file = tmp_path / "chronos.toml"
    file.write_text("listen: yaml\n")
    with pytest.raises(ConfigurationError, match="is not TOML"):
        load_settings({}, str(file), {})


def test_the_database_and_the_folders_follow_the_data_folder() -> None:
    settings = Settings(data_dir="/data")
    assert settings.full_database_url == "sqlite:////data/chronos.db"
    assert (str(settings.shared_path), settings.log_archive_url) == ("/data/shared", "/data/logs")
