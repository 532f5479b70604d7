"""Pairs for `kds eval`: crops of photographs that training has not seen, and what a person would have of them.

    python pairs.py photo_x4 --photos PHOTOS --output PAIRS

makes PAIRS/truth and PAIRS/low from the photographs that training holds out, spoilt as for training; every third only
resized or not at all. `--all` takes every photograph of the folder, `--twice` spoils each crop twice, as Real-ESRGAN does,
`--soft` makes photographs that are blurred at their full size already, as those of RealSR are.
"""

import argparse
import importlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

import photos
from degrade import bicubic_antialiased, degrade_twice


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=["photo_x4", "photo_x1"])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--side", type=int, default=192, help="side of a crop, in pixels of the truth")
    parser.add_argument("--longest", type=int, default=1400, help="longer photographs are shrunk to this, in pixels")
    parser.add_argument("--each", type=int, default=4, help="crops of each photograph")
    parser.add_argument("--all", action="store_true", help="every photograph of the folder, not only those held out")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--twice", action="store_true", help="of photo_x4: every crop degraded twice")
    kind.add_argument("--soft", action="store_true", help="of photo_x4: the truth blurred, and what is reduced blurred again")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def detailed_crop(image: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Of four places the one with the most detail."""
    crops = []
    for _ in range(4):
        y, x = (int(rng.integers(length - side + 1)) for length in image.shape[:2])
        crops.append(np.ascontiguousarray(image[y : y + side, x : x + side]))
    return max(crops, key=lambda crop: np.abs(np.diff(crop[..., 1].astype(np.int16), axis=0)).mean())


def blurred(image: np.ndarray, narrowest: float, widest: float, rng: np.random.Generator) -> np.ndarray:
    """By a round Gaussian of a standard deviation between these, in pixels."""
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(narrowest, widest))


def main() -> None:
    options = arguments()
    rng = np.random.default_rng(options.seed)
    training, held_out = photos.files(options.photos)
    scale = 4 if options.model == "photo_x4" else 1
    known = importlib.import_module(options.model).known
    folders = {name: options.output / name for name in ("truth", "low")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for path in sorted(training + held_out) if options.all else held_out:
        image = photos.read(path, options.longest)
        for index in range(options.each):
            crop = detailed_crop(image, options.side, rng)
            side = options.side // scale
            if options.soft:
                crop = blurred(crop, 0.7, 1.3, rng)
                low = bicubic_antialiased(blurred(crop, 0.8, 2.0, rng), side, side)
            elif options.twice:
                low = degrade_twice(crop, side, side, rng)
            elif count % 3:
                low = known(crop, rng)[0]
            else:
                low = bicubic_antialiased(crop, side, side) if scale > 1 else crop
            name = f"{path.stem}-{index}.png"
            Image.fromarray(crop).save(folders["truth"] / name)
            Image.fromarray(low).save(folders["low"] / name)
            count += 1
    print(f"{count} pairs in {options.output}")


if __name__ == "__main__":
    main()
