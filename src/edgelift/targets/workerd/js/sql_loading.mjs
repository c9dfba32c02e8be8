// @ts-check
/**
 * How rows get into the production form of a SQL object, before it is open to the app: `edgelift data --upload` sends
 * them through the door (sql_door.mjs) in numbered messages, each applied once, then has this object hash what it holds.
 *
 * The states: "" (never loaded: the app may use it, unless the project's loads.mjs names it), "loading" (tables only),
 * "loaded" (rows, indexes, triggers, counters; to be compared), "open". While it is loading or loaded nobody but the door
 * gets at it; rows are compared by `sum` (sql_applying.mjs). Verbs and their messages (JSON objects; `identity` says of which load they are):
 *
 * state    {} -> {"state", "identity", "done"}
 * begin    {identity, schema, replace?} -> the same; empties the object, which only `replace` allows if it holds rows
 * rows     {identity, number, parts: [{table, columns, kinds, stage?, rows}]} -> {"done"}; the next number only, or one
 *          that was applied before. kinds: per column "-" as it is, "i" an integer as text, "t" text as its bytes, "f" an
 *          infinity by its sign. `stage` keeps rows aside whose parents may come later.
 * settle   {identity, stages: [{stage, table, columns}], sequences: {name: last}, rebuild: [table], analyze?} -> {"state"}
 * open     {identity} -> {"state"}
 */
import { createHash } from 'node:crypto';
import { Refused } from './sql_applying.mjs';
import { toBound } from './sql_values.mjs';

const STATE = '_edgelift_load';
const MIGRATIONS = '_edgelift_migrations';
/** Migrations that make tables; those behind them want the rows to be there. */
const BEFORE_ROWS = 1;
/** Tables that are nobody's of the app: SQLite's, the runtime's, ours, and those of wrangler's local simulation. */
const OURS = /^(sqlite_|_cf_|_edgelift_|__miniflare_)/i;
const VALUE = { '-': '?', i: 'CAST(? AS INTEGER)', t: 'CAST(? AS TEXT)', f: '(? * 9e999)' };

/** @param {string} name */
const quote = (name) => `"${name.replaceAll('"', '""')}"`;
/** @param {string[]} names */
const list = (names) => names.map(quote).join(', ');
/** @param {number} stage */
const stageOf = (stage) => `_edgelift_stage_${Number(stage)}`;
/** @param {string} sql */
const isEmpty = (sql) => sql.replace(/^\s*--.*/gm, '').trim() === '';

/** @typedef {{ name: string, sql: string }} Migration */
/** @typedef {{ table: string, columns: string[], kinds: string, stage?: number, rows: unknown[][] }} Part */

export class Loading {
  /**
   * @param {any} storage
   * @param {Migration[]} migrations
   */
  constructor(storage, migrations) {
    this.storage = storage;
    this.sql = storage.sql;
    this.migrations = migrations;
    this.state = '';
    this.identity = '';
    this.done = 0;
  }

  /** Apply what is to be applied in the state the object is in. */
  prepare() {
    this.storage.transactionSync(() => {
      this.sql.exec(`CREATE TABLE IF NOT EXISTS ${MIGRATIONS}(name TEXT PRIMARY KEY) WITHOUT ROWID`);
      this.sql.exec(`CREATE TABLE IF NOT EXISTS ${STATE}(state TEXT, identity TEXT, done INTEGER)`);
      for (const row of this.sql.exec(`SELECT state, identity, done FROM ${STATE}`)) {
        this.state = String(row.state);
        this.identity = String(row.identity);
        this.done = Number(row.done);
      }
      this.#migrate(this.state === 'loading' ? BEFORE_ROWS : this.migrations.length);
    });
  }

  /**
   * Why the app gets no answer, "" when it does.
   * @param {boolean} expects whether rows are to be loaded before it may be used
   */
  whyClosed(expects) {
    if (this.state === 'loading' || this.state === 'loaded') return 'the database is being loaded: SQLITE_BUSY';
    if (expects && this.state === '') return 'the database has not been loaded yet (edgelift data --upload): SQLITE_BUSY';
    return '';
  }

  /**
   * Do what the door was asked to. Throws Refused, or what SQLite says.
   * @param {string} verb
   * @param {any} message
   */
  async run(verb, message) {
    if (verb === 'state') return this.#tell();
    if (verb === 'begin') return this.#begin(message);
    if (message.identity !== this.identity || this.state === '') {
      throw new Refused(`another load is at work here, or none: ${this.state || 'nothing was begun'}`);
    }
    if (verb === 'rows') return this.#load(message);
    if (verb === 'settle') return this.#settle(message);
    if (verb === 'open') return this.#open();
    throw new Refused(`there is no ${verb}`);
  }

  #tell() {
    return { state: this.state, identity: this.identity, done: this.done, rows: this.#holdsRows() };
  }

