"""``chronos server`` with the command lines of the original."""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from chronos_py.config import LEGACY_FLAGS
from tests.cluster.server import CHRONOS, ServerProcess, free_port, wait_for
from tests.server.receivers import MailServer, MetricsServer, WebhookServer, mail_server, serving

CREDENTIALS = ("ann", "s3cret")


def start(folder: Path, port: int, *options: str) -> ServerProcess:
    server = ServerProcess(folder, "--pool", "process", "--lease-seconds", "2", *options, port=port)
    server.url = server.url.replace("://", "://{}:{}@".format(*CREDENTIALS))
    return server


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server("s3cret") as server:
        yield server


@pytest.fixture
def webhooks() -> Iterator[WebhookServer]:
    with serving(WebhookServer()) as server:
        yield server


@pytest.fixture
def metrics() -> Iterator[MetricsServer]:
    with serving(MetricsServer()) as server:
        yield server


def test_every_flag_at_once(
    tmp_path: Path, mails: MailServer, webhooks: WebhookServer, metrics: MetricsServer
) -> None:
    port = free_port()
    line = f"""
        --master zk://a:2181,b:2181/mesos --user {_user()} --failover_timeout 604800 --cluster_name prod
        --zk_hosts zk://a:2181,b:2181 --zk_path /chronos/state --zk_timeout 10000 --zk_auth u:p --hostname localhost
        --leader_max_idle_time 5000 --schedule_horizon 60 --task_epsilon 90 --failure_retry 100
        --disable_after_failures 1 --mesos_task_cpu 0.2 --mesos_task_mem 64 --mesos_task_disk 32 --mesos_checkpoint
        --mesos_role * --mesos_framework_name chronos --mesos_authentication_principal me
        --mesos_authentication_secret_file /nowhere --webui_url http://pages.example --reconciliation_interval 1
        --revive_offers_for_new_jobs --decline_offer_duration 5000 --min_revive_offers_interval 5000
        --mail_server 127.0.0.1:{mails.address[1]} --mail_user ann --mail_password s3cret --mail_from c@x.example
        --mail_ssl false --raven_dsn http://x --slack_url {webhooks.url}/slack --mattermost_url {webhooks.url}/matter
        --http_notification_url {webhooks.url}/callback --http_notification_credentials u:p
        --graphite_host_port 127.0.0.1:{metrics.address[1]} --graphite_reporting_interval 1
        --graphite_group_prefix prod --cassandra_contact_points x --cassandra_port 9042 --cassandra_user u
        --cassandra_password s3cret-too --cassandra_keyspace metrics --cassandra_table chronos
        --cassandra_stat_count_table chronos_stat_count --cassandra_consistency ANY --cassandra_ttl 1
        --job_history_limit 2 --http_port {port} --http_address 127.0.0.1 --https_port 8443 --https_address 127.0.0.1
        --disable_http false --http_credentials ann:s3cret --http_realm Mesosphere --ssl_keystore_path /nowhere
        --ssl_keystore_password s3cret-too --http_compression --disable_http_compression false
    """.split()
    assert {word[2:] for word in line if word.startswith("--")} == {flag.name for flag in LEGACY_FLAGS}
    server = start(tmp_path, port, *line)
    try:
        server.start()
        server.wait_until_it_leads()
        said = server.log.read_text()
        assert "--listen overrules --http_port and --http_address." not in said  # they say the same
        for flag in LEGACY_FLAGS:
            if flag.use != "setting" and flag.name != "disable_http":
                assert said.count(f"{flag.flag},") + said.count(f"{flag.flag}.") + said.count(f"{flag.flag}:") == 1
        assert "s3cret" not in said
        challenge = requests.get(f"http://127.0.0.1:{port}/ping", timeout=60)
        assert (challenge.status_code, challenge.headers["WWW-Authenticate"]) == (401, 'Basic realm="Mesosphere"')
        assert server.get("/leader")["leader"] == f"localhost:{port}"
        assert "s3cret" not in str(server.get("/v1/scheduler/info"))

        job = {"name": "fails", "command": "exit 7", "schedule": "R/2100-01-01T00:00:00Z/P1D", "owner": "a@x.example"}
        posted = requests.post(f"{server.url}/v1/scheduler/iso8601", json={**job, "retries": 1}, timeout=60)
        assert posted.status_code == 204, posted.text
        shown = server.get("/scheduler/job/fails")
        assert (shown["cpus"], shown["mem"], shown["disk"], shown["runAsUser"]) == (0.2, 64, 32, _user())
        assert server.get("/api/jobs/fails")["retryDelay"] == 0.1
        requests.put(f"{server.url}/v1/scheduler/job/fails", timeout=60)
        wait_for("the failures to disable the job", lambda: server.get("/scheduler/job/fails")["disabled"])
        requests.delete(f"{server.url}/v1/scheduler/job/fails", timeout=60)

        subjects = [
            "[prod] [Chronos] job 'fails' failed!",
            "[prod] [Chronos] job 'fails' disabled",
            "[prod] [Chronos] Your job 'fails' was deleted!",
        ]
        wait_for("mail", lambda: len(mails.letters) >= 3)
        assert [letter["Subject"] for _, letter in mails.letters] == subjects
        assert "http://pages.example/runs/" in str(mails.letters[0][1].get_payload())
        wait_for("webhooks", lambda: len(webhooks.posted) >= 9)
        for path in ("/slack", "/matter"):
            texts = [each.body["text"] for each in webhooks.posted if each.path == path]
            assert [text.partition(": ")[0] for text in texts] == subjects
        called = [each.body for each in webhooks.posted if each.path == "/callback"]
        assert [(body["subject"], body["to"]) for body in called] == [
            (subject, "a@x.example") for subject in subjects
        ]
        assert (called[0]["errorCount"], called[1]["errorCount"]) == ("0", "0")
        pushed = wait_for("metrics", lambda: metrics.pushes)[-1]
        assert any(text.startswith("prod.chronos_") for text in pushed)
    finally:
        assert server.terminate() == 0


