"""Learning curves, in the terminal and as a picture. A curve is (name, steps, returns)."""

import plotext
from matplotlib.figure import Figure

MARKERS = ("braille", "x", "o")


def terminal(curves, steps, width=78, height=16):
    """A small plot from 0 to steps, as text with colour codes."""
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(width, height)
    plotext.xlabel("environment steps")
    plotext.xlim(0, steps)
    for (name, at, returns), marker in zip(curves, MARKERS, strict=False):
        if marker == "braille":
            plotext.plot(at, returns, marker=marker, label=name)
        else:
            plotext.scatter(at, returns, marker=marker, label=name)
    return plotext.build()


def picture(curves, path, title):
    """Write a PNG. Curves that coincide stay visible: the first is broad and pale, the next are thin and dark."""
    figure = Figure(figsize=(7, 3.6), layout="constrained", dpi=150)
    axes = figure.subplots()
    looks = ({"linewidth": 6, "alpha": 0.35, "color": "tab:green"}, {"linewidth": 1.5, "color": "black"})
    for (name, steps, returns), look in zip(curves, looks, strict=False):
        axes.plot(steps, returns, label=name, **look)
    axes.set(xlabel="environment steps", ylabel="return of an episode", title=title)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path)
