// @ts-check
/**
 * What Python can ask of JavaScript: the module `_edgelift_host`. The contract is written in
 * src/edgelift/worker/runtime.py (PROTOCOL).
 */
import { pbkdf2Sync, scryptSync } from 'node:crypto';
import { env, waitUntil } from 'cloudflare:workers';
import { d1Query } from './d1_query.mjs';

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
 */

/** @typedef {{ status: number, headers: string, content: Uint8Array | undefined, streamId: number }} Answer */

/** @type {Map<number, RequestRecord>} */
const requests = new Map();
let lastRequestId = 0;

/** @type {(token: number) => Promise<unknown>} set once Python runs */
let runCallback = async () => undefined;

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

export const host = {
  /**
   * @param {string} binding
   * @param {string} requestJson
   */
  async d1(binding, requestJson) {
    const database = /** @type {any} */ (env)[binding];
    if (!database) {
      const reason = env.UNSAFE_EVAL ? 'the database is not reachable while the snapshot is made' : 'no such binding';
      throw new Error(`D1 binding ${binding}: ${reason}`);
    }
    return d1Query(database, requestJson);
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
