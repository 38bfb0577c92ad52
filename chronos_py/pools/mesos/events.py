"""The events of a subscription: read, told apart, and handed on."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

from chronos_py.pools import PoolUnavailable
from chronos_py.pools.mesos.http import BrokenCall, EventStream
from chronos_py.pools.mesos.recordio import BrokenStream, RecordReader

logger = logging.getLogger(__name__)

MISSED_HEARTBEATS = 5
DEFAULT_HEARTBEAT_SECONDS = 15.0
TAKEN_OVER = "Another scheduler has taken the framework over in Mesos (the same framework id)."


class FailedOver(PoolUnavailable):
    """Another scheduler has subscribed with this framework's id."""


class Removed(PoolUnavailable):
    """Mesos has removed the framework; its id is of no use any more."""


def events(stream: EventStream) -> Iterator[dict[str, Any]]:
    """Whatever comes, until the stream ends, which raises.

    Raises FailedOver, Removed, and PoolUnavailable for other errors and a stream that breaks. The heartbeats are
    swallowed: that they come keeps the stream from being taken for dead.
    """
    reader = RecordReader()
    while True:
        piece = stream.read()
        if not piece:
            raise BrokenCall(f"The Mesos master at {stream.where} ended the stream of events.")
        try:
            records = reader.feed(piece)
        except BrokenStream as error:
            raise BrokenCall(f"The stream of events of {stream.where} is broken: {error}.") from error
        for record in records:
            event = _parse(record)
            if event is None:
                continue
            if event["type"] == "ERROR":
                raise explain_error(str((event.get("error") or {}).get("message") or "without a reason"))
            if event["type"] == "SUBSCRIBED":
                stream.allow_silence(MISSED_HEARTBEATS * heartbeat_seconds(event))
            if event["type"] != "HEARTBEAT":
                yield event


def _parse(record: bytes) -> dict[str, Any] | None:
    """An event; None for a record that is none, which is passed over: the next one begins where it should."""
    try:
        event = json.loads(record)
    except ValueError:
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        logger.warning("A record of %d bytes from the Mesos master is no event; it is passed over.", len(record))
        return None
    return event


def heartbeat_seconds(subscribed: dict[str, Any]) -> float:
    seconds = (subscribed.get("subscribed") or {}).get("heartbeat_interval_seconds")
    return float(seconds) if isinstance(seconds, int | float) and seconds > 0 else DEFAULT_HEARTBEAT_SECONDS


def explain_error(message: str) -> PoolUnavailable:
    """What an ERROR event is about."""
    lower = message.lower()
    if "failed over" in lower:
        return FailedOver(TAKEN_OVER)
    if "removed" in lower or "completed framework" in lower:
        return Removed(
            "Mesos has removed the framework (it was torn down, or away for longer than its failover timeout)."
        )
    return PoolUnavailable(f"Mesos does not take this framework: {message}.")
