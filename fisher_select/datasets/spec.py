# SPDX-License-Identifier: Apache-2.0
"""Data sets out of configuration files: a name, or a table of a reader and its options.

The readers' signatures are the schema; a complaint about a key comes before any reading.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from fisher_select.datasets.bundled import breast_cancer, diabetes, digits
from fisher_select.datasets.cifar import cifar
from fisher_select.datasets.dataset import Dataset
from fisher_select.datasets.degradation import degraded
from fisher_select.datasets.derive import (
    flattened,
    pool_part,
    standardized,
    subset,
    unit_pixels,
    with_counts,
)
from fisher_select.datasets.idx import idx
from fisher_select.datasets.image_folder import image_folder
from fisher_select.datasets.medmnist import medmnist
from fisher_select.datasets.noise import noisy
from fisher_select.datasets.numpy_files import npy, npz
from fisher_select.datasets.packed_jpeg import packed_jpeg
from fisher_select.datasets.projection import projected
from fisher_select.datasets.table import table
from fisher_select.datasets.time_series import time_series
from fisher_select.options import as_count, as_seed, one_of

__all__ = ["DatasetSpec", "load", "names", "readers"]

_BUNDLED: dict[str, Callable[[], Dataset]] = {
    "breast_cancer": breast_cancer,
    "diabetes": diabetes,
    "digits": digits,
}
_READERS: dict[str, Callable[..., Dataset]] = {
    "cifar": cifar,
    "idx": idx,
    "image_folder": image_folder,
    "medmnist": medmnist,
    "npy": npy,
    "npz": npz,
    "packed_jpeg": packed_jpeg,
    "table": table,
    "time_series": time_series,
}
_SCALES: dict[str, Callable[[Dataset], Dataset]] = {
    "standard": standardized,
    "unit": unit_pixels,
}


def names() -> tuple[str, ...]:
    """Names of the bundled data sets, which need no file."""
    return tuple(sorted(_BUNDLED))


def readers() -> tuple[str, ...]:
    """Names of all readers, the bundled data sets among them."""
    return tuple(sorted(_BUNDLED | _READERS))


@dataclass(frozen=True)
class DatasetSpec:
    """Table ``[dataset]``: a reader, its options, and what to make of what it reads.

    Such as the imbalanced pool of the FisherMask paper, for a model of vectors:

        [dataset]
        reader = "idx"
        path = "data/fashion_mnist"
        classes = [0, 1, 2, 3]
        counts = [250, 5000, 250, 250]
        scale = "unit"
        flatten = true

    Attributes
    ----------
    reader : str
        One of `readers`.
    options : mapping
        Keyword arguments of the reader, `seed` left out. Paths are as the working directory
        sees them.
    seed : int
        Of the hold-out split, of the draw of `counts`, of the `part`, of the `noise`, of what
        is `degraded` and of the `projection`.
    name : str or None
        Takes the place of the one the reader gives.
    licence : str or None
        Likewise.
    classes : tuple of int or str, or None
        As in `subset`; done first.
    counts : tuple of int or None
        As in `with_counts`; done second.
    part : (int, int) or None
        Which of how many disjoint parts of the pool, as in `pool_part`; done third.
    noise : float or None
        Share of the pool's images that are spoilt, as in `noisy`; done fourth.
    degraded : (blur, noise) or None
        Amounts of the regression of image quality, as in `degraded`; done fifth.
    scale : {"unit", "standard"} or None
        `unit_pixels` or `standardized`; done sixth.
    flatten : bool
        As in `flattened`; done seventh.
    projection : int or None
        Width of a random projection, as in `projected`; done last.

    Raises
    ------
    ValueError
        An unknown reader, a key it does not know, one it lacks, or a value of the wrong type.
    """

    reader: str
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    name: str | None = None
    licence: str | None = None
    classes: tuple[int | str, ...] | None = None
    counts: tuple[int, ...] | None = None
    part: tuple[int, int] | None = None
    noise: float | None = None
    degraded: tuple[float, float] | None = None
    scale: str | None = None
    flatten: bool = False
    projection: int | None = None

    def __post_init__(self) -> None:
        one_of("reader", self.reader, readers())
        as_seed(self.seed)
        if self.scale is not None:
            one_of("scale", self.scale, _SCALES)
        if self.projection is not None:
            as_count("projection", self.projection)
        known = inspect.signature(_reader(self.reader)).parameters
        for key, parameter in known.items():
            if parameter.default is parameter.empty and key not in self.options:
                raise ValueError(f"missing key {key!r}")

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> DatasetSpec:
        """Check a table of a configuration file: each key is one of ours or of the reader's."""
        if "reader" not in table:
            raise ValueError("missing key 'reader'")
        reader = one_of("reader", table["reader"], readers())
        own = get_type_hints(cls)
        del own["options"]
        theirs = get_type_hints(_reader(reader))
        theirs = {k: v for k, v in theirs.items() if k not in ("return", "seed")}
        for key, value in table.items():
            hint = own.get(key, theirs.get(key))
            if hint is None:
                known = ", ".join([*own, *theirs])
                raise ValueError(f"unknown key {key!r}; known keys: {known}")
            if not _fits(value, hint):
                raise ValueError(f"{key} must be {_described(hint)}, got {value!r}")
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in table.items()
        }
        options = {key: values.pop(key) for key in theirs if key in values}
        return cls(**values, options=options)

    def as_dict(self) -> dict[str, Any]:
        """The table again, without the keys that are None, for JSON."""
        own = {name: getattr(self, name) for name in get_type_hints(type(self))}
        own |= own.pop("options")
        return {
            key: str(value) if isinstance(value, Path) else value
            for key, value in own.items()
            if value is not None
        }

    def load(self) -> Dataset:
        """Read and derive; errors are those of the reader and of the functions named above."""
        reader = _reader(self.reader)
        seeded = "seed" in inspect.signature(reader).parameters
        data = reader(**self.options, **({"seed": self.seed} if seeded else {}))
        if self.classes is not None:
            data = subset(data, self.classes)
        if self.counts is not None:
            data = with_counts(data, self.counts, seed=self.seed)
        if self.part is not None:
            data = pool_part(data, *self.part, seed=self.seed)
        if self.noise is not None:
            data = noisy(data, self.noise, seed=self.seed)
        if self.degraded is not None:
            data = degraded(data, *self.degraded, seed=self.seed)
        if self.scale is not None:
            data = _SCALES[self.scale](data)
        if self.flatten:
            data = flattened(data)
        if self.projection is not None:
            data = projected(data, self.projection, seed=self.seed)
        return replace(data, name=self.name or data.name, licence=self.licence or data.licence)


