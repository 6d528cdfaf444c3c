"""GoogLeNet with and without the losses of its side heads (Szegedy et al. 2015, section 5)."""

from __future__ import annotations

from collections.abc import Sequence

from trials import Found, Trial, asked, compare

CLASSIFIER = {"classifier": "yes"}  # the lecture's listing stops at 1024 features
GENTLE = {"lr": 0.001}  # the digits' recipe has 0.005, too much for so deep a network without batch norm
WITHOUT = {"loss": {"aux_1": 0.0, "aux_2": 0.0}}
TRIALS = [
    Trial("without side heads", "googlenet_cifar", CLASSIFIER, {**GENTLE, **WITHOUT}),
    Trial("with side heads, 0.3 each", "googlenet_cifar", CLASSIFIER, GENTLE),
]


def main(argv: Sequence[str] | None = None) -> dict[str, Found]:
    """Trains the same network from the same weights twice: once the side heads' losses count 0.3, once nothing."""
    return compare(TRIALS, asked(__doc__ or "", name="side_heads", epochs=16, seeds=2, argv=argv))


if __name__ == "__main__":
    main()
