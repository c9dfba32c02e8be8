// @ts-check
/**
 * How parameters and cells cross between the SQL driver (src/edgelift/worker/sqlite3) and SQLite, the same for D1
 * (d1_query.mjs) and for the SQL object (sql_object.mjs): JSON, a blob being {"blob": base64}.
 */

/** @param {unknown} value a parameter as the driver sends it */
export function toBound(value) {
  if (value === null || typeof value !== 'object') return value;
  return Uint8Array.from(atob(/** @type {{ blob: string }} */ (value).blob), (letter) => letter.charCodeAt(0));
}

/** @param {ArrayLike<number> & Iterable<number>} bytes */
export function encodeBlob(bytes) {
  return { blob: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')) };
}

/** @param {Iterable<unknown[]>} rows rows of one JSON cell each */
export const spliceRows = (rows) => `"rows":[${Array.from(rows, (row) => row[0]).join(',')}]`;

/** @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));