  /** @param {number} count how many of the migrations */
  #migrate(count) {
    for (const { name, sql } of this.migrations.slice(0, count)) {
      if (this.sql.exec(`SELECT 1 FROM ${MIGRATIONS} WHERE name = ?`, name).toArray().length > 0) continue;
      if (!isEmpty(sql)) this.sql.exec(sql);
      this.sql.exec(`INSERT INTO ${MIGRATIONS} VALUES(?)`, name);
    }
  }

  /**
   * @param {string} state
   * @param {number} done
   */
  #note(state, done) {
    this.sql.exec(`DELETE FROM ${STATE}`);
    this.sql.exec(`INSERT INTO ${STATE} VALUES(?, ?, CAST(? AS INTEGER))`, state, this.identity, String(done));
  }

  /** The name of a table that holds rows, "" when all are empty. */
  #holdsRows() {
    const tables = this.sql.exec("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')");
    for (const [name] of [...tables.raw()]) {
      if (OURS.test(name)) continue;
      if (this.sql.exec(`SELECT 1 FROM ${quote(name)} LIMIT 1`).toArray().length > 0) return name;
    }
    return '';
  }

  /** What the tables are made by: names and texts of the migrations that came with edgelift's build. */
  #describeSchema() {
    const hash = createHash('sha256');
    for (const { name, sql } of this.migrations.slice(0, BEFORE_ROWS + 1)) hash.update(`${name}\0${sql}\0`);
    return hash.digest('hex');
  }

  /** @param {{ identity: string, schema: string, replace?: boolean }} message */
  async #begin({ identity, schema, replace }) {
    if (schema !== this.#describeSchema()) {
      throw new Refused('the schema deployed here is not that of the rows: build, and deploy this project again');
    }
    if (this.state !== '' && identity === this.identity && !(replace && this.state === 'open')) return this.#tell();
    if (!replace) {
      if (this.state === 'open') throw new Refused('it was loaded with other rows before, and the app has it');
      if (this.state !== '') throw new Refused('a load of other rows was begun here and not ended');
      const full = this.#holdsRows();
      if (full) throw new Refused(`its table ${full} holds rows that were not loaded: the app has written`);
    }
    await this.storage.deleteAll();
    this.storage.transactionSync(() => {
      this.sql.exec(`CREATE TABLE IF NOT EXISTS ${MIGRATIONS}(name TEXT PRIMARY KEY) WITHOUT ROWID`);
      this.sql.exec(`CREATE TABLE IF NOT EXISTS ${STATE}(state TEXT, identity TEXT, done INTEGER)`);
      this.#migrate(BEFORE_ROWS);
      this.identity = identity;
      this.#note('loading', 0);
    });
    this.state = 'loading';
    this.done = 0;
    return this.#tell();
  }

  /** @param {{ number: number, parts: Part[] }} message */
  #load({ number, parts }) {
    if (this.state !== 'loading' || number <= this.done) return { done: this.done };
    if (number !== this.done + 1) throw new Refused(`message ${number} came after ${this.done}`);
    this.storage.transactionSync(() => {
      for (const part of parts) this.#insert(part);
      this.#note('loading', number);
    });
    this.done = number;
    return { done: this.done };
  }

  /** @param {Part} part */
  #insert({ table, columns, kinds, stage, rows }) {
    const values = [...kinds].map((kind) => VALUE[/** @type {keyof typeof VALUE} */ (kind)]).join(', ');
    let target = `${quote(table)} (${list(columns)})`;
    if (stage !== undefined) {
      target = stageOf(stage);
      this.sql.exec(`CREATE TABLE IF NOT EXISTS ${target} (${columns.map((_, number) => `c${number}`).join(', ')})`);
    }
    const statement = `INSERT INTO ${target} VALUES (${values})`;
    for (const row of rows) this.sql.exec(statement, ...row.map(toBound));
  }

  /** @param {{ stages: { stage: number, table: string, columns: string[] }[], sequences: Record<string, string>, rebuild: string[], analyze?: boolean }} message */
  #settle({ stages, sequences, rebuild, analyze }) {
    if (this.state !== 'loading') return { state: this.state };
    this.storage.transactionSync(() => {
      this.sql.exec('PRAGMA defer_foreign_keys = on');
      for (const { stage, table, columns } of stages) {
        const source = stageOf(stage);
        if (this.sql.exec('SELECT 1 FROM sqlite_master WHERE name = ?', source).toArray().length === 0) continue;
        this.sql.exec(`INSERT INTO ${quote(table)} (${list(columns)}) SELECT * FROM ${source} ORDER BY rowid`);
        this.sql.exec(`DROP TABLE ${source}`);
      }
      const broken = this.sql.exec('PRAGMA foreign_key_check').raw().toArray();
      if (broken.length > 0) throw new Error(`FOREIGN KEY constraint failed: a row of ${broken[0][0]} has no ${broken[0][2]}`);
      this.#migrate(this.migrations.length);
      this.#count(sequences);
      for (const name of rebuild) this.sql.exec(`INSERT INTO ${quote(name)} (${quote(name)}) VALUES ('rebuild')`);
      if (analyze) this.sql.exec('ANALYZE');
      this.#note('loaded', this.done);
    });
    this.state = 'loaded';
    return { state: this.state };
  }

  /** @param {Record<string, string>} sequences the last number of each counter */
  #count(sequences) {
    if (this.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").toArray().length === 0) return;
    this.sql.exec('DELETE FROM sqlite_sequence');
    for (const [name, last] of Object.entries(sequences)) {
      this.sql.exec('INSERT INTO sqlite_sequence (name, seq) VALUES (?, CAST(? AS INTEGER))', name, last);
    }
  }

  #open() {
    if (this.state === 'loading') throw new Refused('its rows were not compared yet');
    this.storage.transactionSync(() => this.#note('open', this.done));
    this.state = 'open';
    return { state: this.state };
  }
}
