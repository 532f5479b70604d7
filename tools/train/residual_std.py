"""Standard deviation of the truth from what the predictor guesses, outside and inside of holes, on training crops:

    python residual_std.py --photos PHOTOS --filler FILE --predictor FILE
"""

import argparse
from pathlib import Path

import torch

import filler
import predictor_x1
from photos import Crops, files, scaled

BATCHES = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--filler", type=Path, required=True)
    parser.add_argument("--predictor", type=Path, required=True)
    options = parser.parse_args()
    filling, predictor = filler.load(options.filler), predictor_x1.load(options.predictor)
    batches = iter(Crops(files(options.photos)[0], 16, 128, predictor_x1.known, seed=7))
    squares, counts = torch.zeros(2), torch.zeros(2)
    for _ in range(BATCHES):
        high, *known = (scaled(x, "cpu") for x in next(batches))
        filled, hole = predictor_x1.prepare(*known)
        with torch.no_grad():
            error = (high - predictor(filler.fill(filled, hole, filling), hole)).square()
        for index, share in enumerate((1 - hole, hole)):
            squares[index] += (error * share).sum()
            counts[index] += 3 * share.sum()
    outside, inside = (squares / counts).sqrt().tolist()
    print(f"RESIDUAL_STD = {outside:.3f}\nHOLE_STD = {inside:.3f}")


if __name__ == "__main__":
    main()
