"""Weights of image networks: found where they are said to be, refused where they do not fit."""

import os

import pytest
import timm
import torch
from torch import nn

from mmaction_ext.models import FrameResNet
from mmaction_ext.models.backbones import image_weights
from mmaction_ext.models.backbones.image_weights import inflate, load_image_weights


def video():
    network = nn.Sequential(nn.Conv3d(3, 4, (1, 3, 3), bias=False), nn.BatchNorm3d(4))
    return network.add_module('temporal', nn.Conv3d(4, 4, (3, 1, 1), groups=4)) or network


def image():
    return nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)).state_dict()


def rename(name):
    return None if name.startswith('temporal') else name


def test_kernels_are_inflated_and_the_rest_is_copied():
    network, weights = video(), image()
    before = network.temporal.weight.clone()
    inflate(network, {**weights, 'fc.weight': torch.ones(5, 4)}, rename, 'here')
    assert torch.equal(network[0].weight[:, :, 0], weights['0.weight'])
    assert torch.equal(network.temporal.weight, before)


def without(weights, name):
    return {key: value for key, value in weights.items() if key != name}


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda w: without(w, '1.running_mean'), r'here.*missing: 1\.running_mean$'),
        (lambda w: {**w, '2.weight': torch.ones(1)}, r'left over: 2\.weight$'),
        (lambda w: {**w, '0.weight': torch.ones(4, 3, 5, 5)}, r'of another shape: 0\.weight$'),
        (lambda w: {}, r'missing: 0\.weight, 1\.weight.*running_var$'),
        (lambda w: {**w, **{f'x{i}': torch.ones(1) for i in range(10)}}, 'x7 and 2 more$'),
    ],
)
def test_what_does_not_fit_is_listed_and_nothing_is_loaded(change, message):
    network = video()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        inflate(network, change(image()), rename, 'here')
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_old_files_without_counters_of_batches_are_taken():
    weights = without(image(), '1.num_batches_tracked')
    network = video()
    inflate(network, weights, rename, 'here')
    assert torch.equal(network[0].weight[:, :, 0], weights['0.weight'])


def test_a_network_leaves_out_what_it_starts_anew(tmp_path):
    class Anew(FrameResNet):
        def image_name(self, name):
            return None if name.startswith('layer4.0.conv2.') else name

        def leaves_out(self, name):
            return self.image_name(name) is None

    torch.manual_seed(0)
    weights = FrameResNet(14, 2, base_channels=4).state_dict()
    torch.save(weights, tmp_path / 'image.pth')
    network = Anew(14, 2, base_channels=4, pretrained=str(tmp_path / 'image.pth'))
    network.init_weights()
    found = network.state_dict()
    changed = [name for name, value in found.items() if not value.equal(weights[name])]
    assert changed == ['layer4.0.conv2.weight']


@pytest.mark.parametrize('wrap', [lambda w: w, lambda w: dict(state_dict=w, meta=dict(epoch=3))])
def test_a_local_file(tmp_path, wrap):
    weights = image()
    torch.save(wrap(weights), tmp_path / 'image.pth')
    found = load_image_weights(str(tmp_path / 'image.pth'))
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], value) for name, value in weights.items())


class Bomb:
    """Runs a command when it is unpickled by a loader that lets it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_file_with_code_is_refused(tmp_path):
    torch.save(dict(state_dict=Bomb(str(tmp_path / 'ran'))), tmp_path / 'bomb.pth')
    with pytest.raises(ValueError, match=r'bomb\.pth is refused: it asks for posix\.mkdir'):
        load_image_weights(str(tmp_path / 'bomb.pth'))
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('content', [[1, 2], dict(a=1), {}])
def test_a_file_without_weights_is_refused(tmp_path, content):
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=r'other\.pth has no state_dict'):
        load_image_weights(str(tmp_path / 'other.pth'))


@pytest.mark.parametrize(
    'source, message',
    [
        ('no/such/file.pth', 'no/such/file.pth cannot be read: No such file'),
        ('torchvision://resnet49', "torchvision.*'resnet49'"),
        ('timm.resnet49', "'resnet49'"),
        ('timm.resnet50.no_such_tag', "'resnet50.no_such_tag'"),
    ],
)
def test_unknown_sources_are_refused(source, message):
    with pytest.raises(ValueError, match=message):
        load_image_weights(source)


@pytest.mark.parametrize(
    'source, expected',
    [
        ('torchvision://resnet50', 'https://download.pytorch.org/models/resnet50-0676ba61.pth'),
        (
            'torchvision://resnet50.imagenet1k_v2',
            'https://download.pytorch.org/models/resnet50-11ad3fa6.pth',
        ),
        ('https://example.org/a.pth', 'https://example.org/a.pth'),
    ],
)
def test_addresses_are_loaded_as_weights_only(monkeypatch, source, expected):
    monkeypatch.setattr(image_weights, 'load_address', {expected: image()}.get)
    assert load_image_weights(source).keys() == image().keys()


def test_timm(monkeypatch):
    create, asked = timm.create_model, []

    def offline(name, pretrained):
        asked.append((name, pretrained))
        return create('resnet10t')

    monkeypatch.setattr(timm, 'create_model', offline)
    found = load_image_weights('timm.resnet50.a1_in1k')
    assert asked == [('resnet50.a1_in1k', True)]
    assert found.keys() == create('resnet10t').state_dict().keys()
