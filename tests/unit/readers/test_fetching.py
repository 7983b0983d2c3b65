"""Fetching: in order, within limits, and never an exception for a bad row."""

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote

import aiohttp
import fsspec
import pytest

from face0.readers import access, fetching
from face0.readers.access import NOTHING_MORE, Access
from face0.readers.fetching import Fetcher, retry_after
from face0.readers.robots import opts_out
from face0.readers.samples import Sample
from face0.readers.web import sendable
from schemas.failures import Failure, Reason, Stage


def sample(uri: str, key: str = "k") -> Sample:
    return Sample(key=key, source=uri, caption="c", uri=uri)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.now = self.most = 0
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers by path: ``/status/404``, ``/flaky/503/2`` (fails twice), ``/size/100``, ``/drip``, ``/hang``..."""

    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        raise AssertionError("one request an image, no HEAD")

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.requests[self.path] += 1
        kind, *arguments = self.path.strip("/").split("/")
        getattr(self, f"get_{kind.partition('?')[0]}")(*arguments)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def get_echo(self, *_: str) -> None:
        self.answer(200, self.path.encode())

    def get_status(self, status: str) -> None:
        self.answer(int(status), b"<html>not the image</html>")

    def get_flaky(self, status: str, failures: str) -> None:
        failing = self.server.requests[self.path] <= int(failures)
        self.answer(int(status) if failing else 200, b"" if failing else b"at last")

    def get_to(self, *parts: str) -> None:
        self.answer(302, Location="/".join(parts))

    def get_tagged(self, *values: str) -> None:
        self.send_response(200)
        for value in values:
            self.send_header("X-Robots-Tag", unquote(value))
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"image")

    def get_later(self, status: str, wait: str) -> None:
        """Asks to wait for some seconds, or until the time so many seconds from now."""
        value = wait if wait.isdecimal() else formatdate(time.time() + float(wait[1:]), usegmt=True)
        first = self.server.requests[self.path] == 1
        self.answer(int(status) if first else 200, b"" if first else b"at last", **{"Retry-After": value})

    def get_agent(self) -> None:
        self.answer(200, self.headers["User-Agent"].encode())

    def get_redirect(self, count: str) -> None:
        self.answer(302, Location=f"/redirect/{int(count) - 1}" if int(count) else "/echo/target")

    def get_size(self, size: str) -> None:
        self.answer(200, b"x" * int(size))

    def get_endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.server.stopping.is_set():
            self.wfile.write(b"x" * 65536)

    def get_short(self) -> None:
        self.answer(200, b"x" * 10, **{"Content-Length": "100"})

    def get_drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        while not self.server.stopping.wait(0.05):
            self.wfile.write(b"x")
            self.wfile.flush()

    def get_hang(self, *_: str) -> None:
        self.server.stopping.wait(30)

    def get_slow(self, seconds: str, *_: str) -> None:
        with self.server.lock:
            self.server.now += 1
            self.server.most = max(self.server.most, self.server.now)
        self.server.stopping.wait(float(seconds))
        with self.server.lock:  # before the answer, after which the client may ask again
            self.server.now -= 1
        self.answer(200, self.path.encode())


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(fetching, "_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(Server, "handle_error", lambda *_: None)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.stopping.set()
    server.shutdown()
    thread.join()
    server.server_close()


# Of this machine: the server, and the files of tests.
HERE = Access.of(["http://127.0.0.0/8", "file", "memory"])


def fetcher(**options) -> Fetcher:
    return Fetcher(**{"timeout": 5.0, "access": HERE, **options})


def fetch_one(uri: str, **options) -> Sample | Failure:
    (row,) = fetcher(**options).fetch([sample(uri)])
    return row


def reason_of(uri: str, **options) -> Reason:
    row = fetch_one(uri, **options)
    assert isinstance(row, Failure)
    assert (row.key, row.source, row.stage) == ("k", uri, Stage.FETCH)
    assert row.message.startswith(uri)
    return row.reason


def test_data_arrives_and_the_rest_of_the_row_stays(server):
    uri = f"{server.url}/echo/a%20b.jpg?x=http://c::d&y=é"
    row = fetch_one(uri)
    assert (row.key, row.source, row.caption, row.uri) == ("k", uri, "c", None)
    assert row.data.startswith(b"/echo/a%20b.jpg?x=http://c::d")


def test_order_is_kept_and_other_rows_pass(server):
    rows: list[Sample | Failure] = []
    for i in range(40):
        rows.append(sample(f"{server.url}/slow/{0.1 if i % 7 == 0 else 0}/{i}", f"web{i}"))
        rows.append(Sample(key=f"data{i}", source="tar", caption=None, data=b"d"))
        rows.append(Failure(key=f"bad{i}", source="tar", stage=Stage.READ, reason=Reason.EMPTY, message="m"))
    found = list(fetcher(concurrency=4).fetch(rows))
    assert [row.key for row in found] == [row.key for row in rows]
    assert [row for row in found if not row.key.startswith("web")] == [
        row for row in rows if not row.key.startswith("web")
    ]
    assert all(row.data for row in found if row.key.startswith("web"))


def test_rows_with_data_are_not_held_back():
    taken = []

    def rows():
        for i in range(5):
            taken.append(i)
            yield Sample(key=str(i), source="tar", caption=None, data=b"d")

    found = fetcher(concurrency=16).fetch(rows())
    next(found)
    assert taken == [0]
    found.close()


@pytest.mark.parametrize(
    ("status", "reason", "requests"),
    [
        (404, Reason.FETCH_404, 1),
        (410, Reason.FETCH_404, 1),
        (401, Reason.FETCH_DENIED, 1),
        (403, Reason.FETCH_DENIED, 1),
        (400, Reason.FETCH_ERROR, 1),
        (429, Reason.FETCH_ERROR, 3),
        (500, Reason.FETCH_ERROR, 3),
        (503, Reason.FETCH_ERROR, 3),
    ],
)
def test_status_is_a_reason_and_only_passing_trouble_is_tried_again(server, status, reason, requests):
    assert reason_of(f"{server.url}/status/{status}") == reason
    assert server.requests[f"/status/{status}"] == requests


def test_trouble_that_passes(server):
    assert fetch_one(f"{server.url}/flaky/500/2").data == b"at last"
    assert fetch_one(f"{server.url}/flaky/429/1").data == b"at last"
    assert reason_of(f"{server.url}/flaky/502/1", retries=0) == Reason.FETCH_ERROR


def test_redirects_are_followed_but_not_for_ever(server):
    assert fetch_one(f"{server.url}/redirect/3").data == b"/echo/target"
    assert reason_of(f"{server.url}/redirect/50") == Reason.FETCH_ERROR


@pytest.mark.parametrize("path", ["hang", "drip"])
def test_server_that_does_not_come_to_an_end_is_a_timeout(server, path):
    began = time.monotonic()
    assert reason_of(f"{server.url}/{path}", timeout=0.3, retries=1) == Reason.FETCH_TIMEOUT
    assert 0.6 <= time.monotonic() - began < 3
    assert server.requests[f"/{path}"] == 2


def test_size_is_capped_whatever_the_server_says(server):
    assert len(fetch_one(f"{server.url}/size/1000", max_bytes=1000).data) == 1000
    assert reason_of(f"{server.url}/size/1001", max_bytes=1000) == Reason.TOO_LARGE
    assert reason_of(f"{server.url}/endless", max_bytes=3_000_000) == Reason.TOO_LARGE
    assert fetch_one(f"{server.url}/size/3000000").data == b"x" * 3_000_000
    assert fetch_one(f"{server.url}/size/0").data == b""


def test_body_that_is_cut_short_is_no_image(server):
    assert reason_of(f"{server.url}/short") == Reason.FETCH_ERROR
    assert server.requests["/short"] == 3


def test_number_of_requests_at_a_time_is_bounded(server):
    rows = [sample(f"{server.url}/slow/0.05/{i}") for i in range(40)]
    found = list(fetcher(concurrency=5).fetch(rows))
    assert all(isinstance(row, Sample) for row in found)
    assert server.most == 5


def test_more_requests_at_a_time_than_the_client_has_by_default(server):
    rows = [sample(f"{server.url}/slow/2/{i}") for i in range(120)]
    list(fetcher(concurrency=120).fetch(rows))
    assert server.most > 100


def test_look_ahead_is_bounded(server):
    taken = []

    def rows():
        for i in range(1000):
            taken.append(i)
            yield sample(f"{server.url}/echo/{i}")

    found = fetcher(concurrency=4).fetch(rows())
    for i in range(50):
        next(found)
        assert len(taken) <= i + 1 + 8
    found.close()


def fetch_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("fetch")]


def test_closing_early_breaks_requests_off(server):
    rows = [sample(f"{server.url}/echo/first"), *(sample(f"{server.url}/hang/{i}") for i in range(20))]
    found = fetcher(concurrency=4, timeout=20).fetch(rows)
    assert next(found).data == b"/echo/first"
    time.sleep(0.2)
    began = time.monotonic()
    found.close()
    assert time.monotonic() - began < 3
    assert fetch_threads() == []


def test_closing_early_ends_the_wait_between_tries(server, monkeypatch):
    monkeypatch.setattr(fetching, "_BACKOFF_SECONDS", 20.0)
    found = fetcher().fetch([sample(f"{server.url}/echo/first"), sample(f"{server.url}/status/500")])
    next(found)
    time.sleep(0.2)
    began = time.monotonic()
    found.close()
    assert time.monotonic() - began < 3
    assert fetch_threads() == []


@pytest.mark.parametrize(
    "uri",
    [
        "nosuch://a/b.jpg",
        "http://",
        "http://[::1",
        "http://127.0.0.1:1/a.jpg",
        "http://no.such.host.invalid/a",
        "data:,",
    ],
)
def test_uri_that_leads_nowhere(monkeypatch, uri):
    monkeypatch.setattr(fetching, "_BACKOFF_SECONDS", 0.01)
    row = fetch_one(uri)
    assert isinstance(row, Sample) if uri == "data:," else row.reason == Reason.FETCH_ERROR


def test_local_files(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"image")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "pipelink.jpg").symlink_to(tmp_path / "pipe.jpg")
    assert fetch_one(f"{tmp_path}/a.jpg").data == b"image"
    assert fetch_one(f"file://{tmp_path}/link.jpg").data == b"image"
    assert reason_of(f"{tmp_path}/gone.jpg") == Reason.FETCH_404
    assert reason_of(f"{tmp_path}/a.jpg/b.jpg") == Reason.FETCH_404
    assert reason_of(str(tmp_path)) == Reason.FETCH_ERROR
    assert reason_of(f"{tmp_path}/pipe.jpg") == Reason.UNSUPPORTED
    assert reason_of(f"{tmp_path}/pipelink.jpg") == Reason.UNSUPPORTED
    assert reason_of("/dev/zero") == Reason.UNSUPPORTED
    assert reason_of(f"{tmp_path}/a.jpg", max_bytes=4) == Reason.TOO_LARGE
    assert reason_of(f"{tmp_path}/nul\0.jpg") == Reason.FETCH_ERROR


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_local_file_that_may_not_be_read(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"image")
    (tmp_path / "a.jpg").chmod(0)
    assert reason_of(f"{tmp_path}/a.jpg") == Reason.FETCH_DENIED


def test_another_file_system():
    with fsspec.open("memory://fetch/a.jpg", "wb") as file:
        file.write(b"image")
    assert fetch_one("memory://fetch/a.jpg").data == b"image"
    assert reason_of("memory://fetch/gone.jpg") == Reason.FETCH_404


def test_list_does_not_lead_to_this_machine(server):
    refused = {"access": NOTHING_MORE, "retries": 0}
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "0x7f.1", "2130706433"):
        uri = f"http://{host}:{server.server_port}/echo/a"
        assert reason_of(uri, **refused) in (Reason.NOT_ALLOWED, Reason.FETCH_ERROR), host
    assert f"--allow {server.url}/ permits it" in fetch_one(f"{server.url}/echo/a", **refused).message
    assert server.requests.total() == 0


def test_server_that_is_allowed_is_asked(server):
    access = Access.of([f"{server.url}/"])
    assert fetch_one(f"{server.url}/echo/a", access=access).data == b"/echo/a"
    # Another name of the same machine is not what was allowed.
    assert reason_of(f"http://localhost:{server.server_port}/echo/a", access=access) == Reason.NOT_ALLOWED


def test_redirect_to_what_is_not_allowed(server):
    access = Access.of([f"{server.url}/"])
    other = Server()  # nobody accepts: a connection would hang until the time-out
    for target in (f"http://127.0.0.1:{other.server_port}/echo/a", f"http://localhost:{server.server_port}/echo/a"):
        assert reason_of(f"{server.url}/to/{target}", access=access, retries=0) == Reason.NOT_ALLOWED
    for target in ("file:///etc/hostname", "ftp://127.0.0.1/a"):
        assert reason_of(f"{server.url}/to/{target}", access=access, retries=0) == Reason.FETCH_ERROR
    other.server_close()


def test_name_that_resolves_to_this_machine(server, monkeypatch):
    resolve = socket.getaddrinfo
    names = {"public.test": ["127.0.0.1"], "both.test": ["127.0.0.1", "203.0.113.7"]}

    def resolved(host, *arguments, **options):
        return [row for name in names.get(host, [host]) for row in resolve(name, *arguments, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    port = server.server_port
    assert reason_of(f"http://public.test:{port}/echo/a", access=NOTHING_MORE) == Reason.NOT_ALLOWED
    assert reason_of(f"http://both.test:{port}/echo/a", access=NOTHING_MORE) == Reason.NOT_ALLOWED
    assert fetch_one(f"http://public.test:{port}/echo/a", access=Access.of(["http://127.0.0.0/8"])).data == b"/echo/a"
    assert fetch_one(f"http://public.test:{port}/echo/a", access=Access.of(["http"])).data == b"/echo/a"


def test_connection_that_is_kept_gets_no_further(server):
    """What a list's own server may be asked, another list's row may not; both have the same client here."""
    rows = [replace(sample(f"{server.url}/echo/a", "own"), within=f"{server.url}/lists")]
    assert [row.data for row in fetcher(access=NOTHING_MORE).fetch(rows)] == [b"/echo/a"]
    assert reason_of(f"{server.url}/echo/a", access=NOTHING_MORE) == Reason.NOT_ALLOWED


def test_answer_is_not_quoted(server):
    """A service that speaks no HTTP begins with a line that the client's error would show."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"220 greeting-of-a-service ready\r\n\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        row = fetch_one(f"http://127.0.0.1:{listener.getsockname()[1]}/a", retries=0)
        thread.join()
    assert isinstance(row, Failure)
    assert "greeting" not in row.message


