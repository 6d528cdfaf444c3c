"""What a recipe consists of: the settings of a spec's `train` section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Side = Annotated[int, Field(ge=1, le=10_000)]
Optimizer = Literal["sgd", "adam", "adamw", "nadam", "rmsprop", "adagrad"]
Schedule = Literal["constant", "cosine", "onecycle", "linear", "step"]
Policy = Literal["randaugment", "trivialaugment"]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Augment(_Settings):
    """What is changed at random in each training image, each time it is seen."""

    flip: Annotated[bool, Field(description="mirror half of the images left to right")] = False
    crop: Annotated[int, Field(ge=0, le=1000, description="pad by so many pixels, cut the size out at random")] = 0
    shift: Annotated[int, Field(ge=0, le=1000, description="move by up to so many pixels, the border repeated")] = 0
    rotate: Annotated[float, Field(ge=0, le=180, description="turn by up to so many degrees")] = 0.0
    scale: Annotated[
        tuple[Share, Share] | None,
        Field(description="cut out a part of between these shares of the area, and resize it (Szegedy et al. 2015)"),
    ] = None
    color: Annotated[Share, Field(description="change brightness, contrast and saturation by up to this share")] = 0.0
    erase: Annotated[Share, Field(description="how probably a rectangle is erased (Zhong et al. 2017)")] = 0.0
    policy: Annotated[Policy | None, Field(description="a published policy of distortions")] = None

    @model_validator(mode="after")
    def _scale_in_order(self) -> Augment:
        if self.scale is not None and not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError("scale has two shares of the area, the smaller one first, above 0")
        return self


class Recipe(_Settings):
    """How a network is trained: data, optimiser, schedule."""

    data: Annotated[str, Field(min_length=1, description="a data set's name, or a folder of images")] = "digits"
    size: Annotated[
        Side | tuple[Side, Side] | None,
        Field(description="height and width that images get and the network is compiled for; else the spec's own"),
    ] = None
    batch: Annotated[Count, Field(description="images in a step, over all devices")] = 128
    epochs: Annotated[Count, Field(description="how often every image is seen")] = 30
    optimizer: Annotated[Optimizer, Field(description="as in torch.optim")] = "adamw"
    lr: Annotated[Positive, Field(description="the learning rate, at its highest")] = 0.001
    momentum: Annotated[Share, Field(description="of sgd and rmsprop")] = 0.0
    nesterov: Annotated[bool, Field(description="Nesterov's momentum, of sgd")] = False
    betas: Annotated[tuple[Share, Share], Field(description="of adam, adamw and nadam")] = (0.9, 0.999)
    eps: Annotated[Positive | None, Field(description="of all but sgd; else torch's own")] = None
    weight_decay: Annotated[NotNegative, Field(description="for every parameter, as torch.optim applies it")] = 0.0
    schedule: Annotated[Schedule, Field(description="how the learning rate goes on, step by step")] = "cosine"
    warmup: Annotated[NotNegative, Field(description="epochs in which the learning rate rises from zero")] = 0.0
    milestones: Annotated[tuple[Count, ...], Field(description="epochs after which `step` multiplies by gamma")] = ()
    gamma: Annotated[Share, Field(description="what `step` multiplies the learning rate by")] = 0.1
    label_smoothing: Annotated[Share, Field(description="of the loss (Szegedy et al. 2016)")] = 0.0
    mixup: Annotated[NotNegative, Field(description="alpha of mixup (Zhang et al. 2018)")] = 0.0
    cutmix: Annotated[NotNegative, Field(description="alpha of CutMix (Yun et al. 2019)")] = 0.0
    ema: Annotated[
        Share | None, Field(description="decay of the average of the weights, with which the network is tested")
    ] = None
    clip: Annotated[Positive | None, Field(description="the largest norm of the gradients")] = None
    accumulate: Annotated[Count, Field(description="parts in which a step's images are taken")] = 1
    loss: Annotated[
        dict[str, NotNegative], Field(description="weight of each side head's loss; 0.3 where it isn't named")
    ] = {}
    augment: Annotated[Augment, Field(description="what is changed at random in training images")] = Augment()
    seed: Annotated[int, Field(ge=0, lt=2**31, description="all that is random follows from it")] = 0

    @model_validator(mode="after")
    def _agrees(self) -> Recipe:
        if (self.schedule == "step") != bool(self.milestones):
            raise ValueError("the schedule `step` has milestones, and no other schedule has")
        if self.nesterov and not (self.optimizer == "sgd" and self.momentum):
            raise ValueError("nesterov is for sgd with momentum")
        if self.warmup >= self.epochs and self.warmup:
            raise ValueError("the warm-up is shorter than the training")
        if self.batch % self.accumulate:
            raise ValueError("accumulate divides the batch")
        return self

    @property
    def sides(self) -> tuple[int, int] | None:
        """Height and width of the images, where the recipe says."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size


# What small handwritten digits want; of a spec's recipe for other data only the loss weights and the size stay.
DIGITS: Mapping[str, Any] = {
    "data": "digits",
    "batch": 64,
    "epochs": 40,
    "optimizer": "adamw",
    "lr": 0.005,
    "schedule": "onecycle",
    "weight_decay": 0.01,
    "augment": {"shift": 1},
}
