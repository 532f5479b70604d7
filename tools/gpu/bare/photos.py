"""`tools/train/photos.py` on a machine that has torch alone: photographs packed by `jpeg.pack`, degraded on the GPU."""

from pathlib import Path

import torch

import jpeg
from random_source import Source


class Crops:
    """Endless batches in [-1, 1], N x C x H x W: of photographs, and of all that `known` makes of each."""

    def __init__(self, folder: Path, batch: int, side: int, known, seed: int):
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        images = (jpeg.unpack(path.read_bytes()) for path in sorted(folder.glob("*.photo")))
        self.images = [image.to(torch.uint8) for image in images if min(image.shape[1:]) >= side]
        self.areas = torch.tensor([float(image.shape[1] * image.shape[2]) for image in self.images])
        self.cumulated = self.areas.cumsum(0)
        self.batch, self.side, self.known, self.rng = batch, side, known, Source(seed)

    def _crop(self) -> torch.Tensor:
        at = torch.searchsorted(self.cumulated, self.rng.uniform(0, float(self.cumulated[-1])))
        image = self.images[min(int(at), len(self.images) - 1)]
        # The flattest of two places is dropped: out-of-focus background teaches little.
        candidates = []
        for _ in range(2):
            y = self.rng.integers(0, image.shape[1] - self.side + 1)
            x = self.rng.integers(0, image.shape[2] - self.side + 1)
            candidates.append(image[:, y : y + self.side, x : x + self.side].float())
        detail = [crop[1].diff(dim=0).abs().mean() for crop in candidates]
        crop = candidates[int(detail[1] > detail[0])] if self.rng.random() < 0.7 else candidates[0]
        if self.rng.random() < 0.5:
            crop = crop.flip(2)
        if self.rng.random() < 0.5:
            crop = crop.transpose(1, 2)
        return crop.to(self.device)

    def ahead(self):
        while True:
            high = [self._crop() for _ in range(self.batch)]
            known = [self.known(crop, self.rng) for crop in high]
            yield batched(high), *(batched(images) for images in zip(*known))


def batched(images: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(images)) / 127.5 - 1
