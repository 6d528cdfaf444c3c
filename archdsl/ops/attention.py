"""Attention: of a sequence of tokens to itself, and of each window of a partitioned map to itself."""

from typing import Any

from archdsl.ops.base import GLOBAL, UNKNOWN, Buffer, Extra, Facts, Helper, Op, OpError, Same, Torch, count
from archdsl.ops.settings import Pair, PositiveInt, Probability
from archdsl.shape import Shape

TOKENS = ("tokens", "channels")
WINDOWS = ("windows", "tokens", "channels")
IMPORTS = ("import torch", "from torch import nn")
# As torch.nn.MultiheadAttention does; and how published networks draw the biases of relative positions.
DRAWS = {"in_proj_weight": ("xavier_uniform", ()), "in_proj_bias": ("zeros", ()), "out_proj.bias": ("zeros", ())}
TABLE_DRAWS = {"relative_position_bias_table": ("trunc_normal", (0.02,))}
LINEAR = dict.fromkeys(("to_qkv.weight", "to_qkv.bias", "merge.weight", "merge.bias"), "linear")


class Attention(Op):
    """Multi-head self-attention of a sequence of tokens (torch.nn.MultiheadAttention; Vaswani et al. 2017).

    heads: each works on an equal part of the channels. drop: the part of the attention weights that training zeroes.
    """

    name = "attention"
    kind = "attention"
    axes = (TOKENS,)
    axes_help = "`tokens` makes a sequence of a map"
    weights = ("in_proj_weight", "in_proj_bias", "out_proj_weight", "out_proj_bias")
    draws = DRAWS
    heads: PositiveInt
    drop: Probability = 0.0

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        tokens, channels = shape.sizes
        heads = part_of(self, "heads", shape)
        # The sequence first in memory, what comes of it in front of each product, and the result; with dropout the
        # attention weights before, behind and in between, otherwise the kernel keeps a sum for each row of them.
        kept = count(7, channels) + count(3, heads, tokens) if self.drop else count(5, channels) + int(heads)
        return Facts(
            shape,
            weights={
                "in_proj_weight": (3 * channels, channels),
                "in_proj_bias": (3 * channels,),
                "out_proj.weight": (channels, channels),
                "out_proj.bias": (channels,),
            },
            work=(tokens, channels, 4 * channels + 2 * tokens),
            window=GLOBAL,
            saves=(Extra(count(tokens) * kept, 4),),
        )

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        settings, defaults = {"drop": self.drop}, {"drop": 0.0}
        parts = {"out_proj": "nn.Linear"}
        return Torch(
            "SelfAttention", (shape.channels, self.heads), settings, defaults, helper=SELF_ATTENTION, parts=parts
        )


SELF_ATTENTION = Helper(
    "SelfAttention",
    '''\
class SelfAttention(nn.MultiheadAttention):
    """Attention of a sequence (N, tokens, channels) to itself."""

    def __init__(self, channels: int, heads: int, drop: float = 0.0) -> None:
        super().__init__(channels, heads, drop, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x, x, x, need_weights=False)[0]
''',
    IMPORTS,
)


class RelativeAttention(Op):
    """Multi-head self-attention within each part of a partitioned map, with a learnt bias for each relative position.

    MaxViT's (Tu et al. 2022; torchvision.models.maxvit). Scores are divided by the root of all channels, not a head's.

    head_dim: channels of a head. size: of the windows, as in the `partition` before it.
    """

    name = "relative_attention"
    kind = "attention"
    axes = (WINDOWS,)
    axes_help = "put `partition` before it"
    weights = ("relative_position_bias_table",)
    weight_init = LINEAR
    draws = TABLE_DRAWS
    head_dim: PositiveInt
    size: Pair

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        windows, tokens, channels = shape.sizes
        height, width = self.size
        heads, positions = part_of(self, "head_dim", shape), height * width
        if isinstance(tokens, int) and tokens != positions:
            raise OpError(
                f"`relative_attention` for parts of {self.size} positions has parts of {tokens}",
                setting="size",
                expected=f"{positions} positions",
                got=f"{tokens} positions",
                help="give it the size that `partition` has",
            )
        # Keys, queries and values as the products take them, the attention weights, the result before its projection.
        # A single head needs no copies of queries and values, but keeps what they are part of.
        kept = count(4 if heads > 1 else 5, channels) + count(heads, positions)
        return Facts(
            shape,
            weights={
                "relative_position_bias_table": ((2 * height - 1) * (2 * width - 1), heads),
                "to_qkv.weight": (3 * channels, channels),
                "to_qkv.bias": (3 * channels,),
                "merge.weight": (channels, channels),
                "merge.bias": (channels,),
            },
            buffers={"relative_position_index": Buffer((positions, positions), "int64")},
            work=(windows, positions, channels, 4 * channels + 2 * positions),
            window=UNKNOWN,
            saves=("input", Extra(count(windows, positions) * kept, 4)),
            checks=() if isinstance(tokens, int) else (Same(tokens, positions, "number of positions"),),
        )

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        args = (shape.channels, self.head_dim, self.size)
        parts = {"to_qkv": "nn.Linear", "merge": "nn.Linear"}
        return Torch("RelativeAttention", args, helper=RELATIVE_ATTENTION, parts=parts)


RELATIVE_POSITIONS = Helper(
    "relative_positions",
    '''\
def relative_positions(height: int, width: int) -> torch.Tensor:
    """For each two positions of a window the number of their offset, one of (2 * height - 1) * (2 * width - 1)."""
    rows, columns = torch.arange(height, device="cpu"), torch.arange(width, device="cpu")
    down = rows[:, None] - rows + height - 1
    right = columns[:, None] - columns + width - 1
    numbers = down[:, None, :, None] * (2 * width - 1) + right[None, :, None, :]
    return numbers.view(height * width, height * width)
''',
    IMPORTS,
)

RELATIVE_ATTENTION = Helper(
    "RelativeAttention",
    '''\
class RelativeAttention(nn.Module):
    """Attention within windows (N, windows, positions, channels), with a bias for each relative position."""

    def __init__(self, channels: int, head_dim: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.heads = channels // head_dim
        self.to_qkv = nn.Linear(channels, 3 * channels)
        self.merge = nn.Linear(channels, channels)
        positions, offsets = size[0] * size[1], (2 * size[0] - 1) * (2 * size[1] - 1)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(offsets, self.heads))
        self.register_buffer("relative_position_index", torch.empty(positions, positions, dtype=torch.long))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.reset_buffers()

    def reset_buffers(self) -> None:
        """Computes the row of the table for each two positions."""
        self.relative_position_index.copy_(relative_positions(*self.size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, windows, positions, channels = x.shape
        qkv = self.to_qkv(x).view(n, windows, positions, 3, self.heads, channels // self.heads)
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1).contiguous()
        weights = (q @ (k * channels**-0.5).transpose(-2, -1) + bias).softmax(-1)
        return self.merge((weights @ v).transpose(2, 3).reshape(x.shape))
''',
    IMPORTS,
    (RELATIVE_POSITIONS,),
)


def part_of(op: Any, setting: str, shape: Shape) -> Any:
    """The channels divided by a number of heads, or by the size of one; raises OpError where it doesn't divide them."""
    channels, divisor = shape.channels, getattr(op, setting)
    if channels % divisor:
        raise OpError(
            f"`{setting}` of `{op.name}` doesn't divide the {channels} channels",
            setting=setting,
            code="groups",
            expected=f"a number that divides {channels}",
            got=str(divisor),
        )
    return divisor if setting == "heads" else channels // divisor
