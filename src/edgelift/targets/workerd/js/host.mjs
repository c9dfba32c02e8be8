// @ts-check
/**
 * What Python can ask of JavaScript: the module `_edgelift_host`. The contract is written in
 * src/edgelift/worker/runtime.py (PROTOCOL).
 */
import { pbkdf2Sync, scryptSync } from 'node:crypto';
import { env, waitUntil } from 'cloudflare:workers';
import { d1Query } from './d1_query.mjs';
import { checkSchemaReads } from './schema_reads.mjs';
import { SqlSession } from './sql_session.mjs';
import { toBound } from './sql_values.mjs';

export const HOST_MODULE = '_edgelift_host';

/** How long a waiting request sleeps at most before it looks at its mailbox: workerd ends requests that seem hung. */
const LONGEST_SLEEP_MS = 100;

/**
 * One request in flight, as far as Python may come back to it.
 * @typedef {object} RequestRecord
 * @property {ReadableStreamDefaultReader<Uint8Array> | null} body
 * @property {{ at: number, token: number }[]} mailbox
 * @property {(() => void) | null} wake
 * @property {boolean} pumping
 * @property {boolean} over
 * @property {Answer | null} answer
 * @property {Set<number> | null} sessions the transactions it has begun and not ended
 */

/** @typedef {{ status: number, headers: string, content: Uint8Array | undefined, streamId: number }} Answer */

/** @type {Map<number, RequestRecord>} */
const requests = new Map();
let lastRequestId = 0;

/** @type {(token: number) => Promise<unknown>} set once Python runs */
let runCallback = async () => undefined;

/**
 * Open transactions in SQL objects by the number Python gave them, each ending with its request.
 * @type {Map<number, { session: SqlSession, requestId: number }>}
 */
const sessions = new Map();

/**
 * @param {number} number
 * @param {string} why
 */
function abandonSession(number, why) {
  sessions.get(number)?.session.abandon(`the transaction was rolled back: ${why}: SQLITE_ABORT`);
  forgetSession(number);
}

/** @param {number} number */
function forgetSession(number) {
  const held = sessions.get(number);
  if (!held) return;
  sessions.delete(number);
  requests.get(held.requestId)?.sessions?.delete(number);
}

/**
 * @param {number} number
 * @param {SqlSession} session
 * @param {number} requestId
 */
function holdSession(number, session, requestId) {
  sessions.set(number, { session, requestId });
  const record = requests.get(requestId);
  if (!record) return;
  record.sessions ??= new Set();
  record.sessions.add(number);
}

/** @param {RequestRecord} record */
function endSessions(record) {
  for (const number of record.sessions ?? []) {
    console.error('edgelift: a transaction was still open when its request ended; it was rolled back');
    abandonSession(number, 'its request is over');
  }
}

/**
 * Wait for what belongs to another request's I/O context; without a timer of its own workerd takes a request that only
 * waits for another one for hung.
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
async function waitForeign(promise) {
  let over = false;
  const settled = promise.finally(() => {
    over = true;
  });
  while (!over) await Promise.race([settled, scheduler.wait(LONGEST_SLEEP_MS)]);
  return settled;
}

/** Python's memory, which moves when it grows. @type {() => Uint8Array} */
let readMemory = () => new Uint8Array();

/**
 * @param {(token: number) => Promise<unknown>} callback
 * @param {() => Uint8Array} memory
 */
export function connectPython(callback, memory) {
  runCallback = callback;
  readMemory = memory;
}

/**
 * @param {ReadableStream<Uint8Array> | null} body to be read piece by piece, or null
 * @returns {number} the new request's id
 */
export function openRequest(body) {
  lastRequestId += 1;
  requests.set(lastRequestId, {
    body: body ? body.getReader() : null,
    mailbox: [],
    wake: null,
    pumping: false,
    over: false,
    answer: null,
    sessions: null,
  });
  return lastRequestId;
}

/**
 * @param {number} id
 * @returns {boolean} whether Python posted callbacks for it
 */
export function closeRequest(id) {
  const record = requests.get(id);
  if (!record) return false;
  record.over = true;
  if (record.sessions) endSessions(record);
  record.body?.cancel().catch(() => {});
  if (!record.pumping) requests.delete(id);
  record.wake?.();
  return record.pumping;
}

/**
 * @param {number} id
 * @returns {Answer} what Python replied
 */
export function takeAnswer(id) {
  const answer = requests.get(id)?.answer;
  if (!answer) throw new Error('Python ended a request without a reply');
  return answer;
}

/**
 * Run a request's callbacks inside its own I/O context until it is over and none is left.
 * @param {number} id
 * @param {RequestRecord} record
 */
async function pump(id, record) {
  while (!record.over || record.mailbox.length > 0) {
    const now = Date.now();
    const due = record.mailbox.filter((entry) => entry.at <= now);
    record.mailbox = record.mailbox.filter((entry) => entry.at > now);
    for (const { token } of due) runCallback(token).catch(logFailure);
    const next = Math.min(LONGEST_SLEEP_MS, ...record.mailbox.map((entry) => entry.at - now));
    await Promise.race([
      scheduler.wait(due.length > 0 ? 0 : next),
      new Promise((resolve) => {
        record.wake = () => resolve(undefined);
      }),
    ]);
  }
  requests.delete(id);
}

/** @param {unknown} error */
function logFailure(error) {
  console.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
}

/**
 * @param {string} kind
 * @param {string} name
 */
