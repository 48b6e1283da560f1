"""Networks of the tables as functions, for configs to call.

They return plain dicts, and this module imports nothing. A function says once what several parts
of a network need, its frames and classes above all, and takes the frames from the config of the
data set: ``num_segments={{_base_.num_segments}}``, which mmengine fills in after the call. So
``num_segments`` is handed on here, and nothing is computed from it.

A ``motion`` argument stands for ``module``, ``stages`` and what else
:class:`mmaction_ext.models.MotionBackbone` takes.
"""

from typing import Any

RESNET50 = 'torchvision://resnet50'
#: Mean and standard deviation of colours, 0 to 255, in the order RGB.
IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
X3D = ((114.75, 114.75, 114.75), (57.38, 57.38, 57.38))
PYSLOWFAST = ((114.75,) * 3, (57.375,) * 3)
HALF = ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
SYNTHMOTION = ((127.5, 127.5, 127.5), (64.0, 64.0, 64.0))
#: Of five frames that are the channels of one.
IMAGENET_FIVE = (IMAGENET[0] * 5, IMAGENET[1] * 5)
SYNTHMOTION_FIVE = (SYNTHMOTION[0] * 5, SYNTHMOTION[1] * 5)
#: Of Caffe's networks, in the order BGR.
CAFFE = ((104.0, 117.0, 128.0), (1.0, 1.0, 1.0))
BN_INCEPTION = (
    'https://download.openmmlab.com/pretrain/third_party/bn_inception_caffe-ed2e8665.pth'
)
SYNTHMOTION_CLASSES = 12

Colours = tuple[tuple[float, ...], tuple[float, ...]]
Network = dict[str, Any]


def _recognizer(
    dimensions: int, backbone: Network, cls_head: Network, colours: Colours = IMAGENET
) -> Network:
    """A recognizer of frames (2 dimensions) or of clips (3)."""
    mean, std = colours
    return dict(
        type=f'Recognizer{dimensions}D',
        backbone=backbone,
        cls_head=cls_head,
        data_preprocessor=dict(
            type='ActionDataPreprocessor',
            mean=list(mean),
            std=list(std),
            format_shape='NCHW' if dimensions == 2 else 'NCTHW',
        ),
    )


def _caffe_recognizer(dimensions: int, backbone: Network, cls_head: Network) -> Network:
    """A :func:`_recognizer` that sees blue first; ``to_rgb`` turns the order around."""
    network = _recognizer(dimensions, backbone, cls_head, CAFFE)
    return dict(network, data_preprocessor=dict(network['data_preprocessor'], to_rgb=True))


def _host(backbone: Network, **motion: Any) -> Network:
    return dict(type='MotionBackbone', backbone=backbone, **motion)


def _head(
    kind: str, in_channels: int, num_classes: int, dropout_ratio: float = 0.5, **more: Any
) -> Network:
    """A head that averages each map, and the probabilities of a video's clips."""
    return dict(
        type=kind,
        in_channels=in_channels,
        num_classes=num_classes,
        spatial_type='avg',
        dropout_ratio=dropout_ratio,
        average_clips='prob',
        **more,
    )


def _frames_head(kind: str, in_channels: int, num_classes: int, **more: Any) -> Network:
    """A :func:`_head` that averages a clip's frames."""
    return _head(
        kind, in_channels, num_classes, consensus=dict(type='AvgConsensus', dim=1), **more
    )


def _segments_head(num_classes: int, num_segments: int) -> Network:
    """The head of TSN's code for a ResNet, whose weights start near zero."""
    return _frames_head('TSMHead', 2048, num_classes, num_segments=num_segments, init_std=0.001)


def with_kpsem(network: Network, stage: int, out_channels: int, num_frames: int) -> Network:
    """A network on a ``MotionBackbone`` with KPSEM for its module.

    Args:
        network: left alone.
        stage: the stage whose output KPSEM reads.
        out_channels: what the paper's cut of the channels leaves.
        num_frames: ``T`` at that stage; ``out_channels * (T - 1)`` values stand beside those of
            the network at the classifier.
    """
    module = dict(
        type='KPSEM', num_regions=4, num_sets=8, embedding_channels=24, out_channels=out_channels
    )
    return dict(
        network,
        backbone=dict(network['backbone'], module=module, stages=(stage,)),
        cls_head=dict(
            type='ConcatHead',
            branch_channels=out_channels * (num_frames - 1),
            head=network['cls_head'],
        ),
    )


