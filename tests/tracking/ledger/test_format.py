"""Lines of metrics: what goes in comes out, and no damage goes unseen."""

import contextlib
import json
import math
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmaction_ext.tracking.ledger.format import (
    MOST_VALUES,
    NON_FINITE,
    DamagedLine,
    MetricsRow,
    NewerVersion,
    decode_object,
    decode_row,
    encode_object,
    encode_row,
    from_json,
    is_intact_line,
    parse_json,
    to_json,
)

texts = st.text().filter(lambda text: text not in NON_FINITE)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=8,
)
rows = st.builds(
    MetricsRow,
    attempt=st.integers(1),
    iter=st.integers(0),
    phase=texts | st.sampled_from([*NON_FINITE]),
    epoch=st.none() | st.integers(0),
    time=st.floats(allow_nan=False, allow_infinity=False),
    metrics=st.dictionaries(texts, values),
)
ROW = MetricsRow(
    2,
    'val',
    12,
    3,
    1.5,
    {'val/acc/top1': 0.25, 'val/loss': math.nan, 'val/say "crc32': 'grün, "crc32": "00000000"}'},
)


def same(one, other):
    """Equality in which NaN equals NaN and an int is no float."""
    return repr(one) == repr(other)


@given(rows)
def test_a_row_comes_back_as_it_was(row):
    line = encode_row(row)
    assert line.endswith(b'\n') and line.count(b'\n') == 1 and line.isascii()
    assert same(decode_row(line[:-1]), row)


def test_line_by_hand():
    line = encode_row(MetricsRow(1, 'train', 10, 1, 1700000000.1, {'train/loss': 2.1}))
    assert line == (
        b'{"attempt": 1, "phase": "train", "iter": 10, "epoch": 1, '
        b'"time": 1700000000.1, "metrics": {"train/loss": 2.1}, '
        b'"crc32": "a63d0499"}\n'
    )


@pytest.mark.parametrize(
    'value, text', [(math.nan, 'NaN'), (math.inf, 'Infinity'), (-math.inf, '-Infinity')]
)
def test_numbers_that_are_not_finite_are_strings_of_standard_json(value, text):
    for number in (value, np.float32(value), torch.tensor(value)):
        line = encode_row(ROW._replace(metrics={'val/a': number, 'val/b': [number]}))

        def refuse(constant):
            raise AssertionError(constant)

        content = json.loads(line, parse_constant=refuse)
        assert content['metrics'] == {'val/a': text, 'val/b': [text]}
        assert same(decode_row(line[:-1]).metrics['val/a'], value)


def test_arrays_and_tensors_become_lists_and_the_rest_text():
    content = dict(
        array=np.arange(3),
        tensor=torch.tensor([[1.5]]),
        scalar=np.float64(0.1),
        whole=np.int64(3),
        truth=np.bool_(True),
        pair=(1, 2),
        other=3j,
    )
    assert from_json(to_json({**content, 5: 'key'})) == {
        'array': [0, 1, 2],
        'tensor': [[1.5]],
        'scalar': 0.1,
        'whole': 3,
        'truth': True,
        'pair': [1, 2],
        'other': '3j',
        '5': 'key',
    }


contents = st.dictionaries(
    texts.filter(lambda text: text not in ('crc32', 'schema')), values, min_size=1
)


@given(contents)
def test_an_object_comes_back_as_it_was(content):
    text = encode_object(content)
    assert text.isascii() and same(decode_object(text.encode()), content)
    assert same(decode_object(to_json(content).encode()), content), 'without a checksum, as once'


def test_object_of_a_later_version():
    for text in (encode_object({'schema': 3}), '{"schema": 3}', '{"schema": 2.5, "crc32": "?"}'):
        with pytest.raises(NewerVersion, match='this program reads up to 2'):
            decode_object(text.encode())
    with pytest.raises(ValueError, match='no known version'):
        decode_object(encode_object({'schema': 'x'}).encode())


def test_object_of_too_many_values():
    data = encode_object({'a': [0] * 300}).encode()
    assert decode_object(data, 400) == {'a': [0] * 300}
    with pytest.raises(ValueError, match='too many values'):
        decode_object(data, 200)
    many = encode_object({'a': [0] * (MOST_VALUES + 9)}).encode()
    assert decode_object(many, 2 * MOST_VALUES)
    with pytest.raises(ValueError, match='too many values'):  # altered, so not worth its time
        decode_object(many.replace(b'"a"', b'"b"'), 2 * MOST_VALUES)


