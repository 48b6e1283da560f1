"""What hooks see of a runner and of a data set, without a training loop or files."""

from types import SimpleNamespace

from mmengine.logging import MessageHub
from mmengine.runner import LogProcessor


class Videos:
    """A data set of 40 videos of 7 bytes each, or of which one has another name, label or size."""

    def __init__(self, folder=None, label=0):
        self.folder, self.label = folder, label

    def __len__(self):
        return 40

    def get_data_info(self, index):
        return dict(
            filename=f'{self.folder}/test/{index:06d}.mp4',
            total_frames=24,
            label=self.label if index == 39 else index % 12,
        )


def make_runner(name, **info):
    """A runner in which 40 test samples were evaluated, without a training loop."""
    hub = MessageHub.get_instance(name)
    for key, value in info.items():
        hub.update_info(key, value)
    for phase in ('val', 'test'):
        hub.update_scalar(f'{phase}/acc/top1', 0.75)
        hub.update_scalar(f'{phase}/time', 0.1)
        hub.update_scalar(f'{phase}/data_time', 0.1)
    rows = []
    loader = type('Loader', (), dict(dataset=Videos(), __len__=lambda self: 5))()
    runner = SimpleNamespace(
        _train_loop=None,
        message_hub=hub,
        test_dataloader=loader,
        val_dataloader=loader,
        val_loop=SimpleNamespace(dataloader=loader),
        test_loop=SimpleNamespace(dataloader=loader),
        epoch=0,
        log_processor=LogProcessor(log_with_hierarchy=True),
        logger=SimpleNamespace(info=lambda text: None),
        visualizer=SimpleNamespace(add_scalars=lambda row, **kwargs: rows.append(row)),
    )
    return runner, rows