def r2plus1d_r50(num_classes: int, **motion: Any) -> Network:
    """R(2+1)D-50 of DCF Table 6.

    The image weights ("ImageNet", section 4.1) are fetched when training starts.
    """
    backbone = dict(type='R2Plus1D', depth=50, pretrained=RESNET50)
    return _recognizer(3, _host(backbone, **motion), _head('I3DHead', 2048, num_classes))


def dcf_r2plus1d_r50(num_classes: int) -> Network:
    """R(2+1)D-50 with DCF after stages 2-4 (section 3.3).

    The channels are reduced to a quarter, K = 5, L = 2 and L = 1 at the last stage.
    """
    return r2plus1d_r50(num_classes, module=dict(type='DCF', reduction=4), stages=(2, 3, 4))


def x3d_s(num_classes: int, **motion: Any) -> Network:
    """X3D-S of DCF Table 7, and X3D-M, which is the same network on more and larger frames.

    The head is X3D's own (432 -> 2048 -> classes).
    """
    backbone = dict(type='X3D', gamma_w=1, gamma_b=2.25, gamma_d=2.2)
    return _recognizer(3, _host(backbone, **motion), _head('X3DHead', 432, num_classes), X3D)


def dcf_x3d_s(num_classes: int) -> Network:
    """X3D-S with DCF after stages 2-4 (section 3.3).

    The channels are halved, K = 5, L = 2 and L = 1 at the last stage.
    """
    return x3d_s(num_classes, module=dict(type='DCF', reduction=2), stages=(2, 3, 4))


def pretrained_x3d_s(num_classes: int, **motion: Any) -> Network:
    """X3D-S from Kinetics-400 (the published weights as mmaction2 has them).

    There are none for ImageNet.
    """
    weights = dict(
        type='Pretrained',
        checkpoint='https://download.openmmlab.com/mmaction/v1.0/recognition/x3d/facebook/'
        'x3d_s_13x6x1_facebook-kinetics400-rgb_20201027-623825a0.pth',
    )
    return x3d_s(num_classes, init_cfg=weights, **motion)


def _motion_tsm_r50(
    cls_head: Network, num_segments: int, pretrained: str | None = RESNET50, **motion: Any
) -> Network:
    """TSM-ResNet-50 on a ``MotionBackbone``."""
    backbone = dict(
        type='ResNetTSM',
        depth=50,
        num_segments=num_segments,
        pretrained=pretrained,
        pretrained2d=pretrained is not None,
    )
    return _recognizer(
        2,
        _host(backbone, num_segments=num_segments, **motion),
        dict(cls_head, num_segments=num_segments),
    )


def motion_tsm_r50(num_classes: int, num_segments: int, **motion: Any) -> Network:
    """TSM-ResNet-50 from ImageNet."""
    cls_head = _frames_head('TSMHead', 2048, num_classes, init_std=0.01)
    return _motion_tsm_r50(cls_head, num_segments, **motion)


def selfy_tsm_r50(
    num_classes: int, num_segments: int, offsets: tuple[int, ...] = (-2, -1, 0, 1, 2)
) -> Network:
    """SELFYNet-TSM-R50: one SELFY block after res3 of TSM-ResNet-50.

    As in the released code (github.com/arunos728/SELFY), where L = 5. The head averages the
    frames' logits and starts as there.
    """
    cls_head = _frames_head('XavierTSMHead', 2048, num_classes)
    module = dict(type='SELFY', offsets=offsets)
    return _motion_tsm_r50(cls_head, num_segments, module=module, stages=(3,))


def tcm_tsm_r50(num_classes: int, num_segments: int, pretrained: str | None = RESNET50) -> Network:
    """TCM-R50: one TCM block after res3 of TSM-ResNet-50.

    As in the released code (github.com/yzfly/TCM). The head averages the frames' logits and
    starts as there.
    """
    cls_head = _frames_head('XavierTSMHead', 2048, num_classes)
    module = dict(type='TCM', num_segments=num_segments)
    return _motion_tsm_r50(cls_head, num_segments, pretrained, module=module, stages=(3,))


