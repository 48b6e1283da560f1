"""One table, four formats. Every renderer is ``render(table) -> str``."""

from mmaction_ext.tables.render import csv, html, latex, markdown

#: File extension to renderer.
RENDERERS = {
    'md': markdown.render,
    'tex': latex.render,
    'html': html.render,
    'csv': csv.render,
}

__all__ = ['RENDERERS']
