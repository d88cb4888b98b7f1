# SPDX-License-Identifier: Apache-2.0
"""The diagonal Fisher information of a model out of streamed gradients, for `top_k_mask`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fisher_select import backends
from fisher_select.arrays import Array, FloatArray, as_vector
from fisher_select.device_arrays import DeviceArray, to_device, to_host
from fisher_select.options import as_count, one_of, resolve_threads
from fisher_select.placement import place
from fisher_select.pool_arrays import PoolArray, as_pool_matrix


class DiagonalFisher:
    """The diagonal Fisher information of a model, summed over samples as they come.

    The information of parameter j is the mean over samples x of E_y (d log p_y / d theta_j)^2.
    Feed one row a sample and class, weighted by the model's probability of the class (the exact
    expectation), or one row a sample with a class drawn from the model, weight 1.

    Parameters
    ----------
    num_parameters : int
    dtype : {"float64", "float32"}
        Of the sums. Each call of `add` sums in float64 and rounds once, so float32, half the
        memory, loses little over some thousand calls.
    backend, threads
        As in `fisher_select.top_k_mask`.

    Examples
    --------
    >>> import fisher_select as fs
    >>> fisher = fs.DiagonalFisher(3)
    >>> fisher.add([[1.0, 0.0, 2.0], [3.0, 0.0, 0.0]], weights=[0.5, 0.5]).mean()
    array([5., 0., 2.])
    """

    def __init__(
        self,
        num_parameters: int,
        *,
        dtype: str = "float64",
        backend: str = "auto",
        threads: int | None = None,
    ) -> None:
        backends.get(backend)
        self._backend = backend
        self._threads = resolve_threads(threads)
        one_of("dtype", dtype, ("float64", "float32"))
        self._total: PoolArray = np.zeros(as_count("num_parameters", num_parameters), dtype)
        self._weight = 0.0

    @property
    def weight(self) -> float:
        """Sum of all weights so far: the number of samples, where each sample's add up to 1."""
        return self._weight

    def add(self, gradients: Array, weights: Array | None = None) -> DiagonalFisher:
        """Add rows of gradients; the result does not depend on the number of threads.

        Parameters
        ----------
        gradients : array [rows, num_parameters]
            On the host or a CUDA device, any strides; float32 and float64 are not copied. The
            sums lie where the last gradients did.
        weights : array [rows] or None
            At least 0; None is 1 for each.

        Returns
        -------
        DiagonalFisher
            Itself.

        Raises
        ------
        TypeError, ValueError
            Bad input, naming the argument; nothing is added then.
        """
        engine, (gradients,) = place(self._backend, gradients=gradients)
        rows = as_pool_matrix("gradients", gradients)
        if rows.shape[1] != len(self._total):
            raise ValueError(
                f"gradients must have a column for each of {len(self._total)} parameters, "
                f"got {rows.shape[1]}"
            )
        scale = _as_weights(weights, len(rows))
        self._total = _beside(self._total, rows)
        engine.call(
            "accumulate_squares",
            total=self._total,
            gradients=rows,
            weights=scale,
            threads=self._threads,
        )
        self._weight += float(scale.sum())
        return self

    def mean(self) -> FloatArray:
        """The information of each parameter [num_parameters]: the weighted mean of all rows.

        Raises
        ------
        ValueError
            Nothing with a weight above 0 was added yet.
        """
        if self._weight == 0.0:
            raise ValueError("add gradients with a weight above 0 before taking their mean")
        total = _on_host(self._total)
        mean: FloatArray = total / total.dtype.type(self._weight)
        return mean


def _on_host(array: PoolArray) -> FloatArray:
    return array.copy() if isinstance(array, DeviceArray) else array


def _beside(total: PoolArray, rows: PoolArray) -> PoolArray:
    """The sums where the rows lie."""
    if not isinstance(rows, DeviceArray):
        return _on_host(total)
    if isinstance(total, DeviceArray) and total.device == rows.device:
        return total
    return to_device(_on_host(total), rows.device)


def _as_weights(weights: Array | None, rows: int) -> npt.NDArray[np.float64]:
    if weights is None:
        return np.ones(rows)
    scale = as_vector("weights", to_host("weights", weights)).astype(np.float64)
    if len(scale) != rows:
        raise ValueError(
            f"weights must have one entry for each of {rows} gradients, got {len(scale)}"
        )
    bad = np.flatnonzero(~(np.isfinite(scale) & (scale >= 0.0)))
    if bad.size:
        raise ValueError(
            f"weights must be finite and at least 0: entry {bad[0]} is {scale[bad[0]]:g}"
        )
    return scale