def load(spec: str | Mapping[str, Any] | DatasetSpec) -> Dataset:
    """Read a data set.

    Parameters
    ----------
    spec
        The name of a bundled one, a `DatasetSpec`, or a table of one's keys and the reader's.

    Raises
    ------
    OSError
        A file is missing or cannot be read.
    ValueError
        An unknown name or key, or a file that is not what it should be.

    Examples
    --------
    >>> from fisher_select import datasets
    >>> data = datasets.load({"reader": "digits", "classes": [0, 1], "counts": [100, 10]})
    >>> data.pool_inputs.shape
    (110, 64)
    """
    if isinstance(spec, str):
        if spec not in _BUNDLED:
            raise ValueError(f"unknown data set {spec!r}; available: {', '.join(names())}")
        return _BUNDLED[spec]()
    return (spec if isinstance(spec, DatasetSpec) else DatasetSpec.from_table(spec)).load()


def _reader(name: str) -> Callable[..., Dataset]:
    return (_BUNDLED | _READERS)[name]


_WORDS = {str: "a string", int: "an integer", float: "a number", bool: "true or false"}


def _choices(hint: Any) -> list[Any]:
    """The types of a union that TOML can have: neither None nor Path, which is a string."""
    options = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    return [option for option in options if option not in (NoneType, Path)]


def _fits(value: object, hint: Any) -> bool:
    """Whether a value of a TOML file is of an option's type."""
    return any(_fits_one(value, choice) for choice in _choices(hint))


def _fits_one(value: object, kind: Any) -> bool:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(
            _fits(v, arguments[1]) for v in value.values()
        )
    if origin is not None:
        if not isinstance(value, list | tuple):
            return False
        fixed = origin is tuple and Ellipsis not in arguments
        if fixed and len(value) != len(arguments):
            return False
        return all(_fits(entry, arguments[0]) for entry in value)
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _described(hint: Any) -> str:
    return " or ".join(map(_described_one, _choices(hint)))


def _described_one(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is None:
        return _WORDS[kind]
    if origin is Mapping:
        return f"a table, each value {_described(arguments[1])}"
    count = f" of {len(arguments)}" if origin is tuple and Ellipsis not in arguments else ""
    return f"a list{count}, each {_described(arguments[0])}"
