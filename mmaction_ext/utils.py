"""What ``mmengine.hub.get_model('mmaction_ext::...')`` asks of a package."""


def register_all_modules(init_default_scope: bool = True) -> None:
    """Register everything of this package, into mmaction2.

    Args:
        init_default_scope: whether mmaction2's scope becomes the default, as its own function of
            that name makes it.
    """
    from mmaction.utils import register_all_modules as register_mmaction2

    import mmaction_ext.register  # noqa: F401

    register_mmaction2(init_default_scope)
