"""Images of environments: the strokes of picorl.envs.rendering, drawn with Pillow (which Matplotlib brings)."""

import numpy as np
from PIL import Image, ImageDraw

from picorl.envs import rendering

_FINER = 3  # drawn larger, then made smaller: smooth edges
_MARGIN = 0.02
# Mark: colour, width in shares of the height.
_INK = {
    "-": ((90, 90, 90), 0.008),
    ".": ((190, 150, 60), 0.006),
    "#": ((40, 80, 160), 0.05),
    "*": ((200, 80, 70), 0.022),
    "o": ((40, 40, 40), 0.03),
    "+": ((60, 150, 80), 0.03),
}


def image(env, height=400):
    """env as it is now: a uint8 array (height, width, 3). ValueError for an environment that rendering has no scene of."""
    (left, bottom, right, top), strokes = rendering.scene(env)
    scale = height * (1 - 2 * _MARGIN) / (top - bottom) * _FINER
    edge = height * _MARGIN * _FINER
    size = round((right - left) * scale + 2 * edge), height * _FINER
    page = Image.new("RGB", size, (255, 255, 255))
    draw = ImageDraw.Draw(page)
    for mark, x0, y0, x1, y1 in strokes:
        colour, share = _INK[mark]
        width = max(_FINER, round(share * size[1]))
        ends = [(edge + (x - left) * scale, edge + (top - y) * scale) for x, y in ((x0, y0), (x1, y1))]
        if not np.isfinite(ends).all():
            continue  # an environment that has come to nothing: the rest of the picture still shows
        draw.line(ends, colour, width)
        for x, y in ends:  # round ends
            draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), colour)
    return np.asarray(page.resize((size[0] // _FINER, height), Image.Resampling.BOX))
