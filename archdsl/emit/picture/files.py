"""A scene as the bytes of a file."""

from __future__ import annotations

from archdsl.emit.picture.scene import Scene


def written(scene: Scene, format: str) -> bytes:
    """The picture as svg, png or pdf. Raises WrongUsage where the format can't show its letters."""
    if format == "pdf":
        from archdsl.emit.picture.pdf import pdf

        return pdf(scene)
    from archdsl.emit.picture import svg

    return svg.png(scene) if format == "png" else svg.svg(scene).encode()
