// @ts-check
/** Writers in JavaScript: GET /?way&writers&rounds&database makes transactions of two statements in a SQL object. */
import { SqlDatabase } from './sql_client.mjs';

const INSERT = "INSERT INTO entry(text) VALUES('transfer')";
const COUNT = 'UPDATE counter SET n = n + 1 WHERE id = 1';

/** @typedef {import('./sql_client.mjs').SqlTransaction} SqlTransaction */

const WAYS = {
  /** Three messages: each statement's result is awaited, then the COMMIT. @param {SqlTransaction} tx */
  async awaited(tx) {
    await tx.run(INSERT, [], 'run');
    await tx.run(COUNT, [], 'run');
  },
  /** Two messages: the COMMIT rides on the second statement. @param {SqlTransaction} tx */
  async lastQueued(tx) {
    await tx.run(INSERT, [], 'run');
    tx.run(COUNT, [], 'run');
  },
  /** One message. @param {SqlTransaction} tx */
  async queued(tx) {
    tx.run(INSERT, [], 'run');
    tx.run(COUNT, [], 'run');
  },
};

export default {
  /** @param {Request} request @param {any} env */
  async fetch(request, env) {
    const { way, writers, rounds, database: name } = Object.fromEntries(new URL(request.url).searchParams);
    const database = new SqlDatabase(env.SQL.get(env.SQL.idFromName(name)));
    await database.run('CREATE TABLE entry(id INTEGER PRIMARY KEY, text TEXT)');
    await database.run('CREATE TABLE counter(id INTEGER PRIMARY KEY, n INTEGER)');
    await database.run('INSERT INTO counter VALUES(1, 0)');
    const work = WAYS[/** @type {keyof typeof WAYS} */ (way)];
    const started = performance.now();
    await Promise.all(
      Array.from({ length: Number(writers) }, async () => {
        for (let round = 0; round < Number(rounds); round += 1) await database.transaction(work);
      }),
    );
    const seconds = (performance.now() - started) / 1000;
    const { rows } = await database.run('SELECT (SELECT count(*) FROM entry), (SELECT n FROM counter)');
    return Response.json({ seconds, rows: rows[0][0], counter: rows[0][1] });
  },
};
