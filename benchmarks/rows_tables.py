"""The two tables of the row benchmarks, made inside PostgreSQL and MariaDB from numbers alone.

`lineitem` has the 16 columns of TPC-H's; `mixed` has 30 of most kinds. Both servers make the same
values, so both sides of a comparison move the same data.
"""

from __future__ import annotations

WORDS = "carefully final deposits sleep quickly across furiously bold requests ideas above accounts"

_PG_WORD = "(string_to_array('{words}', ' '))[1 + {n}::int % 11]"
_PG_TEXT = " || ' ' || ".join(
    _PG_WORD.format(words=WORDS, n=f"(i * {step})") for step in (7, 13, 5, 3)
)

POSTGRES = {
    "lineitem": """
CREATE TABLE lineitem (l_orderkey bigint, l_partkey bigint NOT NULL, l_suppkey bigint NOT NULL,
 l_linenumber integer, l_quantity numeric(15,2), l_extendedprice numeric(15,2),
 l_discount numeric(15,2), l_tax numeric(15,2), l_returnflag char(1), l_linestatus char(1),
 l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct varchar(25),
 l_shipmode varchar(10), l_comment varchar(100), PRIMARY KEY (l_orderkey, l_linenumber));
INSERT INTO lineitem SELECT i / 4 + 1, i * 7919 % 200000 + 1, i * 104729 % 10000 + 1, i % 4 + 1,
 i % 50 + 1, (i * 7919 % 9000000 + 90000) / 100.0, i % 11 / 100.0, i % 9 / 100.0,
 substr('ANR', 1 + (i % 3)::int, 1), substr('OF', 1 + (i % 2)::int, 1),
 date '1992-01-01' + (i % 2500)::int,
 date '1992-02-01' + (i % 2500)::int, date '1992-01-11' + (i % 2500)::int,
 (array['DELIVER IN PERSON','COLLECT COD','NONE','TAKE BACK RETURN'])[1 + i % 4],
 (array['AIR','TRUCK','MAIL','REG AIR'])[1 + i % 4], {text}
 FROM generate_series(0::bigint, {rows} - 1) AS g(i);
""",
    "mixed": """
CREATE TABLE mixed (id bigint PRIMARY KEY, parent_id bigint, small smallint, middle integer,
 big bigint, flag boolean, single real, wide double precision, price numeric(12,2),
 ratio numeric(14,6), code char(8), name varchar(80), title varchar(120), body text, note text,
 born date, starts time, made timestamp, changed timestamptz, guid uuid, packed bytea,
 document jsonb, raw json, address inet, took interval, kind varchar(12), score integer,
 total numeric(15,2), label varchar(40), seen timestamp);
INSERT INTO mixed SELECT i + 1, nullif(i / 10, 0), i % 30000, i * 7919 % 2000000, i * 1000003,
 i % 2 = 0, (i % 1000) * 0.5, i / 7.0, (i % 1000000) / 100.0, (i % 90000000) / 1000000.0,
 lpad((i % 100000000)::text, 8, '0'), 'Zoë ' || i, {text}, {text} || ' ' || {text},
 CASE WHEN i % 3 = 0 THEN NULL ELSE {text} END, date '1950-01-01' + (i % 25000)::int,
 time '00:00' + (i % 86400) * interval '1 second',
 timestamp '2001-01-01' + i * interval '1.5 second',
 timestamptz '2001-01-01 00:00+00' + i * interval '61 second', md5(i::text)::uuid,
 decode(md5(i::text) || md5(i::text), 'hex'), jsonb_build_object('id', i, 'tags', array['a', 'b']),
 json_build_object('n', i), ('10.' || i % 250 || '.' || i / 250 % 250 || '.7')::inet,
 (i % 5000) * interval '1 second', (array['red','green','blue'])[1 + i % 3], i % 997,
 (i * 31 % 100000000) / 100.0, 'label ' || i % 1000,
 timestamp '2020-02-02' + i * interval '7 second'
 FROM generate_series(0::bigint, {rows} - 1) AS g(i);
""",
}

