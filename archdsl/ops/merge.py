"""Ops that join several tensors."""

from collections import Counter
from typing import Literal

from archdsl.dims import Dim
from archdsl.ops.base import POINTWISE, UNKNOWN, Check, Extra, Facts, Op, OpError, Same, Torch, count
from archdsl.shape import SPATIAL, Shape

# The leading axis of a `parameter`, and of what is computed from parameters alone: the same for every image.
BATCH = "batch"


class Add(Op):
    """The sum of its inputs, which have one shape; a `parameter` may have size 1 or no axis where others have more."""

    name = "add"
    kind = "merge"
    symbol = "+"
    inputs = (2, None)

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape, checks = joined(self, inputs)
        return Facts(shape, checks=checks)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch(expression=" + ".join(f"{{{k}}}" for k in range(len(inputs))))


class Multiply(Op):
    """The product of its inputs; an axis of size 1 is stretched, as of a C x 1 x 1 gate."""

    name = "multiply"
    kind = "merge"
    symbol = "×"
    inputs = (2, None)

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape, checks = joined(self, inputs, stretch=True)
        # Of three and more factors the partial products are kept too.
        partial = [joined(self, inputs[:k], stretch=True)[0] for k in range(2, len(inputs))]
        extras = (Extra(count(*one.sizes), 4, batch=one.axes[0] != BATCH) for one in partial)
        return Facts(shape, saves=("input", *extras), checks=checks)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch(expression=" * ".join(f"{{{k}}}" for k in range(len(inputs))))


class Concat(Op):
    """Its inputs side by side along an axis; the other axes have one size."""

    name = "concat"
    aliases = (("concat", "cat concatenate"),)
    kind = "merge"
    inputs = (2, None)
    along: Literal["channels", "height", "width", "depth", "length", "tokens"] = "channels"

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        for k, shape in enumerate(inputs):
            if self.along not in shape.axes:
                raise OpError(
                    f"`concat along {self.along}` needs inputs that have that axis",
                    setting="along",
                    expected=f"one of {', '.join(axis for axis in shape.axes if axis != BATCH)}",
                    got=f"{shape} ({' x '.join(shape.axes)})",
                    input=k,
                )
        shape, checks = joined(self, inputs, except_for=self.along)
        total: Dim = sum(one.sizes[one.axes.index(self.along)] for one in inputs)
        sizes = tuple(total if axis == self.along else size for axis, size in zip(*shape, strict=True))
        window = UNKNOWN if self.along in SPATIAL else POINTWISE
        return Facts(Shape(shape.axes, sizes), window=window, checks=checks)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        batched = [k for k, shape in enumerate(inputs) if shape.axes[0] != BATCH]
        if len(batched) in (0, len(inputs)):
            axis = inputs[0].axes.index(self.along) + (1 if batched else 0)
            return Torch(expression=f"torch.cat([{{inputs}}], {axis})")
        like = batched[0]
        items = (
            f"{{{k}}}" if k in batched else self._expanded(k, shape, like, inputs[like])
            for k, shape in enumerate(inputs)
        )
        return Torch(expression=f"torch.cat([{', '.join(items)}], {inputs[like].axes.index(self.along) + 1})")

    def _expanded(self, k: int, shape: Shape, like: int, whole: Shape) -> str:
        """A parameter as one for each image, with the sizes of a batched input where it has none or 1."""
        sizes = [f"{{{like}}}.shape[0]"]
        for place, axis in enumerate(whole.axes, 1):
            size = shape.size(axis)
            keep = axis == self.along or (size is not None and _alike(size, whole.sizes[place - 1]))
            sizes.append("-1" if keep else f"{{{like}}}.shape[{place}]")
        return f"{{{k}}}.expand({', '.join(sizes)})"


