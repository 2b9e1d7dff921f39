"""Laws of the three encodings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nn3d.run.encoding import decode, encode, row_shape

VALUES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=1, max_dims=4, max_side=6),
    elements=st.floats(width=32, allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, 1.0, -1.0, 0.25]),
)


@given(VALUES)
def test_uint8_keeps_nonfinite_values_where_they_are(values: np.ndarray) -> None:
    decoded = decode(encode(values, "u8"))
    odd = ~np.isfinite(values)
    np.testing.assert_array_equal(decoded[odd], values[odd])


@given(VALUES)
def test_uint8_keeps_zero_exact(values: np.ndarray) -> None:
    decoded = decode(encode(values, "u8"))
    assert (decoded[values == 0] == 0).all()


@given(VALUES)
def test_uint8_error_is_at_most_half_a_step(values: np.ndarray) -> None:
    encoded = encode(values, "u8")
    finite = np.isfinite(values)
    if encoded.scale is None:
        assert np.abs(values[finite]).max() > 2.0**126
        np.testing.assert_array_equal(decode(encoded), values)
        return
    rows = row_shape(values.shape)
    step = encoded.scale.reshape(rows + (1,) * (values.ndim - len(rows))).astype(np.float64)
    error = np.abs(decode(encoded).astype(np.float64) - np.where(finite, values, 0))
    allowed = 0.5001 * step + 1e-6 * np.abs(np.where(finite, values, 0)) + 2.0**-126
    assert (error[finite] <= np.broadcast_to(allowed, values.shape)[finite]).all()


@given(VALUES)
def test_float32_is_exact_and_float16_keeps_zeros_signs_and_what_is_finite(values: np.ndarray) -> None:
    np.testing.assert_array_equal(decode(encode(values, "f32")), values)
    half = decode(encode(values, "f16"))
    finite = np.isfinite(values)
    assert (np.isfinite(half) == finite).all()
    assert ((half == 0) == (values == 0)).all()
    assert (np.sign(half[finite]) == np.sign(values[finite])).all()
    error = np.abs(half[finite].astype(np.float64) - values[finite])
    assert (error <= np.maximum(np.abs(values[finite].astype(np.float64)) * 2.0**-11, 2.0**-24)).all()
    if finite.any():
        assert error.max() <= np.abs(values[finite].astype(np.float64)).max() * 2.0**-10


def test_one_tiny_weight_does_not_double_a_file_and_tiny_arrays_keep_their_digits() -> None:
    weights = np.array([0.5, -0.25, 1e-9, -3e-12], np.float32)
    assert encode(weights, "f16").data.dtype == np.float16
    gradients = np.array([1e-6, -2.3e-6], np.float32)
    np.testing.assert_array_equal(decode(encode(gradients, "f16")), gradients)
    assert encode(np.array([1e5, 1.0], np.float32), "f16").data.dtype == np.float32


@given(VALUES, st.data())
def test_one_row_decodes_as_in_the_whole(values: np.ndarray, data: st.DataObject) -> None:
    encoded = encode(values, "u8")
    at = data.draw(st.integers(-len(values), len(values) - 1))
    np.testing.assert_array_equal(decode(encoded, at), decode(encoded)[at])


@pytest.mark.parametrize("encoding", ["f32", "f16", "u8"])
def test_integers_stay_what_they_are(encoding: str) -> None:
    tokens = np.array([[3, 50256]], np.int64)
    assert encode(tokens, encoding).data.dtype == np.int64
