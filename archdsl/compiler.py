"""The pipeline on one screen: read a spec, expand it, and tell what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from archdsl import library
from archdsl.analysis.cost import Cost, Costs
from archdsl.analysis.state import check_names
from archdsl.diagnostics import Diagnostic
from archdsl.dims import DimLimitError
from archdsl.expand.evaluate import LARGEST, evaluate
from archdsl.expand.files import Chain, Loader, chain_of
from archdsl.expand.network import expand
from archdsl.expand.values import Given
from archdsl.failure import Failure, WrongUsage
from archdsl.ir import Net
from archdsl.source import Source, Span
from archdsl.syntax.expression import SizeLiteral
from archdsl.syntax.read import load as load_source
from archdsl.syntax.read import read
from archdsl.syntax.spec import Spec
from archdsl.undisturbed import undisturbed

if TYPE_CHECKING:
    from torch import nn

    from archdsl.analysis.fit import Head
    from archdsl.analysis.memory import Memory
    from archdsl.analysis.outputs import OutputFacts
    from archdsl.analysis.requirements import Requirements
    from archdsl.emit.graph import Diagram
    from archdsl.emit.page import Page
    from archdsl.optimize.plan import Plan
    from archdsl.recipe import Recipe

Macs = Literal["exact", "torchinfo"]
Format = Literal["table", "json", "csv"]
_NARROWEST = 20  # columns


@undisturbed()
def load(name_or_path: str | Path, *, input: str | None = None, **params: Any) -> Network:
    """A network, by the name of a shipped spec or the path of a file.

    input: another input than the spec's, such as "3x96x96" or "3xHxW". params: values of the network's parameters; a
    str is an expression of the language. Raises SpecError if the spec is wrong, WrongUsage if there is none.
    """
    return compile_spec(read(load_source(library.find(name_or_path))), input=input, **params)


@undisturbed()
def loads(text: str, *, name: str = "<text>.arch", input: str | None = None, **params: Any) -> Network:
    """A network from a spec's text; the suffix of `name` tells the spelling. Raises SpecError."""
    return compile_spec(read(Source(name, text)), input=input, **params)


def compile_spec(spec: Spec, *, input: str | None = None, **params: Any) -> Network:
    """A network from a spec's tree. Raises SpecError."""
    loader = Loader(read, load_source, library.with_libraries)
    size = None if input is None else _size(input)
    values = {name: _value(name, value) for name, value in params.items()}
    return Network(spec, loader, size, values)


@contextmanager
def _telling() -> Iterator[None]:
    """While something is told of a network. Raises Failure where the terms of an open size are too many to be told."""
    with undisturbed():
        try:
            yield
        except DimLimitError as error:
            raise Failure(f"for an open input this can't be told: {error}", help="give the input a size") from None


