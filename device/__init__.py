"""All that runs on the device beside predict.py; a program of your own needs Segmenter alone.

InputError is what it raises. device.errors comes first, because it sees to Ctrl-C in all imports.
"""

from device.errors import InputError
from device.segmenter import Segmenter

__all__ = ["InputError", "Segmenter"]
