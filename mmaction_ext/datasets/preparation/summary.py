"""The report of a preparation, for a person."""

from typing import Any

from mmaction_ext.datasets.preparation.inspection import FAULTS
from mmaction_ext.datasets.preparation.prepare import DUPLICATE, REPORT
from mmaction_ext.printable import clean

#: how many faults are named; the report has them all
SHOWN = 5


def summarise(report: dict[str, Any]) -> str:
    """A few lines of text: counts by split, the first faults, what was written.

    Args:
        report: as returned by :func:`prepare.prepare`.
    """
    lines = [f'{report["dataset"]}: {report["classes"]} classes, check: {report["check"]}']
    lines += [f'  {_counts(split, count)}' for split, count in report['splits'].items()]
    found = [f'note: {note}' for note in report['notes']]
    faults = {  # an item is named once, in however many splits it is
        fault['name']: f'{fault["kind"]}: {fault["name"]} ({fault["reason"]}; {fault["source"]})'
        for fault in reversed(report['faults'])
        if fault['kind'] != DUPLICATE
    }
    found += list(reversed(faults.values()))[:SHOWN]
    if len(faults) > SHOWN:
        found.append(f'... and {len(faults) - SHOWN} more, see {report["root"]}/{REPORT}')
    return '\n'.join([*lines, *map(clean, [*found, *_verdict(report)])])


def _counts(split: str, count: dict[str, Any]) -> str:
    kinds = [kind for kind in (*FAULTS, DUPLICATE) if count[kind.replace(' ', '_')]]
    parts = [
        f'{count["listed"]} listed',
        f'{count["usable"]} usable',
        *(f'{count[kind.replace(" ", "_")]} {kind}' for kind in kinds),
    ]
    return f'{split}: {", ".join(parts)}'


def _verdict(report: dict[str, Any]) -> list[str]:
    root = report['root']
    if not report['written']:
        kept = f'; of an earlier run there are still {", ".join(report["kept"])}'
        other = '' if report['skip_broken'] else ', or leave them out with --skip-broken'
        return [
            f'{root}: no annotation file written, {report["broken"]} items are broken; mend '
            f'them and run again{other}{kept if report["kept"] else ""}'
        ]
    names = ', '.join(count['annotation_file'] for count in report['splits'].values())
    left_out = f' without {report["broken"]} broken items' if report['broken'] else ''
    return [f'{root}: {names} written{left_out}', f'for the config: {_settings(report)}']


def _settings(report: dict[str, Any]) -> str:
    """As in :func:`mmaction_ext.datasets.pipelines.training_loader`."""
    if report['delimiter'] == ' ':
        return (
            f"type='GuardedRawframeDataset', data_prefix=dict(img={report['media']!r}), "
            + ', '.join(f'{name}={value!r}' for name, value in report['frames'].items())
        )
    return (
        f"type='GuardedVideoDataset', data_prefix=dict(video={report['media']!r}), "
        f'delimiter={report["delimiter"]!r}'
    )
