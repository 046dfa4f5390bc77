"""One file, one method. Importing this package finds them all: `METHODS` is filled by the ``@method`` of each file."""

from importlib import import_module
from pkgutil import iter_modules

for _file in iter_modules(__path__):
    import_module(f"{__name__}.{_file.name}")
