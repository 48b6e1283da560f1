"""Schedules of the tables as functions, for configs to call; see :mod:`mmaction_ext.networks`."""

from typing import Any

Options = dict[str, Any]


def adamw_one_cycle(lr: float, epochs: int) -> tuple[Options, list[Options]]:
    """AdamW on one cycle of the learning rate (Smith, arXiv 1708.07120), for SynthMotion.

    Args:
        lr: the highest learning rate; the cycle starts at 1/25 of it, reaches it after 30 % of
            the iterations and ends near zero (torch's ``OneCycleLR``).
        epochs: length of the cycle; ``train_cfg.max_epochs`` has to be the same.

    Returns:
        ``optim_wrapper`` and ``param_scheduler`` of a config.
    """
    cycle = dict(
        type='OneCycleLR',
        eta_max=lr,
        total_steps=epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
    return dict(optimizer=dict(type='AdamW', lr=lr, weight_decay=1e-2)), [cycle]
