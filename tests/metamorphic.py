"""Other ways to write the same network: what the language says is the same, done to a spec's tree as a person would.

Each way is a class that rewrites the bodies of a file. Those of `EXACT` change nothing at all, key and number;
`Renamed` changes keys, `Permuted` the order of keys and of sums.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from evaluator import Definition, Evaluator
from interpreter import Files
from put_in import PutIn, Unfit, bound, nodes, words

from archdsl.expand.blocks import signature_of_params
from archdsl.syntax import expression as ex
from archdsl.syntax import spec as ast

# How many copies of a loop's body are written out at most.
COPIES = 8
_LOOP_WORDS = frozenset(("i", "first", "last", "row", "rows", "nth", "total"))
_MOVING = _LOOP_WORDS | {"here", "input"}  # what means another thing at another place
_BEFORE = "zz"  # what new labels begin with
_BESIDE = frozenset(("span", "trivia", "net_trivia", "closing"))
_SKIP: ast.Body = (ast.Step(links=(ast.Call(callee="skip"),)),)


class Rewriter:
    """Writes the bodies of a file anew from the inside out; what its rule has no answer to stays.

    every: all files of the network. numbers: for names that nobody has.
    """

    def __init__(self, spec: ast.Spec, every: Sequence[ast.Spec], numbers: Iterator[int], rng: random.Random) -> None:
        self.spec = spec
        self.numbers = numbers
        self.rng = rng
        self.definitions = {node.name: node for node in (*spec.blocks, *spec.macros)}
        self.macros = frozenset(node.name for node in spec.macros)
        self.root: ast.Spec | ast.BlockDef = spec
        self.labelled = False
        self._reader = Evaluator()
        self._reader.definitions = {
            node.name: Definition(node, node in file.macros, None)  # type: ignore[arg-type] # nothing is evaluated
            for file in every
            for node in (*file.blocks, *file.macros)
        }

    def rule(self, node: Any) -> ast.Body | None:
        """What stands for a statement, whose own bodies are written already; None to keep it. May raise Unfit."""
        raise NotImplementedError

    def rewritten(self) -> ast.Spec:
        new: dict[str, Any] = {
            kind: tuple(node.model_copy(update={"body": self._of_root(node, node.body)}) for node in found)
            for kind, found in (("blocks", self.spec.blocks), ("macros", self.spec.macros))
        }
        if self.spec.layers is not None:
            new["layers"] = self._of_root(self.spec, self.spec.layers)
        return self.spec.model_copy(update=new)

    def _of_root(self, root: ast.Spec | ast.BlockDef, body: ast.Body) -> ast.Body:
        self.root, self.labelled = root, self._reader.labelled(body)
        return self.body(body)

    def body(self, body: ast.Body) -> ast.Body:
        return tuple(new for statement in body for new in self._written(self._inside(statement)))

    def _written(self, node: ast.Statement) -> ast.Body:
        try:
            found = self.rule(node)
        except Unfit:
            return (node,)
        return found or (node,)

    def _inside(self, node: Any) -> Any:
        match node:
            case ast.Merge():
                return node.model_copy(update={"branches": tuple(map(self._branch, node.branches))})
            case ast.Residual():
                return node.model_copy(update={"body": self.body(node.body), "shortcut": self._shortcut(node.shortcut)})
            case ast.Group():
                return node.model_copy(update={"body": self._container(node.body)})
            case ast.Repeat() | ast.For() | ast.Dense() | ast.Output():
                return node.model_copy(update={"body": self.body(node.body)})
        return node

    def _container(self, body: ast.Body) -> ast.Body:
        outer, self.labelled = self.labelled, self._reader.labelled(body)
        new = self.body(body)
        self.labelled = outer
        return new

    def _branch(self, branch: ast.Body) -> ast.Body:
        """A branch of one guarded step may be dropped: one that isn't must not become one, nor the other way round."""
        new = self.body(branch)
        return new if guarded(new) == guarded(branch) else branch

    def _shortcut(self, node: ast.Shortcut | None) -> ast.Shortcut | None:
        if node is None or not node.body:
            return node
        body = self.body(node.body) if node.label is None else self._container(node.body)
        return node.model_copy(update={"body": body})

    # names

    def visible(self) -> frozenset[str]:
        """The names that a step of this body can see, and some that only its neighbours do."""
        body = self.root.layers or () if isinstance(self.root, ast.Spec) else self.root.body
        given = frozenset(param.name for param in self.root.params) | frozenset(let.name for let in self.spec.lets)
        return given | bound(body) | _LOOP_WORDS

    def fresh(self, name: str) -> str:
        return f"{name}_w{next(self.numbers)}"

    def put(self, body: ast.Body, values: dict[str, ex.Expression]) -> ast.Body:
        """A body with its variables put in, and new names for those that it binds."""
        return PutIn(values, {name: self.fresh(name) for name in sorted(bound(body))}, self.definitions).body(body)


