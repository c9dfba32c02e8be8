"""TPC-H: the eight tables of its specification (version 3, 1.4), filled by tpchgen-cli of PyPI."""

from __future__ import annotations

import subprocess
from pathlib import Path

GENERATOR = "tpchgen-cli"
# Parents first.
TABLES = [
    "region", "nation", "part", "supplier", "partsupp", "customer", "orders", "lineitem",
]  # fmt: skip
CREATE = """
CREATE TABLE region (r_regionkey integer PRIMARY KEY, r_name char(25) NOT NULL,
 r_comment varchar(152));
CREATE TABLE nation (n_nationkey integer PRIMARY KEY, n_name char(25) NOT NULL,
 n_regionkey integer NOT NULL, n_comment varchar(152));
CREATE TABLE part (p_partkey integer PRIMARY KEY, p_name varchar(55) NOT NULL,
 p_mfgr char(25) NOT NULL, p_brand char(10) NOT NULL, p_type varchar(25) NOT NULL,
 p_size integer NOT NULL, p_container char(10) NOT NULL, p_retailprice decimal(15,2) NOT NULL,
 p_comment varchar(23) NOT NULL);
CREATE TABLE supplier (s_suppkey integer PRIMARY KEY, s_name char(25) NOT NULL,
 s_address varchar(40) NOT NULL, s_nationkey integer NOT NULL, s_phone char(15) NOT NULL,
 s_acctbal decimal(15,2) NOT NULL, s_comment varchar(101) NOT NULL);
CREATE TABLE partsupp (ps_partkey integer NOT NULL, ps_suppkey integer NOT NULL,
 ps_availqty integer NOT NULL, ps_supplycost decimal(15,2) NOT NULL,
 ps_comment varchar(199) NOT NULL, PRIMARY KEY (ps_partkey, ps_suppkey));
CREATE TABLE customer (c_custkey integer PRIMARY KEY, c_name varchar(25) NOT NULL,
 c_address varchar(40) NOT NULL, c_nationkey integer NOT NULL, c_phone char(15) NOT NULL,
 c_acctbal decimal(15,2) NOT NULL, c_mktsegment char(10) NOT NULL,
 c_comment varchar(117) NOT NULL);
CREATE TABLE orders (o_orderkey integer PRIMARY KEY, o_custkey integer NOT NULL,
 o_orderstatus char(1) NOT NULL, o_totalprice decimal(15,2) NOT NULL, o_orderdate date NOT NULL,
 o_orderpriority char(15) NOT NULL, o_clerk char(15) NOT NULL, o_shippriority integer NOT NULL,
 o_comment varchar(79) NOT NULL);
CREATE TABLE lineitem (l_orderkey integer NOT NULL, l_partkey integer NOT NULL,
 l_suppkey integer NOT NULL, l_linenumber integer NOT NULL, l_quantity decimal(15,2) NOT NULL,
 l_extendedprice decimal(15,2) NOT NULL, l_discount decimal(15,2) NOT NULL,
 l_tax decimal(15,2) NOT NULL, l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL,
 l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL,
 l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL,
 PRIMARY KEY (l_orderkey, l_linenumber));
"""
# Table, columns, parent: the foreign keys of 1.4.2.
FOREIGN_KEYS = (
    ("nation", "n_regionkey", "region (r_regionkey)"),
    ("supplier", "s_nationkey", "nation (n_nationkey)"),
    ("partsupp", "ps_partkey", "part (p_partkey)"),
    ("partsupp", "ps_suppkey", "supplier (s_suppkey)"),
    ("customer", "c_nationkey", "nation (n_nationkey)"),
    ("orders", "o_custkey", "customer (c_custkey)"),
    ("lineitem", "l_orderkey", "orders (o_orderkey)"),
    ("lineitem", "l_partkey, l_suppkey", "partsupp (ps_partkey, ps_suppkey)"),
)


def generate(peers: Path, scale: float, folder: Path) -> tuple[dict[str, Path], int]:
    """Write the tables as CSV with a line of names; return the files by table, and all rows."""
    command = [str(peers / "bin" / GENERATOR), "csv", "-s", str(scale), "--output-dir", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    folder.chmod(0o755)  # the servers read the files themselves
    files = {table: folder / f"{table}.csv" for table in TABLES}
    rows = 0
    for path in files.values():
        path.chmod(0o644)
        with path.open("rb") as lines:
            rows += sum(1 for _ in lines) - 1
    return files, rows


def write_scripts(files: dict[str, Path]) -> tuple[str, str]:
    """Return the scripts that fill the tables: PostgreSQL's, MariaDB's."""
    keys = "".join(
        f"ALTER TABLE {table} ADD FOREIGN KEY ({columns}) REFERENCES {parent};\n"
        for table, columns, parent in FOREIGN_KEYS
    )
    postgres = "".join(
        f"COPY {table} FROM '{path}' WITH (FORMAT csv, HEADER);\n" for table, path in files.items()
    )
    mariadb = "".join(
        f"LOAD DATA INFILE '{path}' INTO TABLE {table} FIELDS TERMINATED BY ',' "
        "OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' IGNORE 1 LINES;\n"
        for table, path in files.items()
    )
    unchecked = "SET foreign_key_checks = 0, unique_checks = 0;\n"
    return CREATE + postgres + keys, unchecked + CREATE + mariadb + keys
