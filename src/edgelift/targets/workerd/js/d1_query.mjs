// @ts-check
/**
 * Runs the SQL driver's requests (src/edgelift/worker/sqlite3) on a D1 binding and answers with one JSON string.
 * It knows D1's public client and nothing of SQL: what is asked and how rows are read is decided in Python.
 *
 * request   {"statements": [[sql, [param, ...], form?], ...], "names"?: [sql, [param, ...]]}
 *           One statement runs alone, several as one atomic batch. param: null, true, false, number, string or
 *           {"blob": base64}. form says how rows come back:
 *             "json"  each row has one cell, which is JSON text already; it is passed on as it is
 *             "raw"   rows as arrays, with the columns' names even when there are no rows or two are equal (only for a
 *                     statement that runs alone); no meta
 *             "run"   no rows
 *             without a form: rows as arrays
 *           `names` is a query whose column names are wanted too; it runs beside the statements.
 * response  {"results": [{"rows": [...], "columns"?: [...], "meta"?: {...}}, ...], "names"?: [...]}, a blob being
 *           {"blob": base64}; or {"error": "message of D1"}. It never rejects for what D1 says.
 */
import { encodeBlob, messageOf, spliceRows, toBound } from './sql_values.mjs';

/** @typedef {[string, unknown[], string?]} Asked */
/** @typedef {{ statements: Asked[], names?: [string, unknown[]] }} D1Request */

/** @param {unknown} cell */
function fromCell(cell) {
  if (!Array.isArray(cell)) return cell;
  return encodeBlob(cell);
}

/**
 * @param {any} database
 * @param {[string, unknown[], ...unknown[]]} asked
 */
function prepare(database, [sql, params]) {
  const statement = database.prepare(sql);
  return params?.length > 0 ? statement.bind(...params.map(toBound)) : statement;
}

/**
 * @param {any} answer what D1's client returns for a statement
 * @param {string | undefined} form
 */
function encodeAnswer(answer, form) {
  const meta = JSON.stringify(answer.meta ?? {});
  const results = form === 'run' ? [] : (answer.results ?? []);
  if (form === 'json') return `{${spliceRows(results.map(Object.values))},"meta":${meta}}`;
  const columns = results.length > 0 ? Object.keys(results[0]) : [];
  const rows = results.map((/** @type {any} */ row) => columns.map((name) => fromCell(row[name])));
  return `{"rows":${JSON.stringify(rows)},"columns":${JSON.stringify(columns)},"meta":${meta}}`;
}

/**
 * @param {any} database
 * @param {Asked} asked
 */
async function runOne(database, asked) {
  const statement = prepare(database, asked);
  const form = asked[2];
  if (form === 'json') return `{${spliceRows(await statement.raw())}}`;
  if (form !== 'raw') return encodeAnswer(await statement.all(), form);
  const [columns, ...rows] = await statement.raw({ columnNames: true });
  return JSON.stringify({ rows: rows.map((/** @type {unknown[]} */ row) => row.map(fromCell)), columns });
}

/**
 * @param {any} database
 * @param {Asked[]} statements
 * @returns {Promise<string[]>}
 */
async function runAll(database, statements) {
  if (statements.length === 1) return [await runOne(database, statements[0])];
  const answers = await database.batch(statements.map((asked) => prepare(database, asked)));
  return answers.map((/** @type {any} */ answer, /** @type {number} */ index) =>
    encodeAnswer(answer, statements[index][2]),
  );
}

/**
 * Run one request of the driver.
 * @param {any} binding the D1 binding
 * @param {string} requestJson
 * @returns {Promise<string>}
 */
export async function d1Query(binding, requestJson) {
  /** @type {D1Request} */
  const { statements, names } = JSON.parse(requestJson);
  try {
    const [results, named] = await Promise.all([
      runAll(binding, statements),
      names ? prepare(binding, names).raw({ columnNames: true }) : undefined,
    ]);
    const tail = named ? `,"names":${JSON.stringify(named[0])}` : '';
    return `{"results":[${results.join(',')}]${tail}}`;
  } catch (error) {
    return JSON.stringify({ error: messageOf(error) });
  }
}