def guarded(branch: ast.Body) -> bool:
    """Whether a branch is one step with a guard."""
    if len(branch) != 1:
        return False
    only = branch[0]
    if isinstance(only, ast.Step):
        return len(only.links) == 1 and only.links[0].when is not None
    return not isinstance(only, (ast.Let, ast.Output, ast.Unused)) and only.when is not None


class Lines(Rewriter):
    """`a -> b` as two lines; with a label as a container."""

    def rule(self, node: Any) -> ast.Body | None:
        if not isinstance(node, ast.Step) or len(node.links) == 1:
            return None
        lines = tuple(ast.Step(links=(link,)) for link in node.links)
        return lines if node.label is None else (ast.Group(label=node.label, body=lines),)


class Repeated(Rewriter):
    """`3 x b` as `repeat 3`."""

    def rule(self, node: Any) -> ast.Body | None:
        call = node.links[0] if isinstance(node, ast.Step) and len(node.links) == 1 else None
        if call is None or call.count is None:
            return None
        once = ast.Step(links=(call.model_copy(update={"count": None, "when": None}),))
        loop = ast.Repeat(count=call.count, when=call.when, body=(once,))
        return (loop,) if node.label is None else (ast.Group(label=node.label, body=(loop,)),)


class Copied(Rewriter):
    """A loop as copies of its body, where it goes over what stands there."""

    def rule(self, node: Any) -> ast.Body | None:
        if not isinstance(node, (ast.Repeat, ast.For)) or node.when is not None:
            return None
        rounds = counted(node) if isinstance(node, ast.Repeat) else _rows(node)
        if words(node.body) & {"nth", "total"}:
            return None
        return tuple(statement for values in rounds for statement in self.put(node.body, values))


def counted(node: ast.Repeat | ast.Dense) -> list[dict[str, ex.Expression]]:
    """The variables of each iteration. Raises Unfit where their number isn't written."""
    match node.count:
        case ex.Literal(int(times)) if 0 < times <= COPIES:
            last = times - 1
            return [
                {node.index: ex.Literal(k), "first": ex.Literal(k == 0), "last": ex.Literal(k == last)}
                for k in range(times)
            ]
    raise Unfit("the number of iterations isn't written")


def _rows(node: ast.For) -> list[dict[str, ex.Expression]]:
    match node.over:
        case None:
            rows = list(node.rows or ())
        case ex.Range(ex.Literal(int(first)), ex.Literal(int(last))) if len(node.names) == 1:
            rows = [(ex.Literal(k),) for k in range(first, last + 1)]
        case ex.ListOf() if len(node.names) == 1:
            rows = [(item,) for item in node.over.items]
        case ex.ListOf() if all(isinstance(item, ex.ListOf) for item in node.over.items):
            rows = [item.items for item in node.over.items if isinstance(item, ex.ListOf)]
        case _:
            raise Unfit("what it goes over isn't written")
    if not 0 < len(rows) <= COPIES or any(_moves(cell) for row in rows for cell in row):
        raise Unfit("too many rows, or such as mean another thing elsewhere")
    counters = [{"row": ex.Literal(k), "rows": ex.Literal(len(rows))} for k in range(len(rows))]
    return [{**dict(zip(node.names, row, strict=True)), **more} for row, more in zip(rows, counters, strict=True)]


