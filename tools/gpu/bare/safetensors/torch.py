"""Reads and writes safetensors files: a length of 8 bytes, a JSON header of so many, the tensors (little-endian)."""

import ctypes
import json
from pathlib import Path

import torch

TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}
NAMES = {kind: name for name, kind in TYPES.items()}


def load_file(path) -> dict[str, torch.Tensor]:
    content = bytearray(Path(path).read_bytes())
    first = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:first])

    def tensor(entry: dict) -> torch.Tensor:
        begin, end = entry["data_offsets"]
        if begin == end:
            return torch.empty(entry["shape"], dtype=TYPES[entry["dtype"]])
        part = memoryview(content)[first + begin : first + end]
        return torch.frombuffer(part, dtype=torch.uint8).clone().view(TYPES[entry["dtype"]]).view(entry["shape"])

    return {name: tensor(entry) for name, entry in header.items() if name != "__metadata__"}


def save_file(tensors: dict[str, torch.Tensor], path, metadata: dict[str, str] | None = None) -> None:
    header, parts, end = {"__metadata__": metadata} if metadata else {}, [], 0
    for name, value in sorted(tensors.items()):
        flat = value.detach().cpu().contiguous().view(-1).view(torch.uint8)
        parts.append(ctypes.string_at(flat.data_ptr(), flat.numel()))
        header[name] = dict(dtype=NAMES[value.dtype], shape=list(value.shape), data_offsets=[end, end + flat.numel()])
        end += flat.numel()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))
