"""Everything this package registers into mmaction2, for a config's ``custom_imports``.

.. code-block:: python

    custom_imports = dict(imports=['mmaction_ext.register'], allow_failed_imports=False)
"""

from mmaction_ext import compat

compat.apply()

import mmaction_ext.datasets.clip_transforms  # noqa: E402
import mmaction_ext.datasets.guarded  # noqa: E402
import mmaction_ext.datasets.repeated  # noqa: E402
import mmaction_ext.datasets.seeding  # noqa: E402
import mmaction_ext.datasets.tada_sampling  # noqa: E402
import mmaction_ext.datasets.transforms  # noqa: E402
import mmaction_ext.datasets.tsn_sampling  # noqa: E402
import mmaction_ext.engine.divergence  # noqa: E402
import mmaction_ext.engine.group_one_cycle  # noqa: E402
import mmaction_ext.engine.mean_loss  # noqa: E402
import mmaction_ext.evaluation.class_accuracy  # noqa: E402
import mmaction_ext.evaluation.predictions_hook  # noqa: E402
import mmaction_ext.evaluation.synthmotion  # noqa: E402
import mmaction_ext.evaluation.temporal_controls  # noqa: E402
import mmaction_ext.models  # noqa: E402
import mmaction_ext.models.distributed  # noqa: E402
import mmaction_ext.tracking.writing.hooks  # noqa: E402
import mmaction_ext.tracking.writing.ledger_backend  # noqa: E402
import mmaction_ext.tracking.writing.wandb_backend  # noqa: E402
import mmaction_ext.tracking.writing.wandb_hooks  # noqa: E402,F401
from mmaction_ext.evaluation import finite_scores  # noqa: E402
from mmaction_ext.models import clips  # noqa: E402

clips.apply()
finite_scores.apply()
