"""Lists of the folds of a data set, for configs with ``folds``, torch-free.

What is tested in a fold is never trained on in it. What a config leaves open, a learning rate or
a number of epochs, is chosen inside the part that trains: ``inner_train_<fold>.txt`` and
``inner_val_<fold>.txt`` divide ``train_<fold>.txt``. A fifth of its groups validate, one or more:
those that follow, in the order of groups, the ones that are tested, the first after the last.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from mmaction_ext.errors import InputError

T = TypeVar('T')

#: share of the groups that train which validate what is chosen
INNER_SHARE = 0.2


def fold_lists(
    fold: str, groups: Mapping[str, Sequence[T]], tested: Collection[str], nested: bool = True
) -> dict[str, list[T]]:
    """Lists of one fold, by their names.

    Args:
        fold: its name.
        groups: name of a person, a sequence or another thing that stays together -> its samples,
            in the order of groups; those of the fold alone.
        tested: names of the groups that are tested.
        nested: whether what trains is divided, too.

    Returns:
        ``train_<fold>``, ``test_<fold>`` and, with ``nested``, ``inner_train_<fold>`` and
        ``inner_val_<fold>``, the samples of a list in the order of groups.

    Raises:
        InputError: there is too little to divide.
    """
    names = list(groups)
    last = max(place for place, name in enumerate(names) if name in tested)
    trained = [name for name in names[last + 1 :] + names[:last] if name not in tested]
    parts = {'train': trained, 'test': tested}
    if nested:
        if len(trained) < 2:
            raise InputError(
                f'fold {fold}: {len(trained)} groups train, two or more are needed to choose '
                'anything on one of them'
            )
        count = max(1, round(INNER_SHARE * len(trained)))
        parts |= {'inner_train': trained[count:], 'inner_val': trained[:count]}
    return {f'{part}_{fold}': _samples(groups, members) for part, members in parts.items()}


def _samples(groups: Mapping[str, Iterable[T]], members: Collection[str]) -> list[T]:
    return [sample for name in groups if name in members for sample in groups[name]]
