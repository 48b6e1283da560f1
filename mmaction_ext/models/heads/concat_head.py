"""A head for features and the vector of a branch.

Shape legend: N clips, T frames, D values of the vector.
"""

from typing import Any

import torch
import torch.nn.functional as F
from mmaction.models.heads.base import AvgConsensus
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmaction_ext.errors import InputError, check_at_least, check_choice

DROPOUTS = ('before', 'after')
Features = tuple[Tensor | tuple[Tensor, ...], Tensor]


class ConcatLinear(nn.Linear):
    """A linear layer on two inputs that stand one behind the other.

    A linear layer of a concatenation is the sum of two linear layers, so the inputs need not
    come together: the layer itself is called with the first, with the bias, and
    :meth:`forward_branch` with the second.

    Args:
        in_features: Values of the first input.
        branch_features: Values of the second input.
        out_features: Outputs.
        bias: Whether there is a bias.
    """

    def __init__(
        self, in_features: int, branch_features: int, out_features: int, bias: bool
    ) -> None:
        super().__init__(in_features + branch_features, out_features, bias)
        self.split = (in_features, branch_features)

    def forward(self, x: Tensor) -> Tensor:
        """The share of the first input, with the bias."""
        return F.linear(x, self.weight[:, : self.split[0]], self.bias)

    def forward_branch(self, vector: Tensor) -> Tensor:
        """The share of the second input."""
        return F.linear(vector, self.weight[:, self.split[0] :])


@MODELS.register_module()
class ConcatHead(BaseModule):
    """Any head of mmaction2 with the vector of a branch behind its classifier's input.

    Equation 1 of "Effective Action Recognition with Embedded Key Point Shifts": the classifier,
    the last linear layer of the head, is widened by the vector. Where a head classifies frames
    and averages their scores (TSMHead), each frame has the vector of its clip; where it averages
    several clips before it classifies (TSNHead with several crops), so are their vectors.

    Weights have the names of the inner head below ``head.``. Nothing outlives a forward pass.

    Args:
        head: Config of the inner head, e.g. TSNHead, TSMHead, I3DHead or X3DHead: one whose
            last linear layer gives the class scores, with at most an average behind it.
        branch_channels: ``D``, values of the vector.
        dropout: Where the head's dropout is, of which the paper says nothing. ``'before'`` the
            concatenation: on the head's own input alone, so that every value of the vector is
            always seen. ``'after'`` it: on all of equation 1's ``V_out``, with one ratio; of the
            vector the same values for all frames that a head classifies by themselves.

    Raises:
        InputError: If ``branch_channels`` is not positive, or the head's type is unknown, or its
            last linear layer is no such classifier, or ``dropout`` is another word or is to come
            ``'after'`` in a head that does not say its ``dropout_ratio``.
    """

    def __init__(
        self, head: dict[str, Any], branch_channels: int, dropout: str = 'before'
    ) -> None:
        super().__init__()
        check_choice('dropout', dropout, DROPOUTS)
        check_at_least('branch_channels', branch_channels, 1)
        kind = head.get('type')
        if kind is None or (isinstance(kind, str) and MODELS.get(kind) is None):
            raise InputError(f'unknown head type {kind!r}')
        self.branch_channels = branch_channels
        self.head = MODELS.build(head)
        self._classifier_name = _find_classifier(self.head)
        plain = self.head.get_submodule(self._classifier_name)
        widened = ConcatLinear(
            plain.in_features, branch_channels, plain.out_features, plain.bias is not None
        )
        self.head.set_submodule(self._classifier_name, widened)
        self.vector_dropout = nn.Dropout(_dropout_ratio(self.head) if dropout == 'after' else 0)

    @property
    def num_classes(self) -> int:
        """Class scores of a clip."""
        return self.head.num_classes

    def forward(self, x: Features, **kwargs: Any) -> Tensor:
        """Class scores.

        Args:
            x: What the inner head takes, and the vectors (N, D) of N clips.
            kwargs: Of the inner head, e.g. ``num_segs``.

        Returns:
            Tensor of shape (N, classes), or of fewer rows where the inner head averages clips.

        Raises:
            InputError: If there is no vector, or one of another size than ``branch_channels`` or
                for another number of clips.
        """
        features, vector = self.split(x)
        scores = self.head(features, **kwargs)
        if len(scores) != len(vector):
            vector = _average_clips(vector, len(scores))
        classifier = self.head.get_submodule(self._classifier_name)
        return scores + classifier.forward_branch(self.vector_dropout(vector))

    def loss(self, feats: Features, data_samples: SampleList, **kwargs: Any) -> dict[str, Any]:
        """Losses of the inner head; see mmaction2's ``BaseHead.loss``."""
        return self.head.loss_by_feat(self(feats, **kwargs), data_samples)

    def predict(self, feats: Features, data_samples: SampleList, **kwargs: Any) -> SampleList:
        """Predictions of the inner head; see mmaction2's ``BaseHead.predict``."""
        return self.head.predict_by_feat(self(feats, **kwargs), data_samples)

    def split(self, x: Any) -> Features:
        """Features and the vectors of their branch.

        Raises:
            InputError: as :meth:`forward`.
        """
        vector = branch_vector(x)
        if vector is None:
            raise InputError(
                'ConcatHead needs features and a vector (N, D), got '
                f'{_describe(x)}: does the backbone have a branch such as KPSEM?'
            )
        if vector.shape[1] != self.branch_channels:
            raise InputError(
                f'ConcatHead was built with branch_channels={self.branch_channels}, '
                f'but the branch gives {vector.shape[1]} values'
            )
        return x[0], vector


def branch_vector(features: Any) -> Tensor | None:
    """The vector (N, D) of a branch that stands behind features; ``None`` without one."""
    pair = isinstance(features, (tuple, list)) and len(features) == 2
    is_vector = pair and torch.is_tensor(features[1]) and features[1].dim() == 2
    return features[1] if is_vector else None


def _find_classifier(head: nn.Module) -> str:
    """Name of the layer that gives the class scores."""
    linear = [(name, m) for name, m in head.named_modules() if isinstance(m, nn.Linear)]
    if not linear:
        raise InputError(f'{type(head).__name__} has no linear layer to widen')
    name, last = linear[-1]
    classes = getattr(head, 'num_classes', None)
    if last.out_features != classes:
        raise InputError(
            f'the last linear layer of {type(head).__name__}, {name}, gives '
            f'{last.out_features} values instead of {classes} classes'
        )
    consensus = getattr(head, 'consensus', None)
    if consensus is not None and not isinstance(consensus, AvgConsensus):
        raise InputError(
            f'{type(head).__name__} has a {type(consensus).__name__}, which is no average'
        )
    return name


def _dropout_ratio(head: Any) -> float:
    if not hasattr(head, 'dropout_ratio'):
        raise InputError(
            f"dropout='after' needs a head with a dropout_ratio, {type(head).__name__} has none"
        )
    return head.dropout_ratio


def _average_clips(vector: Tensor, num_groups: int) -> Tensor:
    """Mean over the clips that the inner head has averaged."""
    if len(vector) % num_groups:
        raise InputError(
            f'the vectors of {len(vector)} clips do not divide into the '
            f'{num_groups} rows of scores of the head'
        )
    return vector.unflatten(0, (num_groups, -1)).mean(dim=1)


def _describe(x: Any) -> str:
    if torch.is_tensor(x):
        return f'a tensor of shape {tuple(x.shape)}'
    if isinstance(x, (tuple, list)):
        return f'{type(x).__name__} of ' + ', '.join(_describe(part) for part in x)
    return type(x).__name__
