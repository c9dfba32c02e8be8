// @ts-check
/** What happens to the SQL object, told by its callers: each function is a test body (test_object.py asserts). */
import { SqlDatabase, SqlTransaction } from './sql_client.mjs';
import { SqlSession } from './sql_session.mjs';

/**
 * @typedef {object} Case
 * @property {import('./sql_session.mjs').SqlStub} stub
 * @property {Record<string, string>} parameters
 * @property {any} env
 * @property {any} context
 * @property {(env: any, name: string) => import('./sql_session.mjs').SqlStub} stubOf
 */

const sleep = (/** @type {number} */ ms) => scheduler.wait(ms);

/** @param {SqlDatabase} database */
async function makeTables(database) {
  await database.run('CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)');
  await database.run('CREATE TABLE counter(id INTEGER PRIMARY KEY, n INTEGER)');
  await database.run('INSERT INTO counter VALUES(1, 0)');
}

/** @param {SqlDatabase} database */
async function readState(database) {
  const { rows } = await database.run("SELECT (SELECT count(*) FROM t), (SELECT n FROM counter), (SELECT group_concat(v) FROM t)");
  return { rows: rows[0][0], counter: rows[0][1], values: rows[0][2] };
}

/** @param {() => PromiseLike<unknown>} work */
async function errorOf(work) {
  try {
    await work();
    return null;
  } catch (error) {
    return /** @type {Error} */ (error).message;
  }
}

const INSERT = 'INSERT INTO t(v) VALUES(?)';
const COUNT = 'UPDATE counter SET n = n + 1';

/** Ways to write the same transaction; each gives how many messages it took. */
const WAYS = {
  /** @param {SqlTransaction} tx */
  async awaited(tx) {
    await tx.run(INSERT, ['x'], 'run');
    await tx.run(COUNT, [], 'run');
  },
  /** @param {SqlTransaction} tx */
  async queued(tx) {
    tx.run(INSERT, ['x'], 'run');
    tx.run(COUNT, [], 'run');
  },
  /** @param {SqlTransaction} tx */
  async lastQueued(tx) {
    await tx.run(INSERT, ['x'], 'run');
    tx.run(COUNT, [], 'run');
  },
  /** A caller that computes the new value itself: loses updates as soon as two transactions overlap. @param {SqlTransaction} tx */
  async readModifyWrite(tx) {
    tx.run(INSERT, ['x'], 'run');
    const { rows } = await tx.run('SELECT n FROM counter');
    tx.run(`UPDATE counter SET n = ${Number(rows[0][0]) + 1}`, [], 'run');
  },
};

