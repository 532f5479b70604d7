"""Training crops from a folder of photographs; a fixed handful of them is held out for evaluation."""

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

Image.MAX_IMAGE_PIXELS = None
cv2.setNumThreads(1)
HELD_OUT = 16
FLAT_SHARE = 0.02  # share of crops of a single colour: sky, walls, drawings
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def files(folder: Path) -> tuple[list[Path], list[Path]]:
    """(training, held out): the same split on every machine."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
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
    """Endless batches of bytes, N x C x H x W: of photographs, and of all that `known` makes of each. `paths` are the
    photographs to train on."""

    def __init__(self, paths: list[Path], batch: int, side: int, known, seed: int, longest: int = 1400):
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            images = list(threads.map(lambda path: read(path, longest), paths))
        self.images = [image for image in images if min(image.shape[:2]) >= side]
        areas = np.array([image.shape[0] * image.shape[1] for image in self.images], dtype=np.float64)
        self.megapixels = areas.sum() / 1e6
        self.shares = areas / areas.sum()
        self.batch, self.side, self.known, self.seed = batch, side, known, seed

    def _crop(self) -> np.ndarray:
        image = self.images[self.rng.choice(len(self.images), p=self.shares)]
        # The flattest of two places is dropped: out-of-focus background teaches little.
        candidates = []
        for _ in range(2):
            y = self.rng.integers(image.shape[0] - self.side + 1)
            x = self.rng.integers(image.shape[1] - self.side + 1)
            candidates.append(image[y : y + self.side, x : x + self.side])
        detail = [np.abs(np.diff(crop[..., 1].astype(np.int16), axis=0)).mean() for crop in candidates]
        crop = candidates[int(np.argmax(detail))] if self.rng.random() < 0.7 else candidates[0]
        if self.rng.random() < FLAT_SHARE:
            crop = np.broadcast_to(crop[:1, :1], crop.shape)
        if self.rng.random() < 0.5:
            crop = crop[:, ::-1]
        if self.rng.random() < 0.5:
            crop = crop.transpose(1, 0, 2)
        return np.ascontiguousarray(crop)

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        self.rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            high = [self._crop() for _ in range(self.batch)]
            known = [self.known(crop, self.rng) for crop in high]
            yield tensor(high), *(tensor(images) for images in zip(*known))

    def ahead(self, workers: int):
        """Batches made ahead by processes of their own."""
        pinned = torch.cuda.is_available()
        loader = torch.utils.data.DataLoader(self, batch_size=None, num_workers=workers, prefetch_factor=4, pin_memory=pinned)
        return iter(loader)


def tensor(images: list[np.ndarray]) -> torch.Tensor:
    """Contiguous: compiled averages over neighbours take a hundred times as long in the order of the pixels in memory."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


def scaled(batch: torch.Tensor, device: str) -> torch.Tensor:
    """A batch of bytes on the device, in [-1, 1]."""
    return batch.to(device, non_blocking=True).float() / 127.5 - 1
