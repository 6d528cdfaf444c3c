"""LeNet with and without batch norm, by the lecture's recipe (SGD at 0.1) and by the digits' own (AdamW)."""

from __future__ import annotations

from collections.abc import Sequence

from trials import Found, Trial, asked, compare

# The lecture's recipe for Fashion-MNIST, in place of the digits' own.
SGD = {"batch": 128, "optimizer": "sgd", "lr": 0.1, "schedule": "constant", "weight_decay": 0.0}
TRIALS = [
    Trial("LeNet", "lenet", settings=SGD),
    Trial("LeNet, max pooling", "lenet", params={"pool": "maxpool"}, settings=SGD),
    Trial("LeNet, batch norm, max pooling", "bn_lenet", settings=SGD),
    Trial("LeNet, AdamW", "lenet"),
    Trial("LeNet, batch norm, max pooling, AdamW", "bn_lenet"),
]


def main(argv: Sequence[str] | None = None) -> dict[str, Found]:
    """Trains three by the lecture's recipe, the second to tell batch norm from pooling, and two by the digits' own."""
    return compare(TRIALS, asked(__doc__ or "", name="batch_norm", epochs=40, seeds=3, argv=argv))


if __name__ == "__main__":
    main()
