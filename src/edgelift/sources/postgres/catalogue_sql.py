"""The catalogue queries of PostgreSQL: a fixed number of them, however many tables there are.

Each leaves out the system's own schemas and what belongs to an extension. Rows come in a fixed
order, so that the same database always reads the same.
"""

from __future__ import annotations

# A condition on pg_namespace n.
_OWN_SCHEMAS = """
n.nspname !~ '^pg_(catalog|toast|temp_|toast_temp_)' AND n.nspname <> 'information_schema'
"""


def _not_of_extension(catalogue: str, oid: str) -> str:
    return f"""
NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.{catalogue}'::regclass
            AND x.objid = {oid} AND x.deptype = 'e')"""


def _list_named(kind: str, catalogue: str, prefix: str, condition: str = "true") -> str:
    """Select what the app itself made of a catalogue whose columns begin with `prefix`."""
    return f"""
SELECT '{kind}', n.nspname || '.' || k.{prefix}name FROM pg_catalog.{catalogue} k
JOIN pg_catalog.pg_namespace n ON n.oid = k.{prefix}namespace
WHERE {condition} AND {_OWN_SCHEMAS} AND {_not_of_extension(catalogue, "k.oid")}"""


DATABASE = """
SELECT current_database(), current_schemas(false), getdatabaseencoding(),
       (SELECT datcollate FROM pg_catalog.pg_database WHERE datname = current_database()),
       scale(1::money::numeric)
"""

# Small tables of names, looked up here: joining them row by row costs more than all the rest.
COLLATIONS = """
SELECT k.oid, CASE WHEN k.collname = 'default' THEN '' ELSE k.collname END, n.nspname,
       NOT k.collisdeterministic
FROM pg_catalog.pg_collation k JOIN pg_catalog.pg_namespace n ON n.oid = k.collnamespace
"""
OPERATOR_CLASSES = """
SELECT oid, CASE WHEN opcdefault THEN '' ELSE opcname END FROM pg_catalog.pg_opclass
"""

# All but the row types of tables; arrays by their element.
TYPES = f"""
SELECT t.oid, n.nspname, t.typname, t.typtype, t.typcategory, t.typelem, t.typbasetype, t.typtypmod,
       t.typnotnull, t.typdefault, r.rngsubtype, mr.rngtypid,
       (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e
        WHERE e.enumtypid = t.oid),
       (SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0
          AND NOT a.attisdropped),
       format_type(t.oid, NULL),
       t.typtype IN ('d', 'e', 'r', 'c') AND {_OWN_SCHEMAS}
         AND {_not_of_extension("pg_type", "t.oid")},
       CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
LEFT JOIN $MULTIRANGE mr ON mr.rngmultitypid = t.oid
WHERE t.typtype <> 'c'
   OR (SELECT c.relkind FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid) = 'c'
ORDER BY n.nspname, t.typname
"""
MULTIRANGE = "pg_catalog.pg_range"
NO_MULTIRANGE = "(SELECT NULL::oid AS rngmultitypid, NULL::oid AS rngtypid)"

DOMAIN_CHECKS = """
SELECT k.contypid, k.conname, pg_get_expr(k.conbin, 0)
FROM pg_catalog.pg_constraint k WHERE k.contypid <> 0 AND k.contype = 'c'
ORDER BY k.contypid, k.conname
"""

RELATIONS = f"""
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relispartition,
       c.reltuples::float8, c.relpages, obj_description(c.oid, 'pg_class'),
       CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid, true) END,
       (SELECT o.option_value FROM pg_options_to_table(c.reloptions) o
        WHERE o.option_name = 'check_option'),
       CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
       c.relrowsecurity,
       (SELECT array_agg(i.inhparent ORDER BY i.inhseqno) FROM pg_catalog.pg_inherits i
        WHERE i.inhrelid = c.oid),
       c.relreplident, c.relispopulated,
       CASE WHEN c.relispartition THEN pg_get_partition_constraintdef(c.oid) END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND {_OWN_SCHEMAS}
  AND {_not_of_extension("pg_class", "c.oid")}
ORDER BY n.nspname, c.relname
"""

COLUMNS = f"""
SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod,
       format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid), a.attgenerated, a.attidentity,
       a.attcollation, t.typcollation, m.description
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_catalog.pg_description m
  ON m.classoid = 'pg_catalog.pg_class'::regclass AND m.objoid = a.attrelid
     AND m.objsubid = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND {_OWN_SCHEMAS}
ORDER BY a.attrelid, a.attnum
"""

