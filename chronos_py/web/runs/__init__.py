"""Runs: the list, one run with its attempts, and its output."""
