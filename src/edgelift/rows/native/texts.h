/* Ops of texts, bytes, addresses and keys: edgelift/rows/conversions/texts.py in C. */
#ifndef EDGELIFT_TEXTS_H
#define EDGELIFT_TEXTS_H

#include "numbers.h"

/* ---- texts, bytes, addresses ------------------------------------------------------------ */

static enum outcome op_keep(const field *f, slice s, arena *a, value *out) {
    (void)f, (void)a;
    if (s.tag == TAG_INTEGER) return give_int(out, (int64_t)el_le64(s.p));
    if (s.tag == TAG_REAL) {
        uint64_t bits = el_le64(s.p);
        out->tag = TAG_REAL;
        memcpy(&out->r, &bits, sizeof out->r);
        return DONE;
    }
    return s.tag == TAG_TEXT || s.tag == TAG_BLOB ? give_wire(out, s.tag, s.p, s.n) : REFUSED;
}

static enum outcome op_text(const field *f, slice s, arena *a, value *out) {
    (void)a;
    if (f->wire == WIRE_SQLITE && s.tag != TAG_TEXT) return REFUSED;
    if (!is_utf8(s.p, s.n)) return REFUSED;
    if (f->flag) {
        while (s.n && s.p[s.n - 1] == ' ') s.n--;
    }
    return give_wire(out, TAG_TEXT, s.p, s.n);
}

static enum outcome op_char(const field *f, slice s, arena *a, value *out) {
    (void)f, (void)a;
    if (s.n != 1 || s.p[0] > 127) return REFUSED;
    return give_wire(out, TAG_TEXT, s.p, s.p[0] != 0);
}

static enum outcome op_jsonb(const field *f, slice s, arena *a, value *out) {
    (void)f, (void)a;
    if (s.n == 0 || s.p[0] != 1 || !is_utf8(s.p + 1, s.n - 1)) return REFUSED;
    return give_wire(out, TAG_TEXT, s.p + 1, s.n - 1);
}

static enum outcome op_blob(const field *f, slice s, arena *a, value *out) {
    (void)a;
    if (f->wire == WIRE_SQLITE && s.tag != TAG_BLOB) return REFUSED;
    return give_wire(out, TAG_BLOB, s.p, s.n);
}

static enum outcome op_wkb(const field *f, slice s, arena *a, value *out) {
    (void)a;
    if (s.n < 9 || el_le32(s.p) != f->number) return REFUSED;
    return give_wire(out, TAG_BLOB, s.p + 4, s.n - 4);
}

static enum outcome give_uuid(const field *f, const uint8_t packed[16], arena *a, value *out) {
    uint8_t *p = arena_reserve(a, 36);
    if (p == NULL) return OUT_OF_MEMORY;
    if (f->style == UUID_BLOB) {
        memcpy(p, packed, 16);
        return give_arena(out, TAG_BLOB, a, p + 16);
    }
    if (f->style == UUID_HEX) return give_arena(out, TAG_TEXT, a, put_hex(p, packed, 16));
    static const uint8_t ends[5] = {4, 6, 8, 10, 16};
    for (int part = 0, at = 0; part < 5; at = ends[part++]) {
        if (part) *p++ = '-';
        p = put_hex(p, packed + at, (size_t)(ends[part] - at));
    }
    return give_arena(out, TAG_TEXT, a, p);
}