class Network:
    """A compiled network: checked when it is made, everything else told when it is asked for.

    net: the intermediate representation. taps: the steps that it was cut down to, if it was. plan: of an optimised
    network, where its tensors come from.
    """

    def __init__(
        self,
        spec: Spec,
        loader: Loader,
        input: SizeLiteral | None,
        params: Mapping[str, Any],
        taps: tuple[str, ...] | None = None,
        *,
        optimized: bool = False,
    ) -> None:
        self.spec = spec
        self.taps = taps
        self._loader = loader
        self._input = input
        self._params = params
        self.net: Net = self._expand(trace=False)
        self.plan: Plan | None = None
        if optimized:
            from archdsl.optimize import optimize

            self.net, self.plan = optimize(self.net)
        check_names(self.net)
        if not self.net.concrete:
            from archdsl.analysis.checks import check_possible

            check_possible(self.net)

    def _expand(self, *, trace: bool) -> Net:
        net = expand(self.spec, self._loader, params=self._params, input=self._input, trace=trace)
        if self.taps is not None:
            from archdsl.taps import tap

            with undisturbed():
                net = tap(net, self.taps)
        return net

    def _anew(self, taps: tuple[str, ...] | None, *, optimized: bool) -> Network:
        """The same spec with the same input and parameters, otherwise cut or optimised."""
        return Network(self.spec, self._loader, self._input, self._params, taps, optimized=optimized)

    @property
    def name(self) -> str:
        return self.net.name

    @property
    def whole(self) -> Network:
        """The network that this one was cut out of; itself if it wasn't."""
        return self if self.taps is None else self._anew(None, optimized=False)

    def at(self, *steps: str) -> Network:
        """The network with these steps of the whole one as its outputs, in this order; what they don't need is gone.

        A step is named by its path, as in the state_dict and the summary: `layer2`, `layer1.0.conv1`,
        `layer1.0.~relu`; an output by its name. With one the module returns its tensor, with several a named tuple,
        where `layer1.0` is `layer1_0`. Raises WrongUsage for a name that isn't there.
        """
        return self._anew(steps, optimized=self.plan is not None)

    def optimized(self) -> Network:
        """The network made ready for inference: the outputs of evaluation, to rounding, from fewer steps.

        Batch norms are folded into the linear maps before them, pointwise convolutions of one input are joined, and
        what works in training only is left out. All that can be asked of a network can be asked of this one. Its module
        is built in evaluation mode and not to be trained; `load_state_dict` takes the published weights.
        """
        return self._anew(self.taps, optimized=True)

    @property
    def written(self) -> Network:
        """The network that this one was optimised from; itself if it wasn't."""
        return self if self.plan is None else self._anew(self.taps, optimized=False)

    @property
    @_telling()
    def outputs(self) -> tuple[OutputFacts, ...]:
        """Name, channels, total stride and shape of each output, in the order in which the module returns them."""
        from archdsl.analysis.outputs import facts_of_outputs

        return facts_of_outputs(self.net)

    def check(self) -> tuple[Diagnostic, ...]:
        """Warnings about a spec that compiles. Raises SpecError where its `train` section is wrong."""
        from archdsl.analysis.lint import warnings

        self.recipe()
        return warnings(self.written.whole.net, self._chain.specs)

    def recipe(self, *, digits: bool = False, **settings: Any) -> Recipe:
        """How the spec says that it is trained.

        settings: what overrides it, a str as an expression of the language; `augment={"flip": True}` for those inside
        others. digits: the recipe for the embedded digits, whatever data the spec's is for. Raises SpecError.
        """
        from archdsl.recipe import recipe_of

        given = {path: _given(".".join(path), value) for path, value in _flat(settings)}
        return recipe_of(self.net.train, self._chain.specs, given, digits=digits)

    @property
    def files(self) -> tuple[Source, ...]:
        """The files that the network is made from, the one that was asked for first."""
        return (self.spec.span.source, *self._loader.sources)

    @property
    def _chain(self) -> Chain:
        return chain_of(self.spec, self._loader)

    @_telling()
    def cost(self, macs: Macs = "exact") -> Cost:
        """Parameters, buffers and multiply-accumulates for one image, in one of the two conventions."""
        _one_of("macs", macs, get_args(Macs))
        return Costs(self.net, macs).of_scope(self.net.scope)

    @_telling()
    def memory(self, *, batch: int = 1, dtype: str = "float32") -> Memory:
        """Bytes of the weights, and of the activations that training keeps for the backward pass."""
        from archdsl.analysis.memory import BYTES, memory

        _one_of("dtype", dtype, tuple(BYTES))
        if batch < 1:
            raise WrongUsage(f"a batch holds at least one example, not {batch}")
        return memory(self.net, batch, dtype)

    def requirements(self) -> Requirements:
        """The smallest input that works, whether all larger ones do, and what the sizes must be."""
        from archdsl.analysis.checks import network_requirements

        return network_requirements(self.net)

    @_telling()
    def summary(
        self,
        *,
        depth: int | None = None,
        full: bool = False,
        macs: Macs = "exact",
        format: Format = "table",
        width: int = 80,
    ) -> str:
        """The layers with their settings, output, parameters and MACs, as text.

        depth: levels of names shown; full: equal neighbours one by one.
        """
        from archdsl.emit import summary

        _one_of("macs", macs, get_args(Macs))
        _one_of("format", format, get_args(Format))
        return summary.render(self.net, depth=depth, full=full, macs=macs, format=format, width=max(width, _NARROWEST))

    @_telling()
    def to_json(self, *, full: bool = False, macs: Macs = "exact") -> dict[str, Any]:
        """What `build --summary --format json` prints (see the documentation of the interface)."""
        from archdsl.emit import summary

        _one_of("macs", macs, get_args(Macs))
        return summary.to_json(self.net, full=full, macs=macs)

    @cached_property
    def source(self) -> str:
        """The network as a file of plain PyTorch: the very text that `build` executes."""
        from archdsl.emit import python

        # Optimised code is one list of steps with their numbers, in which no block's parameters are left to print.
        return python.emit(self._expand(trace=True) if self.plan is None else self.net)

    @_telling()
    def diagram(self, *, depth: int | None = None, block: str | None = None) -> Diagram:
        """The network as a graph; shows itself in a notebook."""
        from archdsl.emit import graph

        return graph.draw(self.net, depth=depth, block=block)

    @_telling()
    def page(self) -> Page:
        """The network as an interactive page, one file of HTML; shows itself in a notebook."""
        from archdsl.emit.page import page

        return page(self.net, self.files)

    def build(
        self,
        *,
        device: str = "cpu",
        seed: int | None = None,
        weights: str | Path | None = None,
        head: Head = "keep",
        outputs: Sequence[str] | None = None,
        optimize: bool = False,
    ) -> nn.Module:
        """The network as a torch module with freshly drawn weights, or with those of a file or URL.

        weights: .pth, .pt or .safetensors. head: `new` draws the last layers where the file has them for another number
        of classes. outputs: steps to return in place of the network's own outputs (see `at`). optimize: a module for
        inference (see `optimized`). Raises Failure above 100,000 modules, and where the weights can't be read or don't
        fit.
        """
        from archdsl.runtime.build import build

        network = self if outputs is None else self.at(*outputs)
        network = network.optimized() if optimize else network
        return build(network, device=device, seed=seed, weights=weights, head=head)

    def spare(self, key: str) -> bool:
        """Whether a weights file may have a tensor that the network lacks: that of a step which isn't built."""
        keys, heads = self._spare
        return key in keys or key.partition(".")[0] in heads

    @cached_property
    def _spare(self) -> tuple[frozenset[str], frozenset[str]]:
        """The keys of the whole network, and the names of outputs that the spec has and the whole network doesn't."""
        from archdsl.analysis.state import state_dict
        from archdsl.expand.heads import unbuilt_heads

        whole = self.whole
        keys = frozenset(state_dict(whole.net) or ())
        heads = frozenset(unbuilt_heads(self._chain.base, whole.net))
        return keys, heads - {key.partition(".")[0] for key in keys}

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """What a notebook shows: the diagram, and the summary where it can't."""
        return {"image/svg+xml": self.diagram().render("svg").decode(), "text/plain": self.summary()}

    def __repr__(self) -> str:
        return f"<Network {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as its spec: the other process compiles it anew, which is quick."""
        given = (self.spec, self._loader, self._input, self._params, self.taps)
        return partial(Network, optimized=self.plan is not None), given


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise WrongUsage(f"there is no {what} {value!r}", help=f"it is one of {', '.join(known)}")


