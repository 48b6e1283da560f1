"""The same as ``mmaction-ext launch``."""

import sys

from mmaction_ext.cli import run_script

if __name__ == '__main__':
    sys.exit(run_script('launch'))
