# SPDX-License-Identifier: Apache-2.0
"""Draw the mask profile of the ResNet-18 of ``fisher_mask_selection``: no new measurement.

python -m benchmarks.mask_picture
"""

from __future__ import annotations

import json
from pathlib import Path

import fisher_select as fs
from fisher_select.features import Layout
from fisher_select.mask_profile import draw_mask_profile
from fisher_select.resnet import resnet

RESULTS = Path(__file__).resolve().parent / "results"


def main() -> None:
    """Read the record and write the picture beside it."""
    record = json.loads((RESULTS / "fisher_mask_selection.json").read_text(encoding="utf-8"))
    shares, size = record["raw"]["profile"], record["sizes"]
    layers = Layout(resnet(10, width=size["width"], stem=size["stem"])).layers
    kept = tuple(round(share * len(layers[name])) for name, share in shares.items())
    sizes = tuple(len(layers[name]) for name in shares)
    profile = fs.MaskProfile(tuple(shares), kept, sizes)
    draw_mask_profile(
        RESULTS / "mask_profile.png", profile, "ResNet-18 on digits: mask of 0.2 %"
    )


if __name__ == "__main__":
    main()
