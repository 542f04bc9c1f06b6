"""Who counts as one client."""

import pytest

from serkit.server.clients import client_named, client_of, is_among


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("a-name", "a-name"),
        ("", ""),
    ],
)
def test_a_client_is_an_address_or_the_network_that_one_gets(host: str, client: str) -> None:
    assert client_named(host) == client
    assert client_of({"client": (host, 1234)}) == client


def test_a_request_without_an_address_has_a_client_too() -> None:
    assert client_of({"client": None}) == client_of({}) == ""


def test_proxies_are_addresses_networks_or_everybody() -> None:
    assert is_among("10.1.2.3", ["192.0.2.1", "10.0.0.0/8"])
    assert is_among("192.0.2.1", ["192.0.2.1"])
    assert is_among("192.0.2.1", ["*"])
    assert not is_among("192.0.2.2", ["192.0.2.1", "10.0.0.0/8", "a-name"])
    assert not is_among("", ["192.0.2.1"])