# NOT NULL constraints (contype n, from 18 on) stand in the columns; t are constraint triggers.
CONSTRAINTS = f"""
SELECT k.conrelid, k.conname, k.contype, k.conkey, k.condeferrable, k.condeferred, k.convalidated,
       k.confrelid, k.confkey, k.confupdtype, k.confdeltype, k.confmatchtype,
       CASE WHEN k.contype = 'c' THEN pg_get_expr(k.conbin, k.conrelid) END,
       CASE WHEN k.contype = 'x' THEN pg_get_constraintdef(k.oid) END,
       k.conindid, k.conparentid <> 0, k.coninhcount = 0
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype IN ('p', 'u', 'f', 'c', 'x') AND {_OWN_SCHEMAS}
ORDER BY k.conrelid, k.contype, k.conname
"""

INDEXES = f"""
SELECT i.indrelid, i.indexrelid, c.relname, i.indisunique, i.indisvalid, m.amname, i.indnkeyatts,
       i.indkey::int2[], i.indoption::int2[],
       CASE WHEN i.indpred IS NOT NULL THEN pg_get_expr(i.indpred, i.indrelid) END,
       CASE WHEN i.indexprs IS NOT NULL
            THEN (SELECT array_agg(pg_get_indexdef(i.indexrelid, s, true) ORDER BY s)
                  FROM generate_series(1, i.indnkeyatts) s) END,
       i.indcollation::oid[], i.indclass::oid[],
       $NULLS, pg_get_indexdef(i.indexrelid), c.relispartition
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
JOIN pg_catalog.pg_am m ON m.oid = c.relam
WHERE {_OWN_SCHEMAS}
ORDER BY i.indrelid, c.relname
"""

# tgtype's bits: 1 row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate, 64 instead of.
TRIGGERS = f"""
SELECT n.nspname, c.relname, g.tgname, g.tgtype::int, g.tgenabled, pg_get_triggerdef(g.oid, true),
       p.oid::regprocedure::text, l.lanname, p.prosrc,
       (SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = g.tgrelid AND a.attnum = ANY (g.tgattr::int2[]))
FROM pg_catalog.pg_trigger g
JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE NOT g.tgisinternal AND {_OWN_SCHEMAS} $CLONES
ORDER BY n.nspname, c.relname, g.tgname
"""

ROUTINES = f"""
SELECT n.nspname, p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', p.prokind,
       l.lanname, CASE WHEN p.prokind = 'a' THEN '' ELSE pg_get_functiondef(p.oid) END,
       p.prorettype = 'pg_catalog.trigger'::regtype
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE {_OWN_SCHEMAS} AND {_not_of_extension("pg_proc", "p.oid")}
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend i -- constructors of range types
                  WHERE i.classid = 'pg_catalog.pg_proc'::regclass AND i.objid = p.oid
                    AND i.deptype = 'i')
ORDER BY 1, 2
"""

SEQUENCES = f"""
SELECT c.oid, n.nspname, c.relname, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle,
       has_sequence_privilege(c.oid, 'SELECT,USAGE'), d.refobjid, d.refobjsubid, d.deptype,
       CASE WHEN has_sequence_privilege(c.oid, 'SELECT,USAGE')
            THEN pg_sequence_last_value(c.oid) END
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
  AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
WHERE c.relkind = 'S' AND {_OWN_SCHEMAS} AND {_not_of_extension("pg_class", "c.oid")}
ORDER BY n.nspname, c.relname
"""

# Which column's default asks which sequence.
SEQUENCE_USES = """
SELECT DISTINCT x.refobjid, d.adrelid, d.adnum
FROM pg_catalog.pg_depend x
JOIN pg_catalog.pg_attrdef d ON d.oid = x.objid
JOIN pg_catalog.pg_class s ON s.oid = x.refobjid AND s.relkind = 'S'
WHERE x.classid = 'pg_catalog.pg_attrdef'::regclass
  AND x.refclassid = 'pg_catalog.pg_class'::regclass
ORDER BY 1, 2, 3
"""

