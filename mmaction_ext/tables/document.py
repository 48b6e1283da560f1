"""YAML files that know on which line each of their values stands."""

from pathlib import Path

import yaml

from mmaction_ext.errors import InputError
from mmaction_ext.files.reading import read_regular

#: A larger file, or one with more values or nested more deeply, is no specification.
MOST_BYTES, MOST_VALUES, DEEPEST = 1 << 20, 10_000, 64


class _Loader(yaml.SafeLoader):
    """Stops where a file is none of ours, before it has taken the time of a whole one."""

    nodes = 0

    def fetch_flow_collection_start(self, token):
        if self.flow_level == DEEPEST:
            raise yaml.YAMLError('nested too deeply')
        super().fetch_flow_collection_start(token)

    def compose_node(self, parent, index):
        self.nodes += 1
        if self.nodes > MOST_VALUES:
            raise yaml.YAMLError(f'more than {MOST_VALUES} values')
        return super().compose_node(parent, index)


class Document:
    """A YAML file as plain values, with the line of each.

    Args:
        path: the file.

    Attributes:
        path: as given.
        value: what the file holds. A key that is given twice is an error, not a replacement.

    Raises:
        InputError: the file cannot be read or is not YAML; the message names file and line.
    """

    def __init__(self, path):
        self.path = Path(path)
        self._lines, self._texts = {}, {}
        self._loader = yaml.SafeLoader('')
        try:
            root = yaml.compose(self._text(), Loader=_Loader)
            self.value = None if root is None else self._plain(root, ())
        except InputError:
            raise
        except yaml.YAMLError as error:
            raise self._syntax_error(error) from error
        except ValueError as error:  # a date or number that there is not
            raise InputError(f'{self.path} holds a value that cannot be read: {error}') from error
        except RecursionError as error:
            raise InputError(f'{self.path}: nested too deeply') from error

    def error(self, where, message) -> InputError:
        """Error at a place in the file.

        Args:
            where: keys and indices that lead to the value, e.g. ``('rows', 2, 'config')``.
            message: what is wrong, one line.
        """
        where = tuple(where)
        while where and where not in self._lines:
            where = where[:-1]
        return InputError(f'{self.path}:{self._lines.get(where, 1)}: {message}')

    def line(self, where) -> int:
        """Line of a value that exists."""
        return self._lines[tuple(where)]

    def written(self, where) -> str:
        """A plain value that exists as the file writes it: ``73.50`` where the value is 73.5."""
        return self._texts[tuple(where)]

    def get(self, where, default=None):
        """Value at a place; ``default`` if its key is not given.

        Args:
            where: keys and indices; all but the last key must exist.
            default: returned where they end at a key that is not there.
        """
        value = self.value
        for key in where:
            if isinstance(value, dict) and key not in value:
                return default
            value = value[key]
        return value

    def mapping(self, where, known, required) -> dict:
        """The mapping at a place; an error if it is none, or has other keys than ``known``, or
        lacks a ``required`` one.
        """
        value = self.get(where)
        if not isinstance(value, dict):
            raise self.error(where, f'expected a mapping, found {value!r}')
        for key in value:
            if key not in known:
                raise self.error(
                    (*where, key), f'unknown key {key!r}; known: {", ".join(sorted(known))}'
                )
        for key in required:
            if key not in value:
                raise self.error(where, f'{key!r} is missing')
        return value

    def items(self, where) -> list:
        """The list at a place; an error if it is none or empty."""
        value = self.get(where)
        if not isinstance(value, list) or not value:
            raise self.error(where, f'{where[-1]} must be a list with at least one entry')
        return value

    def text(self, where, default=None) -> str:
        """The text or number at a place, as text; an error if it is anything else."""
        value = self.get(where, default)
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise self.error(where, f'{where[-1]} must be text, found {value!r}')
        return str(value)

    def choice(self, where, choices, default):
        """The value at a place; an error if it is none of ``choices``."""
        value = self.get(where, default)
        if value not in choices:
            raise self.error(
                where, f'{where[-1]} {value!r} is none of {", ".join(map(str, choices))}'
            )
        return value

    def _text(self) -> str:
        try:
            return read_regular(self.path, MOST_BYTES).decode('utf-8')
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, 'strerror', None) or 'not UTF-8 text'
            raise InputError(f'{self.path} cannot be read: {reason}') from error

    def _plain(self, node, where):
        self._lines.setdefault(where, node.start_mark.line + 1)
        if len(self._lines) > MOST_VALUES:
            raise InputError(
                f'{self.path} holds more than {MOST_VALUES} values, each alias '
                'counted as what it stands for'
            )
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, where + (i,)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._plain_mapping(node, where)
        self._texts[where] = node.value
        return self._loader.construct_object(node)

    def _plain_mapping(self, node, where) -> dict:
        mapping = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise InputError(f'{self.path}:{line}: a key must be a plain word')
            key = self._loader.construct_object(key_node)
            if key in mapping:
                raise InputError(f'{self.path}:{line}: {key!r} is given twice')
            self._lines[where + (key,)] = line
            mapping[key] = self._plain(value_node, where + (key,))
        return mapping

    def _syntax_error(self, error) -> InputError:
        mark = getattr(error, 'problem_mark', None)
        line = f':{mark.line + 1}' if mark else ''
        problem = getattr(error, 'problem', None) or str(error) or 'not YAML'
        return InputError(f'{self.path}{line}: {problem}')
