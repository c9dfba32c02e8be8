/* Ops of numbers: edgelift/rows/conversions/numbers.py in C. */
#ifndef EDGELIFT_NUMBERS_H
#define EDGELIFT_NUMBERS_H

#include "values.h"

/* ---- integers --------------------------------------------------------------------------- */

/* An integer as sent: sign and magnitude; `huge` when the magnitude is 2^64 or more. */
typedef struct whole {
    bool negative, huge;
    uint64_t size;
} whole;

static whole whole_of(int64_t i) {
    whole w = {i < 0, false, i < 0 ? 0 - (uint64_t)i : (uint64_t)i};
    return w;
}

static bool read_digits(const uint8_t *p, size_t n, whole *out) {
    out->negative = n > 0 && p[0] == '-';
    out->huge = false, out->size = 0;
    if (out->negative) p++, n--;
    if (n == 0 || n > 300) return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(p[i])) return false;
        uint64_t digit = (uint64_t)(p[i] - '0');
        if (out->size > (UINT64_MAX - digit) / 10) out->huge = true;
        out->size = out->size * 10 + digit;
    }
    if (!out->huge && out->size == 0) out->negative = false;
    return true;
}

static bool read_whole(const field *f, slice s, whole *out) {
    if (f->wire == WIRE_MYSQL) return read_digits(s.p, s.n, out);
    int64_t i;
    if (f->wire == WIRE_SQLITE) {
        if (s.tag != TAG_INTEGER) return false;
        i = (int64_t)el_le64(s.p);
    } else if (s.n == 4) {
        i = (int32_t)el_be32(s.p);
    } else if (s.n == 8) {
        i = (int64_t)el_be64(s.p);
    } else if (s.n == 2) {
        i = (int16_t)el_be16(s.p);
    } else {
        return false;
    }
    *out = whole_of(i);
    return true;
}

static bool fits_int64(whole w, int64_t *out) {
    if (w.huge || w.size > (uint64_t)INT64_MAX + w.negative) return false;
    *out = w.negative ? (int64_t)(0 - w.size) : (int64_t)w.size;
    return true;
}

static enum outcome op_int(const field *f, slice s, arena *a, value *out) {
    whole w;
    int64_t i;
    (void)a;
    if (!read_whole(f, s, &w) || !fits_int64(w, &i)) return REFUSED;
    return give_int(out, i);
}

static enum outcome op_int_text(const field *f, slice s, arena *a, value *out) {
    whole w;
    if (!read_whole(f, s, &w) || w.huge) return REFUSED;
    if (w.negative && w.size > (uint64_t)INT64_MAX + 1) return REFUSED;
    uint8_t *p = arena_reserve(a, 24);
    if (p == NULL) return OUT_OF_MEMORY;
    if (w.negative) *p++ = '-';
    return give_arena(out, TAG_TEXT, a, put_number(p, w.size, 1));
}

static enum outcome op_oid(const field *f, slice s, arena *a, value *out) {
    (void)f, (void)a;
    return s.n == 4 ? give_int(out, el_be32(s.p)) : REFUSED;
}

static enum outcome op_bool(const field *f, slice s, arena *a, value *out) {
    (void)a;
    if (f->wire == WIRE_SQLITE) {
        if (s.tag != TAG_INTEGER || el_le64(s.p) > 1) return REFUSED;
        return give_int(out, (int64_t)el_le64(s.p));
    }
    if (s.n != 1) return REFUSED;
    uint8_t c = s.p[0];
    if (f->wire == WIRE_MYSQL && (c == '0' || c == '1')) c = (uint8_t)(c - '0');
    return c > 1 ? REFUSED : give_int(out, c);
}

/* ---- decimals and floats ---------------------------------------------------------------- */

enum special { FINITE, NOT_A_NUMBER, PLUS_INFINITY, MINUS_INFINITY };

/* digits * 10^exponent without zeros at either end; zero has no digits. `size` holds the digits
 * when there are at most 19 of them. */
typedef struct decimal {
    enum special special;
    bool negative;
    size_t count;
    uint64_t size;
    int64_t exponent;
} decimal;

/* Takes the next digit; zeros wait in `pending` until a digit that is none shows they count. */
static inline void take_digit(decimal *d, size_t *pending, unsigned digit) {
    if (digit == 0) {
        *pending += d->count > 0;
        return;
    }
    for (; *pending; --*pending) {
        if (d->count++ < 19) d->size *= 10;
    }
    if (d->count++ < 19) d->size = d->size * 10 + digit;
}

