"""Tests of quantize.py: training sees the encoder that the device runs."""

from int8_models import small_unet

from segmentation.int8 import equalize, interpreter, quantize


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