def _user() -> str:
    return getpass.getuser()


def refused(*options: str, **environment: str) -> str:
    done = subprocess.run(
        [CHRONOS, "server", *options],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1, done
    said = [line for line in done.stderr.splitlines() if " INFO " not in line]
    assert len(said) == 1, done.stderr
    return said[0]


def test_what_would_mislead_is_refused(tmp_path: Path) -> None:
    assert "contradict each other" in refused("--http_compression", "--disable_http_compression")
    assert "asks for HTTPS only" in refused("--disable_http", "--https_port", "8443")
    assert "would let everyone on the network run commands here" in refused("--http_port", "8080")
    assert "would let everyone on the network run commands here" in refused(PORT0="31000")
    line = refused("--mesos_task_cpu", "0", "--data-dir", str(tmp_path), "--listen", "127.0.0.1:0")
    assert line == "chronos: The default for jobs cannot be used: cpus is 0.0 but must be a number greater than 0."
    line = refused(
        "--base-path", "/jobs", "--data-dir", str(tmp_path), "--pool", "process", "--listen", "127.0.0.1:0"
    )
    assert "is an address of this server itself" in line


def test_help_shows_ours_and_where_the_others_are(tmp_path: Path) -> None:
    done = subprocess.run([CHRONOS, "server", "--help"], capture_output=True, text=True, check=True, timeout=60)
    assert "--zk-hosts" in done.stdout
    assert "--schedule_horizon" not in done.stdout
    assert "docs/configuration.md" in done.stdout


def test_hyphens_and_a_switch_before_another_flag(tmp_path: Path) -> None:
    port = free_port()
    server = start(
        tmp_path, port, "--http-port", str(port), "--http-address", "127.0.0.1", "--mesos-checkpoint", "--mail_ssl",
        "--disable-http-compression", "--http_credentials", ":".join(CREDENTIALS), "--base-path", "/chronos",
    )  # fmt: skip
    try:
        server.start()
        answer = requests.get(f"{server.url}/chronos/api/openapi.json", timeout=60)
        assert "Content-Encoding" not in answer.headers
        assert '"mail_ssl":"True"' in requests.get(f"{server.url}/info", timeout=60).text
    finally:
        assert server.terminate() == 0
