"""Chronos-py: a distributed cron and batch scheduler."""

__version__ = "0.1.0"
