"""Natural breaks: where values fall into a lower and an upper class by themselves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def natural_break(values: FloatArray) -> float:
    """The least value of the upper of two classes with the smallest variance within them (Jenks; exact in one dimension).

    Where all values are equal, that value: there is no lower class. Source: Fisher (1958), JASA 53(284).
    """
    ordered = np.sort(values)
    cuts = np.flatnonzero(np.diff(ordered) > 0) + 1  # sizes of the lower class; equal values stay together
    if not len(cuts):
        return float(ordered[0])
    centred = ordered - ordered.mean()
    lower = np.cumsum(centred)[cuts - 1]
    between = lower**2 * (1 / cuts + 1 / (len(ordered) - cuts))  # both classes' sums are equal but for the sign
    return float(ordered[cuts[np.argmax(between)]])
