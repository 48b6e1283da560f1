"""One table, five formats. Every renderer is ``render(table) -> str``."""

from mmaction_ext.tables.render import csv, html, json, latex, markdown

#: File extension to renderer.
RENDERERS = {
    'md': markdown.render,
    'tex': latex.render,
    'html': html.render,
    'csv': csv.render,
    'json': json.render,
}

__all__ = ['RENDERERS']
