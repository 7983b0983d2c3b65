"""Addresses of the web that a list may lead to: public ones, and those that the user allows."""

import ipaddress
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# IPv6 addresses that stand for the IPv4 address in their last bits: of NAT64, and of an old notation.
_WITH_IPV4 = tuple(ipaddress.IPv6Network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96"))


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Which addresses may be connected to.

    Attributes:
        hosts: (name or address, port) whose address may be private.
        networks: whose addresses may be reached.
        every: whether all may be.
        origins: hosts and ports of inputs that the user named; grows as they are read.
    """

    hosts: Collection[tuple[str, int]] = ()
    networks: Sequence[Network] = ()
    every: bool = False
    origins: set[tuple[str, int]] = field(default_factory=set)

    def add_origin(self, host: str, port: int) -> None:
        """Permits where an input itself came from, if that is an address: a name may lead elsewhere the next time."""
        if host == "localhost" or literal(host) is not None:
            self.origins.add((host, port))

    def permit(self, host: str, port: int, address: str) -> bool:
        """Whether a host may be connected to at an address, as text."""
        if self.every or (host, port) in self.hosts or (host, port) in self.origins:
            return True
        number = plain(ipaddress.ip_address(address))
        return is_public(number) or any(number in network for network in self.networks)


def plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 address wraps, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    wrapped = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if wrapped is None and any(address in network for network in _WITH_IPV4):
        wrapped = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return wrapped or address


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet: not of this machine, this network, or a group."""
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def literal(host: str) -> str | None:
    """The address that a host is by itself, in any notation that C libraries take; None for a name.

    >>> literal("0x7f.1"), literal("2130706433"), literal("example.org")
    ('127.0.0.1', '127.0.0.1', None)
    """
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host.rstrip(".")))
    except (OSError, ValueError):
        return None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its plain name or address: localhost, 127.0.0.0/8 and ::1, undisguised."""
    try:
        return ipaddress.ip_address(host) == _LOOPBACK_6 or ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return host == "localhost"


_LOOPBACK_6 = ipaddress.IPv6Address("::1")
