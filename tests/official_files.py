"""Files of released networks, made of lists of names and shapes, and our networks of them."""

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope

import mmaction_ext.register  # noqa: F401
from mmaction_ext.engine.official_checkpoints import convert, plain_names


def norm_shapes(name, channels):
    """Names and shapes of a normalisation."""
    leaves = ('weight', 'bias', 'running_mean', 'running_var')
    return {
        **{f'{name}.{leaf}': (channels,) for leaf in leaves},
        f'{name}.num_batches_tracked': (),
    }


def drawn(shapes):
    """Weights in float64 of names and shapes, none of them trivial."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in shapes.items():
        values = torch.randn(shape, generator=generator, dtype=torch.float64)
        if name.endswith('num_batches_tracked'):
            state[name] = torch.tensor(7)
        elif name.endswith('running_var'):
            state[name] = 0.5 + values.abs()
        elif len(shape) < 2:  # of a normalisation, or a bias
            state[name] = values * 0.2 + ('weight' in name)
        else:
            state[name] = values / (values[0].numel() / 2) ** 0.5 if shape[0] > 1 else values / 8
    return state


def normalised(x, weights, name):
    mean, var, weight, bias = (
        weights[f'{name}.{leaf}'] for leaf in ('running_mean', 'running_var', 'weight', 'bias')
    )
    return F.batch_norm(x, mean, var, weight, bias)


def converted(kind, config, state):
    """Our recognizer in float64 with the weights of a file of the released code."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(config).double().eval()
    model.load_state_dict(convert(kind, plain_names(state), model.state_dict()), strict=True)
    return model


@torch.no_grad()
def logits(model, clips):
    """Of clips (N, 3, T, H, W)."""
    return model.extract_feat(clips.transpose(1, 2).contiguous(), stage='head')[0]


def assert_full_size_fits(kind, config, shapes):
    """A file of the released size loads strictly, with names and shapes as they are there."""
    with torch.device('meta'):
        state = {name: torch.empty(shape) for name, shape in shapes.items()}
        with DefaultScope.overwrite_default_scope('mmaction'):
            model = MODELS.build(config)
        model.load_state_dict(convert(kind, plain_names(state), model.state_dict()), strict=True)
