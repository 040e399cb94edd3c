// Numbers as text, for lines of telemetry. Floats have nine significant digits, so that they are read back as the same float32.

enum { INT_WIDTH = 11, FLOAT_WIDTH = 15, CHECK_WIDTH = 21, DIGITS = 9 };
enum { LIMB = 10000, LIMB_DIGITS = 4, LIMBS = 32 };

// A float32 is whole numbers times a power of two: at most 2^24 * 5^149 with a decimal point, which is 28 limbs of four digits.
typedef struct decimal {
    uint16_t limb[LIMBS]; // the lowest first
    uint32_t limbs;
} decimal;

static void decimal_times(decimal *x, uint32_t factor) {
    uint32_t carry = 0;
    for (uint32_t i = 0; i < x->limbs; i++) {
        carry += x->limb[i] * factor;
        x->limb[i] = (uint16_t)(carry % LIMB);
        carry /= LIMB;
    }
    if (carry) {
        x->limb[x->limbs++] = (uint16_t)carry;
    }
}

// The digits of a positive number, rounded to nearest, ties to even, as values 0 to 9. Returns the power of ten of the first.
NOINLINE int32_t decimal_digits(uint32_t bits, uint8_t *digits) {
    int32_t exponent = (int32_t)(bits >> 23);
    uint32_t mantissa = bits & 0x007fffff;
    if (exponent) {
        mantissa |= 0x00800000;
    } else {
        exponent = 1;
    }
    exponent -= 150;
    for (; exponent < 0 && !(mantissa & 1); exponent++) {
        mantissa >>= 1;
    }
    decimal x;
    x.limb[0] = (uint16_t)(mantissa % LIMB);
    x.limb[1] = (uint16_t)(mantissa / LIMB);
    x.limbs = x.limb[1] ? 2 : 1;
    int32_t power = exponent < 0 ? exponent : 0;
    // With five for each half, and the decimal point moved: m / 2^k = m 5^k / 10^k.
    for (; exponent <= -4; exponent += 4) {
        decimal_times(&x, 625);
    }
    for (; exponent < 0; exponent++) {
        decimal_times(&x, 5);
    }
    for (; exponent >= 8; exponent -= 8) {
        decimal_times(&x, 256);
    }
    decimal_times(&x, 1u << exponent);

    uint8_t all[(DIGITS / LIMB_DIGITS + 2) *
                LIMB_DIGITS]; // of the uppermost limbs, of which the first may begin with zeros
    uint32_t at = x.limbs;
    for (uint32_t i = 0; i < sizeof(all); i += LIMB_DIGITS) {
        uint32_t value = at ? x.limb[--at] : 0;
        for (uint32_t j = LIMB_DIGITS; j--; value /= 10) {
            all[i + j] = (uint8_t)(value % 10);
        }
    }
    uint32_t first = 0;
    while (!all[first]) {
        first++;
    }
    power += (int32_t)(x.limbs * LIMB_DIGITS - 1 - first);
    uint32_t rest = 0;
    for (uint32_t i = first + DIGITS + 1; i < sizeof(all); i++) {
        rest |= all[i];
    }
    while (at) {
        rest |= x.limb[--at];
    }
    for (uint32_t i = 0; i < DIGITS; i++) {
        digits[i] = all[first + i];
    }
    uint32_t next = all[first + DIGITS];
    if (next < 5 || (next == 5 && !rest && !(digits[DIGITS - 1] & 1))) {
        return power;
    }
    for (uint32_t i = DIGITS; i--;) {
        if (digits[i] < 9) {
            digits[i]++;
            return power;
        }
        digits[i] = 0;
    }
    digits[0] = 1;
    return power + 1;
}

// Puts text into the right of a field, and blanks before it.
static void telemetry_put(uint8_t *field, uint32_t width, const uint8_t *text, uint32_t length) {
    for (uint32_t i = 0; i < width; i++) {
        field[i] = i < width - length ? ' ' : text[i - (width - length)];
    }
}

static void telemetry_int(uint8_t *field, int32_t value) {
    uint8_t text[INT_WIDTH];
    uint32_t at = INT_WIDTH;
    uint32_t size = value < 0 ? 0 - (uint32_t)value : (uint32_t)value;
    do {
        text[--at] = (uint8_t)('0' + size % 10);
        size /= 10;
    } while (size);
    if (value < 0) {
        text[--at] = '-';
    }
    telemetry_put(field, INT_WIDTH, text + at, INT_WIDTH - at);
}

static void telemetry_float(uint8_t *field, float value) {
    uint32_t bits = bits_of_float(value);
    if ((bits & 0x7f800000) == 0x7f800000) {
        telemetry_put(field, FLOAT_WIDTH, (const uint8_t *)"null", 4); // JSON knows no infinity
        return;
    }
    uint8_t text[FLOAT_WIDTH];
    uint32_t n = 0;
    if (bits >> 31) {
        text[n++] = '-';
    }
    bits &= 0x7fffffff;
    uint8_t digits[DIGITS] = {0};
    int32_t power = bits ? decimal_digits(bits, digits) : 0;
    uint32_t significant = DIGITS;
    while (significant > 1 && !digits[significant - 1]) {
        significant--;
    }
    int32_t point = power; // behind which digit the decimal point is
    uint32_t scientific = power < -4 || power >= DIGITS;
    if (scientific) {
        point = 0;
    }
    if (point < 0) {
        text[n++] = '0';
        text[n++] = '.';
        for (int32_t i = -1; i > point; i--) {
            text[n++] = '0';
        }
    }
    for (int32_t i = 0; i < (int32_t)significant || i <= point + (scientific ? 0 : 1); i++) {
        if (i == point + 1 && point >= 0) {
            text[n++] = '.';
        }
        text[n++] = (uint8_t)('0' + (i < DIGITS ? digits[i] : 0));
    }
    if (scientific) {
        uint32_t size = power < 0 ? (uint32_t)-power : (uint32_t)power;
        text[n++] = 'e';
        text[n++] = power < 0 ? '-' : '+';
        text[n++] = (uint8_t)('0' + size / 10);
        text[n++] = (uint8_t)('0' + size % 10);
    }
    telemetry_put(field, FLOAT_WIDTH, text, n);
}

KERNEL(void, telemetry_line)(uint8_t *line, const int32_t *fields, const int32_t *ints, const float *floats,
    uint32_t length, uint32_t n_ints, uint32_t n_floats) {
    for (uint32_t i = 0; i < n_ints; i++) {
        telemetry_int(line + fields[i], ints[i]);
    }
    for (uint32_t i = 0; i < n_floats; i++) {
        telemetry_float(line + fields[n_ints + i], floats[i]);
    }
    uint32_t end = length - CHECK_WIDTH;
    uint32_t sum = crc_of(line, end, 0);
    for (uint32_t i = 0; i < 8; i++, sum <<= 4) {
        line[end + 10 + i] = (uint8_t)"0123456789abcdef"[sum >> 28];
    }
}
