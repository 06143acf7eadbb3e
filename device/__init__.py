"""All that runs on the device beside predict.py; a program of your own needs Segmenter alone."""

from device.segmenter import Segmenter

__all__ = ["Segmenter"]
