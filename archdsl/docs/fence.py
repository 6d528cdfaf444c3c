"""A fenced piece of a page that names or holds a spec, as HTML: what the Sphinx directive and the MkDocs plugin share.

The words behind `archdsl` are the name of a network or file (or `yaml` before an inline spec in that spelling) and
what `archdsl diagram` takes as options: `depth=2 block=basic numbers input=3x64x64 set.classes=10`.
"""

from __future__ import annotations

import hashlib
import html
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

from archdsl import library
from archdsl.compiler import Network, load, loads
from archdsl.diagnostics import Diagnostic, Note, SpecError
from archdsl.emit.graph import Direction, Fit, ThemeName
from archdsl.failure import Failure, WrongUsage
from archdsl.files import make_folder, write_atomically
from archdsl.render import render
from archdsl.source import Source, Span
from archdsl.suggest import did_you_mean
from archdsl.version import VERSION

SPELLINGS = ("arch", "yaml")
_SET = "set."


class WrongFence(Failure):
    """A piece that can't be drawn; the message begins with the page and the line."""


class Fence(NamedTuple):
    """A piece of a page: the line of the fence, from 1; the words behind `archdsl`; the inline spec, or nothing."""

    page: Path
    line: int
    words: str
    text: str = ""


class Drawn(NamedTuple):
    """A piece as HTML in one line, as text for other formats, and the files that it was made from."""

    html: str
    text: str
    files: tuple[Path, ...]


class _Asked(NamedTuple):
    """A fence's words taken apart."""

    spec: str
    settings: Mapping[str, str]
    params: Mapping[str, str]


def drawn(fence: Fence, cache: Path) -> Drawn:
    """What stands in the place of a fence; kept in the folder `cache` until spec, words or archdsl change.

    Raises WrongFence for a wrong spec, with all diagnostics at their lines of the page, and for words that say nothing.
    """
    try:
        asked = _asked(fence)
        network = _network(fence, asked)
        key = json.dumps((VERSION, asked, network.files)).encode()
        kept = cache / f"{hashlib.sha256(key).hexdigest()}.html"
        if not kept.is_file():
            make_folder(cache)
            write_atomically(kept, _shown(network, asked.settings))
        files = tuple(Path(source.name) for source in network.files if Path(source.name) != fence.page)
        return Drawn(kept.read_text(encoding="utf-8"), network.summary(), files)
    except SpecError as wrong:
        told = render([_on_page(one, fence) for one in wrong.diagnostics], "full").rstrip()
        raise WrongFence(f"{fence.page}:{fence.line}: the spec is wrong\n{told}") from wrong
    except Failure as wrong:
        raise WrongFence(f"{fence.page}:{fence.line}: {wrong.message}", help=wrong.help) from wrong


def _asked(fence: Fence) -> _Asked:
    """Raises WrongUsage for words that mean nothing."""
    spec, settings, params = "", {}, {}
    try:
        words = shlex.split(fence.words)
    except ValueError as error:  # a quotation mark is missing
        raise WrongUsage(f"`{fence.words}` can't be taken apart: {error}") from error
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name.startswith(_SET):
            params[name.removeprefix(_SET)] = value
        elif equals or word in _FLAGS:
            settings[_known(name)] = value
        elif spec:
            raise WrongUsage(f"`{word}` says nothing here", help=f"one name, then {', '.join(sorted(_SETTINGS))}")
        else:
            spec = word
    return _Asked(spec, settings, params)


def _known(name: str) -> str:
    if name in _SETTINGS:
        return name
    near = did_you_mean(name, _SETTINGS)
    way_out = f"did you mean `{near}`?" if near else f"parameters of the network are written `{_SET}{name}=VALUE`"
    raise WrongUsage(f"there is no setting `{name}`", help=way_out)


def _network(fence: Fence, asked: _Asked) -> Network:
    size = asked.settings.get("input")
    if fence.text.strip():
        network = _inline(fence, asked, size)
    elif not asked.spec:
        raise WrongUsage("there is nothing to draw", help="name a network, or write a spec between the fences")
    else:
        named = asked.spec
        path = Path(named)
        # A file is looked up beside the page, as links are.
        is_file = path.suffix in library.SUFFIXES or path.name != named
        network = load(fence.page.parent / path if is_file else named, input=size, **asked.params)
    outputs = asked.settings.get("outputs")
    return network if outputs is None else network.at(*(name.strip() for name in outputs.split(",")))


def _inline(fence: Fence, asked: _Asked, size: str | None) -> Network:
    if asked.spec not in ("", *SPELLINGS):
        raise WrongUsage(f"both a network, `{asked.spec}`, and a spec are given", help="leave one of them out")
    # As many empty lines before it as the page has lines there: then its lines are those of the page.
    name = f"{fence.page}.yaml" if asked.spec == "yaml" else str(fence.page)
    return loads("\n" * fence.line + fence.text, name=name, input=size, **asked.params)


