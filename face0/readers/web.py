"""The web client that images are fetched by: it connects to the addresses that it may, whatever leads there."""

import socket
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver

from face0.readers.access import NotAllowed
from face0.readers.addresses import Addresses, literal


class GuardedConnector(aiohttp.TCPConnector):
    """Connects to permitted addresses alone.

    It is asked for each hop of a redirect. What counts is the address that is connected to, not the name: a name that
    resolves to another address the next time, or a connection that was kept, gets no further than others.
    """

    def __init__(self, addresses: Addresses, **options: Any) -> None:
        super().__init__(resolver=_Resolver(addresses), **options)
        self._addresses = addresses

    async def connect(self, req: aiohttp.ClientRequest, traces: Any, timeout: Any) -> Any:
        """A connection to the host of a request. Raises NotAllowed."""
        host, port = req.url.raw_host or "", req.url.port or 0
        address = literal(host)
        if address is not None and not self._addresses.permit(host, port, address):
            raise _refusal(host, port)
        connection = await super().connect(req, traces, timeout)
        peer = connection.transport.get_extra_info("peername") if connection.transport else None
        if peer is not None and not self._addresses.permit(host, port, peer[0]):
            connection.close()
            raise _refusal(host, port)
        return connection


class _Resolver(AbstractResolver):
    """The system's resolver, without the addresses that are not permitted."""

    def __init__(self, addresses: Addresses) -> None:
        self._system = aiohttp.ThreadedResolver()
        self._addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> Any:
        results = await self._system.resolve(host, port, family)
        permitted = [result for result in results if self._addresses.permit(host, port, result["host"])]
        if results and not permitted:
            raise _refusal(host, port)
        return permitted

    async def close(self) -> None:
        await self._system.close()


def _refusal(host: str, port: int) -> NotAllowed:
    name = f"[{host}]" if ":" in host else host
    return NotAllowed(
        f"{name} is no public address of the internet; --allow http://{name}:{port}/ permits it, and redirects to it"
    )
