/* An SQLite extension that makes rows of wire bytes: see edgelift/rows/native_engine.py.
 *
 * edgelift_rows     virtual table; its argument is the packed plan in hex. `SELECT c0, c1 FROM t(?)`
 *                   takes a piece of the stream and gives the rows that end in it; `SELECT row_count,
 *                   row_hash, ended, problem, field, row FROM t` tells where the stream stands.
 * edgelift_hash()   aggregate: the sum of the hashes of rows of values.
 * edgelift_pack()   a row of values as the wire `sqlite` carries it.
 *
 * All state belongs to a virtual table or an aggregate, so connections share nothing. */
#include "sqlite_abi.h"
#include "wires.h"

/* ---- the virtual table ------------------------------------------------------------------ */

typedef struct table {
    sqlite3_vtab base;
    rows rows;
    bool busy;
} table;

typedef struct cursor {
    sqlite3_vtab_cursor base;
    enum { READ_NOTHING, READ_ROWS, READ_STATE } mode;
    bool has_row;
} cursor;

/* Hidden columns, behind those of the rows. */
enum hidden { CHUNK, ROW_COUNT, ROW_HASH, ENDED, PROBLEM, FIELD, ROW, HIDDEN };
static const char *const hidden_names[HIDDEN] = {"chunk",   "row_count", "row_hash", "ended",
                                                 "problem", "field",     "row"};

static int table_free(sqlite3_vtab *base) {
    table *t = (table *)base;
    rows_free(&t->rows);
    free(t);
    return SQLITE_OK;
}

/* Declares c0 ... and the hidden columns. */
static int declare(sqlite3 *db, size_t count) {
    size_t room = count * 8 + 256, n = 0;
    char *sql = EL_REALLOC(NULL, room);
    if (sql == NULL) return SQLITE_NOMEM;
    n += (size_t)snprintf(sql + n, room - n, "CREATE TABLE x(");
    for (size_t i = 0; i < count; i++) n += (size_t)snprintf(sql + n, room - n, "c%zu,", i);
    for (int i = 0; i < HIDDEN; i++) {
        n += (size_t)snprintf(sql + n, room - n, "%s%s HIDDEN", i ? "," : "", hidden_names[i]);
    }
    snprintf(sql + n, room - n, ")");
    int code = sqlite3_declare_vtab(db, sql);
    free(sql);
    return code;
}

/* Reads the plan from its hex form, which stands in quotes. */
static enum step read_plan(rows *r, const char *hex) {
    size_t digits = strlen(hex);
    if (digits < 2 || hex[0] != '\'') return STEP_PROBLEM;
    hex++, digits -= 2;
    uint8_t *plan = EL_REALLOC(NULL, digits / 2 + 1);
    if (plan == NULL) return STEP_NO_MEMORY;
    enum step step = digits % 2 ? STEP_PROBLEM : STEP_ROW;
    for (size_t i = 0; step == STEP_ROW && i < digits / 2; i++) {
        int high = hex_value((uint8_t)hex[i * 2]), low = hex_value((uint8_t)hex[i * 2 + 1]);
        if (high < 0 || low < 0) step = STEP_PROBLEM;
        plan[i] = (uint8_t)((high & 15) << 4 | (low & 15));
    }
    if (step == STEP_ROW) step = rows_open(r, plan, digits / 2);
    free(plan);
    return step;
}

static int table_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **error) {
    (void)aux;
    table *t = EL_REALLOC(NULL, sizeof *t);
    if (t == NULL) return SQLITE_NOMEM;
    memset(t, 0, sizeof *t);
    enum step step = argc == 4 ? read_plan(&t->rows, argv[3]) : STEP_PROBLEM;
    int code = step == STEP_ROW         ? declare(db, t->rows.count)
               : step == STEP_NO_MEMORY ? SQLITE_NOMEM
                                        : SQLITE_ERROR;
    if (code != SQLITE_OK) {
        if (step == STEP_PROBLEM) *error = sqlite3_mprintf("edgelift_rows: the plan is malformed");
        table_free(&t->base);
        return code;
    }
    *out = &t->base;
    return SQLITE_OK;
}

/* With a chunk the rows are read, without one the state. */
static int table_best_index(sqlite3_vtab *base, sqlite3_index_info *info) {
    int chunk = (int)((table *)base)->rows.count + CHUNK;
    info->idxNum = READ_STATE;
    info->estimatedCost = 1;
    info->estimatedRows = 1;
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *c = info->aConstraint + i;
        if (c->iColumn != chunk || c->op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
        if (!c->usable) return SQLITE_CONSTRAINT;
        info->aConstraintUsage[i].argvIndex = 1;
        info->aConstraintUsage[i].omit = 1;
        info->idxNum = READ_ROWS;
        info->estimatedCost = 10000;
        info->estimatedRows = 10000;
        break;
    }
    return SQLITE_OK;
}

