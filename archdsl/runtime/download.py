"""Weights behind a URL, kept where torch.hub keeps them: what torchvision has downloaded isn't downloaded again."""

from __future__ import annotations

import hashlib
import re
import sys
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from torch import hub

from archdsl.failure import Failure, WrongUsage

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
    digits = _HASH.search(name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        progress = sys.stderr is not None and sys.stderr.isatty()
        hub.download_url_to_file(url, str(target), digits[1] if digits else None, progress=progress)
    except HTTPError as error:
        raise Failure(f"can't download `{url}`: the server says {error.code} {error.reason}") from error
    except URLError as error:
        raise Failure(f"can't download `{url}`: {error.reason}", help=_OFFLINE) from error
    except (OSError, HTTPException, ValueError) as error:
        raise Failure(f"can't download `{url}`: {error}", help=_OFFLINE) from error
    except RuntimeError as error:  # what torch.hub raises for a wrong hash
        message = f"what `{url}` gave isn't what its name promises: its SHA-256 doesn't start with the digits there"
        raise Failure(message, help="the download was cut off, or the file was replaced") from error


_OFFLINE = "without a network, download it elsewhere and give the file's path"
