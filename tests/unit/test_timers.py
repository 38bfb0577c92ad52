"""The node's timers, where they could depend on the machine."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from chronos_py.scheduler.timers import Timers


def test_no_timer_asks_for_the_machines_time_zone_which_a_container_may_not_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise AssertionError("the time zone of the machine was asked for")

    for trigger in ("date", "interval"):
        monkeypatch.setattr(f"apscheduler.triggers.{trigger}.get_localzone", refuse)
    timers, event = Timers(), threading.Event()
    timers.every("chore", timedelta(hours=1), event.clear)
    timers.wake_at("wake", event, datetime.now(UTC))
    timers.start()
    try:
        assert event.wait(60)
    finally:
        timers.stop()