/* Reads [+-]digits[.digits][e[+-]digits]; `whole_end` is where the digits end. */
static bool read_decimal_text(const uint8_t *p, size_t n, decimal *d) {
    size_t i = 0, pending = 0, fraction = 0, seen = 0;
    memset(d, 0, sizeof *d);
    if (n && (p[0] == '-' || p[0] == '+')) d->negative = p[i++] == '-';
    for (; i < n && is_digit(p[i]); i++, seen++) take_digit(d, &pending, p[i] - '0');
    if (i < n && p[i] == '.') {
        for (i++; i < n && is_digit(p[i]); i++, seen++, fraction++) {
            take_digit(d, &pending, p[i] - '0');
        }
    }
    if (seen == 0) return false;
    int64_t exponent = 0;
    if (i < n && (p[i] == 'e' || p[i] == 'E')) {
        bool negative = false;
        if (++i < n && (p[i] == '-' || p[i] == '+')) negative = p[i++] == '-';
        size_t start = i;
        for (; i < n && is_digit(p[i]) && i - start < 9; i++) exponent = exponent * 10 + (p[i] - '0');
        if (i == start) return false;
        if (negative) exponent = -exponent;
    }
    if (i != n) return false;
    d->exponent = d->count ? exponent - (int64_t)fraction + (int64_t)pending : 0;
    return true;
}

/* PostgreSQL's numeric: the head of 8 bytes, then groups of four digits. */
typedef struct numeric {
    const uint8_t *groups;
    size_t count;
    int weight;
    size_t scale;
} numeric;

static inline unsigned group_of(const numeric *n, size_t i) { return el_be16(n->groups + i * 2); }

static bool read_numeric(slice s, numeric *n, decimal *d) {
    memset(d, 0, sizeof *d);
    memset(n, 0, sizeof *n);
    if (s.n < 8) return false;
    unsigned sign = el_be16(s.p + 4);
    if (sign == 0xC000 || sign == 0xD000 || sign == 0xF000) {
        d->special = sign == 0xC000 ? NOT_A_NUMBER : sign == 0xD000 ? PLUS_INFINITY : MINUS_INFINITY;
        return true;
    }
    n->count = el_be16(s.p), n->weight = (int16_t)el_be16(s.p + 2), n->scale = el_be16(s.p + 6);
    n->groups = s.p + 8;
    if (s.n != 8 + 2 * n->count || (sign != 0 && sign != 0x4000) || n->scale > 0x3FFF) return false;
    size_t pending = 0;
    d->exponent = 4 * ((int64_t)n->weight + 1 - (int64_t)n->count);
    for (size_t i = 0; i < n->count; i++) {
        unsigned group = group_of(n, i);
        if (group > 9999) return false;
        if (n->count <= 4) {
            d->size = d->size * 10000 + group;
            continue;
        }
        take_digit(d, &pending, group / 1000), take_digit(d, &pending, group / 100 % 10);
        take_digit(d, &pending, group / 10 % 10), take_digit(d, &pending, group % 10);
    }
    if (n->count <= 4 && d->size) {
        while (d->size % 10000 == 0) d->size /= 10000, d->exponent += 4;
        while (d->size % 10 == 0) d->size /= 10, d->exponent++;
        for (uint64_t rest = d->size; rest; rest /= 10) d->count++;
    }
    d->exponent += (int64_t)pending;
    if (d->count == 0) d->exponent = 0;
    d->negative = sign == 0x4000 && d->count;
    return d->count == 0 || d->exponent >= -(int64_t)n->scale;
}

static bool read_decimal(const field *f, slice s, numeric *n, decimal *d) {
    if (f->wire == WIRE_PGCOPY) return read_numeric(s, n, d);
    if (f->wire == WIRE_SQLITE && s.tag == TAG_INTEGER) {
        uint8_t digits[24], *p = digits;
        whole w = whole_of((int64_t)el_le64(s.p));
        if (w.negative) *p++ = '-';
        return read_decimal_text(digits, (size_t)(put_number(p, w.size, 1) - digits), d);
    }
    if (f->wire == WIRE_SQLITE && s.tag != TAG_TEXT) return false;
    return read_decimal_text(s.p, s.n, d);
}

static enum outcome give_special(const field *f, enum special special, value *out) {
    if (special == NOT_A_NUMBER) return give_word(out, f->nan, "NaN");
    return give_word(out, f->infinity, special == PLUS_INFINITY ? "Infinity" : "-Infinity");
}