def test_list_names_files_below_its_folder(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"image")
    (tmp_path / "b.jpg").write_bytes(b"private")
    home = str(tmp_path / "photos")
    rows = [replace(sample(uri), within=home) for uri in (f"{home}/a.jpg", f"{home}/../b.jpg", f"{tmp_path}/b.jpg")]
    own, *others = Fetcher().fetch(rows)
    assert own.data == b"image"
    assert {row.reason for row in others} == {Reason.NOT_ALLOWED}


def test_memory_that_runs_out_is_the_rows_failure(monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr(fetching, "_read_capped", full)
    with fsspec.open("memory://fetch/a.jpg", "wb") as file:
        file.write(b"image")
    assert reason_of("memory://fetch/a.jpg") == Reason.OUT_OF_MEMORY


def test_data_uri_is_no_chain(tmp_path):
    (tmp_path / "a").write_bytes(b"private")
    assert fetch_one("data:;base64,aW1hZ2U=").data == b"image"
    row = fetch_one(f"data:,x::file://{tmp_path}/a", access=NOTHING_MORE)
    assert row.data == f"x::file://{tmp_path}/a".encode()


def test_file_system_that_denies(monkeypatch):
    def denied(uri):
        raise PermissionError(uri)

    monkeypatch.setattr(access, "open_uri", denied)
    assert reason_of("s3://bucket/a.jpg", access=Access.of(["s3"])) == Reason.FETCH_DENIED


AS_THEY_STAND = ["a%2Fb?sig=x%2By%3D&q=a+b%20c", "%7Euser/it%27s(1),2;v=1", "a%zz|b^c{d}[e]", "%c3%a9?x=%2e%2E"]


@pytest.mark.parametrize("path", AS_THEY_STAND)
def test_url_is_asked_for_as_it_stands_after_redirects_too(server, path):
    assert fetch_one(f"{server.url}/echo/{path}").data == f"/echo/{path}".encode()
    assert fetch_one(f"{server.url}/to/{server.url}/echo/{path}").data == f"/echo/{path}".encode()


def test_what_cannot_be_sent_is_escaped(server):
    assert fetch_one(f"{server.url}/echo/a b\xe9%20.jpg#top").data == b"/echo/a%20b%C3%A9%20.jpg"
    assert sendable("http://b\xfccher.example/\u6f22") == "http://xn--bcher-kva.example/%E6%BC%A2"


@pytest.mark.parametrize(
    ("values", "is_read"),
    [
        (["noai"], False),
        (["noindex, NoImageAI"], False),
        (["noindex", "noimageai"], False),
        (["face0: noai"], False),
        (["*: noai"], False),
        (["otherbot: noai, noimageai"], True),
        (["otherbot: noindex, face0: nofollow, noai"], False),
        (["mine: noai"], False),
        (["noindex, nofollow, max-snippet: 5"], True),
        (["unavailable_after: 25 Jun 2010 15:00:00 PST, noai"], False),
    ],
)
def test_image_whose_server_opts_out(server, values, is_read):
    uri = f"{server.url}/tagged/{'/'.join(quote(value) for value in values)}"
    row = fetch_one(uri, user_agent="Mine/1.0 (me@example.org)")
    assert isinstance(row, Sample) if is_read else row.reason == Reason.OPTED_OUT
    assert fetch_one(uri, obeys_robots_tag=False).data == b"image"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("wait", ["1", "d2"])
def test_server_that_asks_to_wait_is_waited_for(server, status, wait):
    began = time.monotonic()
    assert fetch_one(f"{server.url}/later/{status}/{wait}", retries=1).data == b"at last"
    assert time.monotonic() - began > 0.9


def test_server_that_asks_to_wait_too_long_is_not(server):
    began = time.monotonic()
    row = fetch_one(f"{server.url}/later/429/3600")
    assert row.reason == Reason.FETCH_ERROR
    assert "status 429; it asks to wait for 3600 s" in row.message
    assert time.monotonic() - began < 5
    assert server.requests.total() == 1


def test_limit_of_a_row_knows_of_the_waits():
    assert Fetcher(timeout=1, retries=2).longest > 3 + fetching.MAX_RETRY_AFTER


def test_server_is_told_who_asks(server):
    assert fetch_one(f"{server.url}/agent").data.startswith(b"face0/")
    assert fetch_one(f"{server.url}/agent", user_agent="mine/1 (me@example.org)").data == b"mine/1 (me@example.org)"


def named(uri: str, within: str) -> Reason | bytes:
    (row,) = fetcher(access=NOTHING_MORE, retries=0).fetch([replace(sample(uri), within=within)])
    return row.data if isinstance(row, Sample) else row.reason


def test_list_of_this_machine_names_its_loopback(server):
    port = server.server_port
    for host in ("127.0.0.1", "localhost"):
        assert named(f"http://{host}:{port}/echo/a", "/data") == b"/echo/a"
    for within in ("s3://bucket/data", "https://example.org/data", "memory://data"):
        assert named(f"http://127.0.0.1:{port}/echo/a", within) == Reason.NOT_ALLOWED
    for host in ("0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "0.0.0.0"):
        assert named(f"http://{host}:{port}/echo/a", "/data") == Reason.NOT_ALLOWED
    for host in ("10.0.0.1", "192.168.0.1", "169.254.169.254"):
        assert named(f"http://{host}:{port}/echo/a", "/data") == Reason.NOT_ALLOWED


def test_loopback_that_a_list_names_leads_to_nothing_else(server, monkeypatch):
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **options: resolve("127.0.0.1" if host == "public.test" else host, *rest, **options),
    )
    other = Server()  # nobody accepts: a connection would hang until the time-out
    port = server.server_port
    assert named(f"http://127.0.0.1:{port}/redirect/1", "/data") == b"/echo/target"
    for target in (f"http://127.0.0.1:{other.server_port}/a", f"http://localhost:{port}/echo/a"):
        assert named(f"http://127.0.0.1:{port}/to/{target}", "/data") == Reason.NOT_ALLOWED
    assert named(f"http://public.test:{port}/echo/a", "/data") == Reason.NOT_ALLOWED
    # From a server elsewhere, which is allowed here, back to this machine
    elsewhere = Access.of([f"http://public.test:{port}/"])
    row = replace(sample(f"http://public.test:{port}/to/http://127.0.0.1:{port}/echo/a"), within="/data")
    (failure,) = fetcher(access=elsewhere, retries=0).fetch([row])
    assert failure.reason == Reason.NOT_ALLOWED
    # Nor does a connection that another row was allowed lead there
    rows = [replace(sample(f"http://127.0.0.1:{port}/echo/a", "own"), within="/data"), row]
    assert [isinstance(row, Sample) for row in fetcher(access=elsewhere, retries=0).fetch(rows)] == [True, False]
    other.server_close()


def test_directives_however_they_are_separated():
    assert opts_out(["noindex; noai"], ["face0"]) == "noai"
    assert opts_out(["face0: noindex noimageai"], ["face0"]) == "noimageai"
    assert opts_out(["other: noindex; noai"], ["face0"]) is None


@pytest.mark.parametrize(("value", "seconds"), [("3", 3), ("2.5", 2.5), ("-1", 0), ("9" * 40, 999999999), ("3 x", 0)])
def test_seconds_that_a_server_asks_for(value, seconds):
    error = aiohttp.ClientResponseError(None, (), status=429, headers={"Retry-After": value})
    assert retry_after(error) == seconds
