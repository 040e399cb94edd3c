// CRC-32 (reflected polynomial 0xedb88320), as zlib.crc32.

// Remainders of the 16 values of four bits.
static const uint32_t crc_nibble[16] = {
    0x00000000,
    0x1db71064,
    0x3b6e20c8,
    0x26d930ac,
    0x76dc4190,
    0x6b6b51f4,
    0x4db26158,
    0x5005713c,
    0xedb88320,
    0xf00f9344,
    0xd6d6a3e8,
    0xcb61b38c,
    0x9b64c2b0,
    0x86d3d2d4,
    0xa00ae278,
    0xbdbdf21c,
};

INLINE uint32_t crc_byte(uint32_t crc, uint32_t byte) {
    crc ^= byte;
    crc = crc >> 4 ^ crc_nibble[crc & 15];
    return crc >> 4 ^ crc_nibble[crc & 15];
}

#if PICORL_W > 1
// Eight bytes at a time, with tables that are quicker to make than to load for what desktops sum up.
NOINLINE uint32_t crc_by_eight(uint32_t crc, const uint8_t *data, uint32_t words) {
    uint32_t table[8][256];
    for (uint32_t byte = 0; byte < 256; byte++) {
        table[0][byte] = crc_byte(0, byte);
    }
    for (uint32_t k = 1; k < 8; k++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t before = table[k - 1][byte];
            table[k][byte] = before >> 8 ^ table[0][before & 255];
        }
    }
    for (; words; words--, data += 8) {
        crc ^= data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
        crc = table[7][crc & 255] ^ table[6][crc >> 8 & 255] ^ table[5][crc >> 16 & 255] ^ table[4][crc >> 24] ^
              table[3][data[4]] ^ table[2][data[5]] ^ table[1][data[6]] ^ table[0][data[7]];
    }
    return crc;
}
#endif

static uint32_t crc_of(const uint8_t *data, uint32_t size, uint32_t before) {
    uint32_t sum = ~before;
#if PICORL_W > 1
    if (size >= 4096) {
        sum = crc_by_eight(sum, data, size / 8);
        data += size / 8 * 8;
        size %= 8;
    }
#endif
    for (; size; size--) {
        sum = crc_byte(sum, *data++);
    }
    return ~sum;
}

KERNEL(void, crc32)(const uint8_t *data, uint32_t data_size, uint32_t *crc) {
    crc[0] = crc_of(data, data_size, crc[0]);
}