def tada2d_r50(num_classes: int, num_segments: int) -> Network:
    """TAda2D-R50, as in the released code (github.com/alibaba-mmai-research/TAdaConv).

    There the classifier starts as torch's linear layers do, with this standard deviation.
    """
    backbone = dict(type='TAda2D', depth=50, num_segments=num_segments, pretrained=RESNET50)
    cls_head = _frames_head('TSNHead', 2048, num_classes, init_std=0.0128)
    return _recognizer(2, backbone, cls_head, PYSLOWFAST)


def ctnet_r50(num_classes: int, num_segments: int, num_total: int = 7) -> Network:
    """CT-Net-R50, as in the released code (github.com/Andy1621/CT-Net)."""
    backbone = dict(
        type='CTNet',
        depth=50,
        num_segments=num_segments,
        num_total=num_total,
        pretrained=RESNET50,
    )
    cls_head = _frames_head(
        'TSMHead',
        2048,
        num_classes,
        dropout_ratio=0.3,
        num_segments=num_segments,
        init_std=0.001,
    )
    return _recognizer(2, backbone, cls_head)


def msnet_tsm_r50(num_classes: int, num_segments: int) -> Network:
    """MSNet-R50: one MotionSqueeze block after res3 of TSM-ResNet-50.

    As in the released code (github.com/arunos728/MotionSqueeze), whose wrapper has to be edited
    for it: it builds ResNet-18. The head averages the frames' logits and starts as there.
    """
    cls_head = _frames_head('XavierTSMHead', 2048, num_classes)
    return _motion_tsm_r50(cls_head, num_segments, module=dict(type='MotionSqueeze'), stages=(3,))


def corrnet(num_classes: int, depth: int = 50) -> Network:
    """CorrNet: correlation blocks after res2, res3 and res4 of R(2+1)D, from scratch.

    Our construction: R(2+1)D is DCF's, as strides and widths of CorrNet's own could not be read.
    With depth 101 a fourth block stands behind the twelfth of res4's 23 units; that place is
    stage 4 of the host, and the end of res4 stage 5.
    """
    places: Network = dict(stages=(2, 3, 4))
    if depth == 101:
        places = dict(stages=(2, 3, 4, 5), stage_names={4: 'stage4.11', 5: 'stage4'})
    host = _host(
        dict(type='R2Plus1D', depth=depth), module=dict(type='CorrelationBlock'), **places
    )
    return _recognizer(3, host, _head('I3DHead', 2048, num_classes))


def mfnet(num_classes: int, dropout_ratio: float = 0.5) -> Network:
    """MFNet (3-D multi-fiber network), which KPSEM starts from.

    Its released code (github.com/cypw/PyTorch-MFNet) subtracts the RGB mean (124, 117, 104) and
    multiplies by 0.0167.
    """
    cls_head = _head('I3DHead', 768, num_classes, dropout_ratio)
    colours = ((124.0, 117.0, 104.0), (1 / 0.0167,) * 3)
    return _recognizer(3, _host(dict(type='MFNet')), cls_head, colours)


def kpsem_mfnet(num_classes: int) -> Network:
    """MF-KPSEM of KPSEM section 4.2 and Figure 6.

    The module reads the output of conv4, for 16 frames 384 x 8 x 14 x 14, and its 96 x 7 = 672
    values stand beside the 768 of MFNet at the classifier.
    """
    return with_kpsem(mfnet(num_classes), stage=4, out_channels=96, num_frames=8)


