_base_ = './slowfast_k400_32f_224.py'

from mmaction_ext.datasets.pipelines import interval_test

# Kinetics-400 for CorrNet, our construction: clips and crops of SlowFast, which sees 32 frames and
# trains from scratch as well; in the test ten centre crops of 224x224, the ten views of DCF's Table 5.
input_shape = (3, 32, 224, 224)
test_dataloader = dict(dataset=dict(pipeline=interval_test(32, 2, crop=224, num_clips=10)))
