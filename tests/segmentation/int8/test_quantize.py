"""Tests of quantize.py: training sees the encoder that the device runs."""

import keras
import numpy as np
import pytest
from int8_models import small_unet

from device.tflite import unfold_logits
from get_model import get_decoder
from segmentation.int8 import equalize, interpreter, quantize

SHAPES = [(None, 32, 64, 4), (None, 16, 32, 5), (None, 8, 16, 6), (None, 4, 8, 7), (None, 2, 4, 8)]


@pytest.mark.parametrize("filters", [(9, 8, 7, 6), ((9, 6), (8, 5), (7, 4), (6, 3))])
def test_the_folded_head_gives_the_decoders_logits(filters):
    keras.utils.set_random_seed(1)
    decoder, random = get_decoder(SHAPES, 3, filters), np.random.default_rng(0)
    decoder.get_layer("logits").bias.assign([1.0, 2.0, 3.0])
    features = [random.normal(size=(1, *shape[1:])).astype(np.float32) for shape in SHAPES]
    expected = decoder(features, training=False).numpy()[0]
    folded = quantize.fold_head(decoder)(features, training=False).numpy()[0]
    assert folded.shape == (32, 64, 12) and expected.shape == (64, 128, 3)
    np.testing.assert_allclose(unfold_logits(folded), expected, rtol=1e-4, atol=1e-5)


def test_a_pixel_of_a_folded_kernel_by_hand():
    kernel = np.arange(1.0, 10).reshape(3, 3, 1, 1)  # of one channel and one class
    folded = quantize.fold_kernel(kernel)
    assert folded[..., 0, 0].tolist() == [[9, 7, 0], [3, 1, 0], [0, 0, 0]]  # even row, even column
    assert folded[..., 0, 1].tolist() == [[0, 8, 0], [0, 2, 0], [0, 0, 0]]
    assert folded[..., 0, 2].tolist() == [[0, 0, 0], [6, 4, 0], [0, 0, 0]]
    assert folded[..., 0, 3].tolist() == [[0, 0, 0], [0, 5, 0], [0, 0, 0]]


@pytest.mark.slow
def test_training_sees_the_encoder_of_the_converted_model():
    """Scales, zero points, weights and corrected biases of the encoder stand in the whole model."""
    model, images = small_unet()

    def convolutions(model_bytes):
        opened = interpreter.open_bytes(
            model_bytes, experimental_op_resolver_type=interpreter.REFERENCE_KERNELS)
        details = {detail["index"]: detail for detail in opened.get_tensor_details()}
        return [(details[op["outputs"][0]]["quantization"],
                 *(opened.get_tensor(index).tobytes() for index in op["inputs"][1:]))
                for op in opened._get_ops_details()
                if op["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D")]

    whole = convolutions(quantize.quantize(quantize.prepare(model, images), images))
    encoder = convolutions(quantize.quantize(
        equalize.equalize(model.get_layer("encoder"), images), images))
    assert len(encoder) == 51 and len(whole) > len(encoder)
    assert set(encoder) <= set(whole)
