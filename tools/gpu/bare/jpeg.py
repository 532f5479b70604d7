"""JPEG's loss in torch: to YCbCr, colour at half the resolution, cosine transform of 8 x 8 blocks, rounding by the tables of
the standard (ITU-T T.81, Annex K) scaled as libjpeg scales them. Pictures are 3 x H x W, 0..255, in f32."""

import ctypes
import lzma
import math

import torch
import torch.nn.functional as F

LUMA = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 18 22 37 56 68 109 103 77
24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
COLOUR = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99""" + " 99" * 32
TO_YCC = [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
TO_RGB = [[1.0, 0.0, 1.402], [1.0, -0.344136, -0.714136], [1.0, 1.772, 0.0]]
# Frequencies from low to high, so that zeros come together.
ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, (i // 8 if (i // 8 + i % 8) % 2 else i % 8)))


def tables(quality: int, device) -> list[torch.Tensor]:
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    base = torch.tensor([[float(word) for word in text.split()] for text in (LUMA, COLOUR, COLOUR)], device=device)
    return list(((base * scale + 50) / 100).floor().clamp(1, 255))


def cosines(device) -> torch.Tensor:
    angles = torch.arange(8.0)[:, None] * (torch.arange(8.0)[None] + 0.5) * math.pi / 8
    matrix = angles.cos() * 0.5
    matrix[0] *= math.sqrt(0.5)
    return matrix.to(device)


def coefficients(picture: torch.Tensor, quality: int) -> list[torch.Tensor]:
    """Rounded coefficients of Y, Cb and Cr: blocks down x across x 64, whole numbers in f32."""
    device = picture.device
    planes = torch.einsum("ij,jhw->ihw", torch.tensor(TO_YCC, device=device), picture)
    matrix, found = cosines(device), []
    for index, table in enumerate(tables(quality, device)):
        plane = planes[index : index + 1, None] - (128 if index == 0 else 0)
        if index:
            plane = F.avg_pool2d(F.pad(plane, (0, plane.shape[3] % 2, 0, plane.shape[2] % 2), mode="replicate"), 2)
        plane = F.pad(plane, (0, -plane.shape[3] % 8, 0, -plane.shape[2] % 8), mode="replicate")[0, 0]
        blocks = plane.view(plane.shape[0] // 8, 8, plane.shape[1] // 8, 8).transpose(1, 2)
        found.append(((matrix @ blocks @ matrix.T).flatten(2) / table).round())
    return found


def picture(found: list[torch.Tensor], quality: int, height: int, width: int) -> torch.Tensor:
    """The picture of rounded coefficients: 3 x height x width."""
    device = found[0].device
    matrix, planes = cosines(device), []
    for index, (values, table) in enumerate(zip(found, tables(quality, device))):
        blocks = matrix.T @ (values * table).view(*values.shape[:2], 8, 8) @ matrix
        plane = blocks.transpose(1, 2).reshape(1, 1, 8 * values.shape[0], 8 * values.shape[1])
        if index:
            plane = plane[..., : (height + 1) // 2, : (width + 1) // 2]
            plane = F.interpolate(plane, scale_factor=2.0, mode="bilinear")
        else:
            plane = plane + 128
        planes.append(plane[0, 0, :height, :width])
    rgb = torch.einsum("ij,jhw->ihw", torch.tensor(TO_RGB, device=device), torch.stack(planes))
    return rgb.round().clamp(0, 255)


def lossy(image: torch.Tensor, quality: int) -> torch.Tensor:
    """What is left of a picture after JPEG."""
    return picture(coefficients(image, quality), quality, *image.shape[1:])


QUALITY = 88


def pack(image: torch.Tensor) -> bytes:
    """A photograph in few bytes: the coefficients, frequency by frequency, means as differences, compressed by LZMA."""
    parts = []
    for values in coefficients(image, QUALITY):
        values = values.flatten(0, 1)[:, ZIGZAG].T.to(torch.int32)
        values[0, 1:] = values[0].diff()
        folded = ((values << 1) ^ (values >> 31)).flatten()
        # Low bytes, then high ones, almost all of which are 0.
        parts += [(folded & 255).to(torch.uint8), (folded >> 8).to(torch.uint8)]
    joined = torch.cat(parts).contiguous()
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 0, "pb": 0}]
    body = lzma.compress(ctypes.string_at(joined.data_ptr(), len(joined)), filters=filters)
    return b"".join(side.to_bytes(2, "little") for side in image.shape[1:]) + body


def unpack(content: bytes) -> torch.Tensor:
    height, width = (int.from_bytes(content[at : at + 2], "little") for at in (0, 2))
    numbers = torch.frombuffer(bytearray(lzma.decompress(content[4:])), dtype=torch.uint8).to(torch.int32)
    found, first = [], 0
    for index in range(3):
        sides = (height, width) if index == 0 else ((height + 1) // 2, (width + 1) // 2)
        down, across = (-(-side // 8) for side in sides)
        count = 64 * down * across
        folded = numbers[first : first + count] | numbers[first + count : first + 2 * count] << 8
        first += 2 * count
        values = ((folded >> 1) ^ -(folded & 1)).view(64, -1)
        values[0] = values[0].cumsum(0)
        natural = torch.empty_like(values)
        natural[ZIGZAG] = values
        found.append(natural.T.reshape(down, across, 64).float())
    return picture(found, QUALITY, height, width)
