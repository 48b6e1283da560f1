"""Names and digests of the samples of a data set that is built."""

from runner_stubs import Videos

from mmaction_ext.datasets.samples import data_digest, sample_name


def test_sample_is_named_by_the_last_two_parts_of_its_path():
    assert sample_name(dict(filename='data/videos/test/000001.mp4')) == 'test/000001.mp4'
    assert sample_name(dict(frame_dir='frames/17')) == 'frames/17'


def test_data_digest_sees_names_labels_and_sizes_but_not_the_place(tmp_path):
    for place in ('a', 'b'):
        (tmp_path / place / 'test').mkdir(parents=True)
        for index in range(40):
            (tmp_path / place / 'test' / f'{index:06d}.mp4').write_bytes(b'1234567')
    first, second = (data_digest(Videos(tmp_path / place)) for place in 'ab')
    assert first == second
    assert data_digest(Videos(tmp_path / 'a', label=1)) != first
    (tmp_path / 'a/test/000005.mp4').write_bytes(b'12345678')
    assert data_digest(Videos(tmp_path / 'a')) != first
