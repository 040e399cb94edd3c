"""Moving numbers."""

import zlib

import numpy as np

from .actor_critic import columns_of
from .contract import ANY, INT, POSITIVE, RNG, Buffer, F, W, fits, kernel, within
from .threefry import advance, blocks


@kernel
def copy_columns(
    src: F("(src_row + rows) * src_width"),
    src_width: POSITIVE,
    src_column: INT,
    src_row: INT,
    dst: W("(dst_row + rows) * dst_width"),
    dst_width: POSITIVE,
    dst_column: INT,
    dst_row: INT,
    columns: POSITIVE,
    rows: INT,
):
    fits("copy_columns", "src_column", src_column, "columns", columns, "src_width", src_width)
    fits("copy_columns", "dst_column", dst_column, "columns", columns, "dst_width", dst_width)
    source = columns_of(src, src_width, src_column, columns, src_row, rows)
    columns_of(dst, dst_width, dst_column, columns, dst_row, rows)[...] = source


@kernel
def copy(src: F("src_start + count"), src_start: INT, dst: W("dst_start + count"), dst_start: INT, count: INT):
    dst[dst_start : dst_start + count] = src[src_start : src_start + count]


@kernel
def fill(x: W("start + count"), value: F("1"), start: INT, count: INT):
    x[start : start + count] = value[0]


@kernel
def accumulate(total: W("index + 1"), index: INT, x: F("1")):
    total[index] += x[0]


@kernel
def all_finite(x: F("start + count"), start: INT, count: INT):
    return int(np.isfinite(x[start : start + count]).all())


@kernel
def crc32(data: ANY, crc: Buffer("1", "I", True)):
    crc[0] = zlib.crc32(data, int(crc[0]))


@kernel
def permutation(rng: RNG, indices: Buffer("count", "i", True), count: POSITIVE):
    words = np.stack(blocks(rng, 0, (count + 1) // 2), axis=1).reshape(-1)[: count - 1]
    others = (words.astype(np.uint64) * np.arange(count, 1, -1, dtype=np.uint64)) >> np.uint64(32)
    order = list(range(count))
    for i, j in zip(range(count - 1, 0, -1), others.tolist(), strict=True):
        order[i], order[j] = order[j], order[i]
    indices[:count] = order
    advance(rng)


@kernel
def gather_rows(
    src: F("limit * width"),
    indices: Buffer("start + count", "i"),
    dst: W("count * width"),
    limit: POSITIVE,
    width: POSITIVE,
    start: INT,
    count: INT,
):
    rows = within("gather_rows", "indices", indices, start, count, limit)
    dst[: count * width].reshape(count, width)[...] = src[: limit * width].reshape(limit, width)[rows]


@kernel
def gather_ints(
    src: Buffer("limit", "i"),
    indices: Buffer("start + count", "i"),
    dst: Buffer("count", "i", True),
    limit: POSITIVE,
    start: INT,
    count: INT,
):
    dst[:count] = src[within("gather_ints", "indices", indices, start, count, limit)]