def _on_page(one: Diagnostic, fence: Fence) -> Diagnostic:
    """A diagnostic of an inline spec with the page's own name; others as they are."""

    def there(span: Span) -> Span:
        inline = span.source.name.removesuffix(".yaml") == str(fence.page)
        return Span(Source(str(fence.page), span.source.text), *span[1:]) if inline else span

    notes = tuple(Note(there(note.span), note.text) for note in one.notes)
    return type(one)(there(one.span), path=one.path, notes=notes, **one.values)


def _shown(network: Network, settings: Mapping[str, str]) -> str:
    show = _one_of(settings, "show", tuple(_SHOWS))
    taken, shown = _SHOWS[show]
    spare = [name for name in settings if name not in (*_ALWAYS, *taken)]
    if spare:
        raise WrongUsage(f"`show={show}` takes no `{spare[0]}`")
    return shown(network, settings)


def _diagram(network: Network, settings: Mapping[str, str]) -> str:
    picture = network.diagram(depth=_number(settings, "depth"), block=settings.get("block"))
    theme: ThemeName = _one_of(settings, "theme", get_args(ThemeName))
    if _one_of(settings, "style", ("boxes", "volumes")) == "volumes":
        svg = picture.volumes("svg", theme=theme)
    else:
        direction: Direction = _one_of(settings, "direction", get_args(Direction))
        fit: Fit = _one_of(settings, "fit", get_args(Fit))
        svg = picture.render("svg", theme=theme, direction=direction, fit=fit, numbers="numbers" in settings)
    return _framed("diagram", svg.decode().replace("\n", ""))


def _summary(network: Network, settings: Mapping[str, str]) -> str:
    text = html.escape(network.summary(depth=_number(settings, "depth")))
    return _framed("summary", f"<pre>{text}</pre>")


def _page(network: Network, settings: Mapping[str, str]) -> str:
    return _framed("page", network.page()._repr_html_())


def _framed(show: str, inner: str) -> str:
    """In one line, as an empty one would end HTML in Markdown; what is too wide for the page scrolls."""
    one_line = inner.replace("\n", "&#10;")
    return f'<div class="archdsl archdsl-{show}" style="overflow-x: auto">{one_line}</div>'


# What `show` can be, the first unless said otherwise; with the settings that each of them takes.
_SHOWS: dict[str, tuple[tuple[str, ...], Callable[[Network, Mapping[str, str]], str]]] = {
    "diagram": (("depth", "block", "style", "theme", "direction", "fit", "numbers"), _diagram),
    "summary": (("depth",), _summary),
    "page": ((), _page),
}
_FLAGS = ("numbers",)
_ALWAYS = ("show", "input", "outputs")
_SETTINGS = frozenset((*_ALWAYS, *(name for taken, _ in _SHOWS.values() for name in taken)))


def _one_of(settings: Mapping[str, str], name: str, known: tuple[Any, ...]) -> Any:
    """A setting's word; the first of those known where it isn't given."""
    value = settings.get(name, known[0])
    if value not in known:
        raise WrongUsage(f"there is no {name} `{value}`", help=f"it is one of {', '.join(known)}")
    return value


def _number(settings: Mapping[str, str], name: str) -> int | None:
    value = settings.get(name)
    if value is None or value.isdecimal():
        return None if value is None else int(value)
    raise WrongUsage(f"`{name}={value}` is no whole number")


def fences(page: Path, markdown: str) -> Iterator[tuple[Fence, str, int]]:
    """The fences of a page of Markdown, with their indentation and the line after them (from 0).

    A fence in another one is part of that one's text, as CommonMark has it.
    """
    lines = markdown.splitlines()
    number = 0
    while number < len(lines):
        start, indent, mark, words = number, *_opening(lines[number])
        number += 1
        if not mark:
            continue
        while number < len(lines) and not _closes(lines[number], mark):
            number += 1
        if words.split(maxsplit=1)[:1] == ["archdsl"]:
            inner = (line[len(indent) :] if line.startswith(indent) else line for line in lines[start + 1 : number])
            text = "".join(f"{line}\n" for line in inner)
            yield Fence(page, start + 1, words.strip().removeprefix("archdsl"), text), indent, number + 1
        number += 1


def _opening(line: str) -> tuple[str, str, str]:
    """Indentation, mark and words of a line that opens a fence; an empty mark where it opens none."""
    inner = line.lstrip(" ")
    for sign in "`~":
        rest = inner.lstrip(sign)
        mark = inner[: len(inner) - len(rest)]
        if len(mark) >= 3 and "`" not in rest:
            return line[: len(line) - len(inner)], mark, rest
    return "", "", ""


def _closes(line: str, mark: str) -> bool:
    closing = line.strip()
    return len(closing) >= len(mark) and set(closing) == {mark[0]}
