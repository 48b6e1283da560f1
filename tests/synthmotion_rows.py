"""A row of the tables on SynthMotion trains on a few clips and sees in which order frames come."""

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope

import mmaction_ext.register  # noqa: F401


def train_some_steps_and_turn_clips(cfg, blind=False):
    """Every weight has a gradient; a clip played backwards has other logits, or the same ones."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg.model).train()
        model.init_weights()
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    clips = torch.randn(2, cfg.num_segments, 3, 64, 64)
    time = 1
    if cfg.model.type == 'Recognizer3D':
        clips, time = clips.transpose(1, 2)[:, None], 3
    samples = [ActionDataSample().set_gt_label(label) for label in (0, 1)]
    for _ in range(3):  # what starts at zero opens the way for what lies before it
        wrapper.zero_grad()
        loss = model(clips, samples, mode='loss')['loss_cls']
        loss.backward()
        wrapper.step()
    assert loss.isfinite()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all() and parameter.grad.any(), parameter_name
    model = model.eval().double()  # one blind to order would differ by rounding, 1e-16
    with torch.no_grad():
        forth, back = (
            model.extract_feat(each.double().contiguous(), stage='head')[0]
            for each in (clips, clips.flip(time))
        )
    assert ((forth - back).abs().max() <= 1e-9) == blind
