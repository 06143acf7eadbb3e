"""Saves the logits and the masks that a device folder's model gives: the same here and on ARM.

    python save_logits.py DEVICE_FOLDER IMAGES COUNT RUNTIME RESULT.npz
"""

import platform
import sys

import numpy as np

device_folder, images, count, runtime, result = sys.argv[1:]
sys.path.insert(0, device_folder)
from device import Segmenter
from device.sources import list_pictures

segmenter = Segmenter(device_folder, delegate=None, runtime=runtime, threads=1)
pictures = list_pictures(images, segmenter.load_size)[:int(count)]
arrays = {}
for number, picture in enumerate(pictures):
    image, size = picture.load()
    mask, logits = segmenter.predict(image, size, keep_logits=True)
    arrays[f"mask{number}"], arrays[f"logits{number}"] = mask, logits
np.savez(result, **arrays)
print(f"Python {platform.python_version()} on {platform.machine()}, numpy {np.__version__}: "
      f"{len(pictures)} pictures")
