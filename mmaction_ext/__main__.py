"""``python -m mmaction_ext COMMAND``."""

import sys

from mmaction_ext.cli import main

sys.exit(main())