_BASE_TYPES = "k.typtype IN ('b', 'p') AND k.typcategory <> 'A'"
# Objects that have no struct of their own, as (kind, name).
OTHERS = f"""
SELECT 'extension', extname || ' ' || extversion FROM pg_catalog.pg_extension
WHERE extname <> 'plpgsql'
UNION ALL
SELECT 'row-level security policy', n.nspname || '.' || c.relname || '.' || p.polname
FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {_OWN_SCHEMAS}
UNION ALL
SELECT 'rule', n.nspname || '.' || c.relname || '.' || r.rulename
FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN' AND {_OWN_SCHEMAS} AND {_not_of_extension("pg_class", "c.oid")}
UNION ALL
SELECT 'table of an extension', n.nspname || '.' || c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND {_OWN_SCHEMAS}
  AND NOT ({_not_of_extension("pg_class", "c.oid")})
UNION ALL SELECT 'publication', pubname FROM pg_catalog.pg_publication WHERE pubname !~ '^edgelift_'
UNION ALL SELECT 'event trigger', evtname FROM pg_catalog.pg_event_trigger
UNION ALL SELECT 'foreign server', srvname FROM pg_catalog.pg_foreign_server
UNION ALL
SELECT 'extended statistics', n.nspname || '.' || s.stxname FROM pg_catalog.pg_statistic_ext s
JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace WHERE {_OWN_SCHEMAS}
UNION ALL
SELECT 'collation', n.nspname || '.' || k.collname FROM pg_catalog.pg_collation k
JOIN pg_catalog.pg_namespace n ON n.oid = k.collnamespace WHERE {_OWN_SCHEMAS}
UNION ALL {_list_named("operator", "pg_operator", "opr")}
UNION ALL
SELECT 'cast', format_type(k.castsource, NULL) || ' as ' || format_type(k.casttarget, NULL)
FROM pg_catalog.pg_cast k WHERE k.oid >= 16384 -- the first oid that initdb leaves to users
AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_cast'::regclass
                AND x.objid = k.oid AND x.deptype IN ('e', 'i'))
UNION ALL
SELECT 'text search configuration', n.nspname || '.' || k.cfgname FROM pg_catalog.pg_ts_config k
JOIN pg_catalog.pg_namespace n ON n.oid = k.cfgnamespace WHERE {_OWN_SCHEMAS}
UNION ALL
SELECT 'schema', n.nspname FROM pg_catalog.pg_namespace n
WHERE {_OWN_SCHEMAS} AND {_not_of_extension("pg_namespace", "n.oid")}
UNION ALL {_list_named("text search dictionary", "pg_ts_dict", "dict")}
UNION ALL {_list_named("text search parser", "pg_ts_parser", "prs")}
UNION ALL {_list_named("conversion", "pg_conversion", "con")}
UNION ALL {_list_named("operator family", "pg_opfamily", "opf")}
UNION ALL {_list_named("operator class", "pg_opclass", "opc")}
UNION ALL {_list_named("base type", "pg_type", "typ", _BASE_TYPES)}
UNION ALL
SELECT 'language', k.lanname FROM pg_catalog.pg_language k
WHERE k.oid >= 16384 AND {_not_of_extension("pg_language", "k.oid")}
UNION ALL
SELECT 'access method', k.amname FROM pg_catalog.pg_am k
WHERE k.oid >= 16384 AND {_not_of_extension("pg_am", "k.oid")}
UNION ALL
SELECT 'foreign data wrapper', k.fdwname FROM pg_catalog.pg_foreign_data_wrapper k
WHERE {_not_of_extension("pg_foreign_data_wrapper", "k.oid")}
UNION ALL SELECT 'user mapping', srvname || ' ' || usename FROM pg_catalog.pg_user_mappings
UNION ALL
SELECT 'subscription', s.subname FROM pg_catalog.pg_subscription s
JOIN pg_catalog.pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
UNION ALL
SELECT 'invalid index', n.nspname || '.' || c.relname FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relkind = 'i' AND {_OWN_SCHEMAS}
UNION ALL
SELECT 'row-level security', n.nspname || '.' || c.relname FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relrowsecurity AND {_OWN_SCHEMAS}
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid)
UNION ALL
-- Those of tables, of their columns and of views stand beside them.
SELECT 'comment', i.type || ' ' || i.identity || ': ' || d.description
FROM pg_catalog.pg_description d
CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classoid, d.objoid, d.objsubid) i
WHERE d.objoid >= 16384 AND d.classoid <> 'pg_catalog.pg_extension'::regclass
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = d.objoid
                  AND d.classoid = 'pg_catalog.pg_class'::regclass
                  AND (c.relkind IN ('r', 'p', 'f', 'm')
                       OR (c.relkind = 'v' AND d.objsubid = 0)))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x
                  WHERE x.classid = d.classoid AND x.objid = d.objoid AND x.deptype = 'e')
UNION ALL
SELECT 'large objects', count(*)::text FROM pg_catalog.pg_largeobject_metadata HAVING count(*) > 0
ORDER BY 1, 2
"""
