// @ts-check
/**
 * JavaScript's way to a SQL object: statements of a transaction are queued until somebody awaits one, then all go in
 * one message; COMMIT rides on the last. A transaction of which nothing was awaited goes as a whole, in one call.
 */
import { SqlSession } from './sql_session.mjs';

/** @typedef {import('./sql_session.mjs').SqlStub} SqlStub */
/** @typedef {import('./sql_session.mjs').Limits} Limits */
/** @typedef {{ rows: unknown[][], columns?: string[], meta?: { changes: number } }} Result */
/** @typedef {[string, unknown[], string]} Statement */
/** @typedef {Statement | { savepoint: true } | { release: number } | { undo: number }} Step */

/** An error of SQLite or of the transaction. */
export class SqlError extends Error {
  /**
   * @param {string} message
   * @param {boolean} ended whether the transaction is over
   */
  constructor(message, ended) {
    super(message);
    this.name = 'SqlError';
    this.ended = ended;
  }
}

/** @param {string} text */
function readAnswer(text) {
  /** @type {{ results: Result[], error?: string, ended?: boolean }} */
  const answer = JSON.parse(text);
  return answer;
}

/** A statement that has been queued; awaiting it sends the queue. */
class Queued {
  /**
   * @param {SqlTransaction} transaction
   * @param {Promise<Result>} result
   */
  constructor(transaction, result) {
    this.transaction = transaction;
    this.result = result;
  }

  /**
   * @template A, B
   * @param {(result: Result) => A | PromiseLike<A>} [resolved]
   * @param {(error: unknown) => B | PromiseLike<B>} [rejected]
   */
  // biome-ignore lint/suspicious/noThenProperty: being awaited is what sends it
  then(resolved, rejected) {
    this.transaction.flush();
    return this.result.then(resolved, rejected);
  }
}

export class SqlTransaction {
  /** @type {Step[]} */
  #steps = [];
  /** @type {{ resolve: (result: Result) => void, reject: (error: unknown) => void }[]} */
  #waiting = [];
  /** @type {Promise<unknown>} */
  #sent = Promise.resolve();
  #begun = false;
  /** @type {unknown} the first failure of a statement that nobody awaited */
  #failed = null;
  #savepoints = 0;

  /**
   * @param {SqlStub} stub
   * @param {Limits} [limits]
   */
  constructor(stub, limits) {
    this.session = new SqlSession(stub, limits);
  }

  /**
   * Queue a statement. Await the returned object for its result; one that is not awaited goes with the next that is.
   * @param {string} sql
   * @param {unknown[]} [params]
   * @param {string} [form] how rows come back, see sql_object.mjs
   */
  run(sql, params = [], form = 'raw') {
    this.#steps.push([sql, params, form]);
    const result = new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
    result.catch(() => {});
    return new Queued(this, /** @type {Promise<Result>} */ (result));
  }

  /**
   * Run `work` in a savepoint: what it throws takes its writes back, and is thrown again.
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async savepoint(work) {
    const number = this.#savepoints;
    this.#savepoints += 1;
    this.#steps.push({ savepoint: true });
    try {
      const result = await work();
      this.#steps.push({ release: number });
      return result;
    } catch (error) {
      this.#steps.push({ undo: number }, { release: number });
      this.#failed = null;
      throw error;
    } finally {
      this.#savepoints = number;
    }
  }

  /** Send what is queued. */
  flush() {
    if (this.#waiting.length > 0) this.#sent = this.#send();
    return this.#sent;
  }

  /** @param {'commit' | 'rollback'} [end] */
  #send(end) {
    const steps = this.#steps;
    const waiting = this.#waiting;
    this.#steps = [];
    this.#waiting = [];
    const whole = end !== undefined && !this.#begun;
    const nested = steps.some((step) => !Array.isArray(step));
    this.#begun = true;
    const before = this.#sent;
    return before.then(async () => {
      const message = JSON.stringify({ steps, end });
      const answer = readAnswer(await this.session.step(message, whole && !nested));
      answer.results.forEach((result, index) => {
        waiting[index].resolve(result);
      });
      if (answer.error === undefined) return;
      const error = new SqlError(answer.error, answer.ended === true);
      for (const { reject } of waiting.slice(answer.results.length)) reject(error);
      this.#failed ??= error;
    });
  }

  /** Commit with the last statements; throws what any statement failed with that was not dealt with. */
  async commit() {
    await this.#sent;
    const failed = this.#failed;
    if (!this.#begun && this.#steps.length === 0) return;
    await this.#send(failed ? 'rollback' : 'commit');
    if (this.#failed) throw this.#failed;
  }

  async rollback() {
    this.#steps = [];
    for (const { reject } of this.#waiting) reject(new SqlError('the transaction was rolled back', true));
    this.#waiting = [];
    if (this.#begun && !this.session.over) await this.#send('rollback');
  }
}

export class SqlDatabase {
  /**
   * @param {SqlStub} stub
   * @param {Limits} [limits]
   */
  constructor(stub, limits) {
    this.stub = stub;
    this.limits = limits;
  }

  /**
   * Run one statement, committed at once if it writes.
   * @param {string} sql
   * @param {unknown[]} [params]
   * @param {string} [form]
   * @returns {Promise<Result>}
   */
  async run(sql, params = [], form = 'raw') {
    const answer = readAnswer(await this.stub.query(JSON.stringify({ steps: [[sql, params, form]] })));
    if (answer.error !== undefined) throw new SqlError(answer.error, true);
    return answer.results[0];
  }

  /**
   * Run `work` in a transaction: committed when it returns, rolled back when it throws.
   * @template T
   * @param {(transaction: SqlTransaction) => Promise<T>} work
   * @returns {Promise<T>}
   */
  async transaction(work) {
    const transaction = new SqlTransaction(this.stub, this.limits);
    try {
      const result = await work(transaction);
      await transaction.commit();
      return result;
    } catch (error) {
      await transaction.rollback();
      throw error;
    }
  }
}
