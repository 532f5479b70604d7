"""Realistic random degradation: a sharp crop in, the 4x smaller photograph that a person would have out."""

import cv2
import numpy as np

CLEAN_SHARE = 0.25  # share of crops that are only resized, so that a good photograph stays good
FILTERS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


def bicubic_antialiased(image: np.ndarray, height: int, width: int) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((width, height), Image.BICUBIC))


def blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Anisotropic Gaussian (lens, motion), standard deviation 0.3 to 2.2 high-resolution pixels."""
    size, angle = 13, rng.uniform(0, np.pi)
    first = rng.uniform(0.3, 2.2)
    second = first if rng.random() < 0.5 else rng.uniform(0.3, 2.2)
    grid = np.arange(size) - size // 2
    x, y = np.meshgrid(grid, grid)
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    kernel = np.exp(-0.5 * ((u / first) ** 2 + (v / second) ** 2))
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101)


def resize(image: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.4:
        return bicubic_antialiased(image, height, width)
    chosen = FILTERS[rng.integers(len(FILTERS))]
    if chosen != cv2.INTER_AREA:  # the other filters of OpenCV do not antialias
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(1.0, 1.8))
    return cv2.resize(image, (width, height), interpolation=chosen)


def sensor_noise(image: np.ndarray, rng: np.random.Generator, strongest: float = 1.0) -> np.ndarray:
    """Read noise plus shot noise growing with brightness, in colour or (a third of the time) in luma only."""
    shape = image.shape[:2] + ((1,) if rng.random() < 0.33 else (3,))
    read, shot = strongest * rng.uniform(0, 6), strongest * rng.uniform(0, 0.5)
    deviation = np.sqrt(read**2 + shot * image.astype(np.float32))
    return image + deviation * rng.standard_normal(shape, dtype=np.float32)


def jpeg(image: np.ndarray, rng: np.random.Generator, worst: int = 40) -> np.ndarray:
    quality = int(rng.integers(worst, 96))
    _, data = cv2.imencode(".jpg", image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


def degrade(high: np.ndarray, scale: int, rng: np.random.Generator) -> np.ndarray:
    """`high`: H x W x 3 uint8, both sides multiples of `scale`. Returns H/scale x W/scale x 3 uint8."""
    height, width = high.shape[0] // scale, high.shape[1] // scale
    if rng.random() < CLEAN_SHARE:
        return bicubic_antialiased(high, height, width)
    image = blur(high, rng) if rng.random() < 0.55 else high
    image = resize(image, height, width, rng)
    if rng.random() < 0.5:
        image = sensor_noise(image, rng)
    image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return jpeg(image, rng) if rng.random() < 0.55 else image
