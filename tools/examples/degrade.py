"""Makes examples/images: truth crops of six photographs and the degraded, 4x smaller pictures to restore.

    python degrade.py OUTPUT LAKE DAISIES CIRCUIT GATES BUDGIE KITTEN

The degradation is that of the training data (tools/train/degrade.py). Its parameters are drawn at random; the first
seed whose draws are those of an ordinary, mildly spoilt photograph is taken, and MANIFEST.tsv records what it drew.
"""

import argparse
import sys
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "train"))
from degrade import blur, jpeg, resize, sensor_noise  # noqa: E402

SCALE = 4
LICENCE = "CC0-1.0 (repo LICENSE)"
# Name: the part taken (left, top, right, bottom) of the photograph once it is shrunk to a width of 1024 pixels, and the
# size that this part is shrunk to.
CROPS = {
    "lake": ((0, 0, 1024, 576), (512, 288)),
    "daisies": ((340, 120, 820, 600), (480, 480)),
    "circuit": ((250, 100, 634, 484), (384, 384)),
    "gates": ((0, 0, 1024, 680), (512, 340)),
    "budgie": ((166, 70, 646, 670), (384, 480)),
    "kitten": ((220, 150, 732, 662), (512, 512)),
}
MOST_BLUR, MOST_READ_NOISE, MOST_SHOT_NOISE, QUALITY = 1.2, 3.0, 0.15, range(70, 86)


class RecordedRandom:
    """A generator that remembers what was drawn from it."""

    def __init__(self, seed: int):
        self.generator, self.drawn = np.random.default_rng(seed), []

    def _keep(self, value):
        self.drawn.append(value)
        return value

    def uniform(self, low, high):
        return self._keep(self.generator.uniform(low, high))

    def random(self):
        return self.generator.random()

    def integers(self, *arguments):
        return self._keep(self.generator.integers(*arguments))

    def standard_normal(self, shape, dtype):
        return self.generator.standard_normal(shape, dtype=dtype)


def degrade(truth: np.ndarray, seed: int):
    """The degraded picture, and what was drawn for it in words, or None where that is not mild."""
    height, width = truth.shape[0] // SCALE, truth.shape[1] // SCALE
    rng = RecordedRandom(seed)
    image = blur(truth, rng)
    _, *deviations = rng.drawn
    rng.drawn = []
    image = resize(image, height, width, rng)
    rng.drawn = []
    image = sensor_noise(image, rng)
    read, shot = rng.drawn
    rng.drawn = []
    image = jpeg(np.clip(np.rint(image), 0, 255).astype(np.uint8), rng)
    (quality,) = rng.drawn
    mild = max(deviations) <= MOST_BLUR and read <= MOST_READ_NOISE and shot <= MOST_SHOT_NOISE and quality in QUALITY
    blurred = " x ".join(f"{deviation:.2f}" for deviation in deviations)
    words = (
        f"seed {seed}: Gaussian blur {blurred} px, antialiased reduction to 1/{SCALE}, "
        f"noise variance {read:.2f}^2 + {shot:.3f} * value, JPEG quality {quality}"
    )
    return (image, words) if mild else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    for name in CROPS:
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    (arguments.output / "truth").mkdir(parents=True, exist_ok=True)
    rows = ["file\tsource\tlicence\tdegradation"]
    seed = -1
    for name, (box, size) in CROPS.items():
        truth = Image.open(getattr(arguments, name)).convert("RGB").crop(box).resize(size, Image.LANCZOS)
        seed, (low, words) = next(
            (seed, made) for seed in count(seed + 1) if (made := degrade(np.asarray(truth), seed)) is not None
        )
        truth.save(arguments.output / "truth" / f"{name}.png", optimize=True)
        Image.fromarray(np.ascontiguousarray(low)).save(arguments.output / f"{name}.png", optimize=True)
        source = "Budgie backgrounds (BuddiesOfBudgie/budgie-backgrounds)"
        rows.append(f"truth/{name}.png\t{source}\t{LICENCE}\tnone: shrunk to 1024 pixels wide, cropped to {box}, shrunk to {size[0]} x {size[1]}")
        rows.append(f"{name}.png\ttruth/{name}.png\t{LICENCE}\t{words}")
    (arguments.output / "MANIFEST.tsv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
