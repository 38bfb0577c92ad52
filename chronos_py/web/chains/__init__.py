"""The drawing of chains, and the same as a table."""
