"""Small int8 models, their pictures, and a stand-in for the Edge TPU: for tests of device/."""

import types
from pathlib import Path

import numpy as np

from device.runtime import Runtime, load_runtime

HEIGHT, WIDTH = 16, 24
COLORS = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)], np.uint8)  # of class 0, 1 and 2


def convert(model, tensor_type="int8", lowest=0, highest=255):
    """Converts a Keras model of pixels scaled to [-1, 1] to a quantized .tflite."""
    import tensorflow as tf

    def calibration_data():
        random = np.random.default_rng(0)
        for _ in range(4):
            image = random.uniform(lowest, highest, model.input_shape).astype(np.float32)
            image[0, 0, 0], image[0, -1, -1] = lowest, highest
            yield [image / 127.5 - 1]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if tensor_type != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = calibration_data
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = getattr(tf, tensor_type)
    return converter.convert()


def color_model(pool=1):
    """A network whose answer is known: class 1 where red, 2 where blue is brighter by 0.5, else 0.

    Its logits are 1 / pool of the image's size.
    """
    import keras

    image = keras.Input((HEIGHT, WIDTH, 3), batch_size=1)
    kernel = np.array([(0, 1, -1), (0, 0, 0), (0, -1, 1)], np.float32)  # rows: red, green, blue
    layer = keras.layers.Conv2D(3, 1)
    model = keras.Model(image, layer(keras.layers.AveragePooling2D(pool)(image)))
    layer.set_weights([kernel[None, None], np.array([0.5, 0, 0], np.float32)])
    return model



def write_models(folder):
    """Writes the same small network in several files, and one with layers as trained ones have."""
    import keras

    keras.utils.set_random_seed(3)
    image = x = keras.Input((HEIGHT, WIDTH, 3), batch_size=1)
    for filters in (8, 16):
        x = keras.layers.Conv2D(filters, 3, 2, "same", activation="relu")(x)
    for filters in (8, 4):
        x = keras.layers.Conv2DTranspose(filters, 3, 2, "same")(x)
    contents = {
        "int8": convert(color_model()), "uint8": convert(color_model(), "uint8"),
        "float32": convert(color_model(), "float32"),
        "other_scale": convert(color_model(), "int8", -80, 400),
        "half": convert(color_model(pool=2)), "layers": convert(keras.Model(image, x))}
    for name, content in contents.items():
        (folder / f"{name}.tflite").write_bytes(content)


def draw_blocks(size=(HEIGHT, WIDTH)):
    """A mask of three upright stripes of the classes 1, 0 and 2, uint8 of size."""
    mask = np.zeros(size, np.uint8)
    mask[:, :size[1] // 3] = 1
    mask[:, -(size[1] // 3):] = 2
    return mask


class EdgeTPU:
    """Stands in for libedgetpu and a device, in the place of a runtime's module.

    It runs compiled files, which write_compiled makes, as what they were made of. calls holds what
    it was asked for; prepare and invoke are errors to raise, or None.
    """

    def __init__(self):
        self.calls, self.find, self.prepare, self.invoke = [], None, None, None
        self.runtime = Runtime("stand-in", "1.0", types.SimpleNamespace(
            Interpreter=self.open, load_delegate=self.load))
        self._real = load_runtime().module

    def load(self, library, options):
        """Returns a delegate that says what it was made for."""
        if self.find is not None:
            raise self.find
        return f"delegate of {library} {options}".replace(" {}", "")

    def open(self, model_path, num_threads, experimental_delegates):
        """Returns an interpreter, whose invoke fails while self.invoke is set."""
        self.calls.append((Path(model_path).name, experimental_delegates))
        interpreter = self._real.Interpreter(model_path=model_path, num_threads=num_threads)
        if experimental_delegates is None:
            return interpreter
        if self.prepare is not None:
            raise self.prepare
        return _Pluggable(self, interpreter)


class _Pluggable:
    def __init__(self, edgetpu, interpreter):
        self._edgetpu, self._interpreter = edgetpu, interpreter

    def __getattr__(self, name):
        return getattr(self._interpreter, name)

    def invoke(self):
        if self._edgetpu.invoke is not None:
            raise self._edgetpu.invoke
        self._interpreter.invoke()


def write_compiled(path):
    """Writes what looks like the compiled model beside a .tflite: the stand-in can run it."""
    compiled = path.with_name(f"{path.stem}_edgetpu.tflite")
    compiled.write_bytes(path.read_bytes() + b"edgetpu-custom-op")
    return compiled
