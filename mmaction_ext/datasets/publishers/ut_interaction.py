"""UT-Interaction: six interactions of two persons, the segmented videos of sets 1 and 2.

Files, as shipped on the data set's page::

    ut-interaction_segmented_set1/segmented_set1/0_1_4.avi     <index>_<sequence>_<class>.avi
    ut-interaction_segmented_set2/segmented_set2/0_11_4.avi

There are no annotations, the names say it all. Sequences 1 to 10 are set 1 (a parking lot), 11 to
20 set 2 (a lawn on a windy day). The folders may be others, or none, and ``set1_0_1_4.avi`` is
read, too; what a folder or a name says of the set is compared with the sequence. One sequence is
left out in each fold, inside its set; and two folds go across: ``set1_to_set2`` trains on set 1
and is tested on set 2.

Source: Ryoo and Aggarwal, "UT-Interaction Dataset, ICPR contest on Semantic Description of Human
Activities", 2010, whose page numbers the classes; names as a project that reads the data set lists
them, and as they are in a copy.
"""

import re
from pathlib import Path

from mmaction_ext.datasets.publishers.base import Item, Publication, find_videos
from mmaction_ext.datasets.publishers.folds import fold_lists
from mmaction_ext.errors import InputError

CLASSES = ('handshake', 'hug', 'kick', 'point', 'punch', 'push')
#: set -> classes of the clips of its sequences, in the order of their indices; in set 1 the sixth
#: sequence lacks one and the eighth has one twice, so that each class has ten
CLIPS = {
    'set1': '421305 450213 421350 412035 042135 25130 054231 0244531 352401 045312',
    'set2': '425031 035142 421350 015342 104235 301425 103542 241350 014352 105342',
}
_SET = re.compile(r'set_?([12])(?!\d)')


def read_ut_interaction(videos: Path) -> Publication:
    """Find the videos of one or both sets and divide them by sequence; see the module.

    Raises:
        InputError: there are none, or one has another name, lies in the folder of the other set,
            or is there twice.
    """
    names = _names()
    found = _find(videos, names)
    sets = {
        name: {
            f'seq{sequence}': [
                Item(*found.get(stem, (('',), (f'{stem}.avi',))), int(stem[-1]), str(videos))
                for stem in stems
            ]
            for sequence, stems in sequences.items()
        }
        for name, sequences in names.items()
        if any(stem in found for stems in sequences.values() for stem in stems)
    }
    splits: dict[str, list[Item]] = {}
    for groups in sets.values():
        for sequence in groups:
            splits |= fold_lists(sequence, groups, [sequence])
    if len(sets) == len(CLIPS):
        both = {sequence: items for groups in sets.values() for sequence, items in groups.items()}
        for one, other in (tuple(sets), tuple(sets)[::-1]):
            splits |= fold_lists(f'{one}_to_{other}', both, sets[other])
    return Publication('ut_interaction', list(CLASSES), splits, suffixes=())


def _names() -> dict[str, dict[int, list[str]]]:
    """Names of all clips without their ending, by set and sequence."""
    names: dict[str, dict[int, list[str]]] = {}
    sequence = 0
    for name, sequences in CLIPS.items():
        index, names[name] = 0, {}
        for labels in sequences.split():
            sequence += 1
            stems = [f'{index + place}_{sequence}_{label}' for place, label in enumerate(labels)]
            index, names[name][sequence] = index + len(labels), stems
    return names


def _find(
    videos: Path, names: dict[str, dict[int, list[str]]]
) -> dict[str, tuple[tuple[str], tuple[str]]]:
    """Folder and file of each video, by its name without ending and without its set."""
    sets = {
        stem: name for name, each in names.items() for stems in each.values() for stem in stems
    }
    found: dict[str, tuple[tuple[str], tuple[str]]] = {}
    for folder, file in find_videos(videos, '0_1_4.avi'):
        path = videos / folder / file
        stem = re.sub(r'^set[12]_', '', path.stem)
        if stem not in sets:
            raise InputError(
                f'{path} is none of the clips, <index>_<sequence>_<class>, as 0_1_4.avi, with '
                f'sequences from 1 to 20 and classes from 0 to {len(CLASSES) - 1}'
            )
        for said in _SET.findall(f'{folder}/{file}'.lower()):
            if sets[stem] != f'set{said}':
                raise InputError(
                    f'{path} is of set {said} by its place, of {sets[stem]} by its name'
                )
        if stem in found:
            raise InputError(
                f'{path} and {videos / found[stem][0][0] / found[stem][1][0]} are the same clip'
            )
        found[stem] = (folder,), (file,)
    return found
