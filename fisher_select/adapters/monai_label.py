# SPDX-License-Identifier: Apache-2.0
"""MONAI Label: a scoring method that ranks the datastore, and a strategy that serves the ranks.

    class App(MONAILabelApp):
        def init_scoring_methods(self):
            return {"bait": FisherSelectScoring("bait", 20, {"features": ..., ...})}

        def init_strategies(self):
            return {"bait": FisherSelectNext()}

The server runs the scoring method when told to, such as after training; annotators who ask for
the next sample get the ranks one image a call.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from monailabel.interfaces.tasks.scoring import ScoringMethod
from monailabel.interfaces.tasks.strategy import Strategy as ServingStrategy

from fisher_select.adapters._inputs import Provide, clipped, gathered, ranked, resolved
from fisher_select.options import as_count
from fisher_select.strategies import Strategy

__all__ = ["RANK", "FisherSelectNext", "FisherSelectScoring"]

RANK = "fisher_select_rank"
"""Key of an image's info that holds its rank, 0 for the best."""


class FisherSelectScoring(ScoringMethod):
    """Rank all unlabelled images by a strategy of fisher_select.

    Parameters
    ----------
    strategy : str or Strategy
        A registered name, or ``fisher_select.strategies.get("bait", lam=0.01)``.
    batch_size : int
        Images to label until the next ranking; more than there are is clipped with a warning.
    provide : mapping
        Functions of (datastore, image ids) by the name of an array, all that the strategy
        needs, such as ``"features"``: the pooled bottleneck of the segmentation network [n, d].
    key : str
        Where the ranks go in the images' info.

    Raises
    ------
    ValueError, TypeError
        An unknown strategy, or one that `provide` does not serve.
    """

    def __init__(
        self,
        strategy: str | Strategy,
        batch_size: int,
        provide: Provide,
        key: str = RANK,
    ) -> None:
        self.strategy = resolved(strategy, host="MONAI Label", gives=(), provide=provide)
        self.batch_size = as_count("batch_size", batch_size)
        self.provide = provide
        self.key = key
        super().__init__(f"Rank images by {self.strategy.name} of fisher_select")

    def __call__(self, request: dict[str, Any], datastore: Any) -> dict[str, Any]:
        """Write the ranks into the datastore.

        Parameters
        ----------
        request
            Of the server; ``label_tag`` and ``labels`` say which images count as labelled.
        datastore : Datastore
            Changed in the info of its unlabelled images alone.

        Returns
        -------
        dict
            Numbers of images ``labeled`` and ``ranked``, and the ``latency`` in seconds.
        """
        start = time.perf_counter()
        which = request.get("label_tag"), request.get("labels")
        known = set(datastore.get_labeled_images(*which))
        free = set(datastore.get_unlabeled_images(*which))
        if free:
            images = sorted(known | free)  # ties go to the first by name
            labeled = np.flatnonzero([image in known for image in images])
            order, _ = ranked(
                self.strategy,
                gathered(self.strategy, lambda name: self.provide[name](datastore, images)),
                n=len(images),
                labeled=labeled,
                batch_size=clipped(self.batch_size, len(free)),
            )
            for rank, row in enumerate(order.tolist()):
                datastore.update_image_info(images[row], {self.key: rank})
        seconds = round(time.perf_counter() - start, 3)
        return {"labeled": len(known), "ranked": len(free), "latency": seconds}


class FisherSelectNext(ServingStrategy):
    """Serve the best-ranked image that is not labelled.

    One that was served already, and maybe is at an annotator's, comes again after all others,
    the oldest first; images that were added since the ranking follow the ranked ones by name.

    Parameters
    ----------
    key : str
        Where the scoring method put the ranks.
    """

    def __init__(self, key: str = RANK) -> None:
        self.key = key
        super().__init__("Next image by rank of fisher_select")

    def __call__(self, request: dict[str, Any], datastore: Any) -> dict[str, Any] | None:
        """Choose one image; the server notes when it served it.

        Returns
        -------
        dict or None
            ``id`` and ``rank`` (None without one); None where all images are labelled.
        """
        which = request.get("label_tag"), request.get("labels")
        images = datastore.get_unlabeled_images(*which)
        if not images:
            return None
        info = {image: datastore.get_image_info(image) for image in images}

        def turn(image: str) -> tuple[float, float, str]:
            served = info[image].get("strategy", {}).get(request["strategy"], {})
            return served.get("ts", 0), info[image].get(self.key, math.inf), image

        image = min(images, key=turn)
        return {"id": image, "rank": info[image].get(self.key)}