def joined(
    op: Op, inputs: tuple[Shape, ...], *, stretch: bool = False, except_for: str = ""
) -> tuple[Shape, tuple[Check, ...]]:
    """The common shape of inputs, and what must hold of symbolic sizes; raises OpError where they differ.

    Parameters (whose first axis is BATCH) may lack axes and be stretched from size 1; with `stretch` all inputs may
    be stretched.
    """
    first = inputs[0]
    place = first.axes.index(except_for) if except_for else len(first.axes)
    front, back = first.sizes[:place], first.sizes[place + 1 :]
    if all(one.axes == first.axes and one.sizes[:place] == front and one.sizes[place + 1 :] == back for one in inputs):
        return first, ()
    return _reconciled(op, inputs, stretch, except_for)


def _reconciled(op: Op, inputs: tuple[Shape, ...], stretch: bool, except_for: str) -> tuple[Shape, tuple[Check, ...]]:
    """`joined` for inputs that aren't plainly alike."""
    batched = [k for k, shape in enumerate(inputs) if shape.axes[0] != BATCH] or list(range(len(inputs)))
    axes = Counter(inputs[k].axes for k in batched).most_common(1)[0][0]
    for k, shape in enumerate(inputs):
        alone = shape.axes[0] == BATCH
        if shape.axes != axes and not (alone and set(shape.axes[1:]) <= set(axes)):
            raise OpError(
                f"the inputs of `{op.name}` have different axes",
                code="shape-mismatch",
                expected=" x ".join(axes),
                got=f"{' x '.join(shape.axes)} ({shape})",
                input=k,
            )
    sizes: list[Dim] = []
    checks: list[Check] = []
    wrong: dict[int, list[str]] = {}
    for axis in axes:
        if axis == except_for:
            sizes.append(inputs[batched[0]].sizes[axes.index(axis)])
            continue
        size, found, differing = _common(inputs, axis, stretch)
        sizes.append(size)
        checks += found
        for k in differing:
            wrong.setdefault(k, []).append(axis)
    if wrong:
        raise _mismatch(op, inputs, Shape(axes, tuple(sizes)), wrong)
    return Shape(axes, tuple(sizes)), tuple(checks)


def _common(inputs: tuple[Shape, ...], axis: str, stretch: bool) -> tuple[Dim, list[Check], list[int]]:
    """The size of an axis, the equations that remain, and the inputs that differ in it."""
    given = [(k, shape.size(axis)) for k, shape in enumerate(inputs) if axis in shape.axes]
    fixed = [
        (k, size)
        for k, size in given
        if size is not None and not ((stretch or inputs[k].axes[0] == BATCH) and isinstance(size, int) and size == 1)
    ]
    if not fixed:
        return 1, [], []
    sizes = [size for _, size in fixed]
    known = Counter(size for size in sizes if isinstance(size, int))
    size = known.most_common(1)[0][0] if known else sizes[0]
    first = next(k for k, other in fixed if _alike(other, size))
    checks: list[Check] = []
    wrong = []
    for k, other in fixed:
        if isinstance(other, int) and isinstance(size, int):
            wrong += [k] if other != size else []
        elif not _alike(other, size):
            checks.append(Same(size, other, axis, (first, k)))
    # The very object, so that a traced number stays the one of the first input that has it.
    return sizes[[k for k, _ in fixed].index(first)], checks, wrong


def _alike(left: Dim, right: Dim) -> bool:
    """Equal for certain: the same number, or the same symbolic size (which are interned)."""
    return left is right or (isinstance(left, int) and isinstance(right, int) and left == right)


def _mismatch(op: Op, inputs: tuple[Shape, ...], common: Shape, wrong: dict[int, list[str]]) -> OpError:
    axes = [axis for axis in common.axes if any(axis in differing for differing in wrong.values())]
    first = min(wrong)
    names = " and ".join([", ".join(axes[:-1]), axes[-1]]) if len(axes) > 1 else axes[0]
    return OpError(
        f"the inputs of `{op.name}` differ in {names}",
        code="shape-mismatch",
        expected=" x ".join(str(common.size(axis)) for axis in axes),
        got=" x ".join(str(inputs[first].size(axis)) for axis in axes),
        input=first,
        like=tuple(k for k in range(len(inputs)) if k not in wrong),
    )
