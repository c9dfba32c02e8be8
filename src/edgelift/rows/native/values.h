/* What ops take and give: fields of the wire, values of SQLite, memory for one row. */
#ifndef EDGELIFT_VALUES_H
#define EDGELIFT_VALUES_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "hashes.h"

#ifndef EL_REALLOC /* the fuzzer replaces it to see what happens when memory runs out */
#define EL_REALLOC realloc
#endif
#ifndef EL_ROOM /* the fuzzer leaves no room to spare, so that one byte too far is seen */
#define EL_ROOM(wanted) ((wanted) < 4096 ? 4096 : (wanted) + (wanted) / 2)
#endif

enum wire { WIRE_PGCOPY, WIRE_MYSQL, WIRE_SQLITE };
enum affinity { AFFINITY_BLOB, AFFINITY_TEXT, AFFINITY_NUMERIC, AFFINITY_REAL };
enum policy { POLICY_REFUSE, POLICY_NULL, POLICY_TEXT, POLICY_REAL };
enum tag { TAG_NULL, TAG_INTEGER, TAG_REAL, TAG_TEXT, TAG_BLOB, TAG_LONG_TEXT, TAG_LONG_BLOB, TAG_RAW };
enum outcome { DONE, REFUSED, OUT_OF_MEMORY };
enum uuid_style { UUID_HEX, UUID_TEXT, UUID_BLOB };
enum moment_style { MOMENT_SQLALCHEMY, MOMENT_DJANGO, MOMENT_UNIX, MOMENT_UNIX_MS, MOMENT_UNIX_US };
enum interval_style { INTERVAL_MICROS, INTERVAL_SQLALCHEMY, INTERVAL_ISO };
enum bit_style { BIT_TEXT, BIT_INT };

/* A field on the wire: its bytes and, on the wire `sqlite`, its storage class; else TAG_RAW. */
typedef struct slice {
    const uint8_t *p;
    size_t n;
    enum tag tag;
} slice;

/* A value for SQLite; its bytes lie in the wire's buffer, or in the row's arena at `at`. */
typedef struct value {
    enum tag tag;
    bool in_arena;
    size_t at, n;
    const uint8_t *p;
    int64_t i;
    double r;
} value;

typedef struct arena {
    uint8_t *p;
    size_t n, capacity;
} arena;

struct field;
typedef enum outcome (*op_function)(const struct field *, slice, arena *, value *);

typedef struct field {
    op_function run;
    enum wire wire;
    enum affinity affinity;
    uint8_t style;
    enum policy nan, infinity, zero, outside;
    bool flag; /* rtrim=yes, fraction=floor */
    uint8_t scale;
    uint64_t number; /* srid, base */
    uint8_t namespace[16];
    el_sha1_block sha1;
} field;

/* ---- memory and results ----------------------------------------------------------------- */

/* Makes room for n more bytes and returns where they go; NULL when memory runs out. */
static uint8_t *arena_reserve(arena *a, size_t n) {
    if (a->p == NULL || a->capacity - a->n < n) {
        size_t wanted = a->n + n;
        if (wanted < n || wanted > SIZE_MAX / 2) return NULL;
        size_t capacity = EL_ROOM(wanted);
        uint8_t *p = EL_REALLOC(a->p, capacity);
        if (p == NULL) return NULL;
        a->p = p, a->capacity = capacity;
    }
    return a->p + a->n;
}

static enum outcome give_null(value *out) {
    out->tag = TAG_NULL;
    return DONE;
}

static enum outcome give_int(value *out, int64_t i) {
    out->tag = TAG_INTEGER, out->i = i;
    return DONE;
}

static enum outcome give_wire(value *out, enum tag tag, const uint8_t *p, size_t n) {
    out->tag = tag, out->in_arena = false, out->p = p, out->n = n;
    return DONE;
}

/* Gives the bytes that were written behind arena_reserve, up to `end`. */
static enum outcome give_arena(value *out, enum tag tag, arena *a, const uint8_t *end) {
    out->tag = tag, out->in_arena = true, out->at = a->n, out->n = (size_t)(end - (a->p + a->n));
    a->n += out->n;
    return DONE;
}

static enum outcome give_word(value *out, enum policy policy, const char *word) {
    if (policy == POLICY_TEXT) return give_wire(out, TAG_TEXT, (const uint8_t *)word, strlen(word));
    return policy == POLICY_NULL ? give_null(out) : REFUSED;
}

/* ---- small readers and writers ---------------------------------------------------------- */

static inline bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }
static int64_t floor_mod(int64_t a, int64_t b) { return a % b < 0 ? a % b + b : a % b; }

/* Writes a number with at least `width` digits; at most 20 bytes for widths up to 20. */
static uint8_t *put_number(uint8_t *p, uint64_t n, int width) {
    uint8_t digits[20];
    int count = 0;
    while (n || count < width) digits[count++] = (uint8_t)('0' + n % 10), n /= 10;
    while (count) *p++ = digits[--count];
    return p;
}

static inline uint8_t *put_pair(uint8_t *p, unsigned n) {
    *p++ = (uint8_t)('0' + n / 10);
    *p++ = (uint8_t)('0' + n % 10);
    return p;
}

static uint8_t *put_text(uint8_t *p, const char *text) {
    size_t n = strlen(text);
    memcpy(p, text, n);
    return p + n;
}

static const char hex_digits[] = "0123456789abcdef";

static uint8_t *put_hex(uint8_t *p, const uint8_t *from, size_t n) {
    for (size_t i = 0; i < n; i++) {
        *p++ = (uint8_t)hex_digits[from[i] >> 4];
        *p++ = (uint8_t)hex_digits[from[i] & 15];
    }
    return p;
}

static bool is_utf8(const uint8_t *p, size_t n) {
    size_t i = 0;
    while (i < n) {
        if (n - i >= 8 && !(el_le64(p + i) & 0x8080808080808080u)) {
            i += 8;
            continue;
        }
        uint8_t c = p[i];
        if (c < 0x80) {
            i++;
            continue;
        }
        size_t more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
        if (c < 0xC2 || c > 0xF4 || n - i <= more) return false;
        uint8_t low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
        uint8_t high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
        if (p[i + 1] < low || p[i + 1] > high) return false;
        for (size_t k = 2; k <= more; k++) {
            if (p[i + k] < 0x80 || p[i + k] > 0xBF) return false;
        }
        i += more + 1;
    }
    return true;
}

#endif
