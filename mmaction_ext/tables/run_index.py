"""Runs by what tables look them up by."""

import functools
from collections import defaultdict
from collections.abc import Iterable

from mmaction_ext.tables.seed_runs import RowConfig
from mmaction_ext.tracking.reading.record import RunRecord


class RunIndex(list[RunRecord]):
    """Run records in their order, which are looked for by config and by network; not changed."""

    @classmethod
    def of(cls, records: Iterable[RunRecord]) -> 'RunIndex':
        """Records that may be one already: one for several tables saves them the search."""
        return records if isinstance(records, cls) else cls(records)

    def named(self, config: str) -> list[RunRecord]:
        """Those of a config by its name."""
        return self._by_config.get(config, [])

    def like(self, config: RowConfig) -> list[RunRecord]:
        """Those of a config by its name, then those of others with its network."""
        mine = self.named(config.name)
        others = self._by_network.get(config.network, [])
        return [*mine, *(record for record in others if record.config != config.name)]

    @functools.cached_property
    def _by_config(self) -> dict[str | None, list[RunRecord]]:
        found = defaultdict(list)
        for record in self:
            found[record.config].append(record)
        return found

    @functools.cached_property
    def _by_network(self) -> dict[str, list[RunRecord]]:
        found = defaultdict(list)
        for record in self:
            found[str(record.complexity.get('network'))].append(record)
        return found
