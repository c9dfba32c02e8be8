// @ts-check
/**
 * The D1 service of the local runtime: answers workerd's own D1 client (`cloudflare-internal:d1-api`) from SQLite in
 * one Durable Object per database. Which database is meant comes with the binding, as `ctx.props.database`.
 *
 * Protocol (read in the client's source): POST /query and /execute?resultsFormat=ROWS_AND_COLUMNS |
 * ARRAY_OF_OBJECTS | NONE with {sql, params} or an array of them (one atomic batch) is answered by an array of
 * {success, results, meta}, or by {success: false, error}. A blob is an array of byte values, in both directions.
 */
import { DurableObject, WorkerEntrypoint } from 'cloudflare:workers';

/** Asks for and carries the position in the log of writes; the client's session API sends it. */
const BOOKMARK_HEADER = 'x-cf-d1-session-commit-token';

/** @typedef {{ sql: string, params?: unknown[] | null }} Query */
/** @typedef {{ columns: string[], rows: unknown[][] }} Table */
/** @typedef {{ table: Table, meta: Record<string, unknown> }} Answer */

/** @param {unknown} param */
const toBound = (param) => (Array.isArray(param) ? new Uint8Array(param).buffer : (param ?? null));

/** @param {unknown} cell */
const fromCell = (cell) => (cell instanceof ArrayBuffer ? Array.from(new Uint8Array(cell)) : cell);

/** @param {unknown} error */
const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/** @param {Query} query */
const isEmpty = ({ sql }) => sql.replace(/^\s*--.*/gm, '').trim() === '';

/**
 * One database: its storage is the SQLite file that edgelift puts in place before the start.
 */
export class D1Database extends DurableObject {
  /**
   * Run the queries in order as one transaction; the first failure undoes all of them.
   * @param {Query[]} queries
   * @returns {Answer[]}
   */
  run(queries) {
    const wanted = queries.filter((query) => !isEmpty(query));
    if (wanted.length === 0) throw new Error('No SQL statements detected.');
    return this.ctx.storage.transactionSync(() => {
      const answers = wanted.map((query) => this.#runOne(query));
      if (wanted.some(({ sql }) => /defer_foreign_keys/i.test(sql))) this.#checkForeignKeys();
      return answers;
    });
  }

  /**
   * Answer one request of the client.
   * @param {Request} request
   */
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (request.method !== 'POST' || !['/query', '/execute'].includes(pathname)) {
      return Response.json({ success: false, error: `${request.method} ${pathname} is unknown` }, { status: 404 });
    }
    try {
      const body = /** @type {Query | Query[]} */ (await request.json());
      const answers = this.run(Array.isArray(body) ? body : [body]);
      const asTable = searchParams.get('resultsFormat') === 'ROWS_AND_COLUMNS';
      const results = answers.map(({ table, meta }) => ({
        success: true,
        results: asTable ? table : toObjects(table),
        meta,
      }));
      return Response.json(results, { headers: await this.#bookmarkHeaders(request) });
    } catch (error) {
      return Response.json({ success: false, error: messageOf(error) }, { status: 500 });
    }
  }

  /** @param {Query} query */
  #runOne({ sql, params }) {
    const before = this.#counters();
    const sizeBefore = this.ctx.storage.sql.databaseSize;
    const started = performance.now();
    const cursor = this.ctx.storage.sql.exec(sql, ...(params ?? []).map(toBound));
    const columns = cursor.columnNames;
    const rows = Array.from(cursor.raw(), (row) => row.map(fromCell));
    const duration = performance.now() - started;
    const after = this.#counters();
    const size = this.ctx.storage.sql.databaseSize;
    const changes = after.changes - before.changes;
    const meta = {
      served_by: 'edgelift',
      served_by_primary: true,
      total_attempts: 1,
      timings: { sql_duration_ms: duration },
      duration,
      changes,
      last_row_id: after.rowid,
      changed_db: changes !== 0 || after.rowid !== before.rowid || size !== sizeBefore,
      size_after: size,
      rows_read: cursor.rowsRead,
      rows_written: cursor.rowsWritten,
    };
    return { table: { columns, rows }, meta };
  }

  #counters() {
    const cursor = this.ctx.storage.sql.exec('SELECT total_changes() AS changes, last_insert_rowid() AS rowid');
    return /** @type {{ changes: number, rowid: number }} */ (/** @type {unknown} */ (cursor.one()));
  }

  /** Raise what production raises at the end of a batch that deferred its checks; workerd itself would reset. */
  #checkForeignKeys() {
    if (this.ctx.storage.sql.exec('PRAGMA foreign_key_check').toArray().length > 0) {
      throw new Error('FOREIGN KEY constraint failed: SQLITE_CONSTRAINT');
    }
  }

  /** @param {Request} request */
  async #bookmarkHeaders(request) {
    if (!request.headers.get(BOOKMARK_HEADER)) return undefined;
    return { [BOOKMARK_HEADER]: await this.ctx.storage.getCurrentBookmark() };
  }
}

/** @param {Table} table */
function toObjects({ columns, rows }) {
  return rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index]])));
}

export class D1Service extends WorkerEntrypoint {
  #database() {
    const name = this.ctx.props?.database;
    if (!name) throw new Error('the binding does not name its database (props.database)');
    return this.env.DATABASES.get(this.env.DATABASES.idFromName(name));
  }

  /**
   * Pass the request on. A foreign key declared DEFERRABLE fails only at the commit, for which workerd resets the
   * object and undoes the writes; the client gets what production says.
   * @param {Request} request
   */
  async fetch(request) {
    try {
      return await this.#database().fetch(request);
    } catch (error) {
      const violated = /constraints were violated: (.*)$/s.exec(messageOf(error));
      if (!violated) throw error;
      return Response.json({ success: false, error: violated[1] }, { status: 500 });
    }
  }

  /**
   * What a client with the compatibility flag `d1_binding_jsrpc` calls instead of fetch.
   * @param {{ queries: Query[] }} request
   */
  async query({ queries }) {
    const answers = await this.#database().run(queries);
    return { results: answers.map(({ table, meta }) => ({ data: { kind: 'raw', ...table }, meta })) };
  }
}

export default D1Service;
