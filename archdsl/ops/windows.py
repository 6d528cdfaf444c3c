"""Swin's attention within the windows of a map."""

import math
from typing import Any

from archdsl.dims import Dim, ceil_div, prod
from archdsl.ops.attention import IMPORTS, RELATIVE_POSITIONS, TABLE_DRAWS, part_of
from archdsl.ops.base import Buffer, Extra, Facts, Helper, Op, OpError, Tiles, Torch
from archdsl.ops.partition import LAST, TO_LAST
from archdsl.ops.settings import OffsetPair, Pair, PositiveInt
from archdsl.shape import Shape
from archdsl.trace import Sides

LINEAR = dict.fromkeys(("qkv.weight", "qkv.bias", "proj.weight", "proj.bias"), "linear")
LINEAR_V2 = LINEAR | dict.fromkeys(("cpb_mlp.0.weight", "cpb_mlp.0.bias", "cpb_mlp.2.weight"), "linear")
SCALE_DRAWS = {"logit_scale": ("constant", (2.302585092994046,))}  # log 10
# Units of the network that computes the biases in Swin V2.
HIDDEN = 512


class WindowAttention(Op):
    """Multi-head self-attention within the windows of a map, with a learnt bias for each relative position.

    Swin's (Liu et al. 2021, section 3.2; torchvision.models.swin_transformer). The map is padded to whole windows.

    heads: each works on an equal part of the channels. window: its size. shift: where the second window starts;
    nothing is shifted along an axis that one window covers.
    """

    name = "window_attention"
    kind = "attention"
    axes = (LAST,)
    axes_help = TO_LAST
    weights = ("relative_position_bias_table",)
    weight_init = LINEAR
    draws = TABLE_DRAWS
    heads: PositiveInt
    window: Pair
    shift: OffsetPair = Sides((0, 0))

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        channels: Any = shape.channels
        heads = part_of(self, "heads", shape)
        window, shift = tuple(map(int, self.window)), tuple(map(int, self.shift))
        windows = prod(ceil_div(size, side) for size, side in zip(shape.spatial, window, strict=True))
        if any(s >= w for s, w in zip(shift, window, strict=True)):
            raise OpError(
                "the `shift` of a window must be smaller than the window",
                setting="shift",
                expected=f"at most {'x'.join(str(w - 1) for w in window)}",
                got="x".join(map(str, shift)),
            )
        positions = math.prod(window)
        each, once = self._kept(int(channels), int(heads), positions)
        saves = (Extra(windows * (positions * each), 4),)
        return Facts(
            shape,
            weights=self._weights(channels, heads, *window),
            buffers=self._buffers(*window),
            work=self._work(windows, int(channels), int(heads), *window),
            window=Tiles(window, shift),
            saves=(*saves, Extra(once, 4, batch=False)) if once else saves,
        )

    def _weights(self, channels: Any, heads: Any, height: int, width: int) -> dict[str, tuple[Any, ...]]:
        table = {"relative_position_bias_table": ((2 * height - 1) * (2 * width - 1), heads)}
        return table | _projections(channels)

    def _buffers(self, height: int, width: int) -> dict[str, Buffer]:
        return {"relative_position_index": Buffer(((height * width) ** 2,), "int64")}

    def _work(self, windows: Dim, channels: int, _: int, height: int, width: int) -> tuple[Dim, ...]:
        return (windows, height * width, channels, 4 * channels + 2 * height * width)

    def _kept(self, channels: int, heads: int, positions: int) -> tuple[int, int]:
        """How many numbers are kept for each position, and how many for all images together.

        The windows, the attention weights, the result before its projection, and copies of queries, keys and values for
        the products. A single head needs no copies of keys and values, but keeps what they are part of.
        """
        return (5 if heads > 1 else 6) * channels + heads * positions, 0

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        parts = {"qkv": "nn.Linear", "proj": "nn.Linear"}
        args = (shape.channels, self.heads, self.window, self.shift)
        return Torch(WINDOW_ATTENTION.name, args, helper=WINDOW_ATTENTION, parts=parts)


