# SPDX-License-Identifier: Apache-2.0
"""Files: every kind reads back, bad ones say what is wrong, and none is left half-written."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from fisher_select import Selection, files
from fisher_select.extras import MissingExtraError

ARRAY = np.arange(12, dtype=np.float32).reshape(4, 3)


# ------------------------------------------------------------------------------- reading
def test_npy_is_mapped_not_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", ARRAY)
    read = files.read_array(tmp_path / "x.npy", ("features",))
    assert isinstance(read, np.memmap)
    assert not read.flags.writeable
    np.testing.assert_array_equal(read, ARRAY)


def test_npz_takes_the_first_name_it_has(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", P=ARRAY + 1, X=ARRAY, labeled=[3, 1])
    path = tmp_path / "x.npz"
    np.testing.assert_array_equal(files.read_array(path, ("features", "X")), ARRAY)
    np.testing.assert_array_equal(files.read_array(path, ("probabilities", "P")), ARRAY + 1)
    np.testing.assert_array_equal(files.read_indices(path), [3, 1])


def test_npz_with_one_array_needs_no_name(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", anything=ARRAY)
    np.testing.assert_array_equal(files.read_array(tmp_path / "x.npz", ("features",)), ARRAY)


def test_npz_without_the_name_lists_what_it_holds(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=ARRAY, b=ARRAY)
    with pytest.raises(ValueError, match=r"array named features or X, .* it holds a, b"):
        files.read_array(tmp_path / "x.npz", ("features", "X"))


def test_picks_csv_is_read_as_labelled_rows(tmp_path: Path) -> None:
    selection = Selection(np.array([7, 2]), np.array([0.1, 1 / 3]), "reference")
    text = files.format_csv(files.PICK_COLUMNS, files.pick_rows(selection))
    assert text == "rank,index,score\n1,7,0.1\n2,2,0.3333333333333333\n"
    files.write_text(tmp_path / "picks.csv", text)
    np.testing.assert_array_equal(files.read_indices(tmp_path / "picks.csv"), [7, 2])


@pytest.mark.parametrize("text", ["", "rank,score\n1,2\n", "index\none\n", "rank,index\n1\n"])
def test_a_csv_without_indices_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "picks.csv").write_text(text)
    with pytest.raises(ValueError, match="expected a CSV with a column 'index' of integers"):
        files.read_indices(tmp_path / "picks.csv")


def test_a_column_of_indices_is_flattened(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", [[4], [2]])
    assert files.read_indices(tmp_path / "rows.npy").shape == (2,)


def npy(array: object) -> bytes:
    """The bytes of an .npy file."""
    stream = io.BytesIO()
    np.save(stream, np.asarray(array))
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"no array", npy(ARRAY)[:-1], npy(ARRAY)[:20], b"PK\x03\x04", npy([{}])],
    ids=["empty", "text", "truncated", "cut header", "zip", "objects"],
)
@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_corrupt_files_are_a_value_error(tmp_path: Path, content: bytes, ending: str) -> None:
    path = tmp_path / f"x{ending}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"x\{ending}: not a complete \{ending} file \("):
        files.read_array(path, ("features",))


def test_a_damaged_npz_member_is_a_value_error(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, X=np.zeros((50, 50)))
    damaged = bytearray(path.read_bytes())
    damaged[60:70] = b"\xff" * 10
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"not a complete \.npz file"):
        files.read_array(path, ("X",))


def test_other_endings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.txt").touch()
    with pytest.raises(
        ValueError, match=r"expected a \.npy, \.npz or \.parquet file, got '.txt'"
    ):
        files.read_array(tmp_path / "x.txt", ("features",))


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.parquet", "x.csv"])
def test_a_missing_file_is_an_os_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match=rf"cannot read .*{name}: no such file"):
        files.read_indices(tmp_path / name)


# ------------------------------------------------------------------------------- parquet
def write_parquet(path: Path, columns: dict[str, object]) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table(columns), path, row_group_size=2)


def test_parquet_columns_become_a_matrix(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_parquet(path, {"a": [1.0, 2.0, 3.0], "b": [4, 5, 6]})
    np.testing.assert_array_equal(files.read_array(path, ()), [[1, 4], [2, 5], [3, 6]])


def test_parquet_lists_become_a_matrix(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_parquet(path, {"embedding": ARRAY.tolist()})
    np.testing.assert_array_equal(files.read_array(path, ()), ARRAY)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1.0, None], "column 'c' has 1 missing values"),
        (["a", "b"], "column 'c' holds string, expected numbers"),
        ([[1.0], [2.0, 3.0]], "column 'c' holds lists of different lengths"),
        ([[1.0], None], "column 'c' has 1 missing values"),
        ([[1.0], [None]], "column 'c' has 1 missing values"),
    ],
)
def test_parquet_columns_must_be_full_of_numbers(
    tmp_path: Path, column: list[object], message: str
) -> None:
    write_parquet(tmp_path / "x.parquet", {"c": column})
    with pytest.raises(ValueError, match=message):
        files.read_array(tmp_path / "x.parquet", ())


def test_corrupt_parquet_is_a_value_error(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match=r"not a complete \.parquet file"):
        files.read_array(tmp_path / "x.parquet", ())


def test_parquet_without_pyarrow_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "x.parquet").touch()
    with pytest.raises(MissingExtraError, match=r"pip install 'fisher-select\[parquet\]'"):
        files.read_array(tmp_path / "x.parquet", ())


# ------------------------------------------------------------------------------- writing
def test_replacing_commits_only_on_success(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("before")

    def interrupted() -> None:
        with files.replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "before"
    files.write_text(path, "after")
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_json_has_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        files.write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())


def test_check_writable_leaves_nothing_behind(tmp_path: Path) -> None:
    files.check_writable(tmp_path / "new.csv")
    assert not list(tmp_path.iterdir())


def test_check_writable_tells_why_not(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot write .*new\.csv: no such file or directory"):
        files.check_writable(tmp_path / "nowhere" / "new.csv")
    with pytest.raises(OSError, match=r"cannot write .*new\.csv: not a directory"):
        files.check_writable(tmp_path / "file" / "new.csv")
    with pytest.raises(OSError, match="exists and is not a regular file"):
        files.check_writable(tmp_path)
    with pytest.raises(OSError, match=r"cannot make folder .*file: file exists"):
        files.make_folder(tmp_path / "file")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_check_writable_asks_for_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="permission denied"):
        files.check_writable(tmp_path / "new.csv")