def test_object_by_hand():
    assert encode_object({'seed': 3, 'loss': math.nan}) == (
        '{\n "seed": 3,\n "loss": "NaN",\n "crc32": "ba7891b9"\n}\n'
    )


@given(contents, st.data())
@settings(max_examples=300)
def test_altered_object_is_refused_or_is_what_was_written(content, data):
    """Any one byte replaced, and the text cut off anywhere."""
    written = bytearray(encode_object(content).encode())
    place = data.draw(st.integers(0, len(written) - 1))
    altered = bytes(written[:place])
    if data.draw(st.booleans()):
        written[place] = data.draw(st.integers(0, 255))
        altered = bytes(written)
    with contextlib.suppress(ValueError):
        found = decode_object(altered)
        assert same({name: found[name] for name in content}, content)


@pytest.mark.parametrize(
    'text',
    [
        '',
        '[]',
        '3',
        '{"a": 1',
        '{"a": 1, "crc32": "00000000"}',
        '{"crc32": null, "a": 1}',
        '[' * 100_000,
        '{"a": 1}x',
        '{"a": 1, "schema": 2}',
        '{\n "a": 2,\n "crc32": "56aca4eb"\n}\n',
    ],
)
def test_text_that_holds_no_object_as_it_was_written_is_refused(text):
    with pytest.raises(ValueError):
        decode_object(text.encode())


def test_every_truncation_is_seen():
    line = encode_row(ROW)[:-1]
    for length in range(len(line)):
        with pytest.raises(DamagedLine):
            decode_row(line[:length])


def test_every_flipped_bit_is_seen():
    line = encode_row(ROW)[:-1]
    for position in range(len(line)):
        for bit in range(8):
            damaged = bytearray(line)
            damaged[position] ^= 1 << bit
            assert not is_intact_line(bytes(damaged))


@given(st.binary(max_size=60))
@settings(max_examples=200)
def test_bytes_that_are_no_line_are_refused(line):
    with pytest.raises(DamagedLine):
        decode_row(line)


@pytest.mark.parametrize(
    'content',
    [
        '[1',
        '{"attempt": 1',
        '{"attempt": 1, "phase": "val", "iter": 1, "epoch": 1, "time": 0, '
        '"metrics": {}, "more": 1',
        '{"attempt": 1, "phase": "val", "iter": 1, "epoch": 1, "time": 0, "metrics": null',
        '[' * 100_000,
    ],
)
def test_whole_line_that_is_no_row_is_refused(content):
    line = f'{content}, "crc32": "{zlib.crc32(content.encode()):08x}"}}'.encode()
    with pytest.raises(DamagedLine, match='no row of metrics'):
        decode_row(line)


def test_truncation_of_a_file_at_every_byte_leaves_the_rows_before(tmp_path):
    written = [ROW._replace(iter=number) for number in range(4)]
    data = b''.join(map(encode_row, written))
    for length in range(len(data) + 1):
        *lines, rest = data[:length].split(b'\n')
        found = [decode_row(line) for line in lines]
        assert same(found, written[: len(found)]) and len(found) == data[:length].count(b'\n')
        if rest and not data[length:].startswith(b'\n'):
            with pytest.raises(DamagedLine):
                decode_row(rest)


@pytest.mark.parametrize(
    'text',
    [
        *('NaN', '[Infinity, -Infinity]', '-0', '-0.0', '1e400', '5e-324', '1e-400', '[]', ' {} '),
        *(
            '"\\ud800"',
            '{"a": 1, "a": 2}',
            '"é"',
            '1' * 299,
            '0.1',
            '123456789.123456789',
            '"\x7f"',
        ),
    ],
)
def test_quick_parser_gives_what_the_usual_one_gives(text):
    for form in (text, text.encode()):
        assert repr(parse_json(form)) == repr(json.loads(form))


@pytest.mark.parametrize(
    'text', ['', '{', '[1,]', '01', '1.', '{}x', '"\x01"', "{'a': 1}", b'\xff']
)
def test_what_is_no_json_is_none_for_the_quick_parser(text):
    with pytest.raises(ValueError):
        parse_json(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_quick_parser_reads_any_json(content):
    text = json.dumps(content)
    assert repr(parse_json(text)) == repr(json.loads(text))
