_base_ = './s3d_split1.py'
train_dataloader = dict(dataset=dict(ann_file='data/ucf101/train_split2.txt'))
val_dataloader = dict(dataset=dict(ann_file='data/ucf101/test_split2.txt'))
test_dataloader = dict(dataset=dict(ann_file='data/ucf101/test_split2.txt'))
