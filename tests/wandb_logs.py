"""What the tests of the W&B mirror look up in its logs beside what the reader gives."""

import time

from mmaction_ext.tracking.wandb_log import Damage, iter_payloads, read_log


def records(path) -> list:
    """(kind, content) of every record of a log, in order."""
    from wandb.proto.wandb_internal_pb2 import Record
    with open(path, 'rb') as stream:
        found = [Record.FromString(payload) for payload in iter_payloads(stream, Damage())]
    kinds = [each.WhichOneof('record_type') for each in found]
    return [(kind, getattr(each, kind)) for kind, each in zip(kinds, found)]


def written_whole(path):
    """Path of the log of a closed run, once the W&B service has written the end of it."""
    for _ in range(600):
        if read_log(path).exit_code is not None:
            return path
        time.sleep(0.1)
    raise AssertionError(f'{path} was never closed')
