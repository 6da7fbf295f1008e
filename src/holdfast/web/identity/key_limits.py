"""What holds for an API key beside its rights: until when it works, and from which addresses.

    limits = limits_of(row.addresses, row.expires_at)       -> None for a key without limits
    limits.check("203.0.113.7", now)                        -> a 401 when it has expired, a 403 from elsewhere

Who shows an expired key has its secret, and may know that it has expired. The address is that of the client as the
server tells it: `HOLDFAST_TRUSTED_PROXIES` says whose word is taken for it.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import msgspec

from holdfast.web.http.problems import UNAUTHORIZED, Problem

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="Holdfast"'}


class WrongAddress(Problem):
    """A known key was shown by somebody at an address that it may not be used from."""

    def __init__(self) -> None:
        super().__init__("FORBIDDEN", "The API key may not be used from this address.")


class KeyLimits(msgspec.Struct, frozen=True, gc=False):
    """Until when a key works (microseconds since 1970) and from where; None is no limit."""

    expires_at: int | None
    networks: tuple[IPv4Network | IPv6Network, ...] | None

    def check(self, address: str | None, now: int) -> None:
        """Raise the Problem of a key that has expired, or that is used from another address."""
        if self.expires_at is not None and self.expires_at <= now:
            raise Problem(UNAUTHORIZED, "The API key has expired.", headers=CHALLENGE)
        if self.networks is not None:
            client = _client(address)
            if client is None or not any(client in network for network in self.networks):
                raise WrongAddress


def limits_of(addresses: tuple[str, ...] | None, expires_at: int | None) -> KeyLimits | None:
    """The limits of a key, if it has any."""
    if addresses is None and expires_at is None:
        return None
    return KeyLimits(expires_at, None if addresses is None else tuple(map(ip_network, addresses)))


def _client(address: str | None) -> IPv4Address | IPv6Address | None:
    """The client's address; one of IPv4 that came by way of IPv6 is itself. None when it is not known."""
    try:
        client = ip_address(address or "")
    except ValueError:
        return None
    mapped = client.ipv4_mapped if isinstance(client, IPv6Address) else None
    return mapped or client