/* Gives a double as a column of the field's affinity keeps it. */
static enum outcome give_real(const field *f, double r, value *out) {
    if (f->affinity == AFFINITY_NUMERIC && fabs(r) < 9223372036854775808.0 && r == floor(r)) {
        return give_int(out, (int64_t)r);
    }
    if (f->affinity == AFFINITY_REAL && r == 0) r = 0.0;
    out->tag = TAG_REAL, out->r = r;
    return DONE;
}

/* Powers of ten that a double holds exactly: with a size below 2^53 one rounding is left. */
static const double exact_tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Returns the double nearest to a decimal of at most 19 digits. */
static double to_double(const decimal *d) {
    double r;
    if (FLT_EVAL_METHOD == 0 && d->size <= (uint64_t)1 << 53 && d->exponent >= -22 &&
        d->exponent <= 22) {
        r = (double)d->size;
        r = d->exponent < 0 ? r / exact_tens[-d->exponent] : r * exact_tens[d->exponent];
    } else {
        char text[48]; /* without a decimal point no locale can misread it */
        snprintf(text, sizeof text, "%llue%lld", (unsigned long long)d->size,
                 (long long)d->exponent);
        r = strtod(text, NULL);
    }
    return d->negative ? -r : r;
}

static enum outcome give_real15(const field *f, const decimal *d, value *out) {
    if (d->count > 15) return REFUSED;
    int64_t leading = d->exponent + (int64_t)d->count - 1;
    if (d->count && (leading < -290 || leading > 290)) return REFUSED;
    if (d->count == 0) return give_real(f, 0.0, out);
    return give_real(f, to_double(d), out);
}

static enum outcome op_decimal_real15(const field *f, slice s, arena *a, value *out) {
    numeric n;
    decimal d;
    (void)a;
    if (!read_decimal(f, s, &n, &d)) return REFUSED;
    return d.special ? give_special(f, d.special, out) : give_real15(f, &d, out);
}

/* The digit at a place of the groups' digits, 0 outside of them. */
static inline uint8_t digit_at(const numeric *n, int64_t at) {
    static const unsigned parts[4] = {1000, 100, 10, 1};
    if (at < 0 || at >= (int64_t)n->count * 4) return '0';
    return (uint8_t)('0' + group_of(n, (size_t)at / 4) / parts[at % 4] % 10);
}

static enum outcome give_numeric_text(const numeric *n, bool negative, arena *a, value *out) {
    int64_t point = 4 * ((int64_t)n->weight + 1), at = 0;
    size_t whole_digits = point > 0 ? (size_t)point : 0;
    uint8_t *p = arena_reserve(a, whole_digits + n->scale + 4);
    if (p == NULL) return OUT_OF_MEMORY;
    if (negative) *p++ = '-';
    while (at < point && digit_at(n, at) == '0') at++;
    if (at >= point) *p++ = '0';
    for (; at < point; at++) *p++ = digit_at(n, at);
    if (n->scale) *p++ = '.';
    for (size_t i = 0; i < n->scale; i++) *p++ = digit_at(n, point + (int64_t)i);
    return give_arena(out, TAG_TEXT, a, p);
}

static enum outcome op_decimal_text(const field *f, slice s, arena *a, value *out) {
    numeric n;
    decimal d;
    if (!read_decimal(f, s, &n, &d)) return REFUSED;
    if (d.special) return give_special(f, d.special, out);
    if (f->wire == WIRE_PGCOPY) return give_numeric_text(&n, d.negative, a, out);
    return s.tag == TAG_INTEGER ? op_int_text(f, s, a, out) : give_wire(out, TAG_TEXT, s.p, s.n);
}

static enum outcome op_decimal_scaled(const field *f, slice s, arena *a, value *out) {
    numeric n;
    decimal d;
    (void)a;
    if (!read_decimal(f, s, &n, &d)) return REFUSED;
    if (d.special) return give_special(f, d.special, out);
    if (d.count == 0) return give_int(out, 0);
    int64_t zeros = d.exponent + f->scale, i;
    if (zeros < 0 || (int64_t)d.count + zeros > 19) return REFUSED;
    whole w = {d.negative, false, d.size};
    for (; zeros > 0; zeros--) w.size *= 10;
    return fits_int64(w, &i) ? give_int(out, i) : REFUSED;
}

static enum outcome op_money(const field *f, slice s, arena *a, value *out) {
    whole w;
    decimal d = {0};
    (void)a;
    if (!read_whole(f, s, &w) || w.huge) return REFUSED;
    d.negative = w.negative, d.size = w.size, d.exponent = -(int64_t)f->scale;
    while (d.size && d.size % 10 == 0) d.size /= 10, d.exponent++;
    for (uint64_t rest = d.size; rest; rest /= 10) d.count++;
    return give_real15(f, &d, out);
}