def _size(text: str) -> SizeLiteral:
    if not isinstance(text, str):
        raise WrongUsage(f"an input is a text, not {text!r}", help='such as "3x96x96" or "3xHxW"')
    from archdsl.syntax.text_range import Text
    from archdsl.syntax.values import input_size

    return input_size(Text(Source("--input", text), text, 1, 1))


def _value(name: str, value: Any) -> Any:
    """A parameter's value: Python's own, or an expression of the language, which knows where it stands."""
    if isinstance(value, list):
        return tuple(item.value if isinstance(item, Given) else item for item in [_value(name, one) for one in value])
    if not isinstance(value, bool) and isinstance(value, Integral):  # numpy's too
        number = int(value)
        if abs(number) >= LARGEST:
            raise WrongUsage(f"`{name}` is too large", help="numbers stay below 2**63")
        return number
    if not isinstance(value, str):
        return value
    return _written("--set", name, value)


def _written(option: str, name: str, value: str) -> Given:
    """An option's value, an expression of the language."""
    from archdsl.expand.environment import Env, Session, Unit
    from archdsl.syntax.line import expression
    from archdsl.syntax.text_range import Text

    text = Text(Source(option, f"{name}={value}"), value, 1, len(name) + 2)
    env = Env(session=Session(trace=False, sizes={}), unit=Unit(""), builder=None, input=None, variables={})
    written = expression(text)
    return Given(evaluate(written, env), text.all(), written)


def _given(name: str, value: Any) -> Given:
    """A setting of a recipe; names and folders of data are taken as they are."""
    if isinstance(value, str) and name != "data":
        return _written("--recipe", name, value)
    source = Source("--recipe", f"{name}={value}")
    return Given(tuple(value) if isinstance(value, list) else value, Span(source, 1, 1, 1, len(source.text) + 1))


def _flat(settings: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, (*above, key))
        else:
            yield (*above, key), value
