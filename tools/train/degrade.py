"""Realistic random degradation: a sharp crop in, the 4x smaller photograph that a person would have out.

Three kinds, since photographs that people have differ: resized only; degraded once, mildly or by wide optical blur alone, as
in RealSR (Cai et al., ICCV 2019); degraded twice, as Real-ESRGAN does it (Wang et al., *Real-ESRGAN: Training Real-World Blind
Super-Resolution with Pure Synthetic Data*, ICCVW 2021, section 3), with its ranges.
"""

import cv2
import numpy as np

CLEAN_SHARE = 0.15  # share of crops that are only resized, so that a good photograph stays good
TWICE_SHARE = 0.45
OPTICAL_SHARE = 0.15  # wide blur alone
FILTERS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


def bicubic_antialiased(image: np.ndarray, height: int, width: int) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((width, height), Image.BICUBIC))


def blur(
    image: np.ndarray, rng: np.random.Generator, widest: float = 2.2, narrowest: float = 0.3, general: bool = False
) -> np.ndarray:
    """Anisotropic Gaussian (lens, motion), standard deviation `narrowest` to `widest` pixels of `image`. `general`: a third
    of the kernels are generalised Gaussians, from cusps to plateaus (exponent 0.5 to 4)."""
    angle = rng.uniform(0, np.pi)
    first = rng.uniform(narrowest, widest)
    second = first if rng.random() < 0.5 else rng.uniform(narrowest, widest)
    shape = float(np.exp(rng.uniform(np.log(0.5), np.log(4)))) if general and rng.random() < 1 / 3 else 1.0
    size = 2 * int(np.ceil(3 * max(first, second))) + 1
    grid = np.arange(size) - size // 2
    x, y = np.meshgrid(grid, grid)
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    kernel = np.exp(-0.5 * ((u / first) ** 2 + (v / second) ** 2) ** shape)
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101)


def ringing(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A low-pass filter with a sharp edge, in both directions: the overshoot of resizing and sharpening."""
    size, cutoff = 2 * int(rng.integers(3, 11)) + 1, rng.uniform(np.pi / 3, np.pi)
    offsets = np.arange(size) - size // 2
    line = np.sinc(offsets * cutoff / np.pi)
    line /= line.sum()
    return cv2.sepFilter2D(image, -1, line, line, borderType=cv2.BORDER_REFLECT_101)


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


def strong_noise(image: np.ndarray, rng: np.random.Generator, strongest: float) -> np.ndarray:
    """Gaussian noise of 1 to `strongest` grey levels, or Poisson noise of a scale of 0.05 to a tenth of that; 40 % in luma
    only."""
    shape = image.shape[:2] + ((1,) if rng.random() < 0.4 else (3,))
    noise = rng.standard_normal(shape, dtype=np.float32)
    if rng.random() < 0.5:
        return image + rng.uniform(1, strongest) * noise
    # The variance of a Poisson count grows with the brightness: 255 levels stand for about 255 counts.
    return image + rng.uniform(0.05, strongest / 10) * np.sqrt(np.clip(image, 0, 255).astype(np.float32)) * noise


def jpeg(image: np.ndarray, rng: np.random.Generator, worst: int = 40) -> np.ndarray:
    quality = int(rng.integers(worst, 96))
    _, data = cv2.imencode(".jpg", image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


def rounded(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def degrade(high: np.ndarray, scale: int, rng: np.random.Generator) -> np.ndarray:
    """`high`: H x W x 3 uint8, both sides multiples of `scale`. Returns H/scale x W/scale x 3 uint8."""
    height, width = high.shape[0] // scale, high.shape[1] // scale
    kind = rng.random()
    if kind < CLEAN_SHARE:
        return bicubic_antialiased(high, height, width)
    if kind < CLEAN_SHARE + TWICE_SHARE:
        return degrade_twice(high, height, width, rng)
    if kind < CLEAN_SHARE + TWICE_SHARE + OPTICAL_SHARE:
        image = bicubic_antialiased(blur(high, rng, widest=4.5, narrowest=1.0), height, width)
        return rounded(sensor_noise(image, rng, strongest=0.3))
    return degrade_once(high, height, width, rng)


def degrade_once(high: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    image = blur(high, rng, widest=3.0) if rng.random() < 0.55 else high
    image = resize(image, height, width, rng)
    if rng.random() < 0.5:
        image = sensor_noise(image, rng)
    image = rounded(image)
    return jpeg(image, rng) if rng.random() < 0.55 else image


def degrade_twice(high: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    image = ringing(high, rng) if rng.random() < 0.1 else blur(high, rng, widest=3.0, narrowest=0.2, general=True)
    image = rescale(image, (0.2, 0.7, 0.1), (0.15, 1.5), (height, width), rng)
    image = jpeg(rounded(strong_noise(image, rng, 30)), rng, worst=30)
    if rng.random() < 0.8:
        image = ringing(image, rng) if rng.random() < 0.1 else blur(image, rng, widest=1.5, narrowest=0.2, general=True)
    image = rescale(image, (0.3, 0.4, 0.3), (0.3, 1.2), (height, width), rng)
    image = rounded(strong_noise(image, rng, 25))
    # JPEG last, or before the last resizing and ringing.
    if rng.random() < 0.5:
        image = jpeg(image, rng, worst=30)
        image = resize_to(image, height, width, rng)
        return ringing(image, rng) if rng.random() < 0.5 else image
    image = resize_to(image, height, width, rng)
    image = ringing(image, rng) if rng.random() < 0.5 else image
    return jpeg(image, rng, worst=30)


def rescale(image: np.ndarray, shares, extent, final, rng: np.random.Generator) -> np.ndarray:
    """Enlarges, shrinks or keeps, with these shares, by a factor within `extent`."""
    kind = rng.random()
    if kind < shares[0]:
        factor = rng.uniform(1, extent[1])
    elif kind < shares[0] + shares[1]:
        factor = rng.uniform(extent[0], 1)
    else:
        return image
    # Never below the half of the final size: less is not a photograph any more.
    height, width = (max(round(side * factor), last // 2) for side, last in zip(image.shape, final))
    return resize_to(image, height, width, rng)


def resize_to(image: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """By area, bilinear or bicubic, without antialiasing."""
    return cv2.resize(image, (width, height), interpolation=FILTERS[rng.integers(3)])