class WindowAttentionV2(WindowAttention):
    """Attention within windows as in Swin V2: of cosines, with biases that a small network computes.

    Liu et al. 2022, section 3.3; torchvision.models.swin_transformer. Otherwise as `window_attention`.
    """

    name = "window_attention_v2"
    weights = ("logit_scale",)
    weight_init = LINEAR_V2
    draws = SCALE_DRAWS

    def _weights(self, channels: Any, heads: Any, height: int, width: int) -> dict[str, tuple[Any, ...]]:
        network = {"cpb_mlp.0.weight": (HIDDEN, 2), "cpb_mlp.0.bias": (HIDDEN,), "cpb_mlp.2.weight": (heads, HIDDEN)}
        return {"logit_scale": (heads, 1, 1)} | _projections(channels) | network

    def _buffers(self, height: int, width: int) -> dict[str, Buffer]:
        table = Buffer((1, 2 * height - 1, 2 * width - 1, 2))
        return super()._buffers(height, width) | {"relative_coords_table": table}

    def _work(self, windows: Dim, channels: int, heads: int, height: int, width: int) -> tuple[Dim, ...]:
        in_windows = super()._work(windows, channels, heads, height, width)
        biases = (2 * height - 1) * (2 * width - 1) * HIDDEN * (2 + heads)
        return (prod(in_windows) + biases,)

    def _kept(self, channels: int, heads: int, positions: int) -> tuple[int, int]:
        """As without cosines; further what these come from: vectors, lengths, the scores before they are scaled."""
        each = (8 if heads > 1 else 7) * channels + heads * (2 * positions + 4)
        height, width = map(int, self.window)
        return each, (2 * height - 1) * (2 * width - 1) * HIDDEN + heads * (positions**2 + 1)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        parts = {"cpb_mlp.0": "nn.Linear", "cpb_mlp.2": "nn.Linear"}
        spelled = super().lower(inputs)
        return spelled._replace(
            call=WINDOW_ATTENTION_V2.name, helper=WINDOW_ATTENTION_V2, parts={**spelled.parts, **parts}
        )


def _projections(channels: Any) -> dict[str, tuple[Any, ...]]:
    return {
        "qkv.weight": (3 * channels, channels),
        "qkv.bias": (3 * channels,),
        "proj.weight": (channels, channels),
        "proj.bias": (channels,),
    }


SHIFTED_WINDOWS = Helper(
    "ShiftedWindows",
    '''\
class ShiftedWindows(nn.Module):
    """Attention within the windows of a map (N, H, W, C), padded to whole windows and shifted cyclically.

    What only the shift makes neighbours doesn't attend to each other. Subclasses compute scores and biases.
    """

    def __init__(self, channels: int, heads: int, window: tuple[int, int], shift: tuple[int, int]) -> None:
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.register_buffer("relative_position_index", torch.empty((window[0] * window[1]) ** 2, dtype=torch.long))

    def reset_buffers(self) -> None:
        """Computes for each two positions of a window the number of their offset."""
        self.relative_position_index.copy_(relative_positions(*self.window).flatten())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, height, width, _ = x.shape
        below, right = -height % self.window[0], -width % self.window[1]
        if below or right:
            x = nn.functional.pad(x, (0, 0, 0, right, 0, below))
        rows, columns = height + below, width + right
        # Along an axis that one window covers, nothing is shifted.
        down = self.shift[0] if rows > self.window[0] else 0
        across = self.shift[1] if columns > self.window[1] else 0
        if not down and not across:
            x = self.merge(self.attend(self.split(x), None), rows, columns)
        else:
            x = self.split(x.roll((-down, -across), (1, 2)))
            x = self.attend(x, self.mask(x, rows, columns, down, across))
            x = self.merge(x, rows, columns).roll((down, across), (1, 2))
        return x[:, :height, :width].contiguous()

    def split(self, x: torch.Tensor) -> torch.Tensor:
        """The windows of a map: (N * windows, positions, C)."""
        (height, width), (_, rows, columns, channels) = self.window, x.shape
        x = x.view(-1, rows // height, height, columns // width, width, channels)
        return x.transpose(2, 3).reshape(-1, height * width, channels)

    def merge(self, x: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """The map of these windows."""
        height, width = self.window
        x = x.view(-1, rows // height, columns // width, height, width, x.shape[-1])
        return x.transpose(2, 3).reshape(-1, rows, columns, x.shape[-1])

    def mask(self, x: torch.Tensor, rows: int, columns: int, down: int, across: int) -> torch.Tensor:
        """What is added to the scores of each window: -100 where one position has come round the edge and one not."""
        vertically = torch.arange(rows, device=x.device) >= rows - down
        horizontally = torch.arange(columns, device=x.device) >= columns - across
        parts = self.split((2 * vertically.int()[:, None] + horizontally.int())[None, :, :, None])
        return (parts != parts.transpose(1, 2)).to(x.dtype) * -100

    def attend(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Attention of each window to itself."""
        windows, positions, channels = x.shape
        qkv = self.project(x).view(windows, positions, 3, self.heads, channels // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        scores = self.scores(q, k) + self.biases()
        if mask is not None:
            scores = (scores.unflatten(0, (-1, len(mask))) + mask[:, None]).flatten(0, 1)
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(x.shape))

    def project(self, x: torch.Tensor) -> torch.Tensor:
        return self.qkv(x)

    def of_offsets(self, biases: torch.Tensor) -> torch.Tensor:
        """Biases (offsets, heads) as (heads, positions, positions)."""
        positions = self.window[0] * self.window[1]
        biases = biases[self.relative_position_index].view(positions, positions, self.heads)
        return biases.permute(2, 0, 1).contiguous()
''',
    IMPORTS,
    (RELATIVE_POSITIONS,),
)

