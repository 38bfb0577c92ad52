"""The pure core: values and rules. Nothing here reads a clock, a database or the network."""
