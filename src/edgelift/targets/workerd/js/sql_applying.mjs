// @ts-check
/**
 * How statements of edgelift get into a database that is deployed, an object or D1, each batch once: `edgelift follow
 * --upload` and the first copy of a D1 send them through the door (sql_door.mjs). The client is
 * src/edgelift/targets/door. Verbs and their messages:
 *
 * place   {} -> {"number", "token"}: the last batch that was applied; makes the table that remembers it
 * apply   {number, token, statements: [[sql, [param, ...]], ...]} -> {"number", "again"}: one transaction with the number.
 *         Only the next number; one that was applied under the same token before is answered as such and changes nothing,
 *         whenever it comes. param: null, number, text or {"blob": base64}
 * read    {sql, params?} -> {"cells": rows}: rows as the database's client gives them
 * page    {table, columns, key, after?, offset?, limit} -> {"cells": rows}: rows behind the key `after` in the order of
 *         `key`, some of the columns; without a key from `offset`. Exact: an integer is text, text and blobs are {"blob"}
 *         behind a letter t or b, numbers are reals
 * sum     the same -> {"rows", "bytes", "hash", "last"}: how many rows, the sum of their hashes (row_sum.mjs), the last key
 */
import { REALS, RowSum } from './row_sum.mjs';
import { encodeBlob, messageOf, toBound } from './sql_values.mjs';

const PLACE = '_edgelift_place';
const CREATE =
  `CREATE TABLE IF NOT EXISTS ${PLACE}` + '(id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL, token TEXT NOT NULL)';
const READ = `SELECT number, token FROM ${PLACE}`;
/** Fails, and with it the whole batch, unless it is the next: a number must not be NULL. */
const GUARD =
  `INSERT INTO ${PLACE} VALUES (1, ?, ?) ON CONFLICT (id) DO UPDATE SET ` +
  'number = CASE WHEN number = excluded.number - 1 THEN excluded.number END, token = excluded.token';

/** What a database does not do, with the reason; the door answers it as a conflict. */
export class Refused extends Error {}

/** @typedef {[string, unknown[]?]} Statement */
/**
 * A database: `batch` runs all statements or none, `select` returns rows as arrays.
 * @typedef {object} Store
 * @property {(statements: Statement[]) => Promise<void>} batch
 * @property {(sql: string, params: unknown[]) => Promise<any[][]>} select
 */
/** @typedef {{ table: string, columns: string[], key: string[], after?: unknown[], offset?: number, limit: number }} Page */

/** @param {string} name */
const quote = (name) => `"${name.replaceAll('"', '""')}"`;

/**
 * A cell so that JSON and JavaScript keep it; see `page`. Only atan2 tells -0.0 from 0.0.
 * @param {string} name
 */
const exact = (name) =>
  `CASE typeof(${name}) WHEN 'integer' THEN CAST(${name} AS TEXT) WHEN 'text' THEN CAST('t' || ${name} AS BLOB) ` +
  `WHEN 'blob' THEN CAST('b' || CAST(${name} AS TEXT) AS BLOB) WHEN 'real' THEN CASE WHEN ${name} = 9e999 THEN 'Infinity' ` +
  `WHEN ${name} = -9e999 THEN '-Infinity' WHEN ${name} = 0.0 AND atan2(${name}, -1.0) < 0.0 THEN '-0.0' ELSE ${name} END END`;

/** @param {unknown} cell a blob is an ArrayBuffer (object) or a list of bytes (D1) */
const toCell = (cell) => {
  if (cell instanceof ArrayBuffer) return encodeBlob(new Uint8Array(cell));
  return Array.isArray(cell) ? encodeBlob(cell) : cell;
};

/**
 * A parameter that is a cell of `page` as the value it stands for.
 * @param {any} cell
 */
