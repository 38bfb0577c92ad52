"""The settings of a server: one table of options, and one of the original's flags that give them."""

from chronos_py.config.checks import host_and_port
from chronos_py.config.legacy import LEGACY_FLAGS, LegacyFlag
from chronos_py.config.loading import load_settings
from chronos_py.config.options import OPTIONS, Option, Settings

__all__ = ["LEGACY_FLAGS", "OPTIONS", "LegacyFlag", "Option", "Settings", "host_and_port", "load_settings"]
