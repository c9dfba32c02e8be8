/* XXH3-64 (seed 0, default secret) from its specification, and SHA-1 of one block (FIPS 180-4). */
#ifndef EDGELIFT_HASHES_H
#define EDGELIFT_HASHES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define EL_LITTLE 1
#else
#define EL_LITTLE 0
#endif

static inline uint16_t el_swap16(uint16_t v) { return __builtin_bswap16(v); }
static inline uint32_t el_swap32(uint32_t v) { return __builtin_bswap32(v); }
static inline uint64_t el_swap64(uint64_t v) { return __builtin_bswap64(v); }

#define EL_READER(bits)                                                                            \
    static inline uint##bits##_t el_le##bits(const uint8_t *p) {                                   \
        uint##bits##_t v;                                                                          \
        memcpy(&v, p, sizeof v);                                                                   \
        return EL_LITTLE ? v : el_swap##bits(v);                                                   \
    }                                                                                              \
    static inline uint##bits##_t el_be##bits(const uint8_t *p) {                                   \
        uint##bits##_t v;                                                                          \
        memcpy(&v, p, sizeof v);                                                                   \
        return EL_LITTLE ? el_swap##bits(v) : v;                                                   \
    }                                                                                              \
    static inline void el_put_le##bits(uint8_t *p, uint##bits##_t v) {                             \
        v = EL_LITTLE ? v : el_swap##bits(v);                                                      \
        memcpy(p, &v, sizeof v);                                                                   \
    }                                                                                              \
    static inline void el_put_be##bits(uint8_t *p, uint##bits##_t v) {                             \
        v = EL_LITTLE ? el_swap##bits(v) : v;                                                      \
        memcpy(p, &v, sizeof v);                                                                   \
    }
EL_READER(16)
EL_READER(32)
EL_READER(64)
#undef EL_READER

/* ---- XXH3-64 ---------------------------------------------------------------------------- */

#define P32_1 0x9E3779B1u
#define P32_2 0x85EBCA77u
#define P32_3 0xC2B2AE3Du
#define P64_1 0x9E3779B185EBCA87u
#define P64_2 0xC2B2AE3D27D4EB4Fu
#define P64_3 0x165667B19E3779F9u
#define P64_4 0x85EBCA77C2B2AE63u
#define P64_5 0x27D4EB2F165667C5u
#define P_MX1 0x165667919E3779F9u
#define P_MX2 0x9FB21C651E98DF25u

enum { EL_SECRET = 192, EL_STRIPES = 16, EL_BLOCK = 1024 };

static const uint8_t el_secret[EL_SECRET] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};

static inline uint64_t el_fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t el_avalanche(uint64_t x) {
    x = (x ^ (x >> 37)) * P_MX1;
    return x ^ (x >> 32);
}

static inline uint64_t el_avalanche_64(uint64_t x) {
    x = (x ^ (x >> 33)) * P64_2;
    x = (x ^ (x >> 29)) * P64_3;
    return x ^ (x >> 32);
}

static inline uint64_t el_rotate(uint64_t x, int by) { return x << by | x >> (64 - by); }
static inline uint64_t el_word(size_t at) { return el_le64(el_secret + at); }

static inline uint64_t el_mix(const uint8_t *p, size_t secret) {
    return el_fold(el_le64(p) ^ el_word(secret), el_le64(p + 8) ^ el_word(secret + 8));
}

static uint64_t el_hash_short(const uint8_t *p, size_t n) {
    if (n > 8) {
        uint64_t low = (el_word(24) ^ el_word(32)) ^ el_le64(p);
        uint64_t high = (el_word(40) ^ el_word(48)) ^ el_le64(p + n - 8);
        return el_avalanche(n + el_swap64(low) + high + el_fold(low, high));
    }
    if (n >= 4) {
        uint64_t both = (uint64_t)el_le32(p + n - 4) | (uint64_t)el_le32(p) << 32;
        uint64_t value = (el_word(8) ^ el_word(16)) ^ both;
        value ^= el_rotate(value, 49) ^ el_rotate(value, 24);
        value *= P_MX2;
        value ^= (value >> 35) + n;
        value *= P_MX2;
        return value ^ (value >> 28);
    }
    if (n > 0) {
        uint32_t all = (uint32_t)p[n - 1] | (uint32_t)n << 8 | (uint32_t)p[0] << 16 |
                       (uint32_t)p[n >> 1] << 24;
        return el_avalanche_64((uint64_t)(el_le32(el_secret) ^ el_le32(el_secret + 4)) ^ all);
    }
    return el_avalanche_64(el_word(56) ^ el_word(64));
}

