"""The calls of a manager's API that the swarm pool makes. All raise docker.errors.APIError and transport errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import requests
from docker import APIClient
from docker.errors import NotFound, create_api_error_from_http_exception

from chronos_py.pools.docker.request import LABEL_CLUSTER

Found = dict[str, Any]  # one of the answers to GET /nodes, /services or /tasks


def nodes_of(client: APIClient) -> list[Found]:
    found: list[Found] = client.nodes()
    return found


def inspect_node(client: APIClient, node_id: str) -> Found | None:
    try:
        found: Found = client.inspect_node(node_id)
    except NotFound:
        return None
    return found


def services_of(client: APIClient, cluster: str) -> list[Found]:
    found: list[Found] = client.services(_labelled(cluster))  # type: ignore[no-untyped-call]
    return found


def tasks_of(client: APIClient, cluster: str) -> list[Found]:
    """The tasks of all services of a cluster; they have their services' labels."""
    found: list[Found] = client.tasks(_labelled(cluster))  # type: ignore[no-untyped-call]
    return found


def tasks_of_service(client: APIClient, service: str) -> list[Found]:
    try:
        found: list[Found] = client.tasks({"service": service})  # type: ignore[no-untyped-call]
    except NotFound:
        return []
    return found


def running_tasks(client: APIClient) -> list[Found]:
    """Those of everybody that are to run."""
    found: list[Found] = client.tasks({"desired-state": "running"})  # type: ignore[no-untyped-call]
    return found


def inspect_service(client: APIClient, service: str) -> Found | None:
    """A service by name or id."""
    try:
        found: Found = client.inspect_service(service)  # type: ignore[no-untyped-call]
    except NotFound:
        return None
    return found


def create_service(client: APIClient, spec: Found) -> str:
    """The id of the new service. With the server's own credentials for the image's registry, if it has any."""
    created: dict[str, str] = client.create_service(  # type: ignore[no-untyped-call]
        spec["TaskTemplate"],
        name=spec["Name"],
        labels=spec["Labels"],
        mode=spec["Mode"],
        update_config=spec["UpdateConfig"],
        endpoint_spec=spec["EndpointSpec"],
    )
    return created["ID"]


def update_service(client: APIClient, read: Found, spec: Found) -> None:
    """Change a service if it still is as it was read; else the manager says that this is out of sequence."""
    response = client.post(
        f"{client.base_url}/v{client.api_version}/services/{read['ID']}/update",
        params={"version": read["Version"]["Index"]},
        json=spec,
        timeout=client.timeout,
    )
    with response:
        try:
            response.raise_for_status()
        except requests.HTTPError as error:
            create_api_error_from_http_exception(error)


def remove_service(client: APIClient, service: str) -> None:
    client.remove_service(service)  # type: ignore[no-untyped-call]


def id_by_name(client: APIClient, kind: str, name: str) -> str | None:
    """The id of a "Secret" or a "Config"."""
    ask: Callable[[Found], Iterable[Found]] = client.secrets if kind == "Secret" else client.configs
    found = ask({"name": name})
    return next((str(each["ID"]) for each in found if each["Spec"]["Name"] == name), None)


def _labelled(cluster: str) -> dict[str, str]:
    return {"label": f"{LABEL_CLUSTER}={cluster}"}
