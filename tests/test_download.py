"""Downloads from a server that fails in every way that servers do: a clear error, and nothing left that looks whole."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request

import pytest
from torch import hub

from archdsl.failure import Failure, WrongUsage
from archdsl.runtime import download

CONTENT = bytes(range(256)) * 1000
NAME = f"net-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"
Answer = Callable[[BaseHTTPRequestHandler], None]


def sent(content: bytes, *, length: int | None = None, code: int = 200, **headers: str) -> Answer:
    def answer(to: BaseHTTPRequestHandler) -> None:
        to.send_response(code)
        to.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in headers.items():
            to.send_header(name, value)
        to.end_headers()
        to.wfile.write(content)

    return answer


def slow(to: BaseHTTPRequestHandler) -> None:
    sent(CONTENT[:1000], length=len(CONTENT))(to)
    time.sleep(1)


def chunked(to: BaseHTTPRequestHandler) -> None:
    """A part of what was to come in parts whose number isn't known."""
    to.protocol_version = "HTTP/1.1"
    to.send_response(200)
    to.send_header("Transfer-Encoding", "chunked")
    to.end_headers()
    to.wfile.write(b"100\r\n" + CONTENT[:100])


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, Answer]]]:
    """The address of a server, and what it answers to each path."""
    answers: dict[str, Answer] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers[self.path](self)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", answers
        running.shutdown()
        thread.join()


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(download, "_PATIENCE", 0.3)
    return tmp_path / "checkpoints"


def test_a_file_comes_whole_also_from_another_address(server: tuple[str, dict[str, Answer]], kept: Path) -> None:
    address, answers = server
    answers[f"/{NAME}"] = sent(b"", code=302, Location=f"{address}/elsewhere")
    answers["/elsewhere"] = sent(CONTENT)
    path, told = download.local(f"{address}/{NAME}")
    assert path.read_bytes() == CONTENT
    assert told == str(path)
    answers.clear()
    assert download.local(f"{address}/{NAME}") == (path, told)
    assert [one.name for one in kept.iterdir()] == [NAME]


@pytest.mark.parametrize("name", [NAME, "net.pth"])
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (sent(CONTENT[:5000], length=len(CONTENT)), "cut off, 251,000 of 256,000 bytes before its end"),
        (chunked, "IncompleteRead"),
        (slow, "timed out"),
        (sent(b"", code=404), "the server says 404 Not Found"),
        (sent(b"", code=503), "the server says 503 Service Unavailable"),
        (sent(b"", code=302, Location="ftp://127.0.0.1/net.pth"), "sends us on to `ftp://127.0.0.1/net.pth`"),
        (sent(b"", code=302, Location="file:///etc/hostname"), "not allowed"),
        (lambda to: to.wfile.write(b"no answer of a server\r\n\r\n"), "no answer of a server"),
        (lambda to: to.wfile.close(), "without response"),
    ],
    ids=["short", "chunks", "slow", "404", "503", "ftp", "file", "garbage", "nothing"],
)
def test_what_fails_is_told_and_leaves_nothing(
    answer: Answer, told: str, name: str, server: tuple[str, dict[str, Answer]], kept: Path
) -> None:
    address, answers = server
    answers[f"/{name}"] = answer
    with pytest.raises(Failure, match=told) as caught:
        download.local(f"{address}/{name}")
    assert str(caught.value).startswith(f"can't download `{address}/{name}`")
    assert not list(kept.iterdir())
    answers[f"/{name}"] = sent(CONTENT)
    assert download.local(f"{address}/{name}")[0].read_bytes() == CONTENT


def test_another_file_than_the_name_promises(server: tuple[str, dict[str, Answer]], kept: Path) -> None:
    address, answers = server
    answers[f"/{NAME}"] = sent(CONTENT[::-1])
    with pytest.raises(Failure, match="isn't what its name promises"):
        download.local(f"{address}/{NAME}")
    assert not list(kept.iterdir())


def test_no_way_from_an_encrypted_address_to_an_open_one() -> None:
    follow = download._Redirects().redirect_request
    asked = Request("https://example.org/net.pth")
    with pytest.raises(URLError, match=r"sends us on to `http://example\.org/net\.pth`"):
        follow(asked, BytesIO(), 302, "Found", HTTPMessage(), "http://example.org/net.pth")
    assert follow(asked, BytesIO(), 302, "Found", HTTPMessage(), "https://other.org/net.pth") is not None


def test_a_server_that_is_not_there(kept: Path) -> None:
    with pytest.raises(Failure, match="refused") as caught:
        download.local("http://127.0.0.1:9/net.pth")
    assert "give the file's path" in caught.value.help
    assert not list(kept.iterdir())


def test_a_full_disk_is_no_fault_of_the_server(
    server: tuple[str, dict[str, Answer]], kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    address, answers = server
    answers["/net.pth"] = sent(CONTENT)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Failure, match=r"can't use .*: the disk is full"):
        download.local(f"{address}/net.pth")
    assert not list(kept.iterdir())


def test_other_schemes_are_refused(kept: Path) -> None:
    with pytest.raises(WrongUsage, match="can't download from `ftp://`"):
        download.local("ftp://127.0.0.1/net.pth")
    assert not kept.exists()