static uint64_t el_hash_medium(const uint8_t *p, size_t n) {
    uint64_t sum = n * P64_1;
    if (n <= 128) {
        for (size_t i = ((n - 1) >> 5) + 1; i-- > 0;) {
            sum += el_mix(p + i * 16, i * 32);
            sum += el_mix(p + n - i * 16 - 16, i * 32 + 16);
        }
        return el_avalanche(sum);
    }
    for (size_t i = 0; i < 8; i++) sum += el_mix(p + i * 16, i * 16);
    sum = el_avalanche(sum);
    for (size_t i = 8; i < n >> 4; i++) sum += el_mix(p + i * 16, (i - 8) * 16 + 3);
    return el_avalanche(sum + el_mix(p + n - 16, 119));
}

static inline void el_accumulate(uint64_t *restrict acc, const uint8_t *restrict stripe,
                                 size_t secret) {
    for (int i = 0; i < 8; i++) {
        uint64_t data = el_le64(stripe + i * 8);
        uint64_t value = data ^ el_word(secret + (size_t)i * 8);
        acc[i ^ 1] += data;
        acc[i] += (value & 0xFFFFFFFFu) * (value >> 32);
    }
}

static uint64_t el_hash_long(const uint8_t *p, size_t n) {
    uint64_t acc[8] = {P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1};
    size_t blocks = (n - 1) / EL_BLOCK;
    for (size_t b = 0; b < blocks; b++) {
        for (size_t s = 0; s < EL_STRIPES; s++) el_accumulate(acc, p + b * EL_BLOCK + s * 64, s * 8);
        for (int i = 0; i < 8; i++) {
            acc[i] = (acc[i] ^ (acc[i] >> 47) ^ el_word(128 + (size_t)i * 8)) * P32_1;
        }
    }
    size_t rest = n - blocks * EL_BLOCK;
    for (size_t s = 0; s < (rest - 1) / 64; s++) {
        el_accumulate(acc, p + blocks * EL_BLOCK + s * 64, s * 8);
    }
    el_accumulate(acc, p + n - 64, EL_SECRET - 71);
    uint64_t sum = n * P64_1;
    for (size_t i = 0; i < 4; i++) {
        sum += el_fold(acc[i * 2] ^ el_word(11 + i * 16), acc[i * 2 + 1] ^ el_word(19 + i * 16));
    }
    return el_avalanche(sum);
}

static uint64_t el_hash(const uint8_t *p, size_t n) {
    if (n <= 16) return el_hash_short(p, n);
    return n <= 240 ? el_hash_medium(p, n) : el_hash_long(p, n);
}

/* ---- SHA-1 ------------------------------------------------------------------------------ */

static const uint32_t el_sha1_start[5] = {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u,
                                          0xC3D2E1F0u};

static inline uint32_t el_rotate32(uint32_t x, int by) { return x << by | x >> (32 - by); }