/** @param {Case} given writers, rounds, way */
export async function write({ stub, parameters }) {
  const database = new SqlDatabase(stub);
  await makeTables(database);
  const way = WAYS[/** @type {keyof typeof WAYS} */ (parameters.way)];
  const times = /** @type {number[]} */ ([]);
  const started = performance.now();
  await Promise.all(
    Array.from({ length: Number(parameters.writers) }, async () => {
      for (let round = 0; round < Number(parameters.rounds); round += 1) {
        const begun = performance.now();
        await database.transaction(way);
        times.push(performance.now() - begun);
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  times.sort((a, b) => a - b);
  return { ...(await readState(database)), seconds, p50: times[times.length >> 1] };
}

/** Reads without a transaction beside writers: never a half-done transaction. @param {Case} given */
export async function readBeside({ stub, parameters }) {
  const database = new SqlDatabase(stub);
  await makeTables(database);
  let writing = true;
  const seen = { reads: 0, torn: 0 };
  const reader = async () => {
    while (writing) {
      const { rows, counter } = await readState(database);
      seen.reads += 1;
      if (rows !== counter) seen.torn += 1;
    }
  };
  const readers = [reader(), reader()];
  await Promise.all(
    Array.from({ length: Number(parameters.writers) }, async () => {
      for (let round = 0; round < 5; round += 1) await database.transaction(WAYS.awaited);
    }),
  );
  writing = false;
  await Promise.all(readers);
  return seen;
}

/** @param {Case} given */
export async function readYourWrites({ stub }) {
  const database = new SqlDatabase(stub);
  await makeTables(database);
  /** @type {unknown[]} */
  const seen = [];
  let others = /** @type {Promise<unknown> | null} */ (null);
  await database.transaction(async (tx) => {
    tx.run(INSERT, ['mine'], 'run');
    seen.push((await tx.run('SELECT v FROM t')).rows);
    others = database.run('SELECT count(*) FROM t').then(({ rows }) => seen.push(['other', rows[0][0]]));
    await sleep(50);
    seen.push('still open');
    await tx.run(COUNT, [], 'run');
  });
  await others;
  return seen;
}

/** @param {Case} given */
export async function savepoints({ stub }) {
  const database = new SqlDatabase(stub);
  await makeTables(database);
  const thrown = await errorOf(() =>
    database.transaction(async (tx) => {
      tx.run(INSERT, ['outer'], 'run');
      const inner = await errorOf(() =>
        tx.savepoint(async () => {
          tx.run(INSERT, ['middle'], 'run');
          await tx.savepoint(async () => {
            await tx.run(INSERT, ['innermost'], 'run');
          });
          throw new Error('middle fails');
        }),
      );
      await tx.savepoint(async () => {
        tx.run(INSERT, ['kept'], 'run');
      });
      tx.run(INSERT, [inner], 'run');
    }),
  );
  return { thrown, ...(await readState(database)) };
}

/** A savepoint stays open after "undo", and "release" of an outer one closes the inner ones. @param {Case} given */
export async function savepointSteps({ stub }) {
  const database = new SqlDatabase(stub);
  await makeTables(database);
  const session = new SqlSession(stub);
  const insert = (/** @type {string} */ value) => [INSERT, [value], 'run'];
  const say = async (/** @type {unknown[]} */ ...steps) => JSON.parse(await session.step(JSON.stringify({ steps })));
  await say(insert('a'), { savepoint: true }, insert('b'), { savepoint: true }, insert('c'));
  await say({ undo: 0 }, insert('d'), { undo: 0 }, insert('e'), { savepoint: true }, insert('f'), { savepoint: true });
  await say(insert('g'), { undo: 2 }, insert('h'), { release: 1 }, insert('i'), { release: 0 }, insert('j'));
  const last = JSON.parse(await session.step('{"steps":[],"end":"commit"}'));
  return { last, ...(await readState(database)) };
}

/** @param {Case} given */
export async function failures({ stub }) {
  const database = new SqlDatabase(stub);
  await makeTables(database);
  const told = /** @type {Record<string, unknown>} */ ({});
  told.thrown = await errorOf(() =>
    database.transaction(async (tx) => {
      await tx.run(INSERT, ['thrown away'], 'run');
      throw new TypeError('boom');
    }),
  );
  told.dealtWith = await errorOf(async () => {
    const session = new SqlSession(stub);
    await session.step(JSON.stringify({ steps: [[INSERT, ['first'], 'run']] }));
    const answer = JSON.parse(await session.step('{"steps":[["INSERT INTO nowhere VALUES(1)",[],"run"]]}'));
    told.statement = answer;
    await session.step(JSON.stringify({ steps: [[INSERT, ['second'], 'run']], end: 'commit' }));
  });
  told.atCommit = await errorOf(() =>
    database.transaction(async (tx) => {
      await tx.run(INSERT, ['not kept'], 'run');
      tx.run('INSERT INTO counter VALUES(1, 1)', [], 'run');
    }),
  );
  told.whole = await errorOf(() =>
    database.transaction(async (tx) => {
      tx.run(INSERT, ['not kept either'], 'run');
      tx.run('INSERT INTO counter VALUES(1, 1)', [], 'run');
    }),
  );
  return { ...told, ...(await readState(database)) };
}

/** @param {Case} given */
export async function schemaRollback({ stub }) {
  const database = new SqlDatabase(stub);
  await makeTables(database);
  await errorOf(() =>
    database.transaction(async (tx) => {
      await tx.run('CREATE TABLE new(a)');
      await tx.run('INSERT INTO new VALUES(1)');
      await tx.run('ALTER TABLE t ADD COLUMN w');
      await tx.run('DROP TABLE counter');
      throw new Error('no');
    }),
  );
  const tables = await database.run("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY name");
  return tables.rows;
}

/** @param {Case} given */
export async function hang({ stub, parameters }) {
  const database = new SqlDatabase(stub);
  await makeTables(database);
  const session = new SqlSession(stub, { idleMs: 300, longestMs: Number(parameters.longest ?? 20000) });
  const started = Date.now();
  await session.step(JSON.stringify({ steps: [[INSERT, ['hung'], 'run']] }));
  const other = database.run('SELECT count(*) FROM t');
  if (parameters.longest) {
    while (!session.over) {
      await sleep(100);
      await session.step('{"steps":[["SELECT 1"]]}');
    }
  }
  const seen = (await other).rows[0][0];
  const waited = Date.now() - started;
  const after = JSON.parse(await session.step(JSON.stringify({ steps: [[INSERT, ['late'], 'run']], end: 'commit' })));
  await database.transaction(WAYS.queued);
  return { seen, quick: waited < 5000, error: after.error, ended: after.ended, ...(await readState(database)) };
}

/** Leaves a transaction open when the request ends. @param {Case} given */
export async function leave({ stub }) {
  const database = new SqlDatabase(stub);
  await makeTables(database);
  await new SqlSession(stub).step(JSON.stringify({ steps: [[INSERT, ['left'], 'run']] }));
  return 'left';
}

/** Holds a transaction open until the process is killed. @param {Case} given */
export async function hold({ stub }) {
  const database = new SqlDatabase(stub);
  await makeTables(database);
  await database.transaction(WAYS.queued);
  const session = new SqlSession(stub);
  await session.step(JSON.stringify({ steps: [[INSERT, ['held'], 'run'], [COUNT, [], 'run']] }));
  return 'held';
}

/** @param {Case} given */
export async function state({ stub }) {
  return readState(new SqlDatabase(stub));
}

/** A queue that is longer than its patience: who waits gives up, and takes nothing with it. @param {Case} given */
export async function busy({ stub }) {
  const database = new SqlDatabase(stub);
  await makeTables(database);
  const first = new SqlSession(stub);
  await first.step(JSON.stringify({ steps: [[INSERT, ['first'], 'run']] }));
  const second = new SqlSession(stub, { busyMs: 200 });
  const answer = JSON.parse(await second.step(JSON.stringify({ steps: [[INSERT, ['second'], 'run']] })));
  await first.step('{"steps":[],"end":"commit"}');
  return { error: answer.error, ...(await readState(database)) };
}

/** @param {Case} given */
export async function versions({ stub }) {
  const database = new SqlDatabase(stub);
  await makeTables(database);
  const look = async () => JSON.parse(await stub.query('{"steps":[["SELECT n FROM counter"]],"watch":true}')).version;
  const before = await look();
  const same = before === (await look());
  const begin = (/** @type {string} */ since, /** @type {string | undefined} */ end) =>
    new SqlSession(stub).step(JSON.stringify({ steps: [[COUNT, [], 'run']], since, end }), end !== undefined);
  const kept = JSON.parse(await begin(before, 'commit'));
  const refused = [JSON.parse(await begin(before, 'commit')), JSON.parse(await begin(before, undefined))];
  await database.run('CREATE TABLE u(a)');
  const afterSchema = await look();
  await database.run('DROP TABLE u');
  return {
    same,
    kept: kept.error ?? 'kept',
    refused: refused.map(({ error, ended }) => [error, ended]),
    noticesSchema: afterSchema !== (await look()),
    ...(await readState(database)),
  };
}

/** Objects of different names are different databases. @param {Case} given */
export async function shards({ env, stubOf }) {
  const databases = ['shard/one', 'shard/two'].map((name) => new SqlDatabase(stubOf(env, name)));
  for (const database of databases) await makeTables(database);
  const open = new SqlTransaction(databases[0].stub);
  await open.run(INSERT, ['one'], 'run');
  await databases[1].transaction(WAYS.queued);
  await open.commit();
  return Promise.all(databases.map(readState));
}

/** @param {Case} given sql statements of one transaction, as JSON */
export async function statements({ stub, parameters }) {
  const database = new SqlDatabase(stub);
  const told = [];
  for (const [sql, ...rest] of JSON.parse(parameters.before)) told.push((await database.run(sql, ...rest)).rows);
  const session = new SqlSession(stub);
  for (const message of JSON.parse(parameters.messages)) {
    told.push(JSON.parse(await session.step(JSON.stringify(message))));
  }
  for (const [sql, ...rest] of JSON.parse(parameters.after)) told.push((await database.run(sql, ...rest)).rows);
  return told;
}

/** Read-modify-write without a transaction: what the object's transactions are there to prevent. @param {Case} given */
export async function loseUpdates({ stub, parameters }) {
  const database = new SqlDatabase(stub);
  await makeTables(database);
  await Promise.all(
    Array.from({ length: Number(parameters.writers) }, async () => {
      const { rows } = await database.run('SELECT n FROM counter');
      await database.run(`UPDATE counter SET n = ${Number(rows[0][0]) + 1}`);
    }),
  );
  return readState(database);
}

/**
 * Transactions that come at once, each ending in another way; some share a commit. Each member begins with an INSERT of
 * its name; `shared` tells whether one was open inside while another's commit had not been answered.
 * @param {Case} given
 */
export async function groups({ stub, parameters }) {
  const database = new SqlDatabase(stub);
  await makeTables(database);
  await database.run('CREATE TABLE child(parent REFERENCES t DEFERRABLE INITIALLY DEFERRED)');
  const version = JSON.parse(await stub.query('{"steps":[["SELECT n FROM counter"]],"watch":true}')).version;
  const counter = [COUNT, [], 'run'];
  const ends = {
    commit: { steps: [counter], end: 'commit' },
    rollback: { steps: [counter], end: 'rollback' },
    fails: { steps: [counter, ['INSERT INTO counter VALUES(1, 1)', [], 'run']] },
    violates: { steps: [['INSERT INTO child VALUES(-1)', [], 'run'], counter], end: 'commit' },
    undoes: { steps: [{ savepoint: true }, [INSERT, ['undone'], 'run'], { undo: 0 }, counter], end: 'commit' },
    defers: { steps: [['PRAGMA defer_foreign_keys = ON'], counter], end: 'commit' },
    stale: { steps: [counter], end: 'commit' },
    leaves: null,
  };
  const told = /** @type {Record<string, Set<unknown>>} */ ({});
  const state = { unanswered: 0, shared: 0, commits: 0 };
  const take = async (/** @type {string} */ name) => {
    const session = new SqlSession(stub);
    const say = async (/** @type {unknown} */ message) => JSON.parse(await session.step(JSON.stringify(message)));
    const since = name === 'stale' ? version : undefined;
    let answer = await say({ steps: [[INSERT, [name], 'run']], since });
    if (state.unanswered > 0) state.shared += 1;
    const end = /** @type {any} */ (ends)[name];
    if (end === null) session.abandon('gone');
    else if (!session.over) {
      const commits = name === 'commit';
      if (commits) state.unanswered += 1;
      answer = await say(end);
      if (commits) state.unanswered -= 1;
    }
    if (!session.over) await say({ steps: [], end: 'rollback' });
    told[name] ??= new Set();
    told[name].add(answer.error ?? 'done');
  };
  const names = Object.keys(ends).sort((a, b) => Number(b === 'commit') - Number(a === 'commit'));
  for (let round = 0; round < Number(parameters.rounds); round += 1) {
    await Promise.all([...names, 'commit', ...names].map(take));
  }
  const { rows } = await database.run('SELECT v, count(*) FROM t GROUP BY v ORDER BY v');
  const answers = Object.entries(told).map(([name, found]) => [name, [...found]]);
  return { shared: state.shared, answers: Object.fromEntries(answers), kept: rows, ...(await readState(database)) };
}
