"""Risk, reasons and decisions over the matrix."""

import os

# LightGBM's threads spin while they wait, which on a machine shared with others cost a training seven times its
# time. Read by OpenMP when it loads, so set before anything imports it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
