"""Which arguments travel apart, and what is left of a call without them."""

import pickle

import numpy as np
import pytest
import scipy.sparse

from skhpo.execution._parcels import LARGE, Packer, n_bytes, run_packed, unpack_result


def gather(*args, **kwargs):
    return args, kwargs


def unpack(payload, large):
    return unpack_result(run_packed(payload, large, {"backend": "sequential"}, pickle.dumps))


def test_sizes():
    X = scipy.sparse.csr_array(np.eye(300))
    assert n_bytes(np.zeros((10, 10))) == 800
    assert n_bytes(X) == 300 * 8 + X.indices.nbytes + X.indptr.nbytes
    assert n_bytes(["x" * 1000] * 500) == pytest.approx(500 * (1049 + 8), rel=0.01)
    assert n_bytes([]) < 100
    assert n_bytes(object()) == n_bytes("x" * LARGE) == n_bytes({"a": np.zeros(LARGE)}) == 0


def test_sizes_of_frames():
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    columns = {"a": np.zeros(5000), "b": np.zeros(5000)}
    assert n_bytes(pandas.DataFrame(columns)) == pytest.approx(80_000, rel=0.01)
    assert n_bytes(pandas.Series(columns["a"])) == pytest.approx(40_000, rel=0.01)
    assert n_bytes(polars.DataFrame(columns)) == 80_000


def test_large_arguments_are_left_out_wherever_they_stand():
    X, weight, small = np.zeros(LARGE), np.ones(LARGE), np.arange(5)
    packer = Packer(pickle.Pickler)
    payload, large = packer.pack(
        (gather, (X, small), {"again": {"deep": {"er": X}}, "fit_params": {"sample_weight": weight}})
    )
    assert [id(value) for value in large] == [id(X), id(weight)]
    assert len(payload) < 10_000
    args, kwargs = unpack(payload, large)
    np.testing.assert_array_equal(args[0], X)
    np.testing.assert_array_equal(args[1], small)
    np.testing.assert_array_equal(kwargs["again"]["deep"]["er"], X)
    np.testing.assert_array_equal(kwargs["fit_params"]["sample_weight"], weight)


def test_an_argument_keeps_its_identity_while_the_packer_lives():
    packer = Packer(pickle.Pickler)
    seen = {id(packer.pack((gather, (np.full(LARGE, i),), {}))[1][0]) for i in range(5)}
    assert len(seen) == 5
