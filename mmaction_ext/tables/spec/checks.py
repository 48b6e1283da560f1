"""What can be said of a specification only as a whole: whether its rows and columns fit."""


def check(spec, doc) -> None:
    """Check how the rows of a specification refer to each other, and its columns to the rows.

    Args:
        spec: the :class:`TableSpec`.
        doc: the :class:`mmaction_ext.tables.document.Document` that it was read from.

    Raises:
        InputError: something refers to what is not there; the message names file and line.
    """
    for checker in (_check_means, _check_reference, _check_counterparts, _check_published):
        checker(spec, doc)


def _check_means(spec, doc) -> None:
    configured = [row.id for row in spec.configured]
    for i, row in enumerate(spec.layout):
        unknown = [name for name in getattr(row, 'mean_of', ()) if name not in configured]
        if unknown:
            raise doc.error(
                ('rows', i, 'mean_of'), f'{unknown[0]!r} is no row of this table with a config'
            )


def _check_reference(spec, doc) -> None:
    references = [row.id for row in spec.rows if row.reference]
    if len(references) > 1:
        raise doc.error(('rows',), f'more than one reference row: {", ".join(references)}')
    if references and spec.reference.is_published_only:
        raise doc.error(
            ('rows', spec.layout.index(spec.reference), 'reference'),
            'a row of published figures alone cannot be the reference',
        )
    if not references and any(column.relative for column in spec.columns):
        raise doc.error(
            ('rows',), 'a column is relative_to the reference, but no row has reference: true'
        )
    if spec.varies and not references:
        raise doc.error(('varies',), 'varies needs a row with reference: true')


def _check_counterparts(spec, doc) -> None:
    run = [row.id for row in spec.rows if not row.is_published_only]
    for i, row in enumerate(spec.layout):
        if getattr(row, 'relative_to', '') not in ('', *run):
            raise doc.error(
                ('rows', i, 'relative_to'),
                f'{row.relative_to!r} is no row of this table with runs',
            )


def _check_published(spec, doc) -> None:
    known = {name for row in spec.rows if row.published for name in row.published.figures}
    for i, column in enumerate(spec.columns):
        for key, source in (('from', column.source), ('relative_to', column.relative_to)):
            kind, _, name = str(source).partition('.')
            if kind == 'published' and name not in known:
                raise doc.error(
                    ('columns', i, key), f'no published entry of this table has {name!r}'
                )
