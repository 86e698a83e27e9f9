"""How RocksDB is set up: many small rows, and one bound on memory for all tasks of a worker."""

from __future__ import annotations

from typing import Final

from rocksdict import (
    BlockBasedOptions,
    BottommostLevelCompaction,
    Cache,
    ChecksumType,
    CompactOptions,
    DBCompressionType,
    DBRecoveryMode,
    MemtableFactory,
    Options,
    Rdict,
    WriteBufferManager,
)

MEBIBYTE: Final = 1024 * 1024
WRITE_BUFFER_BYTES_MAX: Final = 32 * MEBIBYTE
"""Larger ones are written less often, and more of what was replaced meanwhile is never written."""
FILE_BYTES: Final = 32 * MEBIBYTE
WAL_BYTES_MAX: Final = 32 * MEBIBYTE
BLOCK_BYTES: Final = 8 * 1024
BLOOM_BITS_PER_KEY: Final = 10
FILES_BEFORE_COMPACTION: Final = 8
"""While a store is filled; afterwards as few as RocksDB thinks right."""
OPEN_FILES_MAX: Final = 128
"""Files that one task keeps open; beyond that they are opened again when needed."""


def every_file() -> CompactOptions:
    """How to write all files anew, the oldest too: what was deleted is in none of them afterwards."""
    options = CompactOptions()
    options.set_bottommost_level_compaction(BottommostLevelCompaction.force())
    return options


def make_filling(options: Options) -> None:
    """Make these options those of a store that is only written to: sorted when a buffer is full, not row by row.

    A row that is looked for all the same is found, slowly.
    """
    options.set_memtable_factory(MemtableFactory.vector())
    options.set_allow_concurrent_memtable_write(False)
    options.set_level_zero_file_num_compaction_trigger(FILES_BEFORE_COMPACTION)


def make_settling(options: Options) -> None:
    """Make these options those of a store that nothing else is to keep busy, until `let_compact`."""
    options.set_disable_auto_compactions(True)


def let_compact(db: Rdict) -> None:
    """End what `make_settling` began."""
    db.set_options({"disable_auto_compactions": "false"})


class RocksMemory:
    """What all stores of a worker share: blocks, indexes, filters and unwritten rows in `cache_mb` MiB.

    Half of it at most is for unwritten rows, which are charged to the cache.
    """

    def __init__(self, cache_mb: int) -> None:
        self._cache: Final = Cache(cache_mb * MEBIBYTE)
        self._unwritten_bytes: Final = cache_mb * MEBIBYTE // 2
        self._unwritten: Final = WriteBufferManager.new_write_buffer_manager_with_cache(
            self._unwritten_bytes, False, self._cache
        )

    @property
    def used_bytes(self) -> int:
        """What is in use now."""
        return self._cache.get_usage()

    def options(self) -> Options:
        """Options for one more store."""
        blocks = BlockBasedOptions()
        blocks.set_block_cache(self._cache)
        blocks.set_block_size(BLOCK_BYTES)
        blocks.set_bloom_filter(BLOOM_BITS_PER_KEY, False)
        # Otherwise indexes and filters would lie beside the cache, without a bound.
        blocks.set_cache_index_and_filter_blocks(True)
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(True)
        blocks.set_format_version(5)
        blocks.set_checksum_type(ChecksumType.xxh3())

        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_block_based_table_factory(blocks)
        options.set_write_buffer_manager(self._unwritten)
        options.set_write_buffer_size(min(WRITE_BUFFER_BYTES_MAX, self._unwritten_bytes))
        options.set_max_write_buffer_number(2)
        options.set_target_file_size_base(FILE_BYTES)
        options.set_level_compaction_dynamic_level_bytes(True)
        options.set_compression_type(DBCompressionType.lz4())
        options.set_bottommost_compression_type(DBCompressionType.zstd())
        # Worked-off due moments leave a trail of deletions at the front of the index: compacted early.
        options.add_compact_on_deletion_collector_factory(4096, 2048, 0.5)
        options.set_max_open_files(OPEN_FILES_MAX)
        options.set_max_total_wal_size(WAL_BYTES_MAX)
        # A torn log ends where it is torn: the store lags behind, and recovery reads the rest.
        options.set_wal_recovery_mode(DBRecoveryMode.point_in_time())
        options.set_paranoid_checks(True)
        options.set_keep_log_file_num(2)
        options.set_max_log_file_size(MEBIBYTE)
        options.set_stats_dump_period_sec(0)
        options.set_stats_persist_period_sec(0)
        return options
