"""The model as one object: it finds its files, opens them on the Edge TPU or the CPU, and predicts.

    from device import Segmenter
    model = Segmenter("output/device")
    mask = model(array)
"""

import os
import threading
import time

import numpy as np
from PIL import Image

from device.class_bias import add_class_bias, read_class_bias
from device.edgetpu import load_delegate, name_library
from device.errors import InputError, shorten
from device.images import PADDING_GRAY, resize_image
from device.model_files import find_model_files
from device.model_info import read_classes
from device.progress import say
from device.runtime import load_runtime
from device.sources import fit_image
from device.tflite import model_shape, most_likely_classes, open_model, run_model
from device.tiles import blend_tiles, segment_tiles, tile_grid


class Segmenter:
    """Predicts the class of each pixel of a picture.

    Several threads may call it at once; they take turns.

    Attributes: path of the file that runs; is_on_edgetpu; image_size (height, width) of the model;
        logit_scale, the step of its quantized logits; class_names; colors, uint8 (classes, 3);
        label_values, uint8 (classes,), of the classes in the labels that the model was trained on;
        intensity_range, see images.read_image;
        picture_size, as PICTURE_SIZE in main.py: pictures are seen in tiles of image_size where it
        is not None.
    """

    def __init__(self, model="output", delegate="auto", device=None, runtime=None, threads=None,
                 keep_aspect=False, say=say, class_bias=None):
        """Opens the model.

        Args: model, the folder of model_int8.tflite, or the file itself. delegate, "auto": the Edge
            TPU if it is there, else the CPU; None: the CPU; a library's name: only that. device,
            None: the first Edge TPU; or "usb", "pci", "usb:1". runtime, None: the first installed;
            or a key of RUNTIMES. threads of the CPU, None: all. keep_aspect, False: pictures are
            stretched to the model's size, exactly as in training; True: padded. say, a function
            that is given each sentence about what runs where; lambda text: None keeps it quiet.
            class_bias, dict of class name -> number that is added to its logits.
        Raises: InputError where the model or what was asked for can't be used.
        """
        self.keep_aspect, self._delegate, self._threads, self._say = (
            keep_aspect, delegate, threads or os.cpu_count() or 1, say)
        self._lock, self._lost = threading.Lock(), []
        self._files = find_model_files(model)
        self._runtime_name = runtime
        self.is_on_edgetpu = False
        reason = self._open_on_edgetpu(device)
        if not self.is_on_edgetpu:
            self._open_on_cpu(reason)
        self.image_size, num_classes = model_shape(self._interpreter)
        (self.class_names, self.colors, self.label_values, self.picture_size,
         self.intensity_range) = read_classes(self.path.parent, num_classes)
        self.logit_scale = self._interpreter.get_output_details()[0]["quantization"][0]
        self._bias = read_class_bias(class_bias or {}, self.class_names, self.logit_scale)
        self._are_tiles_told = False

    def _open_on_edgetpu(self, device):
        """Opens the compiled file where there is one; returns why it does not run there, or ''."""
        path = self._files.compiled
        if self._delegate is None:
            return "DELEGATE is None."
        if path is None:
            return self._files.reason
        runtime = load_runtime(self._runtime_name, True, self._say)
        # Said beforehand: a libedgetpu of another version ends Python with a segmentation fault.
        self._say(f"Trying the Edge TPU: {name_library(self._delegate)}"
                  f"{f', device {device}' if device else ''}, with {runtime} ...")
        try:
            library = load_delegate(runtime, self._delegate, device)
            self._interpreter = open_model(path, self._threads, library, runtime)
        except InputError as error:
            return str(error)
        self.path, self.is_on_edgetpu = path, True
        self._say(f"On the Edge TPU: {path}. {self._files.reason}")
        return ""

    def _open_on_cpu(self, reason):
        """Opens the file for the CPU, unless the Edge TPU was demanded."""
        path = self._files.plain
        if self._delegate not in ("auto", None):
            raise InputError(f"DELEGATE asks for the Edge TPU. {reason}")
        if path is None:
            raise InputError(f"{self._files.compiled} is compiled for the Edge TPU and runs "
                             f"nowhere else. {self._files.reason} {reason}")
        runtime = load_runtime(self._runtime_name, say=self._say)
        self._interpreter = open_model(path, self._threads, None, runtime)
        self.path, self.is_on_edgetpu = path, False
        self._say(f"On the CPU: {path}, with {runtime}. {reason}")

    def run(self, image):
        """Runs the model on an image uint8 (height, width, 3) of its own size.

        Where the Edge TPU stops answering (a stick that was pulled out), delegate "auto" goes on on
        the CPU.
        Returns: quantized logits (height, width, classes), at the model's output size; with a
            class_bias float32, in the same units.
        Raises: InputError where the Edge TPU stops answering and the CPU can't go on.
        """
        with self._lock:
            return add_class_bias(self._run(image), self._bias)

    def _run(self, image):
        """Runs the model; see run."""
        try:
            return run_model(self._interpreter, image)
        except (RuntimeError, ValueError) as error:
            if not self.is_on_edgetpu:
                raise
            self._lost.append(self._interpreter)  # to close it could wait for the stick forever
            self._open_on_cpu(f"The Edge TPU stopped answering ({shorten(str(error), 160)}): "
                              f"plug the stick in again, at a port with enough power.")
        return run_model(self._interpreter, image)

    def predict(self, image, mask_size=None, mark=lambda step: None, keep_logits=False):
        """Predicts one picture.

        Args: image, RGB PIL image; mask_size (height, width), None: the size that the picture has
            in the model; mark, a function that is told each step that ends: "resize", "inference",
            "mask"; keep_logits, for pictures that are seen in tiles at their own size, whose
            logits may take more memory than a device has: without it they are None.
        Returns: mask uint8 of mask_size; quantized logits (height, width, classes) of the picture,
            padding left out.
        """
        if self.picture_size is not None:
            return self._predict_tiles(image, mask_size, mark, keep_logits)
        array, (left, top, right, bottom) = fit_image(image, self.image_size, self.keep_aspect)
        mark("resize")
        logits = self.run(array)
        mark("inference")
        down, across = np.divide(logits.shape[:2], self.image_size)  # 1, or below
        box = left * across, top * down, right * across, bottom * down
        mask = most_likely_classes(logits, mask_size or (bottom - top, right - left), box)
        mark("mask")
        inside = tuple(round(side) for side in box)
        return mask, logits[inside[1]:inside[3], inside[0]:inside[2]]

    def _predict_tiles(self, image, mask_size, mark, keep_logits):
        """Predicts one picture in tiles, as predict does; its logits are float32, not quantized."""
        is_full = self.picture_size == "full"
        array = np.asarray(image) if is_full else resize_image(image, self.picture_size)
        mark("resize")
        self._tell_tiles(array.shape[:2])
        height, width = array.shape[:2]

        def run_tiles(tiles):
            """Returns the logits of several tiles."""
            return np.stack([self.run(tile) for tile in tiles])

        if is_full and not keep_logits and mask_size in (None, (height, width)):
            mask = segment_tiles(run_tiles, array, self.image_size, PADDING_GRAY)
            mark("inference")
            return mask, None
        logits = blend_tiles(run_tiles, array, self.image_size, PADDING_GRAY)
        mark("inference")
        mask = most_likely_classes(logits, mask_size or (height, width), (0, 0, width, height))
        mark("mask")
        return mask, logits

    def _tell_tiles(self, size):
        """Says, before the first picture, how many tiles it has and how long that takes."""
        if self._are_tiles_told:
            return
        self._are_tiles_told, start = True, time.perf_counter()
        self.run(np.full((*self.image_size, 3), PADDING_GRAY, np.uint8))
        count = len(tile_grid(size, self.image_size))
        self._say(f"The first picture, {size[0]}x{size[1]} (height x width), has {count} tile(s) "
                  f"of {self.image_size[0]}x{self.image_size[1]}: about "
                  f"{count * (time.perf_counter() - start):.1f} s.")

    @property
    def load_size(self):
        """The (height, width) at which pictures are needed, None: their own; see load_image."""
        if self.picture_size is None:
            return self.image_size
        return None if self.picture_size == "full" else tuple(self.picture_size)

    def __call__(self, image, return_logits=False):
        """Predicts one picture of any size.

        Args: image uint8 (height, width, 3), RGB, 0..255; return_logits, True: the logits too.
        Returns: mask uint8 (height, width) of class indices, at the picture's own size. With the
            logits: (mask, float32 (height, width, classes) at the model's size).
        Raises: InputError where the image has another type or shape.
        """
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise InputError(f"The image is {image.dtype} {image.shape}; needed is uint8 (height, "
                             f"width, 3) in RGB.")
        mask, logits = self.predict(Image.fromarray(image), image.shape[:2],
                                    keep_logits=return_logits)
        if not return_logits:
            return mask
        scale, zero_point = self._interpreter.get_output_details()[0]["quantization"]
        real = np.float32(logits) if not scale else (np.float32(logits) - zero_point) * scale
        return mask, np.float32(real)
