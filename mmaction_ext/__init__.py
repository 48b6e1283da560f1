"""Motion modules for action recognition as mmaction2 plugins, with their ablations.

Importing this package is cheap: it pulls in neither torch nor mmaction2. The registered
classes are loaded by ``mmaction_ext.register``, which a config names in its
``custom_imports``.
"""

__version__ = '0.1.0'
