import math

import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.tracking.reading.csv_runs import read_csv_runs
from mmaction_ext.tracking.reading.find import read_runs

MARKUP = '<script>alert(1)</script> | \\input{x} & $a_b$'


def write(tmp_path, text):
    path = tmp_path / 'numbers.csv'
    path.write_text(text, encoding='utf-8')
    return path


def test_one_record_for_each_row(tmp_path):
    path = write(
        tmp_path,
        'config,seed,test/acc/top1,val/acc/top1,iter,epoch,num_samples,'
        'checkpoint_sha256,config_hash\n'
        'a/b,0,0.5,0.25,80,2,240,s,h\n'
        f'"{MARKUP}",1,nan,,,,,,\n',
    )
    first, second = read_csv_runs(path)
    assert (first.config, first.seed, first.config_hash) == ('a/b', 0, 'h')
    assert first.imported and first.state == 'finished' and first.finished
    assert (first.uid, first.read_from, first.folder) == ('', ('csv',), '')
    assert first.evaluations[0].values == {
        'iter': 80,
        'epoch': 2,
        'test/acc/top1': 0.5,
        'test/num_samples': 240,
        'test/checkpoint_sha256': 's',
    }
    assert first.rows == {'val': [{'iter': 80, 'epoch': 2, 'val/acc/top1': 0.25}]}
    assert first.attempts[0].source == 'csv' and first.attempts[0].path == 'numbers.csv:2'
    assert second.config == MARKUP and second.config_hash is None and second.rows == {}
    assert math.isnan(second.evaluations[0].values['test/acc/top1'])
    assert 'iter' not in second.evaluations[0].values


def test_keys_and_other_sources(tmp_path):
    path = write(tmp_path, 'config,seed,test/a,test/b\nx,0,1,2\n')
    (tmp_path / 'runs').mkdir()
    [record] = read_runs([tmp_path / 'runs', path], ['test/b'])
    assert record.evaluations[0].values == {'test/b': 2.0}


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'no column config'),
        ('config,test/a\nx,1\n', 'no column seed'),
        ('a,seed\n', 'its columns are a, seed; needed are config .* seed, and metrics such as'),
        ('config,seed,acc\n', "column 'acc', which is neither .* columns are config, seed, acc;"),
        ('method,acc\n', 'become a table by mmaction-ext init FOLDER --from-wandb /'),
        ('config,seed,top1\nx,0,1\n', "column 'top1'"),
        ('config,seed,test/a,test/a\nx,0,1,1\n', 'two columns'),
        ('config,seed,test/a\nx,zero,1\n', 'csv:2: seed is no whole number'),
        ('config,seed,test/a\nx,0,1\ny,0,much\n', 'csv:3: test/a is no number'),
        ('config,seed,test/a\nx,0,1_0.5\n', "csv:2: test/a is no number: '1_0.5'"),
        ('config,seed,test/a\nx,1_0,1\n', 'csv:2: seed is no whole number'),
        (
            'config,seed,test/a,test/acc/top1\nx,0,81,0.5\ny,0,81,81.25\n',
            'csv:3: test/acc/top1 is 81.25, but accuracies are fractions',
        ),
        ('config,seed,val/acc/mean1\nx,0,-0.01\n', 'csv:2: val/acc/mean1 is -0.01'),
        ('config,seed,val/acc/mean1\nx,0,inf\n', 'csv:2: val/acc/mean1 is inf'),
        ('config,seed,test/a\nx,0\n', 'csv:2: .* not as many cells'),
        ('config,seed,test/a\nx,0,1,2\n', 'csv:2: .* not as many cells'),
        ('config,seed,test/a\n,0,1\n', 'csv:2: there is no config'),
    ],
)
def test_what_is_no_table_of_runs(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_csv_runs(write(tmp_path, text))


def test_unreadable_files(tmp_path):
    with pytest.raises(InputError, match=r'nowhere\.csv cannot be read'):
        read_runs([tmp_path / 'nowhere.csv'])
    (tmp_path / 'latin.csv').write_bytes(b'config,seed,test/\xe9\n')
    with pytest.raises(InputError, match='UTF-8'):
        read_csv_runs(tmp_path / 'latin.csv')