static int cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out) {
    (void)base;
    cursor *c = EL_REALLOC(NULL, sizeof *c);
    if (c == NULL) return SQLITE_NOMEM;
    memset(c, 0, sizeof *c);
    *out = &c->base;
    return SQLITE_OK;
}

static void cursor_reset(cursor *c) {
    if (c->mode == READ_ROWS) ((table *)c->base.pVtab)->busy = false;
    c->mode = READ_NOTHING, c->has_row = false;
}

static int cursor_close(sqlite3_vtab_cursor *base) {
    cursor_reset((cursor *)base);
    free(base);
    return SQLITE_OK;
}

static int fail(table *t, const char *text) {
    sqlite3_free(t->base.zErrMsg);
    t->base.zErrMsg = sqlite3_mprintf("edgelift_rows: %s", text);
    return SQLITE_ERROR;
}

static int cursor_next(sqlite3_vtab_cursor *base) {
    cursor *c = (cursor *)base;
    table *t = (table *)base->pVtab;
    if (c->mode != READ_ROWS) {
        c->has_row = false;
        return SQLITE_OK;
    }
    enum step step = rows_next(&t->rows);
    c->has_row = step == STEP_ROW;
    if (step == STEP_NO_MEMORY) return SQLITE_NOMEM;
    return step == STEP_PROBLEM ? fail(t, t->rows.problem) : SQLITE_OK;
}

static int cursor_filter(sqlite3_vtab_cursor *base, int mode, const char *text, int argc,
                         sqlite3_value **argv) {
    cursor *c = (cursor *)base;
    table *t = (table *)base->pVtab;
    (void)text;
    cursor_reset(c);
    if (mode != READ_ROWS || argc != 1) {
        c->mode = READ_STATE, c->has_row = true;
        return SQLITE_OK;
    }
    if (t->busy) return fail(t, "the stream is being read already");
    if (sqlite3_value_type(argv[0]) != SQLITE_BLOB) return fail(t, "a chunk is a BLOB");
    c->mode = READ_ROWS, t->busy = true;
    const uint8_t *p = sqlite3_value_blob(argv[0]);
    int n = sqlite3_value_bytes(argv[0]);
    if (n > 0 && p == NULL) return SQLITE_NOMEM;
    enum step step = rows_feed(&t->rows, p, (size_t)n);
    if (step == STEP_NO_MEMORY) return SQLITE_NOMEM;
    if (step == STEP_PROBLEM) return fail(t, t->rows.problem);
    return cursor_next(base);
}

static int cursor_eof(sqlite3_vtab_cursor *base) { return !((cursor *)base)->has_row; }

static int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out) {
    *out = (sqlite3_int64)((table *)base->pVtab)->rows.rows;
    return SQLITE_OK;
}

