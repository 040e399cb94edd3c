"""Moving numbers, and telling about them."""

from .contract import SPAN, AnyBuffer, Buffer, F, Fw, Int, Kernel

KERNELS = (
    Kernel(
        "copy_columns",
        """Copy columns [src_column, src_column + columns) of src (·, src_width), rows from src_row, to columns from
        dst_column of dst (·, dst_width), rows from dst_row.""",
        (
            F("src", "(src_row + rows) * src_width"),
            Int("src_width", 1),
            Int("src_column"),
            Int("src_row"),
            Fw("dst", "(dst_row + rows) * dst_width"),
            Int("dst_width", 1),
            Int("dst_column"),
            Int("dst_row"),
            Int("columns", 1),
            Int("rows"),
        ),
        check=True,
        of=("td3", "recurrent_sac"),
    ),
    Kernel(
        "copy",
        """dst[dst_start:dst_start + count] = src[src_start:src_start + count].""",
        (
            F("src", "src_start + count"),
            Int("src_start"),
            Fw("dst", "dst_start + count"),
            Int("dst_start"),
            Int("count"),
        ),
    ),
    Kernel("fill", """x[start:start + count] = value[0].""", (Fw("x", "start + count"), F("value", "1"), *SPAN)),
    Kernel(
        "accumulate",
        """total[index] += x[0]: sums that may steer learning are made here, in float32.""",
        (Fw("total", "index + 1"), Int("index"), F("x", "1")),
    ),
    Kernel(
        "all_finite",
        """1 when x[start:start + count] holds neither infinities nor NaN, else 0.""",
        (F("x", "start + count"), *SPAN),
        returns="int",
    ),
    Kernel(
        "crc32",
        """crc[0] = CRC-32 (as zlib.crc32) of the bytes of data (little-endian), continued from crc[0].""",
        (AnyBuffer("data"), Buffer("crc", "I", "1", True)),
    ),
    Kernel(
        "telemetry_line",
        """Fill in a line of telemetry of length bytes, in place: ints[i] as text of 11 bytes at fields[i], floats[i] as text of
        15 bytes at fields[n_ints + i], both to the right with blanks before; then, where the line ends with ,"check":"????????"}
        and a newline, the CRC-32 of all that comes before these 21 bytes, as eight hexadecimal digits. Floats have nine significant digits, rounded to
        nearest, ties to even, without trailing zeros; a decimal point and a digit behind it from 1e-4 to below 1e9, an exponent of two digits
        elsewhere (0.0, -145.25, 1.5e-07); null when not finite.""",
        (
            Buffer("line", "B", "length", True),
            Buffer("fields", "i", "n_ints + n_floats"),
            Buffer("ints", "i", "n_ints"),
            F("floats", "n_floats"),
            Int("length"),
            Int("n_ints"),
            Int("n_floats"),
        ),
        check=True,
    ),
)
