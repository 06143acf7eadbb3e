"""The folder or file that holds the labels, its files by kind."""

from pathlib import Path

from device.errors import InputError
from device.files import normalize_unicode, split_suffix
from segmentation.formats.pictures import list_files

MASK_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".pgm", ".ppm",
                 ".tga", ".npy")
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".rar", ".7z", ".bz2", ".xz")


class Source:
    """All files beneath SOURCE, and what readers need to know of them.

    used: resolved paths of files that readers have read: they are never written to.
    remarks: sentences of readers on what they decided.
    read_once: what readers have read for all files: function -> its result.
    """

    def __init__(self, path, label_dir, crowd="class"):
        self.path, self.crowd, self.used = Path(path), crowd, set()
        self.remarks, self.read_once = [], {}
        if not self.path.exists():
            raise InputError(f"SOURCE {path} does not exist: set it to the folder or file of the "
                             f"labels.")
        if self.path.is_file() and split_suffix(self.path.name)[1] in ARCHIVES:
            raise InputError(f"SOURCE {path} is an archive: unpack it, and set SOURCE to the "
                             f"folder.")
        label_dir = Path(label_dir).resolve()
        self.is_file = self.path.is_file()
        self.folder = self.path.parent if self.is_file else self.path
        if self.is_file:
            self.files = [self.path]
        else:  # what an earlier import wrote is no source
            self.files = list_files(self.path, (label_dir,))

    def with_suffix(self, *suffixes):
        """Returns the paths of all files of these suffixes."""
        return [path for path in self.files if split_suffix(path.name)[1] in suffixes]

    def masks(self):
        """Returns the paths of all files that may be label pictures."""
        return self.with_suffix(*MASK_SUFFIXES)

    def find_file(self, name, near):
        """Returns the file of this name that lies nearest to another one, or None."""
        name = normalize_unicode(str(name)).replace("\\", "/").split("/")[-1]
        near = Path(near)
        files = self.files if not self.is_file else list_files(self.folder)
        found = [path for path in files if normalize_unicode(path.name) == name]
        return max(found, default=None, key=lambda path: (
            near.stem in path.parts, len(set(path.parts) & set(near.parts)), str(path)))

    def find_beside(self, *names):
        """Returns the first file of these names in SOURCE's folders or the folder above, or None.

        A list of classes often lies one folder above the labels.
        """
        for name in names:
            found = [path for path in self.files if path.name.lower() == name]
            found += [path for folder in (self.folder, self.folder.resolve().parent)
                      for path in [folder / name] if path.is_file()]
            if found:
                return min(found, key=lambda path: len(path.parts))
        return None

    def once(self, function):
        """Returns function(self), called once for all files."""
        if function not in self.read_once:
            self.read_once[function] = function(self)
        return self.read_once[function]
