"""Who sent a request: the peer of the connection, or what a trusted proxy says about its own peer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import Scope

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_LONGEST_NAME = 128


@dataclass(frozen=True, slots=True)
class Peer:
    """The sender of a request."""

    address: Address
    direct: bool
    """Whether it is the peer of the connection itself, and no proxy stands between."""
    secure: bool
    """Whether its connection is encrypted."""
    user: str | None
    """Whom the trusted proxy has recognised."""

    @property
    def group(self) -> str:
        """What is limited together: an address, or a network of IPv6, of which one person has a whole /64."""
        if isinstance(self.address, IPv4Address):
            return str(self.address)
        return str(IPv6Network((self.address, 64), strict=False))


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks and addresses of the settings."""
    return tuple(ip_network(text) for text in texts)


def peer_of(scope: Scope, trusted: Sequence[Network], user_header: str) -> Peer:
    """The sender; headers count only if the connection comes from a trusted proxy."""
    address = _address(scope["client"][0]) if scope.get("client") else None
    address = address or ip_address("0.0.0.0")  # noqa: S104  nobody's address; nothing listens on it
    if not _within(address, trusted):
        return Peer(address, direct=True, secure=scope["scheme"] == "https", user=None)
    headers = Headers(scope=scope)
    return Peer(
        _client(address, headers.getlist("x-forwarded-for"), trusted),
        direct=False,
        secure=headers.getlist("x-forwarded-proto")[-1:] == ["https"],
        user=_user(headers.getlist(user_header)),
    )


def _client(proxy: Address, forwarded: Sequence[str], trusted: Sequence[Network]) -> Address:
    """The last address that no trusted proxy has: what stands before it may be forged."""
    for text in reversed(",".join(forwarded).split(",")):
        address = _address(text.strip())
        if address is None:
            return proxy
        if not _within(address, trusted):
            return address
        proxy = address
    return proxy


def _user(names: Sequence[str]) -> str | None:
    """The name, if there is exactly one; a client may have sent a second header past a careless proxy."""
    name = names[0].strip() if len(names) == 1 else ""
    return name if 0 < len(name) <= _LONGEST_NAME and name.isprintable() else None


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
