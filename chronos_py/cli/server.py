"""``chronos server``"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from chronos_py.config import LEGACY_FLAGS, OPTIONS, LegacyFlag, Option, Settings, load_settings

_LEGACY = "legacy_"
_EPILOG = (
    "The flags of the original (--zk_hosts, --http_port, --mesos_task_cpu, ...) are taken too;"
    " docs/configuration.md says what each of them means here."
)
_OWN_FLAGS = frozenset(option.flag for option in OPTIONS)


def _click_option(option: Option) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A flag for a setting. Its default stays None, so that environment and file are asked when it is not given."""
    shown = {False: "off", True: "on"}.get(option.default) if option.kind is bool else str(option.default) or "none"
    help_text = f"{option.help}  [{option.variable}; default: {shown}]"
    if option.default is True:
        return click.option(
            f"{option.flag}/--no-{option.flag.removeprefix('--')}", option.name, default=None, help=help_text
        )
    if option.kind is bool:
        return click.option(option.flag, option.name, is_flag=True, default=None, help=help_text)
    kind = click.Choice(option.choices) if option.choices else str
    return click.option(option.flag, option.name, type=kind, default=None, help=help_text)


def _legacy_option(legacy: LegacyFlag) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A flag of the original as it was spelled, and with hyphens where that is no flag of ours."""
    hyphenated = legacy.flag.replace("_", "-")
    spellings = (legacy.flag,) if hyphenated in _OWN_FLAGS else dict.fromkeys((legacy.flag, hyphenated))
    more: dict[str, Any] = {"is_flag": False, "flag_value": "true"} if legacy.is_switch else {}
    return click.option(*spellings, _LEGACY + legacy.name, type=str, default=None, hidden=True, **more)


def with_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for legacy in LEGACY_FLAGS:
        command = _legacy_option(legacy)(command)
    for option in reversed(OPTIONS):
        command = _click_option(option)(command)
    return click.option("--config", default=None, help="TOML file with the same options.  [CHRONOS_CONFIG]")(command)


def settings_of(config: str | None, given: Mapping[str, Any]) -> Settings:
    """The settings of what :func:`with_options` took. Raises ConfigurationError."""
    flags = {option.name: given[option.name] for option in OPTIONS}
    legacy_flags = {legacy.name: given[_LEGACY + legacy.name] for legacy in LEGACY_FLAGS}
    return load_settings(flags, config, legacy_flags=legacy_flags)


@click.command(epilog=_EPILOG)
@with_options
def server(config: str | None, **given: Any) -> None:
    """Serve the pages and the APIs, and stand for leadership."""
    from chronos_py.bootstrap import run_server  # the other commands need not load a whole server

    sys.exit(run_server(settings_of(config, given)))
