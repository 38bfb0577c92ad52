"""The flags of the original: each is taken, gives what the table says, and is documented."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from chronos_py.config import LEGACY_FLAGS, OPTIONS, Settings, load_settings
from chronos_py.errors import ConfigurationError

# Every flag of every version of the original, as its documentation spells them.
ORIGINAL = [
    "master", "user", "failover_timeout", "cluster_name", "zk_hosts", "zk_path", "zk_timeout", "zk_auth",
    "hostname", "leader_max_idle_time", "schedule_horizon", "task_epsilon", "failure_retry",
    "disable_after_failures", "mesos_task_cpu", "mesos_task_mem", "mesos_task_disk", "mesos_checkpoint",
    "mesos_role", "mesos_framework_name", "mesos_authentication_principal", "mesos_authentication_secret_file",
    "webui_url", "reconciliation_interval", "revive_offers_for_new_jobs", "decline_offer_duration",
    "min_revive_offers_interval", "mail_server", "mail_user", "mail_password", "mail_from", "mail_ssl", "raven_dsn",
    "slack_url", "mattermost_url", "http_notification_url", "http_notification_credentials", "graphite_host_port",
    "graphite_reporting_interval", "graphite_group_prefix", "cassandra_contact_points", "cassandra_port",
    "cassandra_user", "cassandra_password", "cassandra_keyspace", "cassandra_table", "cassandra_stat_count_table",
    "cassandra_consistency", "cassandra_ttl", "job_history_limit", "http_port", "http_address", "https_port",
    "https_address", "disable_http", "http_credentials", "http_realm", "ssl_keystore_path", "ssl_keystore_password",
    "http_compression", "disable_http_compression",
]  # fmt: skip
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "configuration.md"


def load(environment: dict[str, str] | None = None, own: dict[str, Any] | None = None, **legacy: str) -> Settings:
    return load_settings(own or {}, None, environment or {}, legacy)


def test_the_table_holds_every_flag_once() -> None:
    assert sorted(flag.name for flag in LEGACY_FLAGS) == sorted(ORIGINAL)


def test_every_flag_gives_a_setting_or_says_why_not() -> None:
    settings = {option.name for option in OPTIONS}
    for flag in LEGACY_FLAGS:
        assert re.fullmatch(r"[^.].*[.]", flag.meaning), flag.name
        assert (flag.gives in settings) == (flag.use == "setting"), flag.name
        assert bool(flag.gives) == (flag.use != "nothing"), flag.name


def test_every_flag_and_every_option_is_documented_as_the_table_has_it() -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    for flag in LEGACY_FLAGS:
        ours = flag.gives.replace("_", "-")
        gives = {"setting": f"`{ours}`", "pool": "pool `mesos`", "nothing": "—"}[flag.use]
        assert f"| `--{flag.name}` | {gives} | {flag.meaning} |\n" in text, flag.name
    for option in OPTIONS:
        assert f"`{option.flag.removeprefix('--')}`" in text, option.name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"zk_hosts": "zk://a:2181,b:2181/mesos"}, {"zk_hosts": "a:2181,b:2181"}),
        ({"zk_hosts": "a:2181"}, {"zk_hosts": "a:2181"}),
        ({"zk_path": "/chronos/state"}, {"zk_path": "/chronos/state"}),
        ({"zk_timeout": "15000"}, {"zk_session_seconds": 15.0}),
        ({"failure_retry": "500"}, {"default_retry_delay": 0.5}),
        ({"task_epsilon": "90"}, {"default_epsilon": 90.0}),
        ({"disable_after_failures": "3"}, {"default_disable_after_failures": 3}),
        (
            {"mesos_task_cpu": "0.5", "mesos_task_mem": "64", "mesos_task_disk": "32", "user": "nobody"},
            {"default_cpus": 0.5, "default_mem": 64.0, "default_disk": 32.0, "default_user": "nobody"},
        ),
        ({"http_port": "8081"}, {"listen": "0.0.0.0:8081"}),
        ({"http_address": "10.0.0.5"}, {"listen": "10.0.0.5:8080"}),
        ({"http_address": "::1", "http_port": "1"}, {"listen": "[::1]:1"}),
        ({"hostname": "node1"}, {"advertise": "node1"}),
        ({"reconciliation_interval": "600"}, {"resync_seconds": 600.0}),
        ({"http_compression": "true"}, {"http_compression": True}),
        ({"disable_http_compression": "true"}, {"http_compression": False}),
        ({"disable_http_compression": "false"}, {"http_compression": True}),
        ({"mail_ssl": "true"}, {"mail_ssl": True}),
        ({"job_history_limit": "7"}, {"job_history_limit": 7}),
        ({"master": "a", "mesos_role": "*"}, {"mesos_master": "a", "pool_settings": {"mesos_role": "*"}}),
        ({"disable_http": "false"}, {}),
    ],
)  # fmt: skip
def test_what_flags_give(given: dict[str, str], expected: dict[str, object]) -> None:
    settings = load(**given)
    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"MESOSPHERE_HTTP_CREDENTIALS": "a:b"}, {"http_credentials": "a:b"}),
        ({"MESOSPHERE_HTTP_CREDENTIALS": ""}, {"http_credentials": ""}),
        ({"PORT0": "31000"}, {"listen": "0.0.0.0:31000"}),
        ({"PORT0": "31000", "CHRONOS_LISTEN": "127.0.0.1:1"}, {"listen": "127.0.0.1:1"}),
        ({"MESOSPHERE_KEYSTORE_PATH": "/x"}, {}),
    ],
)
def test_the_original_environment(environment: dict[str, str], expected: dict[str, str]) -> None:
    settings = load(environment)
    assert {name: getattr(settings, name) for name in expected} == expected


def test_what_is_nearer_wins_and_of_two_at_one_place_ours(tmp_path: Path) -> None:
    settings = load({"CHRONOS_HTTP_CREDENTIALS": "own:1", "MESOSPHERE_HTTP_CREDENTIALS": "old:1"})
    assert settings.http_credentials == "own:1"
    assert settings.notes == ("CHRONOS_HTTP_CREDENTIALS overrules MESOSPHERE_HTTP_CREDENTIALS.",)
    settings = load({"CHRONOS_LISTEN": "127.0.0.1:1", "PORT0": "2"}, http_port="3", http_address="127.0.0.1")
    assert settings.listen == "127.0.0.1:3"
    settings = load(None, {"listen": "127.0.0.1:1"}, http_port="3")
    assert settings.listen == "127.0.0.1:1"
    assert settings.notes == ("--listen overrules --http_port.",)
    file = tmp_path / "chronos.toml"
    file.write_text('http_port = 5\nzk_hosts = "zk://a:1/b"\nhttp-address = "127.0.0.1"\nmail_ssl = true\n')
    settings = load_settings({}, str(file), {}, {"http_port": "6"})
    assert (settings.listen, settings.zk_hosts, settings.mail_ssl) == ("127.0.0.1:6", "a:1", True)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"http_compression": "true", "disable_http_compression": "true"}, "contradict each other; give one of them"),
        ({"disable_http": "true"}, "--disable_http asks for HTTPS only, but this server has no TLS of its own"),
        ({"zk_timeout": "soon"}, '--zk_timeout is "soon" but must be a number of milliseconds.'),
        ({"zk_hosts": "zk://user:password@a:1/b"}, "with credentials in --zk_auth"),
        ({"mesos_task_mem": "much"}, '--mesos_task_mem is "much" but must be a number.'),
        ({"mail_ssl": "perhaps"}, "must be true or false"),
        ({"mail_server": "a b"}, 'mail-server is "a b" but must be host:port.'),
        ({"graphite_host_port": "a"}, 'graphite-host-port is "a" but must be host:port.'),
        ({"slack_url": "hooks"}, "slack-url must be an address that begins with http:// or https://."),
        ({"http_notification_url": "ftp://a"}, "http-notification-url must be an address"),
        ({"webui_url": "http://[x"}, "webui-url must be an address"),
        ({"job_history_limit": "-1"}, "job-history-limit is -1 but must be from 0 to 1000."),
        ({"disable_after_failures": "-1"}, "must be at least 0"),
        ({"http_realm": "a\nb"}, "plain ASCII text"),
    ],
)
def test_what_cannot_be_is_one_sentence(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(sentence)) as caught:
        load(**given)
    assert "\n" not in str(caught.value)


def test_what_does_nothing_is_said_once() -> None:
    settings = load(schedule_horizon="60", cassandra_ttl="1", https_port="8443", master="local", zk_hosts="a:1")
    said = "\n".join(settings.notes)
    assert len(settings.notes) == 4
    assert "Without meaning here" in said
    for name in ("schedule_horizon", "cassandra_ttl", "https_port", "master", "zk_hosts"):
        assert said.count(f"--{name}") == 1
    assert load(master="local").mesos_master == "local"
    assert load(mesos_role="a").pool_settings == {"mesos_role": "a"}
    assert not load_settings({"pool": "mesos"}, None, {}, {"master": "local"}).notes


def test_mail_needs_a_server_and_a_sender() -> None:
    assert load(mail_server="localhost").notes == ("No mail is sent: mail-server is given, but mail-from is not.",)
    assert not load(mail_server="localhost:25", mail_from="a@b.example").notes


@pytest.mark.parametrize(
    ("base_path", "kept"), [("/chronos", "/chronos"), ("/service/chronos/", "/service/chronos"), ("/", ""), ("", "")]
)
def test_a_base_path(base_path: str, kept: str) -> None:
    assert load(None, {"base_path": base_path}).base_path == kept


@pytest.mark.parametrize("base_path", ["chronos", "//a", "/a b", '/"', "/a//b", "/a?b"])
def test_what_is_no_base_path(base_path: str) -> None:
    with pytest.raises(ConfigurationError, match="must be a path such as /chronos"):
        load(None, {"base_path": base_path})


def test_secrets_are_never_shown() -> None:
    own = {"database_url": "postgresql+psycopg://ann:s3cret@db/chronos"}
    given = {
        "http_credentials": "ann:s3cret", "mail_password": "s3cret", "slack_url": "https://x.example/s3cret",
        "mattermost_url": "https://x.example/s3cret", "http_notification_url": "https://a:s3cret@x.example/",
        "http_notification_credentials": "a:s3cret", "zk_auth": "a:s3cret",
        "mesos_authentication_secret_file": "/s3cret",
    }  # fmt: skip
    shown = load(None, own, **given).shown()
    assert "s3cret" not in str(shown)
    assert (shown["database_url"], shown["mail_password"]) == ("postgresql+psycopg://db/chronos", "***")
    assert (shown["mail_from"], shown["http_compression"]) == ("None", "True")
