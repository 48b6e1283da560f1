"""A CSV file of paths and labels, and everything in it that contradicts itself."""

import pytest

from mmaction_ext.datasets.publishers.clip_list import read_clip_list
from mmaction_ext.errors import InputError

ROWS = [f'{name}/p{person}.avi,{name}' for person in range(5) for name in ('kick', 'punch')]


def write(folder, rows, header='path,label'):
    path = folder / 'clips.csv'
    path.write_text('\n'.join([header, *rows]) + '\n')
    return path


def files(publication):
    return {
        split: {f'{item.folders[0]}/{item.stems[0]}'.lstrip('/') for item in items}
        for split, items in publication.splits.items()
    }


def test_a_list_without_splits_is_split_class_by_class(tmp_path):
    found = read_clip_list(write(tmp_path, [*ROWS, '', ' , ']))
    assert found.labels == ['kick', 'punch']
    assert {split: len(each) for split, each in found.splits.items()} == dict(
        train=6, val=2, test=2
    )
    assert found.splits['train'][0].source == f'{tmp_path}/clips.csv:' + str(
        2 + ROWS.index(f'kick/{found.splits["train"][0].stems[0]},kick')
    )


def test_groups_of_a_column_or_a_pattern_stay_together(tmp_path):
    rows = [f'{row},person{place // 2}' for place, row in enumerate(ROWS)]
    by_column = read_clip_list(write(tmp_path, rows, 'path,label,group'), folds=True)
    by_pattern = read_clip_list(write(tmp_path, ROWS), group=r'/p(\d)', folds=True)
    assert [name.replace('person', '') for name in by_column.splits] == list(by_pattern.splits)
    assert list(files(by_column).values()) == list(files(by_pattern).values())


def test_given_splits_and_folds_are_taken_as_they_are(tmp_path):
    parts = ['train'] * 4 + ['test'] * 4 + ['train'] * 2
    rows = [f'{part},{row}' for part, row in zip(parts, ROWS, strict=True)]
    found = files(read_clip_list(write(tmp_path, rows, 'split,path,label')))
    assert found['test'] == {row.split(',')[0] for row in ROWS[4:8]} and list(found) == [
        'train',
        'test',
    ]
    names = ('fold2', '02', '6', 'fold6')  # of two folds
    rows = [f'{row},{names[place % 4]}' for place, row in enumerate(ROWS)]
    found = files(read_clip_list(write(tmp_path, rows, 'path,label,fold')))
    assert list(found) == ['train_2', 'test_2', 'train_6', 'test_6']
    assert (
        found['test_6']
        == found['train_2']
        == {row.split(',')[0] for place, row in enumerate(ROWS) if place % 4 > 1}
    )


def test_labels_that_are_numbers_keep_their_order(tmp_path):
    rows = [f'{label}_{take}.avi,{label}' for label in (10, 2, 1, 0) for take in range(3)]
    found = read_clip_list(write(tmp_path, rows))
    assert found.labels == ['0', '1', '2', '10']
    assert {item.label for item in found.splits['test']} == {0, 1, 2, 3}


def test_paths_are_below_a_folder_however_they_are_written(tmp_path):
    videos = tmp_path / 'videos'
    rows = [f'{videos}/kick/a.avi,kick', './kick/../kick/b.avi,kick', 'kick/c.avi,kick']
    rows += [f'{name}.avi,punch' for name in 'abc']
    found = files(read_clip_list(write(tmp_path, rows), videos))
    assert set.union(*found.values()) == {
        *('kick/a.avi', 'kick/b.avi', 'kick/c.avi', 'a.avi', 'b.avi', 'c.avi')
    }


def extended(*values):
    """The rows, each with one more value, of those given in turn."""
    return [f'{row},{values[place % len(values)]}' for place, row in enumerate(ROWS)]


@pytest.mark.parametrize(
    ('header', 'rows', 'reason'),
    [
        ('path,class', ROWS, 'csv:1: expected the columns path, label, label missing'),
        ('path,label', [], 'csv has 0 classes'),
        ('path,label', ROWS[::2], 'csv has 1 classes'),
        ('path,label', [*ROWS, 'x.avi,Kick'], "classes 'Kick' and 'kick' differ in case"),
        ('path,label', ['a.avi,a b', 'b.avi,a  b'], 'differ in case or blanks alone'),
        ('path,label', [*ROWS, ROWS[0]], 'csv:12: .* is the same file as .*csv:2'),
        ('path,label', [*ROWS, 'a/../kick/p0.avi,punch'], 'csv:12: .* is the same file as'),
        ('path,label', [*ROWS, '../x.avi,kick'], r'csv:12: \.\./x.avi does not lie below'),
        ('path,label', [*ROWS, '/x.avi,kick'], 'csv:12: /x.avi does not lie below'),
        ('path,label', [*ROWS, 'x.avi,'], 'csv:12: label is empty'),
        ('path,label', [*ROWS, 'x.avi'], 'csv:12: expected 2 fields'),
        ('path,label,split,fold', extended('train,1'), 'columns split and fold'),
        ('path,label,split', extended('train'), r'clips\.csv: no clip is of split test'),
        ('path,label,split', extended('dev'), "csv:2: split 'dev' is none of train"),
        ('path,label,split', extended('test', 'train'), 'no clip of kick is left for training'),
        (
            'path,label,group,split',
            extended('g,test', 'h,test', 'g,train'),
            'csv:4: group g is in train, but in test in .*csv:2',
        ),
        ('path,label,group,fold', extended('g,1', 'g,2'), 'csv:3: group g is in 2, but in 1 in'),
        ('path,label,fold', extended('a b'), 'two or more groups with plain names'),
        ('path,label,group', extended('g', ' '), 'csv:3: group is empty'),
        ('path,label,group', extended('g', 'G'), "groups 'G' and 'g' differ"),
        ('path,label,fold', extended('a', 'A'), "csv: folds 'A' and 'a' differ"),
        ('path,label', [*ROWS, 'x.avi,sit down, slow'], 'csv:12: expected 2 fields, got 3'),
        ('path,label', [*ROWS, 'x\0.avi,kick'], r"csv:12: 'x.x00\.avi' cannot be written"),
    ],
)
def test_what_contradicts_or_lacks_is_named_in_one_line(tmp_path, header, rows, reason):
    with pytest.raises(InputError, match=reason) as caught:
        read_clip_list(write(tmp_path, rows, header))
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (dict(folds=2), 'the list has a column fold: --folds and --split-seed would contradict'),
        (dict(seed=1), 'the list has a column fold'),
        (dict(group='p'), "a column group, and --group 'p': one says it"),
    ],
)
def test_options_that_contradict_the_list_are_named(tmp_path, options, reason):
    rows = [f'{row},g{i},{i % 2}' for i, row in enumerate(ROWS)]
    with pytest.raises(InputError, match=reason):
        read_clip_list(write(tmp_path, rows, 'path,label,group,fold'), **options)


def test_links_to_one_video_are_one_video(tmp_path):
    for name in ('kick/p0.avi', 'punch/p0.avi'):
        (tmp_path / name).parent.mkdir()
    (tmp_path / 'kick/p0.avi').touch()
    (tmp_path / 'punch/p0.avi').symlink_to('../kick/p0.avi')
    with pytest.raises(InputError, match=r'csv:3: punch/p0\.avi is the same file as kick/p0\.avi'):
        read_clip_list(write(tmp_path, ROWS))


def test_no_list_is_named(tmp_path):
    with pytest.raises(InputError, match=r'gone\.csv cannot be read'):
        read_clip_list(tmp_path / 'gone.csv')
