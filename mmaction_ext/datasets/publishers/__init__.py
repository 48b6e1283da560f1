"""Readers of what the publishers of the data sets ship, one file per data set, torch-free."""

from mmaction_ext.datasets.publishers.base import Item, Publication, Unlisted
from mmaction_ext.datasets.publishers.diving48 import read_diving48
from mmaction_ext.datasets.publishers.finegym import read_gym99, read_gym288
from mmaction_ext.datasets.publishers.hmdb51 import read_hmdb51
from mmaction_ext.datasets.publishers.kinetics import read_kinetics400, read_minikinetics200
from mmaction_ext.datasets.publishers.sthv1 import read_sthv1
from mmaction_ext.datasets.publishers.sthv2 import read_sthv2
from mmaction_ext.datasets.publishers.ucf101 import read_ucf101
from mmaction_ext.datasets.publishers.ut_interaction import read_ut_interaction
from mmaction_ext.datasets.publishers.weizmann import read_weizmann

#: name on the command line -> function of the annotation folder that gives a Publication
READERS = {
    'sthv1': read_sthv1,
    'sthv2': read_sthv2,
    'kinetics400': read_kinetics400,
    'minikinetics200': read_minikinetics200,
    'ucf101': read_ucf101,
    'hmdb51': read_hmdb51,
    'diving48': read_diving48,
    'gym99': read_gym99,
    'gym288': read_gym288,
    'weizmann': read_weizmann,
    'ut_interaction': read_ut_interaction,
}
#: data sets without annotations: these functions are of the folder of the videos
UNANNOTATED = frozenset({'weizmann', 'ut_interaction'})

__all__ = ['READERS', 'UNANNOTATED', 'Item', 'Publication', 'Unlisted']
