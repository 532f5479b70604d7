"""The few draws of numpy's generator that the degradations use, from Python's own."""

import random


class Source:
    def __init__(self, seed: int):
        self._random = random.Random(seed)

    def random(self) -> float:
        return self._random.random()

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def integers(self, low: int, high: int) -> int:
        return self._random.randrange(low, high)

    def choice(self, items):
        return self._random.choice(items)

    def normal(self, mean: float, deviation: float) -> float:
        return self._random.gauss(mean, deviation)
