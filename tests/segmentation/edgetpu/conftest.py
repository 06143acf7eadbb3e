"""What the tests of this folder share."""

import converted_models
import pytest


@pytest.fixture(scope="session")
def unet():
    """A converted U-Net with transposed convolutions of version 4 (bytes)."""
    return converted_models.convert_unet()
