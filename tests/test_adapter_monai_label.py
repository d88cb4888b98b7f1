# SPDX-License-Identifier: Apache-2.0
"""As a MONAI Label server calls them: rank the datastore, serve the ranks one image a call.

Where monailabel is missing, its two base classes are stood in for by what they are: a
description, and an abstract call.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import hosts
import numpy as np
import pytest

import fisher_select as fs

if find_spec("monailabel") is None:

    class Task(ABC):
        """Stands in for ScoringMethod and Strategy."""

        def __init__(self, description: str) -> None:
            self.description = description

        def info(self) -> dict[str, str]:
            return {"description": self.description}

        @abstractmethod
        def __call__(self, request: Any, datastore: Any) -> Any: ...

    for path in ("", ".interfaces", ".interfaces.tasks"):
        sys.modules[f"monailabel{path}"] = ModuleType(f"monailabel{path}")
    for name, kind in (("scoring", "ScoringMethod"), ("strategy", "Strategy")):
        module = ModuleType(f"monailabel.interfaces.tasks.{name}")
        setattr(module, kind, Task)
        sys.modules[module.__name__] = module

from fisher_select.adapters.monai_label import RANK, FisherSelectNext, FisherSelectScoring

N = 60


class Datastore:
    """Images by name with their info, as MONAI Label's datastores keep them."""

    def __init__(self, labeled: Any) -> None:
        self.info: dict[str, dict[str, Any]] = {f"case{row:03d}": {} for row in range(N)}
        self.labeled = {f"case{row:03d}" for row in labeled}

    def get_labeled_images(self, label_tag: Any = None, labels: Any = None) -> list[str]:
        assert (label_tag, labels) == (None, None)
        return [image for image in self.info if image in self.labeled]

    def get_unlabeled_images(self, label_tag: Any = None, labels: Any = None) -> list[str]:
        assert (label_tag, labels) == (None, None)
        return [image for image in reversed(self.info) if image not in self.labeled]

    def get_image_info(self, image_id: str) -> dict[str, Any]:
        return dict(self.info[image_id])

    def update_image_info(self, image_id: str, info: dict[str, Any]) -> None:
        self.info[image_id].update(info)


class Server:
    """Next sample as the server gives it out, with its note of when it did."""

    def __init__(self, datastore: Datastore) -> None:
        self.datastore, self.clock, self.serve = datastore, 1000, FisherSelectNext()

    def next(self) -> Any:
        result = self.serve({"strategy": "bait"}, self.datastore)
        if result is None:
            return None
        info = self.datastore.get_image_info(result["id"])
        served = {**info.get("strategy", {}), "bait": {"ts": self.clock, "client_id": "me"}}
        self.datastore.update_image_info(result["id"], {"strategy": served})
        self.clock += 1
        return result["id"]


def rows_of(images: Any) -> np.ndarray:
    return np.array([int(image[4:]) for image in images])


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    return hosts.digits(N)


def functions(X: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """What an app gives: features of images, and outputs of a model of the labelled ones."""

    def outputs(datastore: Datastore, images: list[str]) -> np.ndarray:
        known = rows_of(datastore.get_labeled_images())
        if len(known) == 0:
            return np.full((len(images), 10), 0.1)
        return hosts.logistic().fit(X[known], y[known]).predict_proba(X[rows_of(images)])

    def features(_datastore: Datastore, images: list[str]) -> np.ndarray:
        return X[rows_of(images)]

    return {"features": features, "data": features, "probabilities": outputs}


@pytest.mark.parametrize("name", hosts.PLAIN)
def test_ranks_are_those_from_arrays(name: str, data: Any) -> None:
    X, y = data
    strategy, labeled = hosts.strategy(name), np.arange(0, N, 3)
    given = {k: v for k, v in functions(X, y).items() if k in strategy.needs}
    datastore = Datastore(labeled)
    summary = FisherSelectScoring(strategy, 7, given)({"method": "bait"}, datastore)
    P = hosts.logistic().fit(X[labeled], y[labeled]).predict_proba(X)
    arrays = {"features": X, "data": X, "probabilities": P}
    needs = {k: arrays[k] for k in strategy.needs}
    picks = strategy.select(batch_size=7, labeled=labeled, **needs)
    ranks = {image: info[RANK] for image, info in datastore.info.items() if RANK in info}
    best = sorted(ranks, key=ranks.__getitem__)
    np.testing.assert_array_equal(rows_of(best[:7]), picks.indices)
    assert sorted(ranks.values()) == list(range(40))
    assert not set(ranks) & datastore.labeled
    assert (summary["labeled"], summary["ranked"]) == (20, 40)


def test_ranks_are_served_one_image_a_call(data: Any) -> None:
    X, y = data
    datastore = Datastore(np.arange(0, N, 3))
    given = functions(X, y)
    del given["data"]
    FisherSelectScoring("bait", 5, given)({}, datastore)
    server = Server(datastore)
    served = [server.next() for _ in range(5)]
    P = given["probabilities"](datastore, list(datastore.info))
    picks = fs.bait(X, P, labeled=np.arange(0, N, 3), batch_size=5)
    np.testing.assert_array_equal(rows_of(served), picks.indices)
    datastore.labeled |= {served[0], served[2]}
    rest = [server.next() for _ in range(40 - 5)]
    assert not set(rest) & set(served)
    assert server.next() == served[1]  # was served first of those still without a label
    datastore.labeled = set(datastore.info)
    assert server.next() is None
    assert FisherSelectScoring("bait", 5, given)({}, datastore)["ranked"] == 0


def test_images_without_a_rank_come_last_by_name(data: Any) -> None:
    X, y = data
    datastore = Datastore(range(0))
    given = functions(X, y)["features"]
    FisherSelectScoring("k_center", 4, {"features": given})({}, datastore)
    datastore.info |= {"new_b": {}, "new_a": {}}
    server = Server(datastore)
    served = [server.next() for _ in range(N + 2)]
    first = fs.k_center(X, batch_size=4).indices
    np.testing.assert_array_equal(rows_of(served[:4]), first)
    assert served[-2:] == ["new_a", "new_b"]


def test_a_loop_of_ten_rounds_labels_what_bait_asks_for(data: Any) -> None:
    X, y = data
    given = functions(X, y)
    del given["data"]
    datastore = Datastore(range(0))
    server, score = Server(datastore), FisherSelectScoring("bait", 4, given)
    for _ in range(10):
        known = np.sort(rows_of(datastore.get_labeled_images()))
        P = given["probabilities"](datastore, sorted(datastore.info))
        wanted = fs.bait(X, P, labeled=known.astype(np.int64), batch_size=4).indices
        score({}, datastore)
        served = [server.next() for _ in range(4)]
        np.testing.assert_array_equal(rows_of(served), wanted)
        datastore.labeled |= set(served)
    assert len(datastore.labeled) == 40


def test_the_batch_is_clipped_with_a_warning(data: Any) -> None:
    X, y = data
    datastore = Datastore(np.arange(N - 3))
    score = FisherSelectScoring("k_center", 9, {"features": functions(X, y)["features"]})
    with pytest.warns(UserWarning, match="only 3 unlabelled rows are left of the 9 asked for"):
        assert score({}, datastore)["ranked"] == 3


def test_refused_when_made() -> None:
    features = {"features": np.asarray}
    with pytest.raises(ValueError, match="needs probabilities, which MONAI Label does not"):
        FisherSelectScoring("bait", 5, features)
    made = FisherSelectScoring("k_center", 5, features)
    assert made.info() == {"description": "Rank images by k_center of fisher_select"}
