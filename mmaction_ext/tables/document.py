"""YAML files that know on which line each of their values stands."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
import yaml.composer
import yaml.resolver
from pydantic import ConfigDict, TypeAdapter, ValidationError, ValidationInfo, model_validator

from mmaction_ext.errors import InputError
from mmaction_ext.files.reading import read_regular
from mmaction_ext.printable import clean
from mmaction_ext.tracking.ledger.format import LARGEST

#: A larger file, or one with more values or nested more deeply, is no specification.
MOST_BYTES, MOST_VALUES, DEEPEST = 1 << 20, 10_000, 64
#: What is said of a value is cut where it is longer.
MOST_LETTERS = 400

T = TypeVar('T')
Key = Any  # a text, mostly, or an index

#: How the values of files become those of dataclasses.
ENTRY = ConfigDict(
    arbitrary_types_allowed=True,
    coerce_numbers_to_str=True,
    validate_by_name=True,
    validate_by_alias=True,
)


class Fault(ValueError):
    """What is wrong with a part of a value, as a validator of pydantic says it.

    Args:
        message: one line.
        where: keys and indices that lead from the value to the part.
    """

    def __init__(self, message: str, *where: str | int) -> None:
        super().__init__(message)
        self.where = where


class Entries(dict[Any, Any]):
    """A mapping of a file, with the line of each key."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[Any, int] = {}


class Entry:
    """Base of pydantic dataclasses of a mapping in a file, which have :data:`ENTRY` as config.

    Its keys are the fields, or their aliases, but for those in ``<>``.
    """

    @classmethod
    def keys(cls) -> list[str]:
        """The keys that the mapping may have."""
        fields = cls.__pydantic_fields__  # type: ignore[attr-defined]
        names = (known.alias or name for name, known in fields.items())
        return sorted(name for name in names if not name.startswith('<'))

    @model_validator(mode='before')
    @classmethod
    def _known_keys(cls, values: Any, info: ValidationInfo) -> Any:
        if not isinstance(values, Entries):  # made by code, or no mapping
            return values
        others = {key: value for key, value in values.items() if key not in cls.keys()}  # noqa: SIM118  our own
        known = {key: value for key, value in values.items() if key not in others}
        document: Any = info.context
        return cls._defaults(values, others, document) | known

    @classmethod
    def _defaults(
        cls, values: Entries, others: dict[Any, Any], document: 'Document'
    ) -> dict[str, Any]:
        """Fields in ``<>`` and left out; ``others`` is what the file has that is no key."""
        for key in others:
            raise Fault(f'unknown key {key!r}; known: {", ".join(cls.keys())}', key)
        return {}


class _Loader(yaml.SafeLoader):
    """Stops where a file is none of ours, before it has taken the time of a whole one."""

    nodes = 0

    def fetch_flow_collection_start(self, token: Any) -> None:
        if self.flow_level == DEEPEST:
            raise yaml.YAMLError('nested too deeply')
        super().fetch_flow_collection_start(token)

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.nodes += 1
        if self.nodes > MOST_VALUES:
            raise yaml.YAMLError(f'more than {MOST_VALUES} values')
        return super().compose_node(parent, index)


def _compose(text: str) -> Any:
    """The nodes of a text, by libyaml where PyYAML has it and it takes the text.

    What it refuses, or has more in it than it should, :class:`_Loader` may take, or says why not.
    """
    if yaml.__with_libyaml__:
        try:
            return _Events(text).get_single_node()
        except (yaml.YAMLError, RecursionError):
            pass
    return yaml.compose(text, Loader=_Loader)


