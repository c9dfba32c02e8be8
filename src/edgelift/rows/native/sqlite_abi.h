/* The part of SQLite's extension interface that bulk.c calls, by slot of sqlite3_api_routines.
 *
 * SQLite only ever appends to that struct, so the slots are as stable as its file format; with them
 * the extension compiles on machines that have a compiler but no SQLite headers. A test compares
 * the slots with sqlite3ext.h where that is installed. */
#ifndef EDGELIFT_SQLITE_ABI_H
#define EDGELIFT_SQLITE_ABI_H

#include <stdint.h>

typedef struct sqlite3 sqlite3;
typedef struct sqlite3_context sqlite3_context;
typedef struct sqlite3_value sqlite3_value;
typedef int64_t sqlite3_int64;

enum { SQLITE_OK = 0, SQLITE_ERROR = 1, SQLITE_NOMEM = 7, SQLITE_CONSTRAINT = 19 };
enum { SQLITE_INTEGER = 1, SQLITE_FLOAT = 2, SQLITE_TEXT = 3, SQLITE_BLOB = 4, SQLITE_NULL = 5 };
enum { SQLITE_UTF8 = 1, SQLITE_DETERMINISTIC = 0x800, SQLITE_INDEX_CONSTRAINT_EQ = 2 };

typedef void (*sqlite3_destructor_type)(void *);
#define SQLITE_STATIC ((sqlite3_destructor_type)0)
#define SQLITE_TRANSIENT ((sqlite3_destructor_type)(intptr_t)-1)

typedef struct sqlite3_vtab {
    const struct sqlite3_module *pModule;
    int nRef;
    char *zErrMsg;
} sqlite3_vtab;

typedef struct sqlite3_vtab_cursor {
    sqlite3_vtab *pVtab;
} sqlite3_vtab_cursor;

struct sqlite3_index_constraint {
    int iColumn;
    unsigned char op;
    unsigned char usable;
    int iTermOffset;
};

struct sqlite3_index_orderby {
    int iColumn;
    unsigned char desc;
};

struct sqlite3_index_constraint_usage {
    int argvIndex;
    unsigned char omit;
};

typedef struct sqlite3_index_info {
    int nConstraint;
    struct sqlite3_index_constraint *aConstraint;
    int nOrderBy;
    struct sqlite3_index_orderby *aOrderBy;
    struct sqlite3_index_constraint_usage *aConstraintUsage;
    int idxNum;
    char *idxStr;
    int needToFreeIdxStr;
    int orderByConsumed;
    double estimatedCost;
    sqlite3_int64 estimatedRows;
    int idxFlags;
    uint64_t colUsed;
} sqlite3_index_info;

typedef struct sqlite3_module {
    int iVersion;
    int (*xCreate)(sqlite3 *, void *, int, const char *const *, sqlite3_vtab **, char **);
    int (*xConnect)(sqlite3 *, void *, int, const char *const *, sqlite3_vtab **, char **);
    int (*xBestIndex)(sqlite3_vtab *, sqlite3_index_info *);
    int (*xDisconnect)(sqlite3_vtab *);
    int (*xDestroy)(sqlite3_vtab *);
    int (*xOpen)(sqlite3_vtab *, sqlite3_vtab_cursor **);
    int (*xClose)(sqlite3_vtab_cursor *);
    int (*xFilter)(sqlite3_vtab_cursor *, int, const char *, int, sqlite3_value **);
    int (*xNext)(sqlite3_vtab_cursor *);
    int (*xEof)(sqlite3_vtab_cursor *);
    int (*xColumn)(sqlite3_vtab_cursor *, sqlite3_context *, int);
    int (*xRowid)(sqlite3_vtab_cursor *, sqlite3_int64 *);
    void *unused[11]; /* writing, transactions, functions, names: this table has none of them */
} sqlite3_module;

typedef void (*sqlite3_function)(sqlite3_context *, int, sqlite3_value **);

/* Set once per process, by the first SQLite that loads the library; a second SQLite is refused. */
static void *const *el_api;

#define EL_SLOT(slot, type) ((type)el_api[slot])
#define sqlite3_aggregate_context EL_SLOT(0, void *(*)(sqlite3_context *, int))
#define sqlite3_declare_vtab EL_SLOT(50, int (*)(sqlite3 *, const char *))
#define sqlite3_free EL_SLOT(58, void (*)(void *))
#define sqlite3_mprintf EL_SLOT(69, char *(*)(const char *, ...))
#define sqlite3_result_double EL_SLOT(79, void (*)(sqlite3_context *, double))
#define sqlite3_result_error EL_SLOT(80, void (*)(sqlite3_context *, const char *, int))
#define sqlite3_result_int64 EL_SLOT(83, void (*)(sqlite3_context *, sqlite3_int64))
#define sqlite3_result_null EL_SLOT(84, void (*)(sqlite3_context *))
#define sqlite3_user_data EL_SLOT(101, void *(*)(sqlite3_context *))
#define sqlite3_value_blob EL_SLOT(102, const void *(*)(sqlite3_value *))
#define sqlite3_value_bytes EL_SLOT(103, int (*)(sqlite3_value *))
#define sqlite3_value_double EL_SLOT(105, double (*)(sqlite3_value *))
#define sqlite3_value_int64 EL_SLOT(107, sqlite3_int64 (*)(sqlite3_value *))
#define sqlite3_value_text EL_SLOT(109, const unsigned char *(*)(sqlite3_value *))
#define sqlite3_value_type EL_SLOT(113, int (*)(sqlite3_value *))
#define sqlite3_create_module_v2                                                                   \
    EL_SLOT(119, int (*)(sqlite3 *, const char *, const sqlite3_module *, void *,                  \
                         sqlite3_destructor_type))
#define sqlite3_result_error_nomem EL_SLOT(137, void (*)(sqlite3_context *))
#define sqlite3_create_function_v2                                                                 \
    EL_SLOT(162, int (*)(sqlite3 *, const char *, int, int, void *, sqlite3_function,              \
                         sqlite3_function, void (*)(sqlite3_context *), sqlite3_destructor_type))
#define sqlite3_result_blob64                                                                      \
    EL_SLOT(201, void (*)(sqlite3_context *, const void *, uint64_t, sqlite3_destructor_type))
#define sqlite3_result_text64                                                                      \
    EL_SLOT(202, void (*)(sqlite3_context *, const char *, uint64_t, sqlite3_destructor_type,      \
                          unsigned char))

#endif
