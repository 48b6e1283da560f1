import pytest
from published_data import imitate, write

from mmaction_ext.datasets.publishers.finegym import read_gym99, read_gym288
from mmaction_ext.errors import InputError


@pytest.mark.parametrize('name, read', [('gym99', read_gym99), ('gym288', read_gym288)])
def test_names_with_semicolons_and_names_given_twice(tmp_path, name, read):
    _, labels = imitate(name, tmp_path)
    publication = read(tmp_path / 'annotations')
    assert (publication.name, publication.labels) == (name, labels)
    (item,) = publication.splits['train']
    assert (item.stems, item.label) == (('A0xAXXysHUo_E_002184_002237_A_0035_0036',), 2)


def test_newer_training_list_is_preferred(tmp_path):
    imitate('gym99', tmp_path)
    write(tmp_path / 'annotations/gym99_train_element_v1.0.txt', 'x_E_0_1_A_0_1 0\n')
    (item,) = read_gym99(tmp_path / 'annotations').splits['train']
    assert item.label == 2


@pytest.mark.parametrize('line', ['x_E_000001_000002 1', 'x_E_0_1_A_0_1', 'x y_E_0_1_A_0_1 1'])
def test_names_of_events_or_without_class_are_named(tmp_path, line):
    imitate('gym99', tmp_path)
    write(tmp_path / 'annotations/gym99_val_element.txt', f'\n{line}\n')
    with pytest.raises(InputError, match=r'gym99_val_element.txt:2: expected "<id>_E_'):
        read_gym99(tmp_path / 'annotations')


def test_class_outside_the_categories_is_named(tmp_path):
    imitate('gym99', tmp_path)
    write(tmp_path / 'annotations/gym99_val_element.txt', 'x_E_0_1_A_0_1 3\n')
    with pytest.raises(InputError, match="txt:1: expected a class id from 0 to 2, got '3'"):
        read_gym99(tmp_path / 'annotations')


def test_gap_in_the_categories_is_named(tmp_path):
    imitate('gym99', tmp_path)
    write(tmp_path / 'annotations/gym99_categories.txt', 'Clabel: 1; set: 1; Glabel: 1; (VT) x\n')
    with pytest.raises(InputError, match=r'gym99_categories.txt:1: expected "Clabel: 0; set'):
        read_gym99(tmp_path / 'annotations')
