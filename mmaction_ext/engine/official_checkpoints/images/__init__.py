"""Files of image networks to start from: one module each, named as the kind, with ``IMAGE``.

The layers of a backbone have a file's weights in their order, which is the network's.
"""

import importlib
import pkgutil

from mmaction_ext.engine.official_checkpoints.image_network import ImageNetwork

IMAGES: dict[str, ImageNetwork] = {
    file.name: importlib.import_module(f'{__name__}.{file.name}').IMAGE
    for file in pkgutil.iter_modules(__path__)
}
