"""The web client that images are fetched by: it connects to the addresses that it may, whatever leads there.

URLs are asked for as they stand, after redirects too: what is escaped in one, and how, may be a part of a signature.
"""

import asyncio
import re
import socket
from collections.abc import Coroutine
from concurrent.futures import Future
from contextvars import ContextVar
from importlib.metadata import version
from typing import Any
from urllib.parse import quote, urljoin

import aiohttp
import yarl
from aiohttp.abc import AbstractResolver
from fsspec.asyn import get_loop

from face0.readers.access import NotAllowed, is_web
from face0.readers.addresses import Addresses, is_loopback, literal
from face0.readers.robots import opts_out

USER_AGENT = f"face0/{version('face0')} (no contact given: --user-agent sets one)"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 10
_CHUNK_BYTES = 2**20
# All of ASCII that can be sent as it is
_AS_IT_STANDS = "".join(map(chr, range(0x21, 0x7F))).translate(str.maketrans("", "", '"<>'))

# The host and port of this machine that the request at hand was told to go to by a list of this machine.
_named: ContextVar[tuple[str, int] | None] = ContextVar("_named", default=None)


class TooLarge(Exception):
    """A file of more bytes than are read."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"it has more than {max_bytes} bytes")


class OptedOut(Exception):
    """The server does not want the image to be used."""

    def __init__(self, directive: str) -> None:
        super().__init__(f"its server says X-Robots-Tag: {directive}; --ignore-robots-tag reads it all the same")


class WebClient:
    """Gets files by http(s), for many threads at once. Made in a ``with`` statement.

    Args:
        addresses: that may be connected to.
        timeout: seconds that a request may take, redirects included, from the connection to the last byte.
        user_agent: who is asking, as servers are told.
        obeys_robots_tag: whether images are left out whose server says so.
    """

    def __init__(self, addresses: Addresses, timeout: float, user_agent: str, obeys_robots_tag: bool) -> None:
        self._addresses, self._timeout, self._user_agent = addresses, timeout, user_agent
        self._agents = ("face0", re.split(r"[/\s(]", user_agent.lower())[0]) if obeys_robots_tag else None
        self._loop = get_loop()
        self._session: aiohttp.ClientSession | None = None
        self._requests: set[Future[bytes]] = set()

    def __enter__(self) -> "WebClient":
        return self

    def __exit__(self, *_: object) -> None:
        """Breaks off the requests that are under way, and ends the connections."""
        for request in list(self._requests):
            request.cancel()
        if self._session is not None:
            self._submit(self._session.close()).result()

    def get(self, url: str, max_bytes: int, named: tuple[str, int] | None = None) -> bytes:
        """The content of a file.

        Args:
            url: its address.
            max_bytes: of it, at most.
            named: host and port of this machine's loopback that this request may go to, and no other.

        Raises:
            NotAllowed: it, or a redirect, leads where nothing may be read.
            OptedOut: the server does not want the image to be used.
            TooLarge: it has more bytes.
            TimeoutError: the time is over.
            aiohttp.ClientError: the server answers with an error, or does not.
            ValueError: there is no such address.
        """
        request = self._submit(self._get(url, max_bytes, named))
        self._requests.add(request)
        try:
            return request.result()
        finally:
            self._requests.discard(request)

    def _submit(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _get(self, url: str, max_bytes: int, named: tuple[str, int] | None) -> bytes:
        _named.set(named)
        if self._session is None:
            # The number of connections is left to the pool: waiting for one would count as the server's time.
            self._session = aiohttp.ClientSession(
                connector=_GuardedConnector(self._addresses, limit=0),
                timeout=aiohttp.ClientTimeout(total=None),
                headers={"User-Agent": self._user_agent},
            )
        async with asyncio.timeout(self._timeout):
            for _ in range(_MAX_REDIRECTS + 1):
                # Followed here, for the client escapes redirects anew.
                async with self._session.get(yarl.URL(sendable(url), encoded=True), allow_redirects=False) as answer:
                    if answer.status not in _REDIRECTS or "Location" not in answer.headers:
                        return await self._content(answer, max_bytes)
                    url = urljoin(url, answer.headers["Location"].strip())
                    if not is_web(url):
                        raise ValueError("a redirect to what is no web address")
        raise ValueError(f"more than {_MAX_REDIRECTS} redirects")

    async def _content(self, answer: aiohttp.ClientResponse, max_bytes: int) -> bytes:
        answer.raise_for_status()
        if self._agents and (directive := opts_out(answer.headers.getall("X-Robots-Tag", []), self._agents)):
            raise OptedOut(directive)
        chunks, size = [], 0
        async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
            chunks.append(chunk)
            size += len(chunk)
            if size > max_bytes:
                raise TooLarge(max_bytes)
        return b"".join(chunks)


def sendable(url: str) -> str:
    """A URL with what cannot be sent escaped: spaces, control characters, letters beyond ASCII. The rest is as it was.

    >>> sendable("http://host/a%2Cb é.jpg?q=a+b%20c#top")
    'http://host/a%2Cb%20%C3%A9.jpg?q=a+b%20c'
    """
    match = re.match(r"([^/?#]+://)([^/?#]*)([^#]*)", url)
    if match is None or not match[2]:
        raise ValueError("there is no host")
    scheme, host, rest = match.groups()
    if not host.isascii():
        host = str(yarl.URL(f"{scheme}{host}")).partition("://")[2].rstrip("/")
    return f"{scheme}{host}{quote(rest, safe=_AS_IT_STANDS, errors='surrogateescape')}"


class _GuardedConnector(aiohttp.TCPConnector):
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
        address = "127.0.0.1" if host == "localhost" else literal(host)
        if address is not None and not _permits(self._addresses, host, port, address):
            raise _refusal(host, port)
        connection = await super().connect(req, traces, timeout)
        peer = connection.transport.get_extra_info("peername") if connection.transport else None
        if peer is not None and not _permits(self._addresses, host, port, peer[0]):
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
        permitted = [result for result in results if _permits(self._addresses, host, port, result["host"])]
        if results and not permitted:
            raise _refusal(host, port)
        return permitted

    async def close(self) -> None:
        await self._system.close()


def _permits(addresses: Addresses, host: str, port: int, address: str) -> bool:
    """Whether the request at hand may connect to a host at an address."""
    return (_named.get() == (host, port) and is_loopback(address)) or addresses.permit(host, port, address)


def _refusal(host: str, port: int) -> NotAllowed:
    name = f"[{host}]" if ":" in host else host
    return NotAllowed(
        f"{name} is no public address of the internet; --allow http://{name}:{port}/ permits it, and redirects to it"
    )
