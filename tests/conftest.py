"""Shared by all tests: no network, no W&B account, one thread per process."""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ['WANDB_MODE'] = 'offline'
os.environ['WANDB_ERROR_REPORTING'] = 'false'
os.environ['WANDB_SILENT'] = 'true'

from mmaction_ext import compat  # noqa: E402

compat.apply()
