// @ts-check
/**
 * Transactions of a SQL object that share one commit, and with it one wait for the disk: those that came while another
 * one ran are savepoints of one transaction of the storage. Each is answered once that one is committed; what fails or
 * is rolled back takes only its own writes back.
 *
 * Who is done waits for those behind it in its group, so groups grow from one as long as their members are quick, and
 * begin at one again after a member that was not.
 */

/** Members of a group at most, and how long it takes in others. */
const MOST = 16;
const OPEN_MS = 50;
/** A member that takes longer is slow: its caller waits for something else than this object. */
const SLOW_MS = 25;

/**
 * Let those in who came while the object was closed. Events get in by turns, so what waits for any input comes after
 * them. A timer would not do: while callers of the same process keep it busy, none fires.
 */
const letOthersIn = () => new Response(' ').text();

/** @typedef {(transaction: any) => Promise<void>} Work */
/**
 * @typedef {object} Member
 * @property {Work} work
 * @property {boolean} alone
 * @property {() => void} kept
 * @property {(error: unknown) => void} failed
 */

export class Groups {
  /** @type {Member[]} */
  #waiting = [];
  #running = false;
  #most = 1;
  #ends = false;

  /** @param {any} storage of the Durable Object */
  constructor(storage) {
    this.storage = storage;
  }

  /**
   * Run `work` in a transaction, after those that came before; resolves when it is committed, rejects with what `work`
   * throws or with why the commit failed.
   * @param {Work} work gets the transaction, for its rollback()
   * @param {boolean} alone whether it must not share one
   * @returns {Promise<void>}
   */
  run(work, alone) {
    return new Promise((kept, failed) => {
      this.#waiting.push({ work, alone, kept: () => kept(undefined), failed });
      if (!this.#running) this.#runGroups();
    });
  }

  /** Let the transaction that runs be the last of its group: it leaves something behind that a commit ends. */
  end() {
    this.#ends = true;
  }

  async #runGroups() {
    this.#running = true;
    while (this.#waiting.length > 0) {
      if (this.#most === 1 || this.#waiting.length === 1 || this.#waiting[0].alone) await this.#runOne();
      else await this.#runGroup();
      await letOthersIn();
    }
    this.#running = false;
  }

  async #runOne() {
    const { work, kept, failed } = /** @type {Member} */ (this.#waiting.shift());
    const started = Date.now();
    await this.storage.transaction(work).then(kept, failed);
    this.#note(Date.now() - started);
  }

  async #runGroup() {
    const started = Date.now();
    /** @type {Member[]} */
    const done = [];
    this.#ends = false;
    try {
      await this.storage.transaction(async () => {
        for (let count = 0; count === 0 || this.#takesIn(count, started); count += 1) {
          const member = /** @type {Member} */ (this.#waiting.shift());
          const begun = Date.now();
          await this.storage.transaction(member.work).then(() => done.push(member), member.failed);
          this.#note(Date.now() - begun);
        }
      });
    } catch (error) {
      for (const { failed } of done) failed(error);
      return;
    }
    for (const { kept } of done) kept();
  }

  /**
   * @param {number} count of members so far
   * @param {number} started
   */
  #takesIn(count, started) {
    const next = this.#waiting[0];
    return next !== undefined && !next.alone && !this.#ends && count < this.#most && Date.now() - started < OPEN_MS;
  }

  /** @param {number} ms what a member took */
  #note(ms) {
    this.#most = ms > SLOW_MS ? 1 : Math.min(MOST, this.#most * 2);
  }
}
