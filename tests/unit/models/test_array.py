"""Array against numpy: the same expression on both gives the same."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from edgelift.worker.models.array import Array, argmax

LINE = [0.5, -1.25, 3.0, 2.5, 0.5]
TABLE = [[1.0, 2.0, 3.0], [4.0, -5.0, 6.5]]


def both(values):
    return Array.from_nested(values), np.array(values)


def plain(value):
    return value.tolist() if hasattr(value, "tolist") else value


@pytest.mark.parametrize(
    "expression",
    [
        "a[0]", "a[-1]", "a[1:3]", "a[::-1]", "a[[0, 2]]", "a[a > 0.5]", "len(a)", "a.tolist()",
        "a.shape", "a.ndim", "a.size", "list(a)", "a + 1", "1 - a", "a * 2.5", "a / 4", "2 / a",
        "a / 0", "-a", "abs(a)", "a ** 2", "2 ** a", "a + a", "a - a * a", "a < 1", "a >= 0.5",
        "a == 0.5", "a != 0.5", "(a > 0) & (a < 3)", "(a > 0) | (a < -1)", "~(a > 0)",
        "a.sum()", "a.mean()", "a.min()", "a.max()", "a.argmax()", "a.argmin()", "a.std()",
        "a.round(1)", "round(a[3])", "(a * 1.005).round(2)", "(a * 111).round(-1)", "a.any()",
        "(a > -9).all()", "a.reshape(-1, 1)", "a.reshape(1, -1)", "a.reshape((5, 1))[2, 0]",
        "a.ravel()", "a.flatten()", "a.copy()", "a.astype(int)", "a.astype(str)", "a[2:3].item()",
        "a.item(2)", "bool(a[0:1])", "3.0 in a", "9.0 in a", "sorted(a)",
        "max(a)", "sum(a)", "a[1:1]", "a[(1,)]", "a.T", "[float(v) for v in a]",
        "dict(zip('abc', a))", "a[np.argmax(list(a))]",
    ],
)  # fmt: skip
def test_line(expression):
    ours, theirs = both(LINE)
    with np.errstate(all="ignore"):
        want = eval(expression, {"a": theirs, "np": np})
        got = eval(expression, {"a": ours, "np": np})
    np.testing.assert_equal(plain(got), plain(want))


@pytest.mark.parametrize(
    "expression",
    [
        "a[0]", "a[-1]", "a[:, 1]", "a[:, -1]", "a[0, 2]", "a[-1, -1]", "a[1:, :2]", "a[[1, 0]]",
        "a[:, [2, 0]]", "a[[0, 1], [1, 2]]", "a[a[:, 0] > 2]", "a[a > 2]", "a[0][1]", "a.T",
        "a.T.shape", "a.shape", "a.ndim", "a.size", "len(a)", "a.tolist()", "[r.tolist() for r in a]",
        "[list(r) for r in a]", "a + 1", "a * a", "a - a[0]", "a / a[:, :1]", "a.sum()", "a.sum(axis=0)",
        "a.sum(axis=1)", "a.mean(axis=0)", "a.max(axis=1)", "a.argmax(axis=1)", "a.argmax()",
        "a.argmin(axis=0)", "a.std(axis=1)", "a.min()", "a.ravel()", "a.flatten()[4]",
        "a.reshape(3, 2)", "a.reshape(-1)", "a.round(0)", "a.item(1, 2)", "a.item(4)", "a[0] > 1.5",
        "a.astype(int)", "a[0, 0:2]", "a[1, [0, 2]]", "a.copy()[1]",
    ],
)  # fmt: skip
def test_table(expression):
    ours, theirs = both(TABLE)
    np.testing.assert_equal(
        plain(eval(expression, {"a": ours})), plain(eval(expression, {"a": theirs}))
    )


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("a[5]", IndexError), ("a[-6]", IndexError), ("a[0, 0]", IndexError),
        ("a['x']", IndexError), ("a[1.0]", IndexError), ("a[[True]]", IndexError),
        ("bool(a)", ValueError), ("a.item()", ValueError), ("a + a[:2]", ValueError),
        ("a.reshape(2, 3)", ValueError), ("a.sum(axis=1)", ValueError), ("hash(a)", TypeError),
        ("a[0:0].max()", ValueError), ("a[0:0].argmax()", ValueError), ("a.median()", AttributeError),
    ],
)  # fmt: skip
def test_same_errors(expression, error):
    ours, theirs = both(LINE)
    with pytest.raises(error):
        eval(expression, {"a": theirs})
    with pytest.raises(error):
        eval(expression, {"a": ours})


@pytest.mark.parametrize(
    "statement",
    ["a[0] = 9.0", "a[1:3] = 0.0", "a[a < 0] = 7.0", "a[:2] = [8.0, 9.0]", "a[[0, 4]] = 1.5"],
)
def test_assignment(statement):
    ours, theirs = both(LINE)
    exec(statement, {"a": ours})
    exec(statement, {"a": theirs})
    assert ours.tolist() == theirs.tolist()


def test_assignment_into_a_table_and_of_a_wrong_size():
    ours, theirs = both(TABLE)
    for array in (ours, theirs):
        array[0, 1] = 9.0
        array[1] = [7.0, 8.0, 9.0]
        with pytest.raises(ValueError):
            array[0] = [1.0, 2.0]
    assert ours.tolist() == theirs.tolist()


def test_slices_are_copies():
    ours, _ = both(LINE)
    part = ours[:2]
    part[0] = 99.0
    assert ours[0] == 0.5


def test_nan_and_infinity():
    ours, theirs = both([1.0, math.nan, math.inf])
    for name in ("sum", "min", "max", "argmax", "mean"):
        np.testing.assert_equal(getattr(ours, name)(), plain(getattr(theirs, name)()))
    with np.errstate(all="ignore"):
        np.testing.assert_equal((ours / 0).tolist(), (theirs / 0).tolist())
        np.testing.assert_equal((ours - ours).tolist(), (theirs - theirs).tolist())
    np.testing.assert_equal(ours.round(2).tolist(), theirs.round(2).tolist())
    assert (Array([10.0]) ** 400).tolist() == [math.inf]


def test_cells_are_plain_python():
    assert type(Array([1.0])[0]) is float
    assert [type(v) for v in Array([1, 2])] == [int, int]
    assert type((Array([1.0]) > 0)[0]) is bool
    assert Array(["a", "b"]).tolist() == ["a", "b"]
    assert (Array(["a", "b"]) == "a").tolist() == [True, False]
    assert repr(Array([1.5])) == "array([1.5])"


def test_pickle():
    for values in (LINE, TABLE):
        ours, _ = both(values)
        again = pickle.loads(pickle.dumps(ours))
        assert (again.tolist(), again.shape) == (ours.tolist(), ours.shape)


def test_argmax_takes_the_first_of_equals():
    assert argmax([1.0, 3.0, 3.0]) == 1
    assert argmax([1.0, math.nan, 3.0]) == 1


def test_from_rows_without_rows():
    empty = Array.from_rows([], 3)
    assert (empty.shape, empty.tolist()) == ((0, 3), [])


def test_one_cell_is_a_number():
    one = Array([2.5])
    assert (float(one), int(one), bool(one), round(one)[0]) == (2.5, 2, True, 2.0)
    assert float(Array([2.5], (1, 1))) == 2.5
    with pytest.raises(ValueError, match="size 1"):
        float(Array([1.0, 2.0]))
