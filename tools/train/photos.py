"""Training crops from a folder of photographs; a fixed handful of them is held out for evaluation."""

import random
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

Image.MAX_IMAGE_PIXELS = None
cv2.setNumThreads(1)
HELD_OUT = 16


def files(folder: Path) -> tuple[list[Path], list[Path]]:
    """(training, held out): the same split on every machine."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    random.Random(20250705).shuffle(found)
    return found[HELD_OUT:], found[:HELD_OUT]


def read(path: Path, longest: int) -> np.ndarray:
    """The photograph, shrunk so that the source's own JPEG blocks and noise are gone."""
    image = Image.open(path)
    image.draft("RGB", (longest, longest))
    image = image.convert("RGB")
    factor = longest / max(image.size)
    if factor < 1:
        image = image.resize((round(image.width * factor), round(image.height * factor)), Image.LANCZOS)
    return np.asarray(image)


class Crops(torch.utils.data.IterableDataset):
    """Endless batches in [-1, 1], N x C x H x W: of photographs, and of all that `known` makes of each."""

    def __init__(self, folder: Path, batch: int, side: int, known, seed: int, longest: int = 1400):
        self.images = [read(path, longest) for path in files(folder)[0]]
        self.images = [image for image in self.images if min(image.shape[:2]) >= side]
        self.areas = np.array([image.shape[0] * image.shape[1] for image in self.images], dtype=np.float64)
        self.batch, self.side, self.known = batch, side, known
        self.rng = np.random.default_rng(seed)

    def _crop(self) -> np.ndarray:
        image = self.images[self.rng.choice(len(self.images), p=self.areas / self.areas.sum())]
        # The flattest of two places is dropped: out-of-focus background teaches little.
        candidates = []
        for _ in range(2):
            y = self.rng.integers(image.shape[0] - self.side + 1)
            x = self.rng.integers(image.shape[1] - self.side + 1)
            candidates.append(image[y : y + self.side, x : x + self.side])
        detail = [np.abs(np.diff(crop[..., 1].astype(np.int16), axis=0)).mean() for crop in candidates]
        crop = candidates[int(np.argmax(detail))] if self.rng.random() < 0.7 else candidates[0]
        if self.rng.random() < 0.5:
            crop = crop[:, ::-1]
        if self.rng.random() < 0.5:
            crop = crop.transpose(1, 0, 2)
        return np.ascontiguousarray(crop)

    def __iter__(self):
        while True:
            high = [self._crop() for _ in range(self.batch)]
            known = [self.known(crop, self.rng) for crop in high]
            yield tensor(high), *(tensor(images) for images in zip(*known))

    def ahead(self):
        """Batches made ahead by a process of its own."""
        return iter(torch.utils.data.DataLoader(self, batch_size=None, num_workers=1, prefetch_factor=4))


def tensor(images: list[np.ndarray]) -> torch.Tensor:
    """Contiguous: compiled averages over neighbours take a hundred times as long in the order of the pixels in memory."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1
