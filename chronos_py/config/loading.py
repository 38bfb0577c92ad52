"""Read settings from flags, environment, file and defaults, in that order."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chronos_py.config.checks import check
from chronos_py.config.legacy import BY_NAME, LEGACY_FLAGS, Given, pool_settings, remarks, translate
from chronos_py.config.options import OPTIONS, Option, Settings
from chronos_py.errors import ConfigurationError

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})
_FLAGS, _ENVIRONMENT, _FILE = range(3)


def load_settings(
    flags: Mapping[str, Any],
    config_file: str | None = None,
    environment: Mapping[str, str] = os.environ,
    legacy_flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings from ``flags`` (those not None), then ``CHRONOS_*`` variables, then the TOML file, then defaults.

    ``legacy_flags`` are those of the original by their names. In each of these places ours win over the original's.
    Raises ConfigurationError naming the option, where it came from and the value.
    """
    path = config_file or environment.get("CHRONOS_CONFIG") or None
    from_file = _read_file(path) if path else {}
    ours = {option.name: _find(option, flags, environment, from_file, path) for option in OPTIONS}
    legacy = _find_legacy(legacy_flags or {}, environment, from_file, path)
    translated = translate(legacy)
    values: dict[str, Any] = {}
    notes = []
    for option in OPTIONS:
        own, other = ours[option.name], translated.get(option.name)
        if own is not None and other is not None and own.rank <= other.rank and own.value != other.value:
            notes.append(f"{own.source} overrules {other.source}.")
        chosen = other if own is None or (other is not None and other.rank < own.rank) else own
        if chosen is not None:
            values[option.name] = _convert(option, chosen.value, chosen.source)
    settings = Settings(**values)
    notes += remarks(legacy, settings.pool, settings.election)
    return check(Settings(**values, pool_settings=pool_settings(legacy), notes=tuple(notes)))


def _find(
    option: Option,
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    from_file: Mapping[str, Any],
    path: str | None,
) -> Given | None:
    if flags.get(option.name) is not None:
        return Given(flags[option.name], _FLAGS, option.flag)
    if option.variable in environment:
        return Given(environment[option.variable], _ENVIRONMENT, option.variable)
    if option.name in from_file:
        return Given(from_file[option.name], _FILE, f"{option.name} in {path}")
    return None


def _find_legacy(
    flags: Mapping[str, Any], environment: Mapping[str, str], from_file: Mapping[str, Any], path: str | None
) -> dict[str, Given]:
    """The original's flags that are given. In the file, a name that is ours as well is ours."""
    own_names = {option.name for option in OPTIONS}
    found: dict[str, Given] = {}
    for legacy in LEGACY_FLAGS:
        if flags.get(legacy.name) is not None:
            found[legacy.name] = Given(flags[legacy.name], _FLAGS, legacy.flag)
        elif environment.get(legacy.variable):
            found[legacy.name] = Given(environment[legacy.variable], _ENVIRONMENT, legacy.variable)
        elif legacy.name in from_file and legacy.name not in own_names:
            found[legacy.name] = Given(from_file[legacy.name], _FILE, f"{legacy.name} in {path}")
    return found


def _read_file(path: str) -> dict[str, Any]:
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"config file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"config file {path} is not TOML: {error}.") from error
    content = {key.replace("-", "_"): value for key, value in content.items()}
    unknown = sorted(set(content) - {option.name for option in OPTIONS} - set(BY_NAME))
    if unknown:
        known = ", ".join(option.name for option in OPTIONS)
        raise ConfigurationError(f'config file {path} has an unknown key "{unknown[0]}"; known are {known}.')
    return content


def _convert(option: Option, value: object, source: str) -> Any:
    try:
        if option.kind is bool:
            return _boolean(value)
        converted = option.kind(value)
    except (ValueError, TypeError, OverflowError) as error:
        wanted = {bool: "true or false", int: "a whole number", float: "a number"}.get(option.kind, "text")
        raise ConfigurationError(f'{source} is "{value}" but must be {wanted}.') from error
    if option.choices and converted not in option.choices:
        raise ConfigurationError(f'{source} is "{value}" but must be one of {", ".join(option.choices)}.')
    return converted


def _boolean(value: object) -> bool:
    text = str(value).lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(text)
