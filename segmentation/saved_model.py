"""Loads the weights of a model.keras, which may come from other people, and nothing else of it.

The network is built by get_model.py from model.json; of model.keras only the arrays of numbers are
read. So no configuration is deserialized, and no code or layer of a stranger's runs. Keras itself
refuses weights that lead to other files, or would not fit into memory.
"""

import zipfile
from pathlib import Path

from device.errors import InputError

MODEL_FILE = "model.keras"


def load_weights(model, folder):
    """Loads the weights of model.keras in a folder into a Keras model of the same layers.

    Raises: InputError where the file is missing, damaged, or of another network.
    """
    path = Path(folder) / MODEL_FILE
    if not path.is_file():
        raise InputError(f"There is no {path}: run main.py first, or correct OUTPUT_DIR.")
    if not _is_whole_archive(path):
        raise InputError(f"{path} is damaged: take a copy of it, or train again.")
    try:
        model.load_weights(path)
    except Exception as error:  # h5py and Keras raise whatever a damaged byte leads to
        raise InputError(f"The weights in {path} can't be loaded into the network that model.json "
                         f"describes ({type(error).__name__}): it is damaged or of another "
                         f"training; take the two files of one training, or train again."
                         ) from error


def _is_whole_archive(path):
    """Whether each member of a zip file has the checksum that was stored with it."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # zipfile raises whatever a damaged byte leads to
        return False