static void give_text(sqlite3_context *to, const char *text) {
    sqlite3_result_text64(to, text, strlen(text), SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void give_state(const rows *r, enum hidden column, sqlite3_context *to) {
    const arena *server = &r->message;
    switch (column) {
    case ROW_COUNT: sqlite3_result_int64(to, (sqlite3_int64)r->rows); break;
    case ROW_HASH: sqlite3_result_int64(to, (sqlite3_int64)r->hash); break;
    case ENDED: sqlite3_result_int64(to, rows_complete(r)); break;
    case PROBLEM: give_text(to, r->problem); break;
    case FIELD: sqlite3_result_int64(to, r->failed); break;
    case ROW:
        if (server->n && r->failed < 0) {
            sqlite3_result_blob64(to, server->p, server->n, SQLITE_TRANSIENT);
        } else if (r->row_n) {
            sqlite3_result_blob64(to, r->buffer.p + r->row_at, r->row_n, SQLITE_TRANSIENT);
        }
        break;
    default: break;
    }
}

static int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *to, int column) {
    const cursor *c = (const cursor *)base;
    const rows *r = &((const table *)base->pVtab)->rows;
    if (column < 0 || !c->has_row) return SQLITE_OK;
    if ((size_t)column >= r->count) {
        give_state(r, (enum hidden)((size_t)column - r->count), to);
        return SQLITE_OK;
    }
    if (c->mode != READ_ROWS) return SQLITE_OK;
    /* The bytes stay where they are until the next row is asked for, so SQLite need not copy. */
    const value *v = r->values + column;
    switch (v->tag) {
    case TAG_INTEGER: sqlite3_result_int64(to, v->i); break;
    case TAG_REAL: sqlite3_result_double(to, v->r); break;
    case TAG_TEXT:
        sqlite3_result_text64(to, (const char *)value_bytes(&r->text, v), v->n, SQLITE_STATIC,
                              SQLITE_UTF8);
        break;
    case TAG_BLOB:
        sqlite3_result_blob64(to, v->n ? value_bytes(&r->text, v) : (const uint8_t *)"", v->n,
                              SQLITE_STATIC);
        break;
    default: sqlite3_result_null(to); break;
    }
    return SQLITE_OK;
}

static const sqlite3_module module = {
    .iVersion = 0,
    .xCreate = table_connect,
    .xConnect = table_connect,
    .xBestIndex = table_best_index,
    .xDisconnect = table_free,
    .xDestroy = table_free,
    .xOpen = cursor_open,
    .xClose = cursor_close,
    .xFilter = cursor_filter,
    .xNext = cursor_next,
    .xEof = cursor_eof,
    .xColumn = cursor_column,
    .xRowid = cursor_rowid,
};

/* ---- functions -------------------------------------------------------------------------- */

/* Adds an SQLite value: canonical for hashing, or in full for the wire; false without memory. */
static bool add_value(arena *a, sqlite3_value *v, bool in_full) {
    int type = sqlite3_value_type(v);
    if (type == SQLITE_INTEGER) {
        return add_canonical(a, TAG_INTEGER, (uint64_t)sqlite3_value_int64(v), NULL, 0);
    }
    if (type == SQLITE_FLOAT) {
        double r = sqlite3_value_double(v);
        uint64_t bits;
        memcpy(&bits, &r, sizeof bits);
        return add_canonical(a, TAG_REAL, bits, NULL, 0);
    }
    if (type == SQLITE_NULL) return add_canonical(a, TAG_NULL, 0, NULL, 0);
    const uint8_t *p = type == SQLITE_TEXT ? sqlite3_value_text(v) : sqlite3_value_blob(v);
    int n = sqlite3_value_bytes(v);
    enum tag tag = type == SQLITE_TEXT ? TAG_TEXT : TAG_BLOB;
    if (n < 0 || (n > 0 && p == NULL)) return false;
    if (!in_full || n <= LONG_BYTES) return add_canonical(a, tag, 0, p, (size_t)n);
    uint8_t head[5] = {(uint8_t)tag};
    el_put_le32(head + 1, (uint32_t)n);
    return append(a, head, sizeof head) && append(a, p, (size_t)n);
}

typedef struct sum {
    uint64_t hash;
    arena canonical;
    bool failed;
} sum;

static void hash_step(sqlite3_context *context, int argc, sqlite3_value **argv) {
    sum *s = sqlite3_aggregate_context(context, sizeof *s);
    if (s == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    s->canonical.n = 0;
    for (int i = 0; i < argc && !s->failed; i++) s->failed = !add_value(&s->canonical, argv[i], false);
    if (s->failed) {
        sqlite3_result_error_nomem(context);
    } else {
        s->hash += el_hash(s->canonical.p, s->canonical.n);
    }
}

static void hash_final(sqlite3_context *context) {
    sum *s = sqlite3_aggregate_context(context, 0);
    if (s != NULL && s->failed) {
        sqlite3_result_error_nomem(context);
    } else {
        sqlite3_result_int64(context, s == NULL ? 0 : (sqlite3_int64)s->hash);
    }
    if (s != NULL) free(s->canonical.p);
}

static void pack(sqlite3_context *context, int argc, sqlite3_value **argv) {
    arena a = {0};
    static const uint8_t head[4] = {0};
    bool done = append(&a, head, sizeof head);
    for (int i = 0; i < argc && done; i++) done = add_value(&a, argv[i], true);
    if (!done || a.n > UINT32_MAX - 5) {
        sqlite3_result_error_nomem(context);
        free(a.p);
        return;
    }
    el_put_le32(a.p, (uint32_t)(a.n - 4));
    sqlite3_result_blob64(context, a.p, a.n, free);
}

/* ---- loading ---------------------------------------------------------------------------- */

__attribute__((visibility("default"))) int sqlite3_edgelift_init(sqlite3 *db, char **error,
                                                                 void *const *api);

int sqlite3_edgelift_init(sqlite3 *db, char **error, void *const *api) {
    void *const *expected = NULL;
    if (!__atomic_compare_exchange_n(&el_api, &expected, api, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST) &&
        expected != api) {
        /* Its memory is this SQLite's, but it must be allocated by it: no message, then. */
        (void)error;
        return SQLITE_ERROR;
    }
    int code = sqlite3_create_module_v2(db, "edgelift_rows", &module, NULL, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_create_function_v2(db, "edgelift_hash", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                          NULL, NULL, hash_step, hash_final, NULL);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_create_function_v2(db, "edgelift_pack", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                          NULL, pack, NULL, NULL, NULL);
    }
    return code;
}
