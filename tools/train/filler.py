"""The network of kds-inpaint that fills holes better than the smooth filling: by the mean of what may be in them.

It is of the kind of the first network (`predictor.py`) and comes before it. The loss is the logarithm of each hole's mean
squared error, which is what PSNR averages, against that of the smooth filling.
"""

import numpy as np
import torch

import same_size
from predictor import build, load  # noqa: F401

SPOILT_SHARE = 0.3  # share of crops whose surroundings are spoilt, too
FLOOR = 1e-4  # added to squared errors; pictures are in [-1, 1]

prepare = same_size.prepare


def known(high: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """As in `same_size.py`, always with a hole."""
    picture = same_size.degrade(high, rng) if rng.random() < SPOILT_SHARE else high
    while True:
        hole = same_size.hole(high.shape[0], high.shape[1], rng)
        if hole.any() and not hole.all():
            return picture, hole


def fill(filled: torch.Tensor, hole: torch.Tensor, network) -> torch.Tensor:
    """The photograph, with the network's output in its holes; `filled` as by `same_size.fill`."""
    return torch.where(hole > 0, network(filled, hole).float(), filled)


def objective(options, device):
    def losses(forward, fraction, high, filled, hole):
        squares = lambda picture: ((picture - high).square() * hole).sum((1, 2, 3)) / (3 * hole.sum((1, 2, 3))) + FLOOR
        loss = (squares(forward(filled, hole).float()) / squares(filled)).log().mean()
        return loss, loss

    return losses
