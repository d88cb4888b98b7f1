# SPDX-License-Identifier: Apache-2.0
"""PatchCore's memory bank by exact k-centre greedy: which digits are no zeros?

Run it with ``python examples/adapters/patchcore.py``; it takes seconds. The sampler is called
as anomalib's PatchCore calls its own, and takes its place there by one line:

    torch_model.KCenterGreedy = FisherSelectSampler  # of anomalib.models.image.patchcore

The bank holds a tenth of the patches of normal images, here zeros. An image's anomaly score is
the largest distance of one of its patches to the bank.
"""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from fisher_select.adapters.patchcore import FisherSelectSampler


def main() -> float:
    """Return the area under the curve: zeros against all other digits."""
    digits = load_digits()
    images = torch.as_tensor(digits.images / 16, dtype=torch.float32)
    # All 25 patches of 4 x 4 pixels of each image [n, 25, 16].
    patches = torch.nn.functional.unfold(images[:, None], 4).transpose(1, 2)
    normal = torch.as_tensor(digits.target == 0)
    train, test = slice(0, 900), slice(900, None)
    embedding = patches[train][normal[train]].reshape(-1, 16)
    bank = FisherSelectSampler(embedding=embedding, sampling_ratio=0.1).sample_coreset()
    nearest = torch.cdist(patches[test].reshape(-1, 16), bank).amin(dim=1)
    scores = nearest.reshape(-1, 25).amax(dim=1)
    area = float(roc_auc_score(~normal[test], scores))
    print(f"{len(bank)} of {len(embedding)} patches kept; area under the curve {area:.3f}")
    return area


if __name__ == "__main__":
    main()
