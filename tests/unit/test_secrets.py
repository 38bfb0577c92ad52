"""What is hidden where environments and definitions are shown."""

from __future__ import annotations

import pytest

from chronos_py.model.secrets import MASK, is_secret, mask_change, mask_document, mask_value

SECRETS = (
    "DB_PASSWORD db_password PGPASSWD AWS_SECRET_ACCESS_KEY github_token API_KEY APIKEY SSH_KEY DB_PWD DB_PASS"
    " HTTP_AUTH CREDENTIALS PASSPHRASE some.secret"
)


@pytest.mark.parametrize("name", SECRETS.split())
def test_names_that_mean_secrets(name: str) -> None:
    assert is_secret(name)
    assert mask_value(name, "x") == MASK
    assert mask_value(name, "") == ""


@pytest.mark.parametrize(
    "name", ["PATH", "PWD", "OLDPWD", "REGION", "AUTHOR", "COMPASS", "BYPASS_CACHE", "PASSENGERS"]
)
def test_names_that_do_not(name: str) -> None:
    assert not is_secret(name)
    assert mask_value(name, "x") == "x"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("postgresql://etl:hunter2@db-7/warehouse", f"postgresql://etl:{MASK}@db-7/warehouse"),
        ("https://:p@ss@host/path?q=a:b@c", f"https://:{MASK}@host/path?q=a:b@c"),
        ("redis://:x@h amqp://u:y@h", f"redis://:{MASK}@h amqp://u:{MASK}@h"),
        ("https://ann@host/a:b@c", "https://ann@host/a:b@c"),
        ("http://[::1]:80/", "http://[::1]:80/"),
        ("mail ann:bob@example.com", "mail ann:bob@example.com"),
    ],
)
def test_passwords_in_addresses(value: str, shown: str) -> None:
    assert mask_value("DB_URL", value) == shown


def test_a_document_keeps_everything_else() -> None:
    document = {
        "name": "load",
        "command": "curl https://ann:pw@host/x",
        "cpus": 0.5,
        "disabled": False,
        "description": None,
        "environmentVariables": [{"name": "TOKEN", "value": "t"}, {"name": "A", "value": "b"}, "odd"],
        "container": {"parameters": [{"key": "env", "value": "API_KEY=k"}, {"key": "env", "value": "A=b=c"}]},
    }
    assert mask_document(document) == {
        **document,
        "command": f"curl https://ann:{MASK}@host/x",
        "environmentVariables": [{"name": "TOKEN", "value": MASK}, {"name": "A", "value": "b"}, "odd"],
        "container": {"parameters": [{"key": "env", "value": f"API_KEY={MASK}"}, {"key": "env", "value": "A=b=c"}]},
    }
    assert document["environmentVariables"][0]["value"] == "t"  # type: ignore[index]


def test_a_secret_that_changed_says_so_and_nothing_more() -> None:
    def variables(**values: str) -> list[dict[str, str]]:
        return [{"name": name, "value": value} for name, value in values.items()]

    before, after = variables(TOKEN="a", KEY="k", A="b"), variables(TOKEN="c", KEY="k", A="d", NEW_KEY="n")
    shown = mask_change(before, after)
    assert shown[0] == variables(TOKEN=MASK, KEY=MASK, A="b")
    assert shown[1] == variables(TOKEN=f"{MASK} (another one)", KEY=MASK, A="d", NEW_KEY=MASK)
    assert mask_change(None, before) == (None, variables(TOKEN=MASK, KEY=MASK, A="b"))
    assert mask_change("http://a:b@c", "d") == (f"http://a:{MASK}@c", "d")
