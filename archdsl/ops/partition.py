"""Maps cut into parts and put together again: MaxViT's windows and grids, and Swin's patch merging."""

from typing import Literal

from archdsl.dims import Dim, ceil_div, prod
from archdsl.ops.attention import IMPORTS, WINDOWS
from archdsl.ops.base import Check, Divides, Facts, Helper, Op, OpError, Same, Torch, Window, count
from archdsl.ops.settings import Pair, ShapeOf
from archdsl.ops.spatial import map_size
from archdsl.shape import LAYOUTS, Shape
from archdsl.trace import Sides

LAST = ("height", "width", "channels")
TO_LAST = "put `layout NHWC` before it"


class PatchMerge(Op):
    """Each 2x2 square of positions as one with four times the channels (Swin; Liu et al. 2021, section 3.1).

    The order in a square is (0, 0), (1, 0), (0, 1), (1, 1), row and column. Odd sizes are padded with zeros behind.
    """

    name = "patch_merge"
    kind = "shape"
    axes = (LAST,)
    axes_help = TO_LAST

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        halves = tuple(ceil_div(size, 2) for size in shape.spatial)
        sizes = shape.with_sizes(channels=4 * shape.channels, spatial=halves)
        return Facts(sizes, window=Window((2, 2), (2, 2), (0, 0), (1, 1)))

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch("PatchMerge", helper=PATCH_MERGE)


PATCH_MERGE = Helper(
    "PatchMerge",
    '''\
class PatchMerge(nn.Module):
    """The positions of each 2x2 square side by side: (N, H, W, C) becomes (N, H/2, W/2, 4*C), rounded up."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        below, right = x.shape[1] % 2, x.shape[2] % 2
        if below or right:
            x = nn.functional.pad(x, (0, 0, 0, right, 0, below))
        return torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], -1)
''',
    IMPORTS,
)


class Partition(Op):
    """A map cut into parts of size*size positions: C,H,W becomes windows of tokens (Tu et al. 2022, section 3.2).

    parts: `window` takes neighbours together; `grid` takes positions H/size and W/size apart, so that each part is
    spread over the whole map.
    """

    name = "partition"
    kind = "shape"
    axes = (LAYOUTS[3],)
    axes_help = "put `layout NCHW` before it"
    parts: Literal["window", "grid"]
    size: Pair

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        windows, checks = _parts(self, shape, self.size)
        return Facts(Shape(WINDOWS, (windows, self.size[0] * self.size[1], shape.channels)), checks=checks)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        helper = PARTITIONS[self.parts]
        return Torch(helper.name, (self.size,), helper=helper)


class Unpartition(Op):
    """The way back from `partition`: the map of these parts, C,H,W.

    parts, size: those of the `partition`. like: the map that was cut, or one of its height and width.
    """

    name = "unpartition"
    kind = "shape"
    inputs = (1, 2)
    axes = (WINDOWS,)
    axes_help = "put `partition` before it"
    parts: Literal["window", "grid"]
    size: Pair
    like: ShapeOf

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs[:1])
        if self.like.axes != LAYOUTS[3]:
            raise OpError(
                "`unpartition` needs a map to be like",
                setting="like",
                expected=" x ".join(LAYOUTS[3]),
                got=f"{self.like} ({' x '.join(self.like.axes)})",
            )
        windows, checks = _parts(self, self.like, self.size)
        positions = count(*self.size)
        for given, wanted, what in ((shape.sizes[0], windows, "windows"), (shape.sizes[1], positions, "positions")):
            if not isinstance(given, int) or not isinstance(wanted, int):
                checks += (Same(given, wanted, f"number of {what}"),)
            elif given != wanted:
                raise OpError(
                    f"a map of {map_size(self.like)} in parts of {Sides(self.size)} has other {what}",
                    setting="size",
                    expected=f"{wanted} {what}",
                    got=f"{given} {what}",
                    help="`parts` and `size` are those of the `partition`, and `like` is what it cut",
                )
        return Facts(self.like.with_sizes(channels=shape.channels), checks=checks)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        helper = UNPARTITIONS[self.parts]
        return Torch(helper.name, (self.size,), helper=helper)


def _parts(op: Op, whole: Shape, size: tuple[int, ...]) -> tuple[Dim, tuple[Check, ...]]:
    """How many parts of this size a map has, and what must hold; raises OpError where they don't divide it."""
    checks: list[Check] = []
    for axis, extent, part in zip(("height", "width"), whole.spatial, map(int, size), strict=True):
        if not isinstance(extent, int):
            checks.append(Divides(part, extent, f"{axis} of the map"))
        elif extent % part:
            raise OpError(
                f"`{op.name}` can't cut a {map_size(whole)} map into parts of {Sides(size)}",
                setting="size",
                expected=f"a number that divides the {axis}, {extent}",
                got=str(part),
            )
    return prod(extent // int(part) for extent, part in zip(whole.spatial, size, strict=True)), tuple(checks)


def _cut(name: str, about: str, sizes: str, order: str) -> Helper:
    """A helper that views the axes of a map as pairs and permutes them.

    It always copies: what it gives is never the map itself, however that lies in memory.
    """
    source = f'''\
class {name}(nn.Module):
    """{about}: (N, C, H, W) becomes (N, parts, positions, C)."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        (n, channels, rows, columns), (height, width) = x.shape, self.size
        x = x.reshape(n, channels, {sizes}).permute({order}, 1)
        return x.clone(memory_format=torch.contiguous_format).view(n, -1, height * width, channels)
'''
    return Helper(name, source, IMPORTS)


def _join(name: str, about: str, sizes: str, order: str) -> Helper:
    """The way back: the same sizes in the permuted order, and the opposite permutation."""
    source = f'''\
class {name}(nn.Module):
    """{about}, put together to the height and width of another map."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        (height, width), (rows, columns) = self.size, like.shape[2:]
        n, channels = x.shape[0], x.shape[-1]
        x = x.reshape(n, {sizes}, channels).permute({order})
        return x.clone(memory_format=torch.contiguous_format).view(n, channels, rows, columns)
'''
    return Helper(name, source, IMPORTS)


PARTITIONS = {
    "window": _cut(
        "WindowPartition", "Windows of neighbours", "rows // height, height, columns // width, width", "0, 2, 4, 3, 5"
    ),
    "grid": _cut(
        "GridPartition", "Grids over the whole map", "height, rows // height, width, columns // width", "0, 3, 5, 2, 4"
    ),
}
UNPARTITIONS = {
    "window": _join(
        "WindowUnpartition",
        "Windows of neighbours",
        "rows // height, columns // width, height, width",
        "0, 5, 1, 3, 2, 4",
    ),
    "grid": _join(
        "GridUnpartition",
        "Grids over the whole map",
        "rows // height, columns // width, height, width",
        "0, 5, 3, 1, 4, 2",
    ),
}
