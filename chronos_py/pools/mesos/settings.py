"""The settings of the Mesos pool, out of the flags of the original that reach it as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chronos_py.pools import PoolUnavailable
from chronos_py.pools.mesos.calls import Framework


@dataclass(frozen=True, slots=True)
class MesosSettings:
    """``refuse_seconds``: so long an agent need not offer again what was declined while something waits."""

    master: str
    framework: Framework
    secret: str = ""
    refuse_seconds: float = 5.0
    revive_seconds: float = 1.0

    @property
    def credentials(self) -> tuple[str, str] | None:
        return (self.framework.principal, self.secret) if self.framework.principal and self.secret else None


def read_settings(extra: Mapping[str, str]) -> MesosSettings:
    """Raises PoolUnavailable in one sentence that names the flag."""
    master = extra.get("mesos_master", "")
    if not master:
        raise PoolUnavailable("--mesos-master is missing; give zk://host:port,host:port/mesos or http://host:port.")
    principal, secret = extra.get("mesos_principal", ""), ""
    file = extra.get("mesos_secret_file", "")
    if file:
        try:
            secret = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise PoolUnavailable(f"--mesos_authentication_secret_file {file} cannot be read: {error}.") from error
        if not principal:
            raise PoolUnavailable("--mesos_authentication_secret_file needs --mesos_authentication_principal.")
    failover = _number(extra, "mesos_failover_timeout", "failover_timeout", 604_800.0)
    if failover <= 0:
        raise PoolUnavailable(
            "--failover_timeout is 0, but then Mesos kills every task as soon as the leader changes."
        )
    framework = Framework(
        name=extra.get("mesos_framework_name") or "chronos",
        user=extra.get("default_user") or "root",
        role=extra.get("mesos_role") or "*",
        failover_seconds=failover,
        checkpoint=extra.get("mesos_checkpoint", "true").lower() not in ("false", "0", "no"),
        principal=principal,
        webui_url=extra.get("webui_url", ""),
    )
    return MesosSettings(
        master=master,
        framework=framework,
        secret=secret,
        refuse_seconds=_number(extra, "mesos_decline_offer_duration", "decline_offer_duration", 5000) / 1000,
        revive_seconds=_number(extra, "mesos_min_revive_offers_interval", "min_revive_offers_interval", 1000) / 1000,
    )


def _number(extra: Mapping[str, str], name: str, flag: str, default: float) -> float:
    text = extra.get(name)
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < 1e12:
        raise PoolUnavailable(f'--{flag} is "{text}" but must be a number that is not negative.')
    return number