/* Reads a double from its text; decimals of more than 19 digits go to strtod without their point. */
static enum outcome read_double_text(slice s, arena *a, double *out) {
    decimal d;
    if (!read_decimal_text(s.p, s.n, &d)) return REFUSED;
    if (d.count == 0) {
        *out = d.negative ? -0.0 : 0.0;
        return DONE;
    }
    if (d.count <= 19) {
        *out = to_double(&d);
        return DONE;
    }
    uint8_t *start = arena_reserve(a, s.n + 32), *p = start;
    if (p == NULL) return OUT_OF_MEMORY;
    size_t i = 0;
    int64_t fraction = 0, exponent = 0;
    bool point = false;
    for (; i < s.n && s.p[i] != 'e' && s.p[i] != 'E'; i++) {
        if (s.p[i] == '.') point = true;
        if (is_digit(s.p[i])) *p++ = s.p[i], fraction += point;
    }
    if (i < s.n) {
        bool negative = s.p[i + 1] == '-';
        for (i++; i < s.n; i++) {
            if (is_digit(s.p[i])) exponent = exponent * 10 + (s.p[i] - '0');
        }
        if (negative) exponent = -exponent;
    }
    snprintf((char *)p, 32, "e%lld", (long long)(exponent - fraction));
    *out = strtod((const char *)start, NULL); /* the arena is not advanced: only scratch */
    if (d.negative) *out = -*out;
    return DONE;
}

static enum outcome op_float(const field *f, slice s, arena *a, value *out) {
    double r;
    if (f->wire == WIRE_MYSQL) {
        enum outcome done = read_double_text(s, a, &r);
        if (done != DONE) return done;
    } else if (f->wire == WIRE_SQLITE) {
        int64_t i = s.tag == TAG_INTEGER || s.tag == TAG_REAL ? (int64_t)el_le64(s.p) : 0;
        if (s.tag == TAG_REAL) {
            memcpy(&r, &i, sizeof r);
        } else if (s.tag == TAG_INTEGER && i >= -((int64_t)1 << 53) && i <= (int64_t)1 << 53) {
            r = (double)i;
        } else {
            return REFUSED;
        }
    } else if (s.n == 8) {
        uint64_t bits = el_be64(s.p);
        memcpy(&r, &bits, sizeof r);
    } else if (s.n == 4) {
        uint32_t bits = el_be32(s.p);
        float single;
        memcpy(&single, &bits, sizeof single);
        r = single;
    } else {
        return REFUSED;
    }
    if (isnan(r)) return give_word(out, f->nan, "NaN");
    if (isinf(r) && f->infinity != POLICY_REAL) {
        return give_word(out, f->infinity, r > 0 ? "Infinity" : "-Infinity");
    }
    return give_real(f, r, out);
}

enum { MOST_BITS = 1 << 24 }; /* digits of one text */

static enum outcome op_bit(const field *f, slice s, arena *a, value *out) {
    const uint8_t *p = s.p;
    size_t bytes = s.n, count = f->scale;
    if (f->wire == WIRE_PGCOPY) {
        if (s.n < 4) return REFUSED;
        count = el_be32(s.p);
        p += 4, bytes -= 4;
        if (bytes != (count + 7) / 8) return REFUSED;
    } else if (s.n > 8) {
        return REFUSED;
    }
    /* Bit k of the value, counted from its end, lies `pad` bits before the last bit sent. */
    size_t pad = f->wire == WIRE_PGCOPY ? bytes * 8 - count : 0, sent = bytes * 8;
    if (f->style == BIT_INT) {
        uint64_t number = 0;
        for (size_t i = 0; i + pad < sent; i++) {
            if (number >> 62) return REFUSED;
            number = number << 1 | (p[i / 8] >> (7 - i % 8) & 1);
        }
        return give_int(out, (int64_t)number);
    }
    if (count > MOST_BITS) return REFUSED;
    for (size_t i = 0; i + pad < sent; i++) {
        bool set = p[i / 8] >> (7 - i % 8) & 1;
        if (set && sent - pad - i > count) return REFUSED;
    }
    uint8_t *to = arena_reserve(a, count + 1);
    if (to == NULL) return OUT_OF_MEMORY;
    for (size_t k = count; k > 0; k--) {
        bool known = k + pad <= sent;
        size_t i = known ? sent - pad - k : 0;
        *to++ = known && (p[i / 8] >> (7 - i % 8) & 1) ? '1' : '0';
    }
    return give_arena(out, TAG_TEXT, a, to);
}

#endif
