"""Moving numbers."""

from . import arithmetic, checks, threefry


def copy_columns(src, src_width, src_column, src_row, dst, dst_width, dst_column, dst_row, columns, rows):
    kernel = "copy_columns"
    checks.integer(kernel, "src_width", src_width, 1)
    checks.integer(kernel, "src_column", src_column)
    checks.integer(kernel, "src_row", src_row)
    checks.integer(kernel, "dst_width", dst_width, 1)
    checks.integer(kernel, "dst_column", dst_column)
    checks.integer(kernel, "dst_row", dst_row)
    checks.integer(kernel, "columns", columns, 1)
    checks.integer(kernel, "rows", rows)
    checks.need(kernel, "src", src, (src_row + rows) * src_width)
    checks.need(kernel, "dst", dst, (dst_row + rows) * dst_width)
    checks.fits(kernel, "src_column", src_column, "columns", columns, "src_width", src_width)
    checks.fits(kernel, "dst_column", dst_column, "columns", columns, "dst_width", dst_width)
    to = memoryview(dst)
    of = memoryview(src)
    s = src_row * src_width + src_column
    d = dst_row * dst_width + dst_column
    for _ in range(rows):
        to[d : d + columns] = of[s : s + columns]
        s += src_width
        d += dst_width


def copy(src, src_start, dst, dst_start, count):
    checks.integer("copy", "src_start", src_start)
    checks.integer("copy", "dst_start", dst_start)
    checks.integer("copy", "count", count)
    checks.need("copy", "src", src, src_start + count)
    checks.need("copy", "dst", dst, dst_start + count)
    memoryview(dst)[dst_start : dst_start + count] = memoryview(src)[src_start : src_start + count]


def fill(x, value, start, count):
    end = checks.span("fill", start, count)
    checks.need("fill", "x", x, end)
    checks.need("fill", "value", value, 1)
    number = value[0]
    done = min(start + 16, end)
    for i in range(start, done):
        x[i] = number
    x = memoryview(x)
    while done < end:
        n = min(done - start, end - done)
        x[done : done + n] = x[start : start + n]
        done += n


def accumulate(total, index, x):
    checks.integer("accumulate", "index", index)
    checks.need("accumulate", "total", total, index + 1)
    checks.need("accumulate", "x", x, 1)
    total[index] += x[0]


def all_finite(x, start, count):
    end = checks.span("all_finite", start, count)
    checks.need("all_finite", "x", x, end)
    for i in range(start, end):
        if x[i] - x[i] != 0:
            return 0
    return 1


def crc32(data, crc):
    checks.need("crc32", "data", data, 0, "fiIB")
    checks.need("crc32", "crc", crc, 1, "I")
    value = crc[0] ^ threefry.MASK
    table = []
    for i in range(16):
        for _ in range(4):
            i = i >> 1 ^ (0xEDB88320 if i & 1 else 0)
        table.append(i)
    for at in range(0, len(data), 64):
        for byte in bytes(data[at : at + 64]):  # the array's bytes, not its elements
            value ^= byte
            value = value >> 4 ^ table[value & 15]
            value = value >> 4 ^ table[value & 15]
    crc[0] = value ^ threefry.MASK


def permutation(rng, indices, count):
    checks.rng_state("permutation", rng)
    checks.integer("permutation", "count", count, 1)
    checks.need("permutation", "indices", indices, count, "i")
    for i in range(count):
        indices[i] = i
    i = count - 1
    for words in threefry.blocks(rng, 0, count // 2):
        for word in words:
            if i:
                j = word * (i + 1) >> 32
                other = indices[j]
                indices[j] = indices[i]
                indices[i] = other
                i -= 1
    threefry.advance(rng)


def gather_rows(src, indices, dst, limit, width, start, count):
    kernel = "gather_rows"
    checks.integer(kernel, "limit", limit, 1)
    checks.integer(kernel, "width", width, 1)
    end = checks.span(kernel, start, count)
    checks.need(kernel, "src", src, limit * width)
    checks.need(kernel, "indices", indices, end, "i")
    checks.need(kernel, "dst", dst, count * width)
    checks.within(kernel, "indices", indices, start, end, limit)
    at = 0
    if width == 1:
        for row in indices[start:end]:
            dst[at] = src[row]
            at += 1
        return
    to = memoryview(dst)
    of = memoryview(src)
    for row in indices[start:end]:
        row *= width
        to[at : at + width] = of[row : row + width]
        at += width


def gather_ints(src, indices, dst, limit, start, count):
    kernel = "gather_ints"
    checks.integer(kernel, "limit", limit, 1)
    end = checks.span(kernel, start, count)
    checks.need(kernel, "src", src, limit, "i")
    checks.need(kernel, "indices", indices, end, "i")
    checks.need(kernel, "dst", dst, count, "i")
    checks.within(kernel, "indices", indices, start, end, limit)
    for k in range(count):
        dst[k] = src[indices[start + k]]


def argmax(x, choice, n, row, rows):
    end = checks.columns("argmax", "x", x, n, row, rows)
    checks.need("argmax", "choice", choice, end, "i")
    for r in range(row, end):
        choice[r] = arithmetic.largest(x, r * n, n)
