"""Full-int8 quantization: Keras model -> .tflite bytes, calibrated with training images."""

import csv
import functools
import io

import keras
import numpy as np
import tensorflow as tf

from device.images import scale_pixels
from segmentation.evenly import choose_evenly
from segmentation.int8.bias_correction import correct_biases
from segmentation.int8.equalize import equalize
from segmentation.int8.interpreter import quiet

BIAS_IMAGES = 16  # calibration images on which the biases are corrected; 40 were no better


def quantize(model, calibration_images, input_type="int8", output_type="int8"):
    """Quantizes a Keras model to int8: weights and activations, inputs and outputs, batch 1.

    Args: model, a function of one batch in [-1, 1]; calibration_images uint8 (n, height, width, 3);
        input_type and output_type "int8" or "uint8".
    Returns: bytes of a .tflite file whose int8 input is pixel - 128: the scaling of 0..255 to
        [-1, 1] is the quantization of the input, no operation is left of it.
    """
    converter = make_converter(model, calibration_images)
    converter.inference_input_type = tf.as_dtype(input_type)
    converter.inference_output_type = tf.as_dtype(output_type)
    with quiet():
        int8_bytes = converter.convert()
        float_bytes = make_float_converter(model, calibration_images.shape[1:]).convert()
    chosen = choose_evenly(len(calibration_images), BIAS_IMAGES)
    return correct_biases(int8_bytes, float_bytes, calibration_images[chosen])


def make_converter(model, calibration_images):
    """Returns TensorFlow's converter, set for full int8; arguments as for quantize."""
    converter = make_float_converter(model, calibration_images.shape[1:])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = functools.partial(one_by_one, calibration_images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter


def one_by_one(images):
    """Yields each image uint8 (height, width, 3) as the model's inputs: [float32 in [-1, 1]]."""
    for image in images:
        yield [scale_pixels(image[None])]


def make_float_converter(model, image_shape):
    """Returns TensorFlow's converter of a model of one image of (height, width, 3), float32."""
    @tf.function(input_signature=[tf.TensorSpec((1, *image_shape), tf.float32)])
    def one_image(image):
        """Runs the model on a batch of one, in inference mode."""
        return model(image, training=False)

    # Through a concrete function, without the model as trackable: calibration fails with it in
    # Keras 3, and a dynamic batch would leave operations that the Edge TPU refuses.
    with quiet():
        return tf.lite.TFLiteConverter.from_concrete_functions([one_image.get_concrete_function()])


def layer_errors(model, calibration_images, images):
    """Measures what quantization does to each layer, with TensorFlow's quantization debugger.

    The debugger converts for itself, so these are the errors before the biases are corrected.
    Args: as for make_converter, and images uint8 (n, height, width, 3) to measure on.
    Returns: list of dicts layer, operation, mean_squared_error (float against dequantized
        activations), error_in_steps (its root over the scale; 0.29 is mere rounding), worst first.
    """
    converter = make_converter(model, calibration_images)
    converter.inference_input_type = converter.inference_output_type = tf.float32

    with quiet():
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=functools.partial(one_by_one, images))
        debugger.run()
        text = io.StringIO()
        debugger.layer_statistics_dump(text)
    rows = [{"layer": row["tensor_name"].split(";")[0], "operation": row["op_name"],
             "mean_squared_error": float(row["mean_squared_error"]),
             "error_in_steps": float(row["mean_squared_error"]) ** 0.5 / float(row["scale"])}
            for row in csv.DictReader(io.StringIO(text.getvalue()))]
    return sorted(rows, key=lambda row: -row["error_in_steps"])


def prepare(model, calibration_images):
    """Returns the U-Net as it is quantized: of images in [-1, 1], its encoder equalized.

    Its logits are folded: the host unfolds them (device.tflite.unfold_logits).
    Args: calibration_images uint8 (n, height, width, 3).
    """
    image = keras.Input(calibration_images.shape[1:])
    encoder = equalize(model.get_layer("encoder"), calibration_images)
    return keras.Model(image, fold_head(model.get_layer("decoder"))(encoder(image)))


def fold_head(decoder):
    """Returns the decoder with a convolution in place of its last transposed convolution.

    It computes the same: the logits of 2x2 pixels in each place at half size. As a TRANSPOSE_CONV
    this one operation took 43 % of the int8 model's time on a CPU, and at 128x160 the Edge TPU's
    compiler may refuse it.
    Args: decoder of get_model, whose layer named logits has a kernel of 3x3 and a stride of 2.
    Returns: keras.Model, the encoder's feature maps -> (batch, height / 2, width / 2, 4 * classes).
    """
    head = decoder.get_layer("logits")
    kernel, bias = head.get_weights()
    kernel = fold_kernel(kernel)
    convolution = keras.layers.Conv2D(kernel.shape[3], 3, padding="same", name="folded_logits")
    folded = convolution(head.input)
    convolution.set_weights([kernel, np.tile(bias, 4)])
    return keras.Model(decoder.inputs, folded)


def fold_kernel(kernel):
    """Returns the kernel of the convolution that gives a transposed convolution's 2x2 pixels.

    With stride 2, x[i] adds x[i] * kernel[k] to pixel 2 i + k. So the even pixel of place i reads
    x[i] by kernel[0] and x[i - 1] by kernel[2], the odd one x[i] by kernel[1].
    Args: kernel (3, 3, classes, channels) of Conv2DTranspose with padding "same".
    Returns: (3, 3, channels, 4 * classes) for Conv2D, the output's channels ordered as
        device.tflite.unfold_logits reads them.
    """
    _, _, classes, channels = kernel.shape
    folded = np.zeros((3, 3, channels, 2, 2, classes), kernel.dtype)
    places = (1, 0), (1, 1), (0, 0)  # of kernel[k]: its tap in the convolution, and its pixel
    for row, (tap_row, pixel_row) in enumerate(places):
        for column, (tap_column, pixel_column) in enumerate(places):
            folded[tap_row, tap_column, :, pixel_row, pixel_column] = kernel[row, column].T
    return folded.reshape(3, 3, channels, 4 * classes)
