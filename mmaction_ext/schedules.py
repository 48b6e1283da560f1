"""Schedules of the tables as functions, for configs to call; see :mod:`mmaction_ext.networks`."""

from typing import Any

Options = dict[str, Any]


def adamw_one_cycle(
    lr: float, epochs: int, module_lr_mult: float = 1.0
) -> tuple[Options, list[Options]]:
    """AdamW on one cycle of the learning rate (Smith, arXiv 1708.07120), for SynthMotion.

    Args:
        lr: the highest learning rate; the cycle starts at 1/25 of it, reaches it after 30 % of
            the iterations and ends near zero (torch's ``OneCycleLR``).
        epochs: length of the cycle; ``train_cfg.max_epochs`` has to be the same.
        module_lr_mult: times the learning rate of everything else, that of the motion module
            behind a backbone's stages.

    Returns:
        ``optim_wrapper`` and ``param_scheduler`` of a config.
    """
    optim_wrapper: Options = dict(optimizer=dict(type='AdamW', lr=lr, weight_decay=1e-2))
    peak: Options = dict(type='OneCycleLR', eta_max=lr)
    if module_lr_mult != 1.0:
        custom_keys = {'backbone.module': dict(lr_mult=module_lr_mult)}
        optim_wrapper |= dict(paramwise_cfg=dict(custom_keys=custom_keys))
        peak = dict(type='GroupOneCycleLR')
    cycle = dict(**peak, total_steps=epochs, by_epoch=True, convert_to_iter_based=True)
    return optim_wrapper, [cycle]


def sgd_warm_cosine(
    lr: float, epochs: int, warm_up: int, warm_up_lr: float
) -> tuple[Options, list[Options]]:
    """SGD on half a cosine that is warmed up, iteration by iteration, as in PySlowFast's heirs.

    Nesterov's momentum of 0.9; weights decay by 1e-4, biases and normalisations do not.

    Args:
        lr: the learning rate where the cosine begins, at the start of the training.
        epochs: of the training, at whose end the cosine is 0.
        warm_up: epochs in which the learning rate rises linearly from ``warm_up_lr`` to the
            cosine. Here the two are multiplied: it may lie as much below that line as the cosine
            has fallen by then (1 % of it at 4 epochs of 64).
        warm_up_lr: see there.

    Returns:
        ``optim_wrapper`` and ``param_scheduler`` of a config.
    """
    optimizer = dict(type='SGD', lr=lr, momentum=0.9, nesterov=True, weight_decay=1e-4)
    scheduler = [
        dict(
            type='LinearLR',
            start_factor=warm_up_lr / lr,
            begin=0,
            end=warm_up,
            by_epoch=True,
            convert_to_iter_based=True,
        ),
        dict(
            type='CosineAnnealingLR',
            T_max=epochs,
            eta_min=0,
            begin=0,
            end=epochs,
            by_epoch=True,
            convert_to_iter_based=True,
        ),
    ]
    paramwise_cfg = dict(norm_decay_mult=0.0, bias_decay_mult=0.0)
    return dict(optimizer=optimizer, paramwise_cfg=paramwise_cfg), scheduler
