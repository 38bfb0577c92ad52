"""``chronos server``"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from chronos_py.config import OPTIONS, Option, load_settings


def _click_option(option: Option) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A flag for a setting. Its default stays None, so that environment and file are asked when it is not given."""
    shown = "off" if option.default is False else str(option.default) or "none"
    help_text = f"{option.help}  [{option.variable}; default: {shown}]"
    if option.kind is bool:
        return click.option(option.flag, option.name, is_flag=True, default=None, help=help_text)
    kind = click.Choice(option.choices) if option.choices else str
    return click.option(option.flag, option.name, type=kind, default=None, help=help_text)


def with_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(OPTIONS):
        command = _click_option(option)(command)
    return click.option("--config", default=None, help="TOML file with the same options.  [CHRONOS_CONFIG]")(command)


@click.command()
@with_options
def server(config: str | None, **flags: Any) -> None:
    """Serve the pages and the APIs, and stand for leadership."""
    from chronos_py.bootstrap import run_server  # the other commands need not load a whole server

    sys.exit(run_server(load_settings(flags, config)))