def _moves(node: ex.Expression) -> bool:
    """Whether an expression could mean another thing a few steps later."""
    return bool(words(node) & _MOVING) or any(isinstance(one, ex.StepPath) for one in nodes(node))


class Merged(Rewriter):
    """`residual` as `add`, and `dense` as so many `concat`s."""

    def rule(self, node: Any) -> ast.Body | None:
        if isinstance(node, ast.Residual) and node.shortcut is None and not guarded(node.body):
            return (ast.Merge(kind="add", when=node.when, branches=(node.body, _SKIP)),)
        if not isinstance(node, ast.Dense) or node.when is not None or guarded(node.body):
            return None
        if words(node.body) & {"nth", "total"}:
            return None
        return tuple(
            ast.Merge(kind="concat", branches=(_SKIP, self.put(node.body, values))) for values in counted(node)
        )


class Inlined(Rewriter):
    """A block as a container with its body, a macro as its steps; their parameters as `let`s or put in."""

    def rule(self, node: Any) -> ast.Body | None:
        if not isinstance(node, ast.Step) or len(node.links) > 1:
            return None
        call = node.links[0]
        definition = self.definitions.get(call.callee)
        if (
            definition is None
            or definition is self.root
            or call.count is not None
            or definition.defaults
            or definition.inits
        ):
            return None
        macro = call.callee in self.macros
        if macro and node.label is None and call.when is not None:
            return None
        if not macro and (not self._has_the_files_settings() or (node.label is None and self.labelled)):
            return None
        body = self._with_arguments(definition, call, macro)
        if macro and node.label is None:
            return body
        return (ast.Group(label=node.label, when=call.when, body=body),)

    def _has_the_files_settings(self) -> bool:
        """A block follows its file's defaults, a macro those of the body that it is put into."""
        if isinstance(self.root, ast.Spec):
            return True
        return not (self.root.defaults or self.root.inits or self.root.name in self.macros)

    def _with_arguments(self, definition: ast.BlockDef, call: ast.Call, macro: bool) -> ast.Body:
        body, own = definition.body, {param.name for param in definition.params}
        free = words(body) - own - bound(body) - _LOOP_WORDS
        if free & self.visible() - {let.name for let in self.spec.lets} or words(body) & {"nth", "total"}:
            raise Unfit("a word of the block is a variable of its caller")
        lets: list[ast.Statement] = []
        values = self._arguments(definition, call)
        labels = {label.parts[0] for label in nodes(body) if isinstance(label, ex.Label)}
        for param in definition.params:
            value = values[param.name]
            if param.type == "step":
                values[param.name] = _path(value, labels)
            elif not self._plain(value):
                values[param.name] = self._let(param.name, value, lets)
        values |= {} if macro else self._entering(body, lets)
        return (*lets, *self.put(body, values))

    def _let(self, name: str, value: ex.Expression, lets: list[ast.Statement]) -> ex.Word:
        fresh = self.fresh(name)
        lets.append(ast.Let(name=fresh, value=value))
        return ex.Word(fresh)

    def _plain(self, value: ex.Expression) -> bool:
        """Whether it says the same wherever it stands, and can be called if it names an op."""
        if isinstance(value, ex.Word):
            return value.name not in self.visible() | _MOVING
        return isinstance(value, (ex.Literal, ex.SizeLiteral)) or (
            isinstance(value, ex.Apply) and not words(value) & (self.visible() | _MOVING)
        )

    def _entering(self, body: ast.Body, lets: list[ast.Statement]) -> dict[str, ex.Expression]:
        """`input.channels` of a block is what stands before its first step."""
        sizes = [node for node in nodes(body) if isinstance(node, ex.Attribute) and node.value == ex.Word("input")]
        if len(sizes) < sum(node == ex.Word("input") for node in nodes(body)):
            raise Unfit("the block reads its whole input")
        axes = dict.fromkeys(node.name for node in sizes)
        return {f"input.{axis}": self._let(axis, ex.Attribute(ex.Word("here"), axis), lets) for axis in axes}

    def _arguments(self, definition: ast.BlockDef, call: ast.Call) -> dict[str, ex.Expression]:
        """Parameter -> what the call gives, else its default."""
        signature = signature_of_params(definition)
        order = iter((*signature.values, *signature.in_order))
        given: dict[str, Any] = {}
        for arg in call.args:
            first, value = arg.parts[0], arg.parts[-1]
            name = arg.name
            if len(arg.parts) == 2:
                name = getattr(first, "name", None)
            elif name is None and isinstance(first, ex.Word) and first.name in signature.settings:
                name, value = first.name, first if first.name in self.visible() else ex.Literal(True)
            if name is None:
                name = next(one for one in order if one not in given)
            given[name] = value
        for param in definition.params:
            if param.name not in given:
                given[param.name] = PutIn(given, {}, self.definitions).expression(param.default)
        return given