static void el_sha1_portable(const uint8_t block[64], uint32_t state[5]) {
    uint32_t w[80], a = el_sha1_start[0], b = el_sha1_start[1], c = el_sha1_start[2],
                    d = el_sha1_start[3], e = el_sha1_start[4];
    for (int t = 0; t < 16; t++) w[t] = el_be32(block + t * 4);
    for (int t = 16; t < 80; t++) {
        w[t] = el_rotate32(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    }
    for (int t = 0; t < 80; t++) {
        uint32_t f, k;
        if (t < 20) {
            f = (b & c) | (~b & d), k = 0x5A827999u;
        } else if (t < 40) {
            f = b ^ c ^ d, k = 0x6ED9EBA1u;
        } else if (t < 60) {
            f = (b & c) | (b & d) | (c & d), k = 0x8F1BBCDCu;
        } else {
            f = b ^ c ^ d, k = 0xCA62C1D6u;
        }
        uint32_t next = el_rotate32(a, 5) + f + e + k + w[t];
        e = d, d = c, c = el_rotate32(b, 30), b = a, a = next;
    }
    state[0] = a + el_sha1_start[0], state[1] = b + el_sha1_start[1];
    state[2] = c + el_sha1_start[2], state[3] = d + el_sha1_start[3];
    state[4] = e + el_sha1_start[4];
}

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#include <cpuid.h>
#include <immintrin.h>
#define EL_HAS_SHA_NI 1

/* 20 groups of four rounds; group g takes w[g] and prepares w[g + 4], as FIPS 180-4's schedule. */
__attribute__((target("sha,ssse3,sse4.1"))) static void el_sha1_ni(const uint8_t block[64],
                                                                  uint32_t state[5]) {
    const __m128i swap = _mm_set_epi64x(0x0001020304050607LL, 0x08090a0b0c0d0e0fLL);
    __m128i w[4], abcd, start, e, next;
    for (int i = 0; i < 4; i++) {
        w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(block + i * 16)), swap);
    }
    start = _mm_set_epi32((int)el_sha1_start[0], (int)el_sha1_start[1], (int)el_sha1_start[2],
                          (int)el_sha1_start[3]);
    abcd = start;
    e = _mm_add_epi32(_mm_set_epi32((int)el_sha1_start[4], 0, 0, 0), w[0]);
#define EL_GROUP(g, f)                                                                             \
    next = abcd;                                                                                   \
    abcd = _mm_sha1rnds4_epu32(abcd, e, f);                                                        \
    if ((g) < 16) {                                                                                \
        w[(g)&3] = _mm_xor_si128(_mm_sha1msg1_epu32(w[(g)&3], w[((g) + 1) & 3]), w[((g) + 2) & 3]); \
        w[(g)&3] = _mm_sha1msg2_epu32(w[(g)&3], w[((g) + 3) & 3]);                                 \
    }                                                                                              \
    e = _mm_sha1nexte_epu32(next, w[((g) + 1) & 3]);
    EL_GROUP(0, 0) EL_GROUP(1, 0) EL_GROUP(2, 0) EL_GROUP(3, 0) EL_GROUP(4, 0)
    EL_GROUP(5, 1) EL_GROUP(6, 1) EL_GROUP(7, 1) EL_GROUP(8, 1) EL_GROUP(9, 1)
    EL_GROUP(10, 2) EL_GROUP(11, 2) EL_GROUP(12, 2) EL_GROUP(13, 2) EL_GROUP(14, 2)
    EL_GROUP(15, 3) EL_GROUP(16, 3) EL_GROUP(17, 3) EL_GROUP(18, 3)
#undef EL_GROUP
    next = abcd;
    abcd = _mm_sha1rnds4_epu32(abcd, e, 3);
    e = _mm_sha1nexte_epu32(next, _mm_set_epi32((int)el_sha1_start[4], 0, 0, 0));
    abcd = _mm_add_epi32(abcd, start);
    state[0] = (uint32_t)_mm_extract_epi32(abcd, 3), state[1] = (uint32_t)_mm_extract_epi32(abcd, 2);
    state[2] = (uint32_t)_mm_extract_epi32(abcd, 1), state[3] = (uint32_t)_mm_extract_epi32(abcd, 0);
    state[4] = (uint32_t)_mm_extract_epi32(e, 3);
}
#endif

typedef void (*el_sha1_block)(const uint8_t block[64], uint32_t state[5]);

/* Returns the quickest SHA-1 that this processor can run. */
static el_sha1_block el_choose_sha1(void) {
#ifdef EL_HAS_SHA_NI
    unsigned a, b, c, d;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1) && __get_cpuid(1, &a, &b, &c, &d) &&
        (c >> 9 & 1) && (c >> 19 & 1)) {
        return el_sha1_ni;
    }
#endif
    return el_sha1_portable;
}

/* Hashes at most 55 bytes, which with their padding are one block. */
static void el_sha1_small(el_sha1_block sha1, const uint8_t *p, size_t n, uint8_t out[20]) {
    uint8_t block[64] = {0};
    uint32_t state[5];
    memcpy(block, p, n);
    block[n] = 0x80;
    el_put_be64(block + 56, (uint64_t)n * 8);
    sha1(block, state);
    for (int i = 0; i < 5; i++) el_put_be32(out + i * 4, state[i]);
}

#endif