class _Events(yaml.composer.Composer, yaml.resolver.Resolver):
    """Composes nodes from what libyaml parses, which takes half of the time."""

    def __init__(self, text: str) -> None:
        super().__init__()
        yaml.resolver.Resolver.__init__(self)
        parser = yaml.CSafeLoader(text)
        self.check_event, self.get_event = parser.check_event, parser.get_event
        self.peek_event = parser.peek_event
        self.nodes = self.depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.nodes += 1
        self.depth += 1
        if self.nodes > MOST_VALUES or self.depth > DEEPEST:
            raise yaml.YAMLError
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


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

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lines: dict[tuple[Key, ...], int] = {}
        self._texts: dict[tuple[Key, ...], str] = {}
        self._loader = yaml.SafeLoader('')
        try:
            root = _compose(self._text())
            self.value = None if root is None else self._plain(root, ())
        except InputError:
            raise
        except yaml.YAMLError as error:
            raise self._syntax_error(error) from error
        except RecursionError as error:
            raise InputError(f'{self.path}: nested too deeply') from error

    def error(self, where: Iterable[Key], message: str) -> InputError:
        """Error at a place in the file.

        Args:
            where: keys and indices that lead to the value, e.g. ``('rows', 2, 'config')``.
            message: what is wrong; it becomes one line.
        """
        where = tuple(where)
        while where and where not in self._lines:
            where = where[:-1]
        return self._error(self._lines.get(where, 1), message)

    def _error(self, line: int, message: str) -> InputError:
        text = clean(message)
        is_long = len(text) > MOST_LETTERS
        return InputError(
            f'{self.path}:{line}: {text[:MOST_LETTERS] + " ..." if is_long else text}'
        )

    def validated(self, schema: TypeAdapter[T]) -> T:
        """What the file holds, as a type of pydantic, whose validators get this as context.

        Parts of a place that pydantic adds, such as the tag of a union, are in ``<>``.

        Raises:
            InputError: it is not of that type; the message names file, line and key.
        """
        try:
            return schema.validate_python(self.value, context=self, by_alias=True, by_name=False)
        except ValidationError as error:
            raise self._refusal(error.errors(include_url=False)[0]) from error

    def _refusal(self, error: Any) -> InputError:
        where = [
            part for part in error['loc'] if str(part)[:1] + str(part)[-1:] not in ('<>', '[]')
        ]
        fault = error.get('ctx', {}).get('error')
        if isinstance(fault, ValueError):
            message, where = str(fault), [*where, *getattr(fault, 'where', ())]
        elif error['type'] == 'missing':
            message = f'{where.pop()!r} is missing'
        elif error['type'] == 'dataclass_type':
            message = f'expected a mapping, found {error["input"]!r}'
        else:
            words = re.sub('(?i)tuple', 'list', error['msg']).replace('dictionary', 'mapping')
            message = f'{words[:1].lower()}{words[1:]}, found {error["input"]!r}'
        key = ''.join(f'[{part}]' if isinstance(part, int) else f'.{part}' for part in where)
        return self.error(where, ': '.join(filter(None, (key.removeprefix('.'), message))))

    def line(self, where: Iterable[Key]) -> int:
        """Line of a value that exists."""
        return self._lines[tuple(where)]

    def written(self, where: Iterable[Key]) -> str:
        """A plain value that exists as the file writes it: ``73.50`` where the value is 73.5."""
        return self._texts[tuple(where)]

    def get(self, where: Iterable[Key], default: Any = None) -> Any:
        """Value at a place; ``default`` if its key is not given.

        Args:
            where: keys and indices; all but the last key must exist.
            default: returned where they end at a key that is not there.
        """
        value: Any = self.value
        for key in where:
            if isinstance(value, dict) and key not in value:
                return default
            value = value[key]
        return value

    def _text(self) -> str:
        try:
            return read_regular(self.path, MOST_BYTES).decode('utf-8')
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, 'strerror', None) or 'not UTF-8 text'
            raise InputError(f'{self.path} cannot be read: {reason}') from error

    def _plain(self, node: yaml.Node, where: tuple[Key, ...]) -> Any:
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
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            value = self._loader.construct_object(node)
        except ValueError as error:  # a date or number that there is not
            reason = str(error)
        else:
            if not isinstance(value, int) or abs(value) <= LARGEST:
                return value
            reason = 'too large a number'
        raise self._error(node.start_mark.line + 1, f'{reason}: {node.value}')

    def _plain_mapping(self, node: yaml.MappingNode, where: tuple[Key, ...]) -> Entries:
        mapping = Entries()
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(line, 'a key must be a plain word')
            key = self._scalar(key_node)
            if key in mapping:
                raise self._error(line, f'{key!r} is given twice')
            self._lines[(*where, key)] = mapping.lines[key] = line
            mapping[key] = self._plain(value_node, where + (key,))
        return mapping

    def _syntax_error(self, error: yaml.YAMLError) -> InputError:
        mark = getattr(error, 'problem_mark', None)
        problem = getattr(error, 'problem', None) or str(error) or 'not YAML'
        return self._error(mark.line + 1 if mark else 1, problem)
