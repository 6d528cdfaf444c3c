"""The ops: one class each, listed here and nowhere else."""

from __future__ import annotations

from archdsl.ops import activation as act
from archdsl.ops.attention import Attention, RelativeAttention
from archdsl.ops.base import Op
from archdsl.ops.channels import ChannelShuffle, Chunk
from archdsl.ops.conv import Conv, ConvTranspose, DepthwiseConv
from archdsl.ops.dropout import AlphaDropout, Dropout, SpatialDropout, StochasticDepth
from archdsl.ops.layout import ChannelAffine, Flatten, Identity, Layout, Parameter, Reshape, Take, Tokens, Transpose
from archdsl.ops.linear import Linear
from archdsl.ops.merge import Add, Concat, Multiply
from archdsl.ops.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RmsNorm
from archdsl.ops.partition import Partition, PatchMerge, Unpartition
from archdsl.ops.pool import AvgPool, MaxPool, Mean
from archdsl.ops.resize import PadOp, PixelShuffle, PixelUnshuffle, Upsample
from archdsl.ops.windows import WindowAttention, WindowAttentionV2

OPS: tuple[type[Op], ...] = (
    Conv,
    DepthwiseConv,
    ConvTranspose,
    Linear,
    MaxPool,
    AvgPool,
    Mean,
    BatchNorm,
    LayerNorm,
    GroupNorm,
    InstanceNorm,
    LocalResponseNorm,
    RmsNorm,
    act.Relu,
    act.Relu6,
    act.LeakyRelu,
    act.Prelu,
    act.RandomizedRelu,
    act.Elu,
    act.Selu,
    act.Celu,
    act.Gelu,
    act.Silu,
    act.Mish,
    act.Sigmoid,
    act.LogSigmoid,
    act.Tanh,
    act.Softplus,
    act.Softsign,
    act.Hardswish,
    act.Hardsigmoid,
    act.Hardtanh,
    act.Hardshrink,
    act.Softshrink,
    act.Tanhshrink,
    act.Threshold,
    act.Glu,
    act.Softmax,
    act.Softmin,
    act.LogSoftmax,
    Dropout,
    SpatialDropout,
    AlphaDropout,
    StochasticDepth,
    Flatten,
    Reshape,
    Layout,
    Tokens,
    Transpose,
    Take,
    PadOp,
    Upsample,
    PixelShuffle,
    PixelUnshuffle,
    Chunk,
    ChannelShuffle,
    Attention,
    WindowAttention,
    WindowAttentionV2,
    RelativeAttention,
    Partition,
    Unpartition,
    PatchMerge,
    ChannelAffine,
    Parameter,
    Identity,
    Add,
    Multiply,
    Concat,
)

BY_NAME: dict[str, type[Op]] = {op.name: op for op in OPS}