static int hex_value(uint8_t c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum outcome op_uuid(const field *f, slice s, arena *a, value *out) {
    uint8_t packed[16];
    if (s.n == 16 && (f->wire != WIRE_SQLITE || s.tag == TAG_BLOB)) return give_uuid(f, s.p, a, out);
    if (f->wire == WIRE_PGCOPY || (f->wire == WIRE_SQLITE && s.tag != TAG_TEXT)) return REFUSED;
    if (s.n != 32 && s.n != 36) return REFUSED;
    size_t count = 0;
    for (size_t i = 0; i < s.n; i++) {
        bool dash = s.n == 36 && (i == 8 || i == 13 || i == 18 || i == 23);
        int digit = dash ? 0 : hex_value(s.p[i]);
        if (digit < 0 || (dash && s.p[i] != '-')) return REFUSED;
        if (dash) continue;
        packed[count / 2] = (uint8_t)(count % 2 ? packed[count / 2] | digit : digit << 4);
        count++;
    }
    return give_uuid(f, packed, a, out);
}

/* Hashes the namespace and the key's decimal digits. */
static void hash_key(const field *f, whole key, uint8_t digest[20]) {
    uint8_t name[40], *p = name + 16;
    memcpy(name, f->namespace, 16);
    if (key.negative) *p++ = '-';
    p = put_number(p, key.size, 1);
    el_sha1_small(f->sha1, name, (size_t)(p - name), digest);
}

static enum outcome op_uuid5(const field *f, slice s, arena *a, value *out) {
    whole w;
    int64_t i;
    uint8_t digest[20];
    if (!read_whole(f, s, &w) || !fits_int64(w, &i)) return REFUSED;
    hash_key(f, w, digest);
    digest[6] = (digest[6] & 0x0F) | 0x50;
    digest[8] = (digest[8] & 0x3F) | 0x80;
    return give_uuid(f, digest, a, out);
}

static enum outcome op_uuid7(const field *f, slice s, arena *a, value *out) {
    whole w;
    uint8_t digest[20], packed[16];
    if (!read_whole(f, s, &w) || w.huge || w.negative || w.size >> 60) return REFUSED;
    uint64_t milliseconds = f->number + (w.size >> 12);
    if (milliseconds >> 48) return REFUSED;
    hash_key(f, w, digest);
    el_put_be64(packed, milliseconds << 16 | 0x7000 | (w.size & 4095));
    el_put_be64(packed + 8, (uint64_t)2 << 62 | el_be64(digest) >> 2);
    return give_uuid(f, packed, a, out);
}

static uint8_t *put_ipv4(uint8_t *p, const uint8_t *packed) {
    for (int i = 0; i < 4; i++) {
        if (i) *p++ = '.';
        p = put_number(p, packed[i], 1);
    }
    return p;
}

static uint8_t *put_word(uint8_t *p, unsigned word) {
    for (int shift = 12; shift >= 0; shift -= 4) {
        if (word >> shift || shift == 0) *p++ = (uint8_t)hex_digits[word >> shift & 15];
    }
    return p;
}

/* Writes an IPv6 address as PostgreSQL prints it: the longest run of zeros as `::`. */
static uint8_t *put_ipv6(uint8_t *p, const uint8_t *packed) {
    unsigned words[8];
    int start = -1, length = 1;
    for (int i = 0; i < 8; i++) words[i] = el_be16(packed + i * 2);
    for (int at = 0; at < 8;) {
        int run = 0;
        while (at + run < 8 && words[at + run] == 0) run++;
        if (run > length) start = at, length = run;
        at += run ? run : 1;
    }
    bool mapped = start == 0 && (length == 6 || (length == 5 && words[5] == 0xFFFF));
    for (int i = 0; i < 8; i++) {
        if (start >= 0 && i >= start && i < start + length) {
            if (i == start) *p++ = ':';
            if (i == 7) *p++ = ':';
            continue;
        }
        if (i) *p++ = ':';
        if (mapped && i >= 6) return put_ipv4(p, packed + 12);
        p = put_word(p, words[i]);
    }
    return p;
}

static enum outcome op_inet(const field *f, slice s, arena *a, value *out) {
    (void)f;
    size_t size = s.n == 0 ? 0 : s.p[0] == 2 ? 4 : s.p[0] == 3 ? 16 : 0;
    if (size == 0 || s.n != 4 + size || s.p[3] != size || s.p[1] > size * 8) return REFUSED;
    uint8_t *p = arena_reserve(a, 64);
    if (p == NULL) return OUT_OF_MEMORY;
    p = size == 4 ? put_ipv4(p, s.p + 4) : put_ipv6(p, s.p + 4);
    if (s.p[1] != size * 8 || s.p[2]) {
        *p++ = '/';
        p = put_number(p, s.p[1], 1);
    }
    return give_arena(out, TAG_TEXT, a, p);
}

static enum outcome op_macaddr(const field *f, slice s, arena *a, value *out) {
    (void)f;
    if (s.n != 6 && s.n != 8) return REFUSED;
    uint8_t *p = arena_reserve(a, 24);
    if (p == NULL) return OUT_OF_MEMORY;
    for (size_t i = 0; i < s.n; i++) {
        if (i) *p++ = ':';
        p = put_hex(p, s.p + i, 1);
    }
    return give_arena(out, TAG_TEXT, a, p);
}

#endif
