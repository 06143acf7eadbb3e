"""Opens a model.keras, which may come from other people: no code of it runs, whatever it holds."""

import json
import zipfile
from pathlib import Path

import keras

from pairing import InputError, list_names

KERAS_FILES = {"metadata.json", "config.json", "model.weights.h5"}  # in a model.keras
KERAS_CLASSES = {  # that get_model builds a model of
    "Add", "BatchNormalization", "Concatenate", "Conv2D", "Conv2DTranspose", "DTypePolicy",
    "DepthwiseConv2D", "Functional", "GlorotUniform", "InputLayer", "Ones", "ReLU", "Rescaling",
    "Resizing", "ZeroPadding2D", "Zeros", "__keras_tensor__"}
LARGEST_CONFIG = 10_000_000  # bytes; main.py's takes 200,000


def load_model(folder, info):
    """Opens model.keras without custom code (Keras' safe mode), not compiled.

    Args: info, the model.json beside it, as read_model_info returns it.
    Raises: InputError where it is missing, damaged, not made by main.py, or does not fit info.
    """
    path = Path(folder) / "model.keras"
    if not path.is_file():
        raise InputError(f"There is no {path}: run main.py first, or correct OUTPUT_DIR.")
    try:
        check_archive(path)
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except InputError:
        raise
    except Exception as error:  # zipfile, h5py and Keras raise whatever a damaged byte leads to
        raise InputError(f"{path} can't be opened as a Keras model ({type(error).__name__}): it is "
                         f"damaged; train again.") from error
    check_architecture(path, model, info)
    return model


def check_archive(path):
    """Checks that a model.keras holds nothing but what main.py writes, before Keras opens it.

    Safe mode refuses code, but there are layers of Keras' own that read other files.
    Raises: InputError for other files or classes in it; zipfile's and json's errors where damaged.
    """
    with zipfile.ZipFile(path) as archive:
        others = sorted(set(archive.namelist()) ^ KERAS_FILES)
        if others:
            raise InputError(f"{path} does not hold just {', '.join(sorted(KERAS_FILES))}, which "
                             f"main.py writes: see {list_names(map(ascii, others))}; train again.")
        if archive.getinfo("config.json").file_size > LARGEST_CONFIG:
            raise InputError(f"{path} has a config.json of "
                             f"{archive.getinfo('config.json').file_size:,} bytes, which main.py "
                             f"never writes: train again.")
        config = json.loads(archive.read("config.json"))
    classes, waiting = set(), [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "class_name" in part:
                classes.add(str(part["class_name"]))
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    strange = sorted(classes - KERAS_CLASSES)
    if strange:
        raise InputError(f"{path} holds {list_names(map(ascii, strange))}, which main.py never "
                         f"builds, so it was not opened: train again.")


def check_architecture(path, model, info):
    """Raises InputError unless a Keras model is main.py's U-Net, of info's size and classes."""
    layers = {layer.name: layer for layer in getattr(model, "layers", [])}
    kinds = {"scale_input": keras.layers.Rescaling, "encoder": keras.Model, "decoder": keras.Model}
    lacks = [name for name, kind in kinds.items() if not isinstance(layers.get(name), kind)]
    if lacks:
        raise InputError(f"{path} is not main.py's U-Net: it lacks {', '.join(lacks)}; train "
                         f"again.")
    shapes = model.input_shape[1:], model.output_shape[1:]
    needed = (*info["image_size"], 3), (*info["image_size"], len(info["class_names"]))
    if shapes != needed:
        raise InputError(f"{path} turns images of {shapes[0]} into logits of {shapes[1]}, but "
                         f"model.json says {needed[0]} and {needed[1]} (height, width, channels): "
                         f"take the two files of one training.")
