"""Channels that post JSON to an address: Slack, Mattermost, and a callback of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import HTTPBasicAuth

from chronos_py.notifications.channel import NotDelivered
from chronos_py.notifications.notice import Notice

TIMEOUT_SECONDS = (5.0, 10.0)  # to connect, and to wait for an answer
WORTH_ANOTHER_TRY = frozenset({408, 425, 429})

# The original's keys for what it says of the job, in its order.
JOB_KEYS = (
    "command",
    "cpus",
    "softError",
    "errorCount",
    "errorsSinceLastSuccess",
    "executor",
    "executorFlags",
    "lastError",
    "lastSuccess",
    "mem",
    "retries",
    "successCount",
    "uris",
)


class ChatChannel:
    """An incoming webhook of Slack or Mattermost: one text for all."""

    def __init__(self, name: str, url: str, cluster_name: str = "", site: str = "") -> None:
        self.name = name
        self._url = url
        self._cluster_name = cluster_name
        self._site = site

    def recipients(self, notice: Notice) -> Sequence[str]:
        return ("",)

    def send(self, notice: Notice, recipient: str) -> None:
        _post(self._url, {"text": f"{notice.subject(self._cluster_name)}: {notice.message(self._site)}"})


class CallbackChannel:
    """An address that gets every notice, once for each owner, as the original's JSON: all values are texts."""

    name = "callback"

    def __init__(self, url: str, credentials: str = "", cluster_name: str = "", site: str = "") -> None:
        user, _, password = credentials.partition(":")
        self._url = url
        self._credentials = HTTPBasicAuth(user.encode(), password.encode()) if credentials else None
        self._cluster_name = cluster_name
        self._site = site

    def recipients(self, notice: Notice) -> Sequence[str]:
        return notice.owners or ("",)

    def send(self, notice: Notice, recipient: str) -> None:
        facts = notice.payload.get("facts", {})
        body = {
            "subject": notice.subject(self._cluster_name),
            "message": notice.message(self._site),
            **({"to": recipient} if recipient else {}),
            "job": notice.job,
            **{key: str(facts.get(key, "")) for key in JOB_KEYS},
        }
        _post(self._url, body, self._credentials)


def _post(url: str, body: Mapping[str, Any], credentials: HTTPBasicAuth | None = None) -> None:
    """Raises NotDelivered, naming the host only: the address itself may be a secret."""
    host = urlsplit(url).hostname
    try:
        with requests.post(
            url, json=body, auth=credentials, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True
        ) as answer:
            status = answer.status_code
    except requests.RequestException as error:
        raise NotDelivered(f"{host} cannot be reached ({type(error).__name__})", is_final=False) from error
    if not 200 <= status < 300:
        is_final = 300 <= status < 500 and status not in WORTH_ANOTHER_TRY
        raise NotDelivered(f"{host} answered {status}", is_final)
