/* The table of ops: one raw field to one SQLite value, as edgelift/rows/conversions does in Python.
 *
 * An op only says that it refuses; the reason is worded by Python, which decodes that row again. */
#ifndef EDGELIFT_OPS_H
#define EDGELIFT_OPS_H

#include "texts.h"
#include "times.h"

/* Which wires an op reads, as bits of `enum wire`, and how many styles it has. */
typedef struct op_entry {
    op_function run;
    uint8_t wires, styles;
    bool blobs; /* takes BLOBs of the wire `sqlite` */
} op_entry;

enum { PG = 1, MY = 2, LITE = 4, ALL = 7 };

/* In the order of native_engine.OPS. */
static const op_entry op_table[] = {
    {op_keep, LITE, 1, true},          {op_int, ALL, 1, false},
    {op_int_text, ALL, 1, false},      {op_oid, PG, 1, false},
    {op_bool, ALL, 1, false},          {op_float, ALL, 1, false},
    {op_decimal_real15, ALL, 1, false}, {op_decimal_text, ALL, 1, false},
    {op_decimal_scaled, ALL, 1, false}, {op_money, PG, 1, false},
    {op_text, ALL, 1, false},          {op_char, PG, 1, false},
    {op_jsonb, PG, 1, false},          {op_blob, ALL, 1, true},
    {op_wkb, MY, 1, false},            {op_uuid, ALL, 3, true},
    {op_uuid5, ALL, 3, false},         {op_uuid7, ALL, 3, false},
    {op_date, ALL, 5, false},          {op_time, ALL, 2, false},
    {op_timetz, PG, 2, false},         {op_timestamp, ALL, 5, false},
    {op_interval, PG | MY, 3, false},  {op_inet, PG, 1, false},
    {op_macaddr, PG, 1, false},        {op_bit, PG | MY, 2, false},
};
enum { OP_COUNT = sizeof op_table / sizeof op_table[0], FIELD_BYTES = 34 };

/* Fills a field from its packed form, the _FIELD of native_engine.py; false when it is malformed. */
static bool read_field(const uint8_t p[FIELD_BYTES], enum wire wire, el_sha1_block sha1, field *f) {
    if (p[0] >= OP_COUNT || p[1] > AFFINITY_REAL || p[2] >= op_table[p[0]].styles || p[7] > 1) {
        return false;
    }
    for (int i = 3; i <= 6; i++) {
        if (p[i] > POLICY_REAL) return false;
    }
    if (!(op_table[p[0]].wires >> wire & 1) || p[8] > 64) return false;
    memset(f, 0, sizeof *f);
    f->run = op_table[p[0]].run, f->wire = wire, f->affinity = p[1], f->style = p[2];
    f->nan = p[3], f->infinity = p[4], f->zero = p[5], f->outside = p[6], f->flag = p[7];
    f->scale = p[8], f->number = el_le64(p + 10), f->sha1 = sha1;
    memcpy(f->namespace, p + 18, 16);
    return true;
}

#endif
