import re

import pytest

from mmaction_ext.report.markup import render
from mmaction_ext.report.template import NEUTRAL, PAGE, PALETTE, color, templates

STYLE = render('page.css')


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    ]
    return sum(
        weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize('page', PAGE.values())
@pytest.mark.parametrize('colour', [*PALETTE, NEUTRAL])
def test_marks_stand_out_from_the_page(colour, page):
    assert contrast(colour, page) >= 3


def pairs():
    """(name of the ink, name of what it stands on) of texts in the style sheet."""
    return [
        ('ink', 'page'),
        ('ink', 'band'),
        ('soft', 'page'),
        ('soft', 'band'),
        ('accent', 'page'),
        ('accent', 'band'),
        ('good', 'good-page'),
        ('warn', 'warn-page'),
        ('bad', 'bad-page'),
        ('ink', 'accent-page'),
        ('soft', 'accent-page'),
        ('accent', 'accent-page'),
        ('good', 'page'),
    ]


@pytest.mark.parametrize('ink, ground', pairs())
def test_texts_are_readable_in_both_schemes(ink, ground):
    colours = dict(re.findall(r'--([a-z-]+): light-dark\((#\w{6}, #\w{6})\)', STYLE))
    for one, other in zip(colours[ink].split(', '), colours[ground].split(', '), strict=True):
        assert contrast(one, other) >= 4.5


def test_page_and_figures_agree_on_the_page():
    assert f'--page: light-dark({PAGE["light"]}, {PAGE["dark"]})' in STYLE


def test_templates_differ_in_colours_alone():
    light, dark = templates()['light'], templates()['dark']
    assert light['layout']['font']['color'] != dark['layout']['font']['color']
    assert light['layout']['paper_bgcolor'] == dark['layout']['paper_bgcolor'] == 'rgba(0,0,0,0)'
    assert light['data'].keys() == dark['data'].keys() == {'bar', 'scatter'}


def test_colours_repeat():
    assert color(0) == color(len(PALETTE)) != color(1)
