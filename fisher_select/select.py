# SPDX-License-Identifier: Apache-2.0
"""Selection by function: arrays in, rows to label out.

Each function checks its arguments before any work and never returns fewer rows than asked.
`fisher_select.select` (strategies/) calls the same by name.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fisher_select.arrays import Array, as_labeled
from fisher_select.conversion import row_count
from fisher_select.factors import trace_problem
from fisher_select.options import as_count, as_seed, check_batch
from fisher_select.placement import place
from fisher_select.plan import check_memory, plan_of
from fisher_select.progress import ProgressCallback
from fisher_select.quantities import as_bytes
from fisher_select.selection import Selection


def bait(
    X: Array | None = None,
    P: Array | None = None,
    *,
    labeled: Array | None = None,
    batch_size: int,
    lam: float = 1.0,
    oversample: float = 2.0,
    normalization: str = "reference",
    likelihood: str = "softmax",
    factors: Array | None = None,
    fisher: str = "full",
    rank: int | None = None,
    top_classes: int | None = None,
    prefilter: int | None = None,
    search: str = "full",
    epsilon: float = 0.1,
    use_pool_fisher: bool = True,
    backend: str = "auto",
    threads: int | None = None,
    chunk_rows: int | None = None,
    memory_limit: int | str | None = None,
    progress: bool | ProgressCallback = False,
    seed: int | None = None,
) -> Selection:
    """Batch active learning by Fisher information (BAIT): exact greedy on tr(M^-1 F).

    Picks ceil(oversample * batch_size) rows one by one, each the one that lowers tr(M^-1 F)
    most, then drops the least useful ones until batch_size are left. Ties go to the lowest
    index, and the picks do not depend on backend, threads or chunk_rows.

    Parameters
    ----------
    X : array [n, d]
        Features: the penultimate layer's outputs for the whole data set, labelled rows
        included. Append a column of ones to stand for the bias. NumPy, memory-mapped, torch,
        or on a CUDA device (torch, CuPy, any that has `__cuda_array_interface__` or DLPack),
        any strides; float32 and float64 are not copied. X, P and factors lie in one place.
        Tables of pandas, polars and pyarrow too: numeric columns without nulls.
        The "cpu" engine streams a C-ordered file mapped read-only, ``np.load(path,
        mmap_mode="r")``: it reads ahead, once a pick, and holds some megabytes of it.
    P : array [n, C] or None
        The model's outputs as probabilities; None for likelihood="gaussian".
    labeled : int array [m], bool array [n] or None
        Rows labelled already, never picked.
    batch_size : int
        Rows to label now.
    lam : float, default 1.0
        Regularisation, above 0; the authors use 1e-2 for CIFAR.
    oversample : float, default 2.0
        Forward picks for each row kept, at least 1; 1 is forward only. No more than all free
        rows are picked.
    normalization : {"reference", "paper"}
        How labelled rows and picks are weighted: as in the authors' code, or as in
        Algorithm 1 of the paper, without factors.
    likelihood : {"softmax", "sigmoid", "gaussian"}
        Classes that exclude each other, independent labels, or regression. Not used with
        `factors`.
    factors : array [n, D, r] or None
        Dense factors V_i of the pointwise Fisher information V_i V_i^T, instead of X and P.
    fisher : {"full", "block_diagonal", "binary"}
        Full information of the last layer; one d x d block a class, for many classes; or one
        block for the most likely class against the rest.
    rank : int or None
        Keep the `rank` leading columns of each candidate's L_i (softmax, fisher="full"), at
        least 1 and at most C; see Notes. None, C and C - 1 are exact.
    top_classes : int or None
        Keep so many classes apart, those that carry most of the pool's information, and take
        all others as one (softmax, fisher="full") or leave them out (fisher="block_diagonal",
        sigmoid); at least 1 and at most C, not with `rank`. See Notes. None and C are exact,
        and C - 1 is where the others are one.
    prefilter : int or None
        Pick from the `prefilter` unlabelled rows alone that have the largest gains before any
        pick, ties to the lowest index; at least all forward picks. F is the whole pool's
        still. None, and at least as many as there are unlabelled rows, are exact. See Notes.
    search : {"full", "lazy", "stochastic"}
        What the forward stage looks at: all candidates at every pick; those that may win, by
        what earlier picks saw of them, nearly always with the same picks; or a random part of
        them. All but "full" need the cpu backend. See Notes.
    epsilon : float, default 0.1
        Between 0 and 1: how little of the objective a stochastic search may lose.
    use_pool_fisher : bool, default True
        False puts F = I (the ablation without the pool's information).
    backend : {"auto", "cpu", "reference", "cuda"}
        "auto" is the compiled "cpu", and "cuda" for arrays on a CUDA device. See
        `fisher_select.backends.explain`.
    threads : int or None
        None: OMP_NUM_THREADS where set, else the usable cores.
    chunk_rows : int or None
        Rows a thread works on at a time; smaller needs less memory.
    memory_limit : int, str or None
        Bytes that the selection may hold beyond its inputs, or a text such as "8GB"; for the
        cpu backend. None: what the machine has free. `fisher_select.plan` tells the need in
        advance.
    progress : bool or callable
        True counts on stderr when that is a terminal, after a line with the plan: bytes,
        operations, expected seconds. A callable gets (stage, done, total), and that line where
        it has a method announce(text).
    seed : int or None
        Of search="stochastic" and of the sample of "lazy"; None is 0. Else without effect.

    Returns
    -------
    Selection
        `indices` in forward order with their forward gains as `scores`, `forward_indices`,
        and `objective` after each step of both stages.

    Raises
    ------
    TypeError, ValueError
        Bad input, before any work; the message names the argument.
    NumericalError
        M is not positive definite in floating point; names the step.
    ImportError
        The compiled backend is missing.
    MemoryError
        Says what was needed and which option lowers it; on the cpu backend before any work.

    Notes
    -----
    What each mode takes beyond the inputs (M, F, Q = M^-1, P = Q F Q in float64; the state of
    each row, two r x r matrices and their links, in float32), and where it is exact:

    | mode                         | memory                                      | exact for  |
    |------------------------------|---------------------------------------------|------------|
    | fisher="full"                | 4 (C - 1)^2 d^2 doubles, n (C^2 + C) floats | any C      |
    | rank=r                       | 4 C^2 d^2 doubles, n (r^2 + 3 r + C) floats | r >= C - 1 |
    | top_classes=c                | 4 c^2 d^2 doubles, n (c^2 + 4 c + 2) floats | c >= C - 1 |
    | fisher="block_diagonal"      | 4 C d^2 doubles, 3 n C floats               | sigmoid    |
    | the same, with top_classes=c | 4 c d^2 doubles, 4 n c floats               | c = C      |
    | fisher="binary"              | 4 d^2 doubles, 3 n floats                   | C = 2      |

    A pick costs one GEMM X [n, d] x [d, k], with k = 2 (C - 1)^2, 2 C r, 2 c^2, 2 C, 2 c and 2
    columns.

    rank: L_i, whose product is diag(p) - p p^T, has a null column sqrt(p). Reflected onto the
    most likely class k, it leaves the columns sqrt(p_c) (e_c - mu), c != k, with mu_c =
    p_c / (1 + sqrt(p_k)) and mu_k = sqrt(p_k), whose norms fall with p_c. Kept are those of the
    `rank` most likely classes after k, ties to the lowest: what is left out is positive
    semidefinite, and no other columns leave less of the trace. F and the labelled rows keep
    all columns.

    top_classes: kept are the classes with the largest tr F_cc = mean_i p_ic (1 - p_ic) |x_i|^2,
    the traces of F's diagonal blocks over the whole pool; ties to the lowest. For a softmax the
    other m = C - c classes move as one: only one vector of weights is asked for them, along
    u = (0, ..., 0, 1, ..., 1) / sqrt(m). With E = [e_1, ..., e_c, u] the factor of a sample is
    E^T L_i, one of a softmax over c + 1 classes, p_rest the sum of the others' probabilities,
    whose last row is divided by sqrt(m). F and M are those of all classes, compressed to that
    subspace of the parameters; as E is orthonormal, lam I stays lam I. What is lost is what
    tells the merged classes from one another, nothing where m = 1. It takes one more reading
    of X and P, and a copy of P's c columns (and p_rest). With one block a class the other
    blocks are left out of tr(M^-1 F).

    block_diagonal: block c has the weights p_c (1 - p_c); labels that are independent have no
    other blocks. binary: one block with q (1 - q), q = max_c p_c; for C = 2 the picks are those
    of the full information with twice the `lam`, as are those of two blocks.

    prefilter=k: in the table k takes the place of n, and the rows kept are copied,
    k (d + 2 C) floats. The pool is read twice, for F and for the first gains (in float64, by
    slices of some 64 MB), then a pick reads the k rows: a file is not read again. Rows of large
    first gain resemble one another, so keep a good share of a small pool: a k of few times the
    picks can do worse than rows at random.

    search="lazy": a candidate waits while what was seen of it last, times the least decay since
    then in a random sample that is kept up to date (1,024 candidates, a slack of 5 to 80 %),
    is below the best. One that may win is first screened: its gain is computed anew from its
    coordinates along the leading directions of the features (8 to 56 of them), with the error
    seen in the sample as a margin. Only one that passes gets the state G, H of a full search,
    from M^-1 as it is then, and takes up the updates it owes later on. Where the features have
    no leading directions, and in small pools, that saves nothing, and the search becomes a full
    one when it has cost as much. "stochastic": each pick is the best, by a lazy search, of
    ln(1 / epsilon) / k of the candidates, k the forward picks, drawn anew. For a monotone
    submodular objective the expected value were at least 1 - 1 / e - epsilon of the best;
    tr(M^-1 F) is not submodular. Beyond the full search's memory both keep k panels of d
    columns of the GEMM's width, 240 bytes a row, and a quarter of M^-1 and M^-1 F M^-1, in
    float32. `diagnostics["search_share"]` is the share of a full search's multiplications over
    the candidates, its set-up included, that were made.

    References
    ----------
    Ash, Goel, Krishnamurthy, Kakade: Gone Fishing: Neural Active Learning with Fisher
    Embeddings, NeurIPS 2021.

    Mirzasoleiman, Badanidiyuru, Karbasi, Vondrak, Krause: Lazier Than Lazy Greedy, AAAI 2015.
    """
    limit = as_bytes("memory_limit", memory_limit)
    engine, (X, P, factors) = place(backend, features=X, probabilities=P, factors=factors)
    if limit is not None and engine.name != "cpu":
        raise ValueError(f"memory_limit is for the cpu backend, got backend {engine.name!r}")
    if search != "full" and engine.name != "cpu":
        raise ValueError(f"search={search!r} is for the cpu backend, got {engine.name!r}")
    problem = trace_problem(
        X,
        P,
        factors=factors,
        labeled=labeled,
        batch_size=batch_size,
        lam=lam,
        oversample=oversample,
        normalization=normalization,
        likelihood=likelihood,
        fisher=fisher,
        rank=rank,
        top_classes=top_classes,
        prefilter=prefilter,
        search=search,
        epsilon=epsilon,
        seed=seed,
        use_pool_fisher=use_pool_fisher,
        threads=threads,
        chunk_rows=chunk_rows,
        progress=progress,
    )
    if engine.name == "cpu":
        check_memory(problem, limit)
    announce = getattr(problem.progress, "announce", None)
    if announce is not None and engine.name == "cpu":
        announce(f"bait: {plan_of(problem)}")
    return engine.trace_select(problem)


def random(
    pool: Array | int,
    *,
    labeled: Array | None = None,
    batch_size: int,
    seed: int | None = 0,
) -> Selection:
    """Pick unlabelled rows uniformly at random, without replacement: the baseline.

    Each row's draw depends on `seed` and its position alone, and the largest draws win. So the
    picks are the same on every platform and NumPy version, a larger batch extends a smaller
    one, and labelling some rows leaves the order of the others as it was.

    Parameters
    ----------
    pool : array [n, ...] or int
        The pool, or its number of rows; only its length is read.
    labeled : int array [m], bool array [n] or None
        Rows labelled already, never picked.
    batch_size : int
        Rows to label now.
    seed : int or None, default 0
        None draws a fresh one from the operating system.

    Returns
    -------
    Selection
        `scores` are the draws, uniform in [0, 1) and falling.

    Raises
    ------
    TypeError, ValueError
        Bad input; the message names the argument.
    """
    as_seed(seed)
    n = as_count("pool", pool) if isinstance(pool, int) else row_count("pool", pool)
    rows = as_labeled(labeled, n)
    batch = check_batch(batch_size, n, len(rows))
    # Raw Philox words, not Generator methods: only the former's stream is promised to stay.
    words = np.random.Philox(seed).random_raw(n)
    # 53 bits: exact in float64.
    draws: npt.NDArray[np.float64] = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    keys = draws.copy()
    keys[rows] = -1.0
    picks = np.argsort(-keys, kind="stable")[:batch]  # stable: ties to the lowest index
    return Selection(indices=picks, scores=draws[picks], backend="numpy")