_MY_TEXT = "concat_ws(' ', {})".format(
    ", ".join(
        "elt(1 + i * {} % 11, {})".format(step, ", ".join(f"'{w}'" for w in WORDS.split()))
        for step in (7, 13, 5, 3)
    )
)

MARIADB = {
    "lineitem": """
CREATE TABLE lineitem (l_orderkey bigint, l_partkey bigint NOT NULL, l_suppkey bigint NOT NULL,
 l_linenumber integer, l_quantity decimal(15,2), l_extendedprice decimal(15,2),
 l_discount decimal(15,2), l_tax decimal(15,2), l_returnflag char(1), l_linestatus char(1),
 l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct varchar(25),
 l_shipmode varchar(10), l_comment varchar(100), PRIMARY KEY (l_orderkey, l_linenumber));
INSERT INTO lineitem SELECT i div 4 + 1, i * 7919 % 200000 + 1, i * 104729 % 10000 + 1, i % 4 + 1,
 i % 50 + 1, (i * 7919 % 9000000 + 90000) / 100.0, i % 11 / 100.0, i % 9 / 100.0,
 substr('ANR', 1 + i % 3, 1), substr('OF', 1 + i % 2, 1), date '1992-01-01' + interval i % 2500 day,
 date '1992-02-01' + interval i % 2500 day, date '1992-01-11' + interval i % 2500 day,
 elt(1 + i % 4, 'DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'),
 elt(1 + i % 4, 'AIR', 'TRUCK', 'MAIL', 'REG AIR'), {text}
 FROM (SELECT seq - 1 AS i FROM seq_1_to_{rows}) AS g;
""",
    "mixed": """
CREATE TABLE mixed (id bigint PRIMARY KEY, parent_id bigint, small smallint, middle integer,
 big bigint, flag boolean, single float, wide double, price decimal(12,2), ratio decimal(14,6),
 code char(8), name varchar(80), title varchar(120), body text, note text, born date, starts time,
 made datetime(6), changed timestamp(6) NULL, guid char(36), packed varbinary(64), document json,
 raw json, address varchar(40), took time, kind enum('red','green','blue'), score integer,
 total decimal(15,2), label varchar(40), seen datetime(6));
INSERT INTO mixed SELECT i + 1, nullif(i div 10, 0), i % 30000, i * 7919 % 2000000, i * 1000003,
 i % 2 = 0, (i % 1000) * 0.5, i / 7.0, (i % 1000000) / 100.0, (i % 90000000) / 1000000.0,
 lpad(i % 100000000, 8, '0'), concat('Zoë ', i), {text}, concat({text}, ' ', {text}),
 if(i % 3 = 0, NULL, {text}), date '1950-01-01' + interval i % 25000 day, sec_to_time(i % 86400),
 timestamp '2001-01-01 00:00:00' + interval i * 1500000 microsecond,
 timestamp '2001-01-01 00:00:00' + interval i * 61 second, insert(insert(insert(insert(md5(i),
 21, 0, '-'), 17, 0, '-'), 13, 0, '-'), 9, 0, '-'), unhex(concat(md5(i), md5(i))),
 json_object('id', i, 'tags', json_array('a', 'b')), json_object('n', i),
 concat('10.', i % 250, '.', i div 250 % 250, '.7'), sec_to_time(i % 5000),
 elt(1 + i % 3, 'red', 'green', 'blue'), i % 997, (i * 31 % 100000000) / 100.0,
 concat('label ', i % 1000), timestamp '2020-02-02 00:00:00' + interval i * 7 second
 FROM (SELECT seq - 1 AS i FROM seq_1_to_{rows}) AS g;
""",
}


def write_scripts(tables: list[str], rows: int) -> tuple[str, str]:
    """Return the scripts that make the tables with that many rows: PostgreSQL's, MariaDB's."""
    both = (POSTGRES, _PG_TEXT), (MARIADB, _MY_TEXT)
    postgres, mariadb = (
        "".join(s[t].replace("{rows}", str(rows)).replace("{text}", text) for t in tables)
        for s, text in both
    )
    return postgres, mariadb