WINDOW_ATTENTION = Helper(
    "WindowAttention",
    '''\
class WindowAttention(ShiftedWindows):
    """Attention within windows, with a learnt bias for each relative position (Swin)."""

    def __init__(self, channels: int, heads: int, window: tuple[int, int], shift: tuple[int, int]) -> None:
        super().__init__(channels, heads, window, shift)
        offsets = (2 * window[0] - 1) * (2 * window[1] - 1)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(offsets, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.reset_buffers()

    def scores(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)

    def biases(self) -> torch.Tensor:
        return self.of_offsets(self.relative_position_bias_table)
''',
    IMPORTS,
    (SHIFTED_WINDOWS,),
)

WINDOW_ATTENTION_V2 = Helper(
    "WindowAttentionV2",
    '''\
class WindowAttentionV2(ShiftedWindows):
    """Attention within windows by cosines, with a bias that a small network computes from the offset (Swin V2)."""

    def __init__(self, channels: int, heads: int, window: tuple[int, int], shift: tuple[int, int]) -> None:
        super().__init__(channels, heads, window, shift)
        self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), math.log(10)))
        self.cpb_mlp = nn.Sequential(nn.Linear(2, 512), nn.ReLU(inplace=True), nn.Linear(512, heads, bias=False))
        self.register_buffer("relative_coords_table", torch.empty(1, 2 * window[0] - 1, 2 * window[1] - 1, 2))
        self.reset_buffers()

    def reset_buffers(self) -> None:
        """Computes the numbers of the offsets, and the offsets themselves on a logarithmic scale from -1 to 1."""
        super().reset_buffers()
        sides = [torch.arange(1.0 - size, size, device="cpu") / max(size - 1, 1) for size in self.window]
        offsets = torch.stack(torch.meshgrid(sides, indexing="ij"), -1) * 8
        self.relative_coords_table.copy_(offsets.sign() * (offsets.abs() + 1.0).log2() / 3.0)

    def project(self, x: torch.Tensor) -> torch.Tensor:
        # Cosines need no bias of the keys.
        bias = self.qkv.bias.clone()
        bias[x.shape[-1] : 2 * x.shape[-1]] = 0
        return nn.functional.linear(x, self.qkv.weight, bias)

    def scores(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        cosines = nn.functional.normalize(q, dim=-1) @ nn.functional.normalize(k, dim=-1).transpose(-2, -1)
        return cosines * self.logit_scale.clamp(max=math.log(100)).exp()

    def biases(self) -> torch.Tensor:
        return 16 * self.of_offsets(self.cpb_mlp(self.relative_coords_table).view(-1, self.heads)).sigmoid()
''',
    ("import math", *IMPORTS),
    (SHIFTED_WINDOWS,),
)