function findBinding(kind, name) {
  const bound = /** @type {any} */ (env)[name];
  if (bound) return bound;
  const reason = env.UNSAFE_EVAL ? 'the database is not reachable while the snapshot is made' : 'no such binding';
  throw new Error(`${kind} binding ${name}: ${reason}`);
}

/**
 * @param {any} stub of a SQL object
 * @param {string} message
 */
async function checkMessage(stub, message) {
  const { steps, names } = JSON.parse(message);
  await checkSchemaReads(
    [...steps.filter((/** @type {unknown} */ step) => Array.isArray(step)), names],
    async (asked) => {
      const answer = JSON.parse(await stub.query(JSON.stringify({ steps: [asked] })));
      if (answer.error) throw new Error(answer.error);
      return answer.results[0].rows;
    },
  );
}

const LOST_SESSION = JSON.stringify({
  results: [],
  error: 'the transaction was rolled back when the request that began it ended: SQLITE_ABORT',
  ended: true,
});

export const host = {
  /**
   * @param {string} binding
   * @param {string} requestJson
   */
  async d1(binding, requestJson) {
    const database = findBinding('D1', binding);
    if (env.UNSAFE_EVAL) {
      const { statements, names } = JSON.parse(requestJson);
      await checkSchemaReads([...statements, names], ([sql, params]) =>
        database
          .prepare(sql)
          .bind(...params.map(toBound))
          .raw(),
      );
    }
    return d1Query(database, requestJson);
  },

  /**
   * @param {string} binding
   * @param {string} shard
   * @param {number} number of the transaction, 0 outside of one
   * @param {boolean} begins
   * @param {number} busyMs
   * @param {number} requestId
   * @param {string} message
   */
  async sql(binding, shard, number, begins, busyMs, requestId, message) {
    if (number === 0 || begins) {
      const namespace = findBinding('SQL object', binding);
      const stub = namespace.get(namespace.idFromName(shard ? `${binding}/${shard}` : binding));
      if (env.UNSAFE_EVAL) await checkMessage(stub, message);
      if (number === 0) return stub.query(message);
      holdSession(number, new SqlSession(stub, { busyMs }), requestId);
    }
    const held = sessions.get(number);
    if (!held) return LOST_SESSION;
    if (env.UNSAFE_EVAL && !begins && JSON.parse(message).steps.length > 0) {
      throw new Error('a transaction cannot go on while the snapshot is made');
    }
    const step = held.session.step(message);
    const answer = await (held.requestId === requestId ? step : waitForeign(step));
    if (held.session.over) forgetSession(number);
    return answer;
  },

  /** @param {number} number */
  sql_is_open(number) {
    return sessions.has(number);
  },

  /** @param {number} number */
  sql_abandon(number) {
    abandonSession(number, 'its connection is gone');
  },

  /**
   * Where a database server is and as whom to open it. The credentials of this start are not in the configuration.
   * @param {string} binding
   * @returns {string} JSON
   */
  hyperdrive(binding) {
    const bound = /** @type {any} */ (env)[binding];
    if (!bound) {
      const reason = env.UNSAFE_EVAL ? 'the database is not reachable while the snapshot is made' : 'no such binding';
      return JSON.stringify({ error: `Hyperdrive binding ${binding}: ${reason}` });
    }
    const told = JSON.parse(env.EDGELIFT_HYPERDRIVE ?? '{}')[binding];
    if (!told) return JSON.stringify({ error: `Hyperdrive binding ${binding}: no server was told at this start` });
    return JSON.stringify({ host: bound.host, port: bound.port, ...told });
  },

  /**
   * @param {number} id
   * @param {number} status
   * @param {string} headers
   * @param {number} address of the body's bytes, which may move or end with the next call of Python; 0 for none
   * @param {number} size
   * @param {number} streamId
   */
  reply(id, status, headers, address, size, streamId) {
    const record = requests.get(id);
    if (!record) return;
    const content = address === 0 ? undefined : readMemory().slice(address, address + size);
    record.answer = { status, headers, content, streamId };
  },

  /** @param {number} ms */
  async sleep(ms) {
    await scheduler.wait(Math.max(0, ms));
  },

  /**
   * @param {number} id
   * @param {number} delayMs
   * @param {number} token
   */
  post(id, delayMs, token) {
    if (id === 0) {
      setTimeout(() => runCallback(token).catch(logFailure), Math.max(0, delayMs));
      return true;
    }
    const record = requests.get(id);
    if (!record) return false;
    record.mailbox.push({ at: Date.now() + Math.max(0, delayMs), token });
    if (!record.pumping) {
      record.pumping = true;
      waitUntil(pump(id, record));
    } else record.wake?.();
    return true;
  },

  /** @param {number} id */
  async read_body(id) {
    const reader = requests.get(id)?.body;
    if (!reader) return undefined;
    const { done, value } = await reader.read();
    return done ? undefined : value;
  },

  /** @param {Promise<unknown>} promise */
  wait_until(promise) {
    waitUntil(Promise.resolve(promise).catch(logFailure));
  },

  /**
   * @param {string} digest
   * @param {Uint8Array} password
   * @param {Uint8Array} salt
   * @param {number} iterations
   * @param {number} size
   */
  pbkdf2(digest, password, salt, iterations, size) {
    return new Uint8Array(pbkdf2Sync(password, salt, iterations, size, digest));
  },

  /**
   * @param {Uint8Array} password
   * @param {Uint8Array} salt
   * @param {number} N
   * @param {number} r
   * @param {number} p
   * @param {number} maxmem
   * @param {number} size
   */
  scrypt(password, salt, N, r, p, maxmem, size) {
    return new Uint8Array(scryptSync(password, salt, size, { N, r, p, maxmem }));
  },
};
