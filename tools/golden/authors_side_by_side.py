"""The reference side of `cargo xtask compare diffbir` and `seesr`: the authors' own pipeline at its true size, with random weights.

    python authors_side_by_side.py save diffbir FOLDER --authors DIFFBIR      random weights, in the authors' files
    python authors_side_by_side.py run diffbir FOLDER OUT --authors DIFFBIR   inputs, result, times and memory

DIFFBIR is a checkout, for `seesr` one of SeeSR: see `authors.py`. One particle, no steering, which the authors' code has not.
"""

import argparse
import importlib
from pathlib import Path

import torch

from true_size import tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("save", "run"))
    parser.add_argument("model", choices=("diffbir", "seesr"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path, nargs="?")
    parser.add_argument("--authors", required=True)
    parser.add_argument("--particles", type=int, choices=(1,), default=1)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_intermixed_args()
    model = importlib.import_module(f"true_size_{arguments.model}")
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    with torch.no_grad():
        if arguments.action == "run":
            return model.run(arguments)
        arguments.folder.mkdir(parents=True, exist_ok=True)
        model.save(arguments)
        # The last that is written: where it is, the folder is whole.
        tokenizer().save_pretrained(arguments.folder / "tokenizer")


if __name__ == "__main__":
    main()
