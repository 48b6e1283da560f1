_base_ = './tcm_sthv1_16f_224.py'

# Something-Something V1 as in the released code of MotionSqueeze, from which TCM's descends: it
# differs in the batch.
global_batch_size = 48
train_dataloader = dict(batch_size=6)
