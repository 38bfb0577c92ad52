"""Telling people and programs what happened to their jobs: what is said, and the channels it goes by."""

from chronos_py.notifications.channel import Channel, NotDelivered
from chronos_py.notifications.notice import Notice

__all__ = ["Channel", "NotDelivered", "Notice"]
