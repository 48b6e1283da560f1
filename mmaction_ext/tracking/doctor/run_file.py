"""What the JSON files of a ledger say, whatever they hold."""

from mmaction_ext.files.reading import read_regular
from mmaction_ext.tracking.ledger.format import NewerVersion, decode_object


def read_object(path) -> dict | None:
    """The object in a file; ``None`` where it holds none, was altered or cannot be read."""
    try:
        return decode_object(read_regular(path))
    except (OSError, ValueError):
        return None


def is_of_newer_version(path) -> bool:
    """Whether a file says that it is of a version that this program does not know."""
    try:
        decode_object(read_regular(path))
    except NewerVersion:
        return True
    except (OSError, ValueError):
        pass
    return False


def attempts_in(content: dict | None) -> list:
    """The attempts that a ``run.json`` tells of, oldest first."""
    attempts = (content or {}).get('attempts')
    return (
        [item for item in attempts if isinstance(item, dict)] if isinstance(attempts, list) else []
    )


def attempt_numbers(content: dict) -> set:
    """Numbers of these attempts."""
    return {
        item['number'] if is_whole(item.get('number')) else place
        for place, item in enumerate(attempts_in(content), 1)
    }


def is_whole(value) -> bool:
    """Whether a value is a whole number, which a truth value is not."""
    return isinstance(value, int) and not isinstance(value, bool)
