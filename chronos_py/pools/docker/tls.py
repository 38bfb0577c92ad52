"""TLS with engines, from the settings ``docker_tls_ca``, ``docker_tls_cert`` and ``docker_tls_key``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from docker.errors import TLSParameterError
from docker.tls import TLSConfig

from chronos_py.pools import PoolUnavailable

CA, CERTIFICATE, KEY = "docker_tls_ca", "docker_tls_cert", "docker_tls_key"


def tls_from(extra: Mapping[str, str]) -> TLSConfig | None:
    """None when none of them is set: then $DOCKER_TLS_VERIFY and $DOCKER_CERT_PATH count, as for the docker command.

    Raises PoolUnavailable in a sentence for a file that is missing, or one of two that belong together.
    """
    files = {name: extra[name] for name in (CA, CERTIFICATE, KEY) if extra.get(name)}
    if not files:
        return None
    for name, path in files.items():
        if not Path(path).is_file():
            raise PoolUnavailable(f"{name}: there is no file {path}.")
    if (CERTIFICATE in files) is not (KEY in files):
        raise PoolUnavailable(f"{CERTIFICATE} and {KEY} belong together; give both, or neither.")
    pair = (files[CERTIFICATE], files[KEY]) if CERTIFICATE in files else None
    try:
        return TLSConfig(client_cert=pair, ca_cert=files.get(CA), verify=True)
    except TLSParameterError as error:
        raise PoolUnavailable(f"The files for TLS with Docker cannot be used: {error.msg}") from error
