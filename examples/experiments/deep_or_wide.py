"""Deep and thin against shallow and wide at equal parameters, the small way of Seide et al. 2011, table 2."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trials import HERE, Found, Trial, asked, compare

import archdsl
from archdsl.solve import solve

SPEC = str(HERE / "perceptron.arch")
DEPTHS = (1, 2, 3, 5, 7)
AS_WIDE = (5, 7)  # the depths whose parameters one hidden layer gets


def trials(activation: str) -> Iterator[Trial]:
    """Networks of 64 units a layer, and of one layer with the parameters of the deep ones."""
    for layers in DEPTHS:
        yield Trial(f"{activation} {layers}x64", SPEC, {"layers": str(layers), "activation": activation})
    for layers in AS_WIDE:
        budget = archdsl.load(SPEC, layers=layers).cost().params
        width = solve(SPEC, "width", f"params={budget}").best.value
        yield Trial(f"{activation} 1x{width}", SPEC, {"width": str(width), "activation": activation})


def main(argv: Sequence[str] | None = None) -> list[dict[str, Found]]:
    """Trains all of them with sigmoids, as the paper has them, and with ReLU."""
    return [
        compare(
            trials(activation), asked(__doc__ or "", name=f"deep_or_wide_{activation}", epochs=40, seeds=3, argv=argv)
        )
        for activation in ("sigmoid", "relu")
    ]


if __name__ == "__main__":
    main()
