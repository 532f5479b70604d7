"""The first network of kds-photo-x1 and kds-inpaint (`predictor.py`), trained by itself: the mean absolute error of the
restored photograph."""

from pathlib import Path

from safetensors.torch import load_file

import same_size
from predictor import CONFIG, Predictor

known, prepare = same_size.known, same_size.prepare


def build() -> Predictor:
    return Predictor(**CONFIG)


def load(file: Path) -> Predictor:
    predictor = build().requires_grad_(False)
    predictor.load_state_dict({name: value.float() for name, value in load_file(file).items()})
    return predictor


def objective(options, device):
    def losses(forward, fraction, high, filled, hole):
        error = (forward(filled, hole).float() - high).abs().mean()
        return error, error

    return losses
