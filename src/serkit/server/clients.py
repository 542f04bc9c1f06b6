"""Who a client is: the address of its connection, or the one that a trusted proxy forwards."""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

_NETWORK_BITS = 64  # of an IPv6 address; whoever has one address usually has all that begin with these bits


def client_of(scope: Mapping[str, Any]) -> str:
    """Return the client of a request.

    Args:
        scope: ASGI scope. uvicorn has already replaced a trusted proxy's address by the forwarded one.

    Returns:
        IPv4 address, /64 network of an IPv6 address, or an empty string if the server does not know the address.
    """
    return client_named(scope["client"][0] if scope.get("client") else "")


def client_named(host: str) -> str:
    """Return the client with an address; text that is not an address is returned as it is."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), _NETWORK_BITS), strict=False))


def is_among(host: str, addresses: Iterable[str]) -> bool:
    """Whether a host is one of some addresses, as uvicorn reads the addresses of trusted proxies.

    Args:
        host: Address of a connection.
        addresses: Addresses, networks such as ``10.0.0.0/8``, or ``*`` for every host.
    """
    return any(one in ("*", host) or _contains(one, host) for one in addresses)


def _contains(network: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network)
    except ValueError:
        return False
