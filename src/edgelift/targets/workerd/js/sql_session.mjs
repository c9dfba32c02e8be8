// @ts-check
/**
 * The caller's side of a transaction in a SQL object (sql_object.mjs): hands the object the messages it pulls, and ends
 * the transaction in time when its caller does not go on. It runs where the caller runs: in the local runtime's worker,
 * or in the gateway beside the object (sql_gateway.mjs).
 *
 * While a transaction is open nobody else gets at the object, and after 30 s Cloudflare resets it with all who wait. So
 * a transaction that hears nothing for IDLE_MS, or is older than LONGEST_MS, is rolled back from here.
 */
import { messageOf } from './sql_values.mjs';

/** As long as SQLite's own connections wait for a lock by default (sqlite3.connect, timeout). */
export const IDLE_MS = 5_000;
/** Object resets come at 30 s (measured: python-holes.md section 3). */
export const LONGEST_MS = 20_000;

const ROLLBACK = '{"steps":[],"end":"rollback"}';

/**
 * @typedef {object} SqlStub a SQL object as its caller sees it
 * @property {(message: string) => Promise<string>} query
 * @property {(next: ((answer: string) => Promise<string>) | undefined, first: string) => Promise<string>} transact
 */
/** @typedef {{ idleMs?: number, longestMs?: number, busyMs?: number }} Limits */

/** @param {string} text */
const toError = (text) => JSON.stringify({ results: [], error: text, ended: true });

/** One transaction; each `step` sends a message and gives the object's answer, as JSON texts. */
export class SqlSession {
  /** Why it is over, "" while it is not. */
  #over = '';
  #started = 0;
  /** @type {((answer: string) => void) | null} who waits for an answer */
  #answer = null;
  /** @type {((message: string) => void) | null} how the object gets its next message */
  #give = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** The answer to the last message: a connection that several use at once sends one after the other. */
  #last = Promise.resolve('');

  /**
   * @param {SqlStub} stub
   * @param {Limits} [limits] busyMs: how long to wait for those before us
   */
  constructor(stub, { idleMs = IDLE_MS, longestMs = LONGEST_MS, busyMs = 0 } = {}) {
    this.stub = stub;
    this.idleMs = idleMs;
    this.longestMs = longestMs;
    this.busyMs = busyMs;
  }

  get over() {
    return this.#over !== '';
  }

  /**
   * @param {string} message the first one begins the transaction
   * @param {boolean} [whole] whether it also ends it (first message only)
   * @returns {Promise<string>} never rejects: what goes wrong is an answer with an error
   */
  step(message, whole = false) {
    const answer = this.#last.then(() => this.#stepNow(message, whole));
    this.#last = answer;
    return answer;
  }

  /**
   * @param {string} message
   * @param {boolean} whole
   * @returns {Promise<string>}
   */
  #stepNow(message, whole) {
    if (this.#over) return Promise.resolve(toError(this.#over));
    return new Promise((resolve) => {
      this.#answer = resolve;
      if (this.#started) this.#send(message);
      else this.#begin(message, whole);
    });
  }

  /** Roll back what is open, since nobody will go on with it. @param {string} reason */
  abandon(reason) {
    if (this.#over) return;
    this.#over = reason;
    this.#send(ROLLBACK);
  }

  /**
   * @param {string} message
   * @param {boolean} whole
   */
  #begin(message, whole) {
    this.#started = Date.now();
    if (this.busyMs && !whole) {
      this.#timer = setTimeout(() => this.#finish(toError('database is locked: SQLITE_BUSY')), this.busyMs);
    }
    this.stub.transact(whole ? undefined : (answer) => this.#pull(answer), message).then(
      (answer) => this.#finish(answer),
      (error) => this.#finish(toError(`the transaction was rolled back: ${messageOf(error)}`)),
    );
  }

  /**
   * Take the answer to a message and give the next one; called by the object.
   * @param {string} answer
   * @returns {Promise<string>}
   */
  #pull(answer) {
    clearTimeout(this.#timer);
    if (this.#over) return Promise.resolve(ROLLBACK);
    return new Promise((resolve) => {
      this.#give = resolve;
      const left = this.longestMs - (Date.now() - this.#started);
      this.#timer = setTimeout(() => this.#expire(), Math.max(0, Math.min(this.idleMs, left)));
      const answered = this.#answer;
      this.#answer = null;
      answered?.(answer);
    });
  }

  #expire() {
    const age = Date.now() - this.#started;
    const why = age + 50 >= this.longestMs ? `open for ${age} ms` : `idle for ${this.idleMs} ms`;
    this.abandon(`the transaction was rolled back: it was ${why}, and others wait for it: SQLITE_ABORT`);
  }

  /** @param {string} message */
  #send(message) {
    clearTimeout(this.#timer);
    const give = this.#give;
    this.#give = null;
    give?.(message);
  }

  /** @param {string} answer the last one */
  #finish(answer) {
    clearTimeout(this.#timer);
    this.#over ||= JSON.parse(answer).error ?? 'the transaction is over: SQLITE_MISUSE';
    this.#answer?.(answer);
    this.#answer = null;
  }
}