const toExpression = (cell) => {
  if (typeof cell === 'string') return REALS.has(cell) ? 'CAST(? AS REAL)' : 'CAST(? AS INTEGER)';
  if (cell === null || typeof cell !== 'object') return '?';
  return atob(cell.blob).startsWith('t') ? 'CAST(substr(?, 2) AS TEXT)' : 'substr(?, 2)';
};

export class Applying {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
  }

  /**
   * @param {string} verb
   * @param {any} message
   */
  async run(verb, message) {
    if (verb === 'place') return this.#open();
    if (verb === 'apply') return this.#apply(message);
    if (verb === 'read') return { cells: (await this.store.select(message.sql, message.params ?? [])).map((row) => row.map(toCell)) };
    if (verb === 'page') return { cells: (await this.#page(message)).map((row) => row.map(toCell)) };
    if (verb === 'sum') return this.#sum(message);
    throw new Refused(`there is no ${verb}`);
  }

  async #open() {
    await this.store.batch([[CREATE], [`INSERT OR IGNORE INTO ${PLACE} VALUES (1, 0, '')`]]);
    return this.#place();
  }

  async #place() {
    const [[number, token]] = await this.store.select(READ, []);
    return { number: Number(number), token: String(token) };
  }

  /** @param {{ number: number, token: string, statements: Statement[] }} message */
  async #apply({ number, token, statements }) {
    try {
      await this.store.batch([[GUARD, [number, token]], ...statements]);
      return { number, again: false };
    } catch (error) {
      if (!messageOf(error).includes(`${PLACE}.number`)) throw error;
      const place = await this.#place();
      if (place.number === number && place.token === token) return { number, again: true };
      throw new Refused(`batch ${number} is not the next one: ${place.number} was applied, by another run`);
    }
  }

  /** @param {Page} page */
  #page({ table, columns, key, after, offset, limit }) {
    const cells = columns.map((name) => exact(quote(name))).join(', ');
    const names = key.map(quote).join(', ');
    const where = after ? ` WHERE (${names}) > (${after.map(toExpression).join(', ')})` : '';
    const place = key.length > 0 ? ` ORDER BY ${names} LIMIT ${Number(limit)}` : ` LIMIT ${Number(limit)} OFFSET ${Number(offset ?? 0)}`;
    return this.store.select(`SELECT ${cells} FROM ${quote(table)}${where}${place}`, after ?? []);
  }

  /** @param {Page} page */
  async #sum(page) {
    const rows = await this.#page(page);
    const sum = new RowSum();
    for (const row of rows) sum.add(row);
    const last = rows.at(-1);
    return { rows: sum.rows, bytes: sum.bytes, hash: sum.toText(), last: last && page.key.map((name) => toCell(last[page.columns.indexOf(name)])) };
  }
}

/**
 * A Durable Object's own database.
 * @param {any} storage
 * @returns {Store}
 */
export const objectStore = (storage) => ({
  async batch(statements) {
    storage.transactionSync(() => {
      for (const [sql, params] of statements) storage.sql.exec(sql, ...(params ?? []).map(toBound));
    });
  },
  select: async (sql, params) => [...storage.sql.exec(sql, ...params.map(toBound)).raw()],
});

/**
 * A D1, by its binding.
 * @param {any} binding
 * @returns {Store}
 */
export const d1Store = (binding) => {
  /** @param {Statement} statement */
  const prepare = ([sql, params]) => (params?.length ? binding.prepare(sql).bind(...params.map(toBound)) : binding.prepare(sql));
  return {
    async batch(statements) {
      await binding.batch(statements.map(prepare));
    },
    select: async (sql, params) => await prepare([sql, params]).raw(),
  };
};

/**
 * The answer to a message of the door, as JSON text: `refused` with the reason, or `failed` with the database's error.
 * @param {() => Promise<unknown>} work
 * @returns {Promise<string>}
 */
export async function answerText(work) {
  try {
    return JSON.stringify(await work());
  } catch (error) {
    if (error instanceof Refused) return JSON.stringify({ refused: error.message });
    return JSON.stringify({ failed: messageOf(error) });
  }
}
