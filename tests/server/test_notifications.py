"""Notifications reach real servers in the form that the original's receivers know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from chronos_py.notifications import NotDelivered, Notice
from chronos_py.notifications.mail import MailChannel
from chronos_py.notifications.webhooks import JOB_KEYS, CallbackChannel, ChatChannel
from tests.server.receivers import MailServer, WebhookServer, mail_server, refusing_address, serving

WHEN = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
FACTS = dict.fromkeys(JOB_KEYS, "0")
FAILED = Notice(
    7, "run_failed",
    {
        "job": "etl 1", "owner": "ann@x.example, team, bob@x.example", "run": 12, "attempts": 3, "task": "ct:12",
        "message": "exit code 7", "facts": FACTS,
    },
    WHEN,
)  # fmt: skip
DELETED = Notice(8, "job_deleted", {"job": "etl 1", "owner": "", "message": "deleted by ann"}, WHEN)
SITE = "http://pages.example/chronos/"


@pytest.fixture
def webhooks() -> Iterator[WebhookServer]:
    with serving(WebhookServer()) as server:
        yield server


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.mark.parametrize(
    ("topic", "words"),
    [
        ("run_failed", "job 'x' failed!"),
        ("job_disabled", "job 'x' disabled"),
        ("job_deleted", "Your job 'x' was deleted!"),
        ("made_up", "made_up of job 'x'"),
    ],
)
def test_subjects(topic: str, words: str) -> None:
    notice = Notice(1, topic, {"job": "x"}, WHEN)
    assert notice.subject("prod") == f"[prod] [Chronos] {words}"
    assert notice.subject("") == f"[Chronos] {words}"
    assert notice.message(SITE)
    assert notice.sentence()


def test_messages() -> None:
    assert FAILED.message(SITE) == (
        "2026-06-01T09:30:00Z: run 12 failed; retries attempted: 2.\nTask id: ct:12\nexit code 7\n"
        "http://pages.example/chronos/runs/12"
    )
    assert DELETED.message(SITE) == "2026-06-01T09:30:00Z: deleted by ann"
    disabled = Notice(9, "job_disabled", {"job": "a b#", "message": "why"}, WHEN)
    assert disabled.message("http://h") == "2026-06-01T09:30:00Z: why\nhttp://h/jobs/a%20b%23"
    assert FAILED.owners == ("ann@x.example", "team", "bob@x.example")


def test_what_another_version_wrote_is_told_somehow(webhooks: WebhookServer) -> None:
    notice = Notice(1, "run_failed", {"made": "up"}, WHEN)
    channel = CallbackChannel(webhooks.url)
    for recipient in channel.recipients(notice):
        channel.send(notice, recipient)
    assert webhooks.posted[0].body["job"] == ""


def test_mail(mails: MailServer) -> None:
    channel = MailChannel(mails.address, "chronos@x.example", "prod", SITE)
    assert channel.recipients(DELETED) == []
    for recipient in (*channel.recipients(FAILED), "ann@x.example"):
        channel.send(FAILED, recipient)
    (to_ann, letter), (to_bob, _), (_, again) = mails.letters
    assert (to_ann, to_bob) == (["ann@x.example"], ["bob@x.example"])
    assert (letter["From"], letter["To"]) == ("chronos@x.example", "ann@x.example")
    assert letter["Subject"] == "[prod] [Chronos] job 'etl 1' failed!"
    assert letter.get_content_type() == "text/plain"
    assert str(letter.get_payload()).replace("\r\n", "\n") == FAILED.message(SITE) + "\n"
    assert letter["Message-ID"] == again["Message-ID"] != mails.letters[1][1]["Message-ID"]


def test_mail_with_a_password() -> None:
    with mail_server("s3cret") as server:
        MailChannel(server.address, "c@x.example", user="ann", password="s3cret").send(FAILED, "ann@x.example")
        assert len(server.letters) == 1
        with pytest.raises(NotDelivered) as caught:
            MailChannel(server.address, "c@x.example", user="ann", password="gue55").send(FAILED, "ann@x.example")
    assert not caught.value.is_final
    assert "gue55" not in str(caught.value)


@pytest.mark.parametrize(
    ("recipient", "answer", "is_final"),
    [
        ("gone@x.example", "550 unknown", True),
        ("grey@x.example", "451 later", False),
        ("a@b\nBcc: c@d", "", True),
        ("ä@x.example", "", False),
    ],
)
def test_mail_that_is_refused(mails: MailServer, recipient: str, answer: str, is_final: bool) -> None:
    mails.refuses = {recipient: answer}
    with pytest.raises(NotDelivered) as caught:
        MailChannel(mails.address, "chronos@x.example").send(FAILED, recipient)
    assert caught.value.is_final == is_final
    assert answer in str(caught.value)
    assert mails.letters == []


@pytest.mark.parametrize("tls", [False, True])
def test_a_mail_server_that_is_away(tls: bool) -> None:
    with (
        refusing_address() as (host, port),
        pytest.raises(NotDelivered, match=f"mail server {host}:{port} cannot be used: ") as caught,
    ):
        MailChannel((host, port), "c@x.example", tls=tls).send(FAILED, "ann@x.example")
    assert not caught.value.is_final


def test_tls_with_a_server_that_has_none(mails: MailServer) -> None:
    with pytest.raises(NotDelivered):
        MailChannel(mails.address, "c@x.example", tls=True).send(FAILED, "ann@x.example")
    assert mails.letters == []


@pytest.mark.parametrize("notice", [FAILED, DELETED])
def test_chats(webhooks: WebhookServer, notice: Notice) -> None:
    channel = ChatChannel("Slack", f"{webhooks.url}/services/s3cret", "prod", SITE)
    assert channel.recipients(notice) == ("",)
    channel.send(notice, "")
    (posted,) = webhooks.posted
    assert (posted.path, posted.headers["content-type"]) == ("/services/s3cret", "application/json")
    assert posted.body == {"text": f"{notice.subject('prod')}: {notice.message(SITE)}"}


def test_the_callback(webhooks: WebhookServer) -> None:
    channel = CallbackChannel(webhooks.url, "ann:pä:ss", "prod", SITE)
    for notice in (FAILED, DELETED):
        for recipient in channel.recipients(notice):
            channel.send(notice, recipient)
    bodies: list[dict[str, Any]] = [posted.body for posted in webhooks.posted]
    assert [body.get("to") for body in bodies] == ["ann@x.example", "team", "bob@x.example", None]
    assert list(bodies[0]) == ["subject", "message", "to", "job", *JOB_KEYS]
    assert all(isinstance(value, str) for body in bodies for value in body.values())
    assert webhooks.posted[0].headers["authorization"] == "Basic YW5uOnDDpDpzcw=="


@pytest.mark.parametrize(
    ("status", "is_final"), [(302, True), (400, True), (404, True), (408, False), (429, False), (500, False)]
)
def test_webhooks_that_refuse(webhooks: WebhookServer, status: int, is_final: bool) -> None:
    webhooks.status = status
    with pytest.raises(NotDelivered, match=f"^127.0.0.1 answered {status}$") as caught:
        ChatChannel("Slack", f"{webhooks.url}/s3cret").send(FAILED, "")
    assert caught.value.is_final == is_final
    assert len(webhooks.posted) == 1


def test_a_webhook_that_is_away() -> None:
    with refusing_address() as (host, port), pytest.raises(NotDelivered) as caught:
        ChatChannel("Slack", f"http://{host}:{port}/s3cret").send(FAILED, "")
    assert not caught.value.is_final
    assert re.fullmatch(r"127\.0\.0\.1 cannot be reached \(\w+\)", str(caught.value))
