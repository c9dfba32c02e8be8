// @ts-check
/**
 * Tells which statements may be answered while the snapshot is made. The databases then hold the schema and no rows, so
 * an answer that depends on rows would be wrong in every isolate; what reads only the schema is the same at each start.
 */

/** @typedef {[string, unknown[]?, ...unknown[]]} Asked */
/** @typedef {(asked: [string, unknown[]]) => Promise<unknown[][]>} Explain rows of [address, opcode, p1, p2, ...] */

/** SQLite's root page of sqlite_schema. */
const SCHEMA_PAGE = 1;
/** A statement's program depends on the schema alone; the driver asks for programs too. */
const PROGRAM = /^\s*explain\b/i;
/** What differs from one moment to the next without any table. */
const FLEETING = /\brandom|\bnow\b|'now'|\bcurrent_|\bchanges\b|\blast_insert_rowid\b/i;

/**
 * Whether SQLite's own program for a statement writes nothing and opens no table but the schema's.
 * @param {string} sql
 * @param {unknown[][]} program
 */
export function readsOnlySchema(sql, program) {
  if (FLEETING.test(sql)) return false;
  let virtual = 0;
  for (const [, opcode, , p2] of program) {
    if (opcode === 'Transaction' && Number(p2) !== 0) return false;
    if (opcode === 'OpenRead' && Number(p2) !== SCHEMA_PAGE) return false;
    if (opcode === 'OpenWrite' || opcode === 'ReopenIdx' || opcode === 'VUpdate') return false;
    if (opcode === 'VOpen') virtual += 1;
  }
  // The tables behind PRAGMAs are virtual ones; nothing else tells them from an app's own.
  return virtual <= (sql.match(/\bpragma_\w+/gi) ?? []).length;
}

/**
 * Throw for statements that need rows or write some.
 * @param {(Asked | undefined)[]} asked
 * @param {Explain} explain
 */
export async function checkSchemaReads(asked, explain) {
  for (const one of asked) {
    if (!one || PROGRAM.test(one[0])) continue;
    if (readsOnlySchema(one[0], await explain([`EXPLAIN ${one[0]}`, one[1] ?? []]))) continue;
    throw new Error(`rows of a database are not there while the snapshot is made: ${one[0].slice(0, 200)}`);
  }
}
