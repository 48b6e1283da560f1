"""Secrets are masked, settings that only sound like one are not."""

import copy

import pytest

from mmaction_ext.tracking.writing.masking import MASK, mask, mask_arguments, mask_text


@pytest.mark.parametrize(
    'name',
    [
        'password',
        'db_password',
        'PASSWORD',
        'dbPassword',
        'a.b.password',
        'token',
        'auth_token',
        'secret',
        'client_secret',
        'api_key',
        'apiKey',
        'WANDB_API_KEY',
        'apikey',
        'credential',
        'credentials',
        'aws_secret_access_key',
        'private_key',
        'passwd',
    ],
)
def test_secrets_by_name(name):
    assert mask({name: 'geheim'}) == {name: MASK}
    assert mask(dict(a=[{name: dict(user='me', pin=7)}])) == dict(
        a=[{name: dict(user=MASK, pin=MASK)}]
    )
    assert mask_arguments([f'{name}=geheim=7', 'a=1']) == [f'{name}={MASK}', 'a=1']


@pytest.mark.parametrize(
    'name, value',
    [
        ('key_points', 8),
        ('keypoint', 'a'),
        ('num_tokens', 196),
        ('monkey', 'a'),
        ('key', 'imgs'),
        ('keys', ['imgs']),
        ('token_size', 3),
        ('with_cls_token', True),
        ('metric_key', 'acc'),
        ('tokenizer', 'x'),
        ('secretary', 'x'),
        ('password', None),
        ('password', ''),
        ('type', 'TokenHead'),
        ('url', 'https://host/a@b?split=1'),
        ('text', 'a basic block'),
    ],
)
def test_harmless_settings_stay(name, value):
    assert mask({name: value}) == {name: value}


def test_settings_themselves_stay():
    settings = dict(a=dict(token='geheim'), b=('x', 1))
    before = copy.deepcopy(settings)
    assert mask(settings) == dict(a=dict(token=MASK), b=('x', 1)) and settings == before


@pytest.mark.parametrize(
    'text',
    [
        'https://me:geheim@host/a',
        'http://h/a?api_key=geheim&b=1',
        'Authorization: Bearer geheim123',
        's3://geheim@bucket',
        'hf_geheimgeheimgeheim',
        'https://h/?X-Signature=geheim#x',
    ],
)
def test_secrets_in_texts(text):
    assert 'geheim' not in mask_text(text) and MASK in mask_text(text)
    assert 'geheim' not in str(mask(dict(load_from=text))) + str(mask_arguments([f'a={text}']))


def test_bare_key():
    assert mask(dict(key='a1B2c3D4e5F6g7H8')) == dict(key=MASK)
