"""Registries of the scope ``mmaction_ext``, below mmaction2's.

mmengine notes ``_scope_='mmaction_ext'`` in what a config inherits from this package
(``_base_ = 'mmaction_ext::...'``), and builds that by the registries of ``mmaction_ext.registry``.
They hold nothing: this package registers into mmaction2's, where a config of any scope finds its
classes. A name that they are asked for is looked up there, then in mmengine's.
"""

from mmaction_ext import compat

compat.apply()

from mmaction import registry as mmaction2  # noqa: E402
from mmengine.registry import Registry  # noqa: E402

#: what registers classes; a registry imports it when it is first asked for a name
LOCATIONS = [
    'mmaction.datasets',
    'mmaction.engine',
    'mmaction.evaluation',
    'mmaction.models',
    'mmaction.visualization',
    'mmaction_ext.register',
]


class ScopeRegistry(Registry):
    """A registry of this scope, which also finds ``'mmaction_ext.DCF'`` where ``DCF`` is."""

    def get(self, key: str) -> type | None:
        """What is registered by a name, as mmengine's."""
        scope, name = self.split_scope_key(key)
        return super().get(name if scope == self.scope and '.' not in name else key)


globals().update(
    {
        name: ScopeRegistry(parent.name, parent=parent, scope=compat.MIM_NAME, locations=LOCATIONS)
        for name, parent in vars(mmaction2).items()
        if isinstance(parent, Registry) and parent.scope == 'mmaction'
    }
)
