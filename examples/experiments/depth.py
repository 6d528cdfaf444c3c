"""Does depth make a network train worse? Plain and residual ones of 20 and 56 layers (He et al. 2016, figure 6)."""

from __future__ import annotations

from collections.abc import Sequence

from trials import Found, Trial, asked, compare

TRIALS = [Trial(name, name, settings={"size": 16}) for name in ("plain20", "plain56", "resnet20", "resnet56")]


def main(argv: Sequence[str] | None = None) -> dict[str, Found]:
    """Trains all four by the digits' recipe, on images of 16 x 16."""
    return compare(TRIALS, asked(__doc__ or "", name="depth", epochs=20, seeds=2, argv=argv))


if __name__ == "__main__":
    main()