def _path(value: ex.Expression, labels: set[Any]) -> ex.StepPath:
    """An argument for a parameter of type step, unless the block has steps of that name itself."""
    path = value if isinstance(value, ex.StepPath) else ex.StepPath((ex.Label((getattr(value, "name", ""),)),))
    first = path.labels[0].parts[0]
    if not isinstance(first, str) or first.isdigit() or first in labels:
        raise Unfit("the block has a step of that name too")
    return path


class Permuted(Rewriter):
    """The branches of `add` and `multiply` in another order, where their steps have names."""

    def rule(self, node: Any) -> ast.Body | None:
        if not isinstance(node, ast.Merge) or node.kind == "concat" or not self.labelled:
            return None
        if any(isinstance(one, (ast.From, ex.StepPath, ast.Output)) for one in nodes(node.branches)):
            return None
        branches = list(node.branches)
        self.rng.shuffle(branches)
        return (node.model_copy(update={"branches": tuple(branches)}),)


class Renamed(Rewriter):
    """Other labels, and paths that follow them."""

    def rewritten(self) -> ast.Spec:
        # A path may begin with a parameter: that is no label.
        kept = {
            node.name for node in nodes((*self.spec.blocks, *self.spec.macros)) if getattr(node, "type", "") == "step"
        }
        made: ast.Spec = relabelled(self.spec, lambda text: text if text in kept else f"{_BEFORE}{text}")
        return made


def original(key: str) -> str:
    """The key of a step that `Renamed` has renamed."""
    return ".".join(level.removeprefix(_BEFORE) for level in key.split("."))


def relabelled(tree: Any, change: Any) -> Any:
    """A tree in which every label and path element that begins with a letter has another beginning."""
    if isinstance(tree, tuple):
        return tuple(relabelled(item, change) for item in tree)
    if isinstance(tree, ast.Node):
        new = {name: relabelled(value, change) for name, value in tree.__dict__.items() if name not in _BESIDE}
        return tree.model_copy(update=new)
    if isinstance(tree, ex.Label):
        first, *rest = relabelled(tree.parts, change)
        return ex.Label((change(first) if isinstance(first, str) and first[0].isalpha() else first, *rest))
    if type(tree).__module__ != ex.__name__:
        return tree
    return type(tree)(
        **{name: relabelled(getattr(tree, name), change) for name in type(tree).__slots__ if name != "span"}
    )


EXACT: tuple[type[Rewriter], ...] = (Lines, Repeated, Copied, Merged, Inlined)


def rewritten(files: Files, ways: Sequence[type[Rewriter]], rng: random.Random) -> Files:
    """All files of a network, written in some other ways, one after the other."""
    numbers, every = count(), (files.asked, *files.others.values())

    def other(spec: ast.Spec) -> ast.Spec:
        for way in ways:
            spec = way(spec, every, numbers, rng).rewritten()
        return spec

    return Files(other(files.asked), {name: other(spec) for name, spec in files.others.items()})
