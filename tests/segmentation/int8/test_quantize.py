"""Tests of quantize.py: training sees the encoder that the device runs."""

import numpy as np
from int8_models import scale, small_unet

from device.tflite import unfold_logits
from segmentation.int8 import equalize, interpreter, quantize


def test_the_converted_model_ends_with_logits_that_the_host_unfolds():
    model, images = small_unet()
    folded = quantize.prepare(model, images)(scale(images), training=False).numpy()
    assert folded.shape == (len(images), 32, 48, 12)
    logits = model(images.astype(np.float32), training=False)
    for found, expected in zip(folded, logits):
        np.testing.assert_allclose(unfold_logits(found), expected, rtol=1e-3, atol=1e-3)


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
