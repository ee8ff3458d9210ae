"""What a trusted proxy reports of the request that a browser sent to it (X-Forwarded-Host, X-Forwarded-Proto)."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from starlette.types import Scope

ANY = "*"


class TrustedProxies:
    """The proxies at these addresses and networks; `*` is every peer."""

    def __init__(self, addresses: Iterable[str]) -> None:
        known = set(addresses)
        self._any = ANY in known
        self._networks = [ip_network(address) for address in known - {ANY}]

    def is_own_origin(self, origin: str, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        """True if `origin` is that of the URL that the browser requested.

        Without a trusted proxy only host and port are compared: the server cannot know where TLS ended.
        """
        scheme, _, host = origin.partition("://")
        trusted = self._trusts(scope)
        requested = (trusted and _first(headers, b"x-forwarded-host")) or _first(headers, b"host")
        proto = _first(headers, b"x-forwarded-proto") if trusted else ""
        return host == requested and (not proto or scheme == proto.replace("ws", "http", 1))

    def _trusts(self, scope: Scope) -> bool:
        if self._any:
            return True
        peer = _address(scope)
        return peer is not None and any(peer in network for network in self._networks)


def named_hosts(headers: Mapping[bytes, bytes]) -> set[str | None]:
    """The host names under which a request came, in its own headers and in those of any proxy, trusted or not."""
    return {
        urlsplit(f"//{_first(headers, name)}").hostname for name in (b"host", b"x-forwarded-host") if name in headers
    }


def _address(scope: Scope) -> IPv4Address | IPv6Address | None:
    """The peer's address; None on a Unix socket. A socket for both families shows IPv4 inside IPv6."""
    try:
        peer = ip_address((scope.get("client") or ("",))[0])
    except ValueError:
        return None
    return (isinstance(peer, IPv6Address) and peer.ipv4_mapped) or peer


def _first(headers: Mapping[bytes, bytes], name: bytes) -> str:
    """The first of a header's values: the proxy nearest to the browser wrote it."""
    return headers.get(name, b"").decode("latin-1").partition(",")[0].strip()