def r3d_r50(num_classes: int, pretrained: str | None = RESNET50, **changes: Any) -> Network:
    """R3D-50 of KPSEM section 4.4 (Table 2d): ResNet-50 with 1 x k x k kernels.

    It has no temporal stride; the paper calls it "initialised from ImageNet" and says it "simply
    aggregates the input frames".

    Args:
        num_classes: of the classifier.
        pretrained: weights to start from.
        changes: what is otherwise in mmaction2's ``ResNet3d``.
    """
    backbone = dict(
        type='ResNet3d',
        depth=50,
        pretrained=pretrained,
        inflate=(0, 0, 0, 0),
        conv1_kernel=(1, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=1,
        with_pool2=False,
        norm_eval=False,
        **changes,
    )
    return _recognizer(3, _host(backbone), _head('I3DHead', 2048, num_classes))


def non_local(blocks: tuple[tuple[int, ...], ...], mode: str) -> Network:
    """Non-local blocks of mmaction2's ``ResNet3d`` after the units marked by 1 in ``blocks``."""
    norm = dict(type='BN3d', requires_grad=True)
    return dict(
        non_local=blocks,
        non_local_cfg=dict(sub_sample=True, use_scale=False, norm_cfg=norm, mode=mode),
    )


def res50_non_local(num_classes: int) -> Network:
    """ResNet-50 on each frame, one non-local block before res4's last unit (KPSEM Table 1).

    The 27.66M printed there for "Res50-NL" are its 25.56M with 1000 classes and the block's 2.10M.
    """
    block = non_local(
        ((0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0, 1, 0), (0, 0, 0)), 'embedded_gaussian'
    )
    return r3d_r50(num_classes, **block)


def res50_cgnl(num_classes: int) -> Network:
    """ResNet-50 on each frame, one CGNL block before res4's last unit (KPSEM Table 1).

    There the code of CGNL has it for images. The 27.2M printed for "Res50-CGNL" are the 25.56M of
    ResNet-50 with 1000 classes and the 1.64M of one block.
    """
    network = r3d_r50(num_classes)
    block = dict(
        module=dict(type='CGNL', groups=8, over='clip'), stages=(4,), stage_names={4: 'layer3.4'}
    )
    return dict(network, backbone=dict(network['backbone'], **block))


def res50_cgd(num_classes: int, num_segments: int) -> Network:
    """ResNet-50 on each frame with CGD in every block (KPSEM Table 1).

    The 25.58M printed for "Res50-CGD" count 1000 classes.
    """
    backbone = dict(
        type='CGDResNet',
        depth=50,
        num_segments=num_segments,
        over='frame',
        pretrained=RESNET50,
    )
    cls_head = _frames_head('TSMHead', 2048, num_classes, num_segments=num_segments, init_std=0.01)
    return _recognizer(2, backbone, cls_head)


def eco(num_classes: int, full: bool = False) -> Network:
    """ECO-Lite, or the whole ECO, whose dropouts are its backbone's."""
    cls_head = _head('I3DHead', 1536 if full else 512, num_classes, 0.0 if full else 0.3)
    return _caffe_recognizer(3, dict(type='ECO', full=full), cls_head)


def mars(num_classes: int) -> Network:
    """The RGB stream of MARS, a 3-D ResNeXt-101, on the colours that its code has."""
    colours = ((114.7748, 107.7354, 99.4750), (1.0, 1.0, 1.0))
    cls_head = _head('I3DHead', 2048, num_classes, 0.0)
    return _recognizer(3, dict(type='ResNeXt3d'), cls_head, colours)


def s3d(num_classes: int) -> Network:
    """S3D as in torchvision, from its weights for Kinetics-400."""
    backbone = dict(type='S3D', pretrained='https://download.pytorch.org/models/s3d-d76dad2f.pth')
    colours = ((110.20, 100.64, 96.00), (58.14, 56.46, 55.33))
    return _recognizer(3, backbone, _head('I3DHead', 1024, num_classes, init_std=0.01), colours)


def tsn_r50(num_classes: int) -> Network:
    """TSN with ResNet-50, as in mmaction2's config for Something-Something V2.

    The weights from ImageNet are torchvision's second ones.
    """
    weights = 'https://download.pytorch.org/models/resnet50-11ad3fa6.pth'
    backbone = dict(type='ResNet', depth=50, norm_eval=False, pretrained=weights)
    return _recognizer(2, backbone, _frames_head('TSNHead', 2048, num_classes, init_std=0.01))


def tsn_bn_inception(num_classes: int) -> Network:
    """TSN with BN-Inception from ImageNet."""
    backbone = dict(type='BNInception', partial_bn=True, pretrained=BN_INCEPTION)
    cls_head = _frames_head('TSNHead', 1024, num_classes, dropout_ratio=0.8, init_std=0.001)
    return _caffe_recognizer(2, backbone, cls_head)


def tsn_inception_v3(num_classes: int) -> Network:
    """TSN with timm's Inception-V3 from ImageNet.

    timm fetches the weights when the network is built.
    """
    backbone = _host(dict(type='timm.inception_v3.tv_in1k', pretrained=True))
    cls_head = _frames_head('TSNHead', 2048, num_classes, dropout_ratio=0.4, init_std=0.01)
    return _recognizer(2, backbone, cls_head, HALF)


def tdn(num_classes: int, num_segments: int, depth: int = 50) -> Network:
    """TDN with ResNet-50 or -101 from ImageNet, as in its released code (MCG-NJU/TDN).

    It sees five frames of each of ``num_segments`` segments, as 15 channels.
    """
    backbone = dict(
        type='TDN',
        depth=depth,
        num_segments=num_segments,
        pretrained=f'torchvision://resnet{depth}',
    )
    return _recognizer(2, backbone, _segments_head(num_classes, num_segments), IMAGENET_FIVE)


def tea(num_classes: int, num_segments: int) -> Network:
    """TEA-50 from Res2Net on ImageNet, as in its released code.

    That is Phoenix1327/tea-action-recognition.
    """
    backbone = dict(
        type='TEA', depth=50, num_segments=num_segments, pretrained='timm.res2net50_26w_4s.in1k'
    )
    return _recognizer(2, backbone, _segments_head(num_classes, num_segments))


def smallbig(num_classes: int, num_segments: int, depth: int = 50, extra: bool = False) -> Network:
    """SmallBigNet with ResNet-50 or -101 from ImageNet, as in its released code.

    That is xhl-video/SmallBigNet. There is no dropout, and the classifier starts with the spread
    that torch gives a linear layer.
    """
    backbone = dict(
        type='SmallBigNet',
        depth=depth,
        num_segments=num_segments,
        extra=extra,
        pretrained=f'torchvision://resnet{depth}',
    )
    cls_head = _frames_head('TSNHead', 2048, num_classes, dropout_ratio=0.0, init_std=0.0128)
    return _recognizer(2, backbone, cls_head)


def rsanet(num_classes: int, num_segments: int, dropout_ratio: float = 0.5) -> Network:
    """RSANet-50 from ImageNet, as in its released code (KimManjin/RSA).

    The labels are smoothed by 0.1. Dropout is that of the authors' log for Something-Something V1.
    """
    backbone = dict(type='RSANet', depth=50, num_segments=num_segments, pretrained=RESNET50)
    cls_head = _frames_head(
        'XavierTSMHead',
        2048,
        num_classes,
        dropout_ratio=dropout_ratio,
        num_segments=num_segments,
        label_smooth_eps=0.1,
    )
    return _recognizer(2, backbone, cls_head)


def trn_r50(num_classes: int, num_segments: int) -> Network:
    """TRN-Multiscale with ResNet-50 from ImageNet, as in mmaction2's configs."""
    backbone = dict(type='ResNet', depth=50, norm_eval=False, partial_bn=True, pretrained=RESNET50)
    return _recognizer(2, backbone, _trn_head(2048, num_classes, num_segments))


def trn_bn_inception(num_classes: int, num_segments: int) -> Network:
    """TRN-Multiscale with BN-Inception from ImageNet."""
    backbone = dict(type='BNInception', partial_bn=True, pretrained=BN_INCEPTION)
    return _caffe_recognizer(2, backbone, _trn_head(1024, num_classes, num_segments))


def _trn_head(in_channels: int, num_classes: int, num_segments: int) -> Network:
    return _head(
        'TRNHead',
        in_channels,
        num_classes,
        dropout_ratio=0.8,
        num_segments=num_segments,
        relation_type='TRNMultiScale',
        hidden_dim=256,
        init_std=0.001,
    )


def tsm_r50(num_classes: int, num_segments: int) -> Network:
    """TSM with ResNet-50 from ImageNet, as in mmaction2's configs."""
    backbone = dict(
        type='ResNetTSM',
        depth=50,
        norm_eval=False,
        num_segments=num_segments,
        shift_div=8,
        pretrained=RESNET50,
    )
    cls_head = _frames_head(
        'TSMHead', 2048, num_classes, num_segments=num_segments, is_shift=True, init_std=0.001
    )
    return _recognizer(2, backbone, cls_head)


def tanet_r50(num_classes: int, num_segments: int) -> Network:
    """TANet (TAM) with ResNet-50 from ImageNet, as in mmaction2's configs."""
    backbone = dict(type='ResNetTAM', depth=50, num_segments=num_segments, pretrained=RESNET50)
    cls_head = _frames_head(
        'TSMHead',
        2048,
        num_classes,
        dropout_ratio=0.6,
        num_segments=num_segments,
        init_std=0.001,
    )
    return _recognizer(2, backbone, cls_head)


def slowfast(num_classes: int, depth: int = 50) -> Network:
    """SlowFast 8x8, as in mmaction2's config."""
    common = dict(
        type='resnet3d',
        depth=depth,
        pretrained=None,
        conv1_stride_t=1,
        pool1_stride_t=1,
        norm_eval=False,
    )
    backbone = dict(
        type='ResNet3dSlowFast',
        pretrained=None,
        resample_rate=4,
        speed_ratio=4,
        channel_ratio=8,
        slow_pathway=dict(
            common,
            lateral=True,
            fusion_kernel=7,
            conv1_kernel=(1, 7, 7),
            dilations=(1, 1, 1, 1),
            inflate=(0, 0, 1, 1),
        ),
        fast_pathway=dict(common, lateral=False, base_channels=8, conv1_kernel=(5, 7, 7)),
    )
    return _recognizer(3, backbone, _head('SlowFastHead', 2304, num_classes))


def mvit_b(num_classes: int, blends: bool = False, **start: Any) -> Network:
    """MViT-B 16x4 of the first MViT paper, written with mmaction2's class for the second.

    No relative positions, no residual pooling, widths that grow behind the attention. One table of
    absolute positions stands where the paper has one for space and one for time (2.1 M parameters
    more).

    Args:
        num_classes: of the classifier.
        blends: train on blends of two clips (mixup and cutmix).
        start: ``init_cfg`` of the backbone.
    """
    backbone = dict(
        type='MViT',
        arch=dict(embed_dims=96, num_layers=16, num_heads=1, downscale_indices=[1, 3, 14]),
        temporal_size=16,
        drop_path_rate=0.2,
        use_abs_pos_embed=True,
        rel_pos_embed=False,
        rel_pos_zero_init=True,  # or mmaction2 draws values for what is not there
        residual_pooling=False,
        dim_mul_in_attention=False,
        **start,
    )
    cls_head = dict(
        type='MViTHead',
        in_channels=768,
        num_classes=num_classes,
        label_smooth_eps=0.1,
        average_clips='prob',
    )
    network = _recognizer(3, backbone, cls_head, PYSLOWFAST)
    if blends:
        network['data_preprocessor']['blending'] = dict(
            type='RandomBatchAugment',
            augments=[
                dict(type='MixupBlending', alpha=0.8, num_classes=num_classes),
                dict(type='CutmixBlending', alpha=1, num_classes=num_classes),
            ],
        )
    return network


def timesformer(num_classes: int, num_frames: int, img_size: int) -> Network:
    """TimeSformer (divided attention) from ImageNet, as in mmaction2's configs.

    TimeSformer-HR sees 16 frames of 448x448, the others 8 or 96 of 224x224.
    """
    backbone = dict(
        type='ResizedTimeSformer',
        pretrained='https://download.openmmlab.com/mmaction/recognition/timesformer/'
        'vit_base_patch16_224.pth',
        num_frames=num_frames,
        img_size=img_size,
        patch_size=16,
        embed_dims=768,
        in_channels=3,
        dropout_ratio=0.0,
        transformer_layers=None,
        attention_type='divided_space_time',
        norm_cfg=dict(type='LN', eps=1e-6),
    )
    cls_head = dict(
        type='TimeSformerHead', in_channels=768, num_classes=num_classes, average_clips='prob'
    )
    return _recognizer(3, backbone, cls_head, HALF)


# Networks for real video on two CPU cores: from ImageNet, of which the early stages stay as they
# are.

#: Modules behind the frozen stages of such a network, by their rows. Settings are those of the
#: networks at paper scale; stages end in a sum without a ReLU, and so do the modules that can.
_BEHIND_FROZEN: dict[str, dict[str, Any]] = {
    'dcf': dict(module=dict(type='DCF', reduction=2, relu='none'), stages=(3, 4)),
    'dcf_at_once': dict(
        module=dict(type='DCF', reduction=2, relu='none', zero_init=False), stages=(3, 4)
    ),
    'tcm': dict(module=dict(type='TCM', num_segments=8), stages=(3,)),
    'motion_squeeze': dict(module=dict(type='MotionSqueeze'), stages=(3,)),
    'correlation_block': dict(
        module=dict(type='CorrelationBlock', reduction=2, groups=4, relu='none', zero_init=True),
        stages=(3, 4),
    ),
    'selfy': dict(module=dict(type='SELFY', relu='none'), stages=(3,)),
    'rsa': dict(module=dict(type='RSA'), stages=(3,)),
    'tea': dict(module=dict(type='MotionExcitation'), stages=(3, 4, 5)),
    'tdn': dict(module=dict(type='LongTermTDM'), stages=(3, 4, 5)),
    'tadaconv': dict(module=dict(type='TAdaConv'), stages=(3,)),
    'ctnet': dict(module=dict(type='CT'), stages=(3,)),
    'conv3d': dict(module=dict(type='Conv3D'), stages=(3,)),
    'conv3d_time': dict(module=dict(type='Conv3D', kernel_size=(3, 1, 1)), stages=(3,)),
    'cgnl': dict(module=dict(type='CGNL'), stages=(4,)),
    'cgd': dict(module=dict(type='CGD'), stages=(3, 4, 5)),
}


def _from_images(
    model: str,
    checkpoint_path: str,
    num_classes: int,
    num_segments: int,
    behind: str | None = None,
    shift_div: int | None = None,
    colours: Colours = IMAGENET,
) -> Network:
    """A network of timm's on each frame, trained behind stage 3, with a classifier for 1280.

    It starts from a file, or without (``checkpoint_path=``) from what timm fetches.
    """
    backbone = dict(
        type='TimmFrames',
        model=model,
        num_segments=num_segments,
        checkpoint_path=checkpoint_path,
        pretrained=True,
        frozen_stages=3,
        shift_div=shift_div,
    )
    cls_head = _frames_head('TSNHead', 1280, num_classes, init_std=0.01)
    motion = _BEHIND_FROZEN[behind] if behind else {}
    return _recognizer(2, _host(backbone, num_segments=num_segments, **motion), cls_head, colours)


def mobilenetv2(num_classes: int, num_segments: int, **options: Any) -> Network:
    """MobileNetV2 from ImageNet, on each frame.

    Args:
        num_classes: of the classifier.
        num_segments: ``T``, frames of a clip.
        options: ``behind``, a module of :data:`_BEHIND_FROZEN`, and ``shift_div`` of
            :class:`mmaction_ext.models.TimmFrames`.
    """
    weights = 'data/weights/mobilenetv2.pth'
    return _from_images('mobilenetv2_100', weights, num_classes, num_segments, **options)


def efficientnet_lite0(num_classes: int, num_segments: int, **options: Any) -> Network:
    """EfficientNet-Lite0 from ImageNet, as :func:`mobilenetv2`.

    Its weights, those that timm fetches, too, take colours from -1 to 1.
    """
    weights = 'data/weights/efficientnet_lite0.pth'
    return _from_images(
        'tf_efficientnet_lite0', weights, num_classes, num_segments, colours=HALF, **options
    )


# Thin networks for SynthMotion, from scratch: thin enough to train on two CPU cores. The
# hyper-parameters of their modules are those of the papers but for zero_init: a short schedule
# from scratch has no initial behaviour to preserve.


def thin_dcf(reduction: int) -> Network:
    """DCF as of the networks at paper scale."""
    return dict(type='DCF', reduction=reduction, zero_init=False)


def thin_selfy() -> Network:
    """SELFY as in its released code."""
    return dict(type='SELFY', offsets=(-2, -1, 0, 1, 2), zero_init=False)


def thin_correlation_block(reduction: int = 4) -> Network:
    """The correlation block of CorrNet with 4 groups, more than which the channels do not make."""
    return dict(type='CorrelationBlock', reduction=reduction, groups=4)


def _thin_frames_network(
    backbone: Network,
    in_channels: int,
    num_segments: int,
    num_classes: int = SYNTHMOTION_CLASSES,
    colours: Colours = SYNTHMOTION,
    **motion: Any,
) -> Network:
    cls_head = _frames_head('TSNHead', in_channels, num_classes, dropout_ratio=0.0, init_std=0.01)
    hosted = _host(backbone, num_segments=num_segments, **motion)
    return _recognizer(2, hosted, cls_head, colours)


def thin_resnet10(
    num_segments: int, num_classes: int = SYNTHMOTION_CLASSES, **motion: Any
) -> Network:
    """A ResNet-10 at a quarter of its width, run on each frame (TSN)."""
    backbone = dict(type='timm.resnet10t', channels=(16, 32, 64, 128), stem_width=8)
    return _thin_frames_network(backbone, 128, num_segments, num_classes, **motion)


def behind_convolution(num_segments: int) -> Network:
    """What puts a convolution over three frames into the host of a :func:`thin_resnet10`.

    It stands after stage 3, before a module that works there, too. A part of a config, for
    ``model = dict(backbone=...)`` below a config of the network without it.
    """
    plain = thin_resnet10(num_segments)['backbone']['backbone']
    convolution = dict(type='Conv3D', kernel_size=(3, 1, 1), zero_init=False)
    host = _host(plain, num_segments=num_segments, module=convolution, stages=(3,))
    return dict(
        backbone=dict(host, _delete_=True),
        stage_names={stage: f'backbone.layer{stage - 1}' for stage in (2, 3, 4)},
    )


def thin_frame_resnet(
    num_segments: int,
    type: str = 'FrameResNet',
    depth: int = 26,
    colours: Colours = SYNTHMOTION,
    **network: Any,
) -> Network:
    """A video ResNet at an eighth of its width, two bottlenecks a stage; ``FrameResNet`` is TSN.

    Args:
        num_segments: ``T``, frames of a clip.
        type: a registered ``FrameResNet`` or one that derives from it.
        depth: of these, see there.
        colours: mean and standard deviation of each channel of the input.
        network: what it takes beside.
    """
    backbone = dict(type=type, depth=depth, num_segments=num_segments, base_channels=8, **network)
    return _thin_frames_network(backbone, 256, num_segments, colours=colours)


def thin_tdn(num_segments: int, **switches: bool) -> Network:
    """TDN as of :func:`thin_frame_resnet`, which sees five frames of each segment.

    Args:
        num_segments: ``T``, segments of a clip.
        switches: ``short_term`` and ``long_term``, see :class:`mmaction_ext.models.TDN`.
    """
    return thin_frame_resnet(num_segments, 'TDN', colours=SYNTHMOTION_FIVE, **switches)


def thin_rsanet(num_segments: int, **switches: Any) -> Network:
    """RSANet as of :func:`thin_frame_resnet`, with the attention in each second block.

    There are four queries, so that one of the first stage has two channels and not one, whose
    length of one would leave no more than a sign. No block is skipped, as there is no dropout.

    Args:
        num_segments: ``T``, frames of a clip.
        switches: ``kernel_type`` and ``feat_type``, see
            :class:`mmaction_ext.modules.rsa.RelationalSelfAttention`.
    """
    places = ((1, 1), (2, 1), (3, 1), (4, 1))
    return thin_frame_resnet(
        num_segments, 'RSANet', places=places, survival=1.0, num_queries=4, **switches
    )


def thin_tsm_r18(num_segments: int, **motion: Any) -> Network:
    """TSM-ResNet-18 at a quarter of its width."""
    backbone = dict(type='ThinResNetTSM', depth=18, base_channels=16, num_segments=num_segments)
    return _thin_frames_network(backbone, 128, num_segments, **motion)


def thin_tsm_r50(num_segments: int, **motion: Any) -> Network:
    """TSM-ResNet-50 at an eighth of its width."""
    backbone = dict(type='ThinResNetTSM', depth=50, base_channels=8, num_segments=num_segments)
    return _thin_frames_network(backbone, 256, num_segments, **motion)


def thin_r2plus1d(**motion: Any) -> Network:
    """R(2+1)D-50 of DCF Table 6 at an eighth of its width."""
    cls_head = _head('I3DHead', 256, SYNTHMOTION_CLASSES, dropout_ratio=0.0)
    backbone = dict(type='R2Plus1D', depth=50, base_channels=8)
    return _recognizer(3, _host(backbone, **motion), cls_head, SYNTHMOTION)


def thin_x3d(**motion: Any) -> Network:
    """X3D at a third of X3D-S's width and under half its depth.

    It has 8 channels and 1, 2, 5 and 3 blocks.
    """
    cls_head = _head('X3DHead', 144, SYNTHMOTION_CLASSES, dropout_ratio=0.0)
    backbone = dict(type='X3D', gamma_w=1 / 3, gamma_b=2.25, gamma_d=1)
    return _recognizer(3, _host(backbone, **motion), cls_head, SYNTHMOTION)


def thin_eco() -> Network:
    """ECO-Lite at an eighth of its width."""
    cls_head = _head('I3DHead', 64, SYNTHMOTION_CLASSES, dropout_ratio=0.0)
    return _recognizer(3, dict(type='ECO', base_channels=8), cls_head, SYNTHMOTION)
