"""The head of TSM with the classifier of SELFY's and TCM's released code."""

from mmaction.models.heads import TSMHead
from mmaction.registry import MODELS
from mmengine.model import xavier_init


@MODELS.register_module()
class XavierTSMHead(TSMHead):
    """mmaction2's TSMHead whose classifier starts Xavier-uniform, with a bias of zero.

    So do github.com/arunos728/SELFY and github.com/yzfly/TCM; mmaction2, like TSM's own code,
    draws it from a normal distribution of standard deviation 0.001, some thirtieth of that.
    ``init_std`` has no effect. Names and shapes of the weights are those of TSMHead.
    """

    def init_weights(self) -> None:
        """Draw the classifier anew."""
        xavier_init(self.fc_cls, distribution='uniform')
