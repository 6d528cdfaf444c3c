"""Weights behind a URL, kept where torch.hub keeps them: what torchvision has downloaded isn't downloaded again."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener, url2pathname

from torch import hub

from archdsl.failure import Failure, WrongUsage
from archdsl.files import make_folder, writing

# PyTorch's convention: `resnet50-0676ba61.pth` has a SHA-256 that starts with these digits.
_HASH = re.compile(r"-([0-9a-f]{8,64})\.")


def local(where: str | Path) -> tuple[Path, str]:
    """The file that a path or URL means, downloaded if need be, and its name for messages.

    Raises Failure where it can't be downloaded or isn't the one that its name promises.
    """
    text = str(where)
    if isinstance(where, Path) or "://" not in text:
        return Path(where), text
    url = urlsplit(text)
    if url.scheme == "file":
        path = url2pathname(url.path)
        return Path(path), path
    if url.scheme not in ("http", "https"):
        raise WrongUsage(f"can't download from `{url.scheme}://`", help="only from https://, http:// and file://")
    name = Path(unquote(url.path)).name
    if not name:
        raise WrongUsage(f"`{text}` names no file")
    kept = _place(text, name)
    if not kept.exists():
        _download(text, kept, name)
    return kept, str(kept)


def _place(url: str, name: str) -> Path:
    """Where it is kept: under its own name if that tells what is in it, so that no two files can have it."""
    folder = Path(hub.get_dir()) / "checkpoints"
    if _HASH.search(name):
        return folder / name
    return folder / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}_{name}"


def _download(url: str, target: Path, name: str) -> None:
    """Raises Failure where the server, the way to it or the disk fails, or what comes isn't what the name promises."""
    make_folder(target.parent)
    digits, seen = _HASH.search(name), hashlib.sha256()
    with writing(target) as file:
        for part in _parts(url):
            file.write(part)
            seen.update(part)
        if digits is not None and not seen.hexdigest().startswith(digits[1]):
            message = f"what `{url}` gave isn't what its name promises: its SHA-256 doesn't start with the digits there"
            raise Failure(message, help="the file was damaged on its way, or replaced by another one")


def _parts(url: str) -> Iterator[bytes]:
    """What a URL gives, part by part. Raises Failure where it isn't all there."""
    try:
        with opened(url) as answer:
            length = answer.headers.get("Content-Length") or ""
            left = int(length) if length.isdigit() else None
            shown = sys.stderr is not None and sys.stderr.isatty()
            bars: Any = hub.tqdm  # type: ignore[attr-defined]
            with bars(total=left, disable=not shown, unit="B", unit_scale=True, unit_divisor=1024) as bar:
                while part := answer.read(_PART):
                    left = None if left is None else left - len(part)
                    yield part
                    bar.update(len(part))
            if left:
                raise Failure(
                    f"can't download `{url}`: it was cut off, {left:,} of {int(length):,} bytes before its end"
                )
    except HTTPError as error:
        error.close()
        raise Failure(f"can't download `{url}`: the server says {error.code} {error.reason}") from error
    except URLError as error:
        raise Failure(f"can't download `{url}`: {error.reason}", help=_OFFLINE) from error
    except (OSError, HTTPException, ValueError) as error:
        raise Failure(f"can't download `{url}`: {str(error) or type(error).__name__}", help=_OFFLINE) from error


def opened(url: str) -> Any:
    """The answer of a server. Raises OSError, HTTPException, ValueError."""
    return build_opener(_Redirects).open(Request(url, headers={"User-Agent": "archdsl"}), timeout=_PATIENCE)


class _Redirects(HTTPRedirectHandler):
    """Follows a server to another address of the web only, and from an encrypted one to an encrypted one."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type, scheme) == ("https", "http"):
            fp.close()
            raise URLError(f"the server sends us on to `{newurl}`")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_PART = 128 * 1024  # bytes
_PATIENCE = 60.0  # seconds without a byte
_OFFLINE = "without a network, download it elsewhere and give the file's path"
