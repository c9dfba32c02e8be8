// @ts-check
/**
 * The SQL object: one SQLite database in a Durable Object with real transactions for callers elsewhere. It runs as it
 * is on Cloudflare (build/sql) and on the local runtime.
 *
 * `storage.transaction()` closes the object to everyone until its closure ends, so statements cannot be sent into it:
 * the closure pulls them. `transact(next, first)` runs the message `first` and asks `next(answer)` for each further one
 * until a message ends the transaction. Savepoints are nested transactions. Messages and answers are JSON texts:
 *
 * message  {"steps": [step, ...], "end"?: "commit" | "rollback", "atomic"?: true, "names"?: [sql, [param, ...]],
 *           "watch"?: true, "since"?: version}
 *          step: [sql, [param, ...], form?], forms and parameters as in d1_query.mjs, and the form "group": the only
 *          cell is the JSON array of all rows; or {"savepoint": true}, {"release": n}, {"undo": n}, where n counts the
 *          open savepoints from 0: "release" keeps what n and those inside it did, "undo" takes it back and leaves n
 *          open. "atomic": when a statement fails, those before it in this message are taken back too. "since": begin
 *          only if nobody has written since that version; `watch` asks for the version.
 * answer   {"results": [{"rows": [...], "columns"?: [...], "meta"?: {"changes": n, "counters": [changed, rowid]}}, ...],
 *           "names"?: [...], "version"?: text, "error"?: "message of SQLite: SQLITE_CODE", "ended"?: true}
 *          `changes` counts what triggers and foreign keys did too; the counters are SQLite's changes() and
 *          last_insert_rowid().
 *          With an error, `results` are those of the statements before; the transaction goes on, also when the message
 *          was to end it (unless there is no `next` to go on with: then it is rolled back).
 *
 * Those that wait when one ends share a commit (sql_groups.mjs); each is answered when it is made.
 *
 * A caller that is gone breaks `next`, which rolls back. One that hangs is the caller's side to end
 * (sql_session.mjs): a timer here does not interrupt a transaction (python-holes.md section 3).
 */
import { DurableObject } from 'cloudflare:workers';
import { Groups } from './sql_groups.mjs';
import { encodeBlob, messageOf, spliceRows, toBound } from './sql_values.mjs';

/** @typedef {[string, unknown[]?, string?]} Statement */
/** @typedef {Statement | { savepoint: true } | { release: number } | { undo: number }} Step */
/**
 * @typedef {object} Message
 * @property {Step[]} steps
 * @property {'commit' | 'rollback'} [end]
 * @property {boolean} [atomic]
 * @property {Statement} [names]
 * @property {boolean} [watch]
 * @property {string} [since]
 */
/** @typedef {(answer: string) => Promise<string>} Next */
/**
 * How a level of a transaction is left: `open` savepoints stay open.
 * @typedef {{ open: number, undo: boolean, again: boolean }} Leave
 */

const BUSY = 'database is locked: SQLITE_BUSY';
const UNKEPT = 'FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)';

/**
 * Deferred foreign keys. At a commit that violates one workerd resets the object, with all who wait for it, so it must
 * be known before. SQLite shows its counter of open violations nowhere, but while it is not zero an INSERT into a
 * parent table reads the children (fkey.c, fkScanChildren), which `rowsRead` counts: these tables are read for that.
 */
const PROBE_ROWS = 20;
const PROBE = [
  'CREATE TABLE IF NOT EXISTS _edgelift_parent(id INTEGER PRIMARY KEY)',
  'CREATE TABLE IF NOT EXISTS _edgelift_child' +
    '(id INTEGER PRIMARY KEY, parent REFERENCES _edgelift_parent DEFERRABLE INITIALLY DEFERRED)',
  'INSERT OR IGNORE INTO _edgelift_parent VALUES(1)',
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${PROBE_ROWS}) ` +
    'INSERT OR IGNORE INTO _edgelift_child SELECT i, 1 FROM n',
];
const DEFERS = /\bdeferrable\b|\bdefer_foreign_keys\b/i;
/** What makes SQLite itself roll the whole transaction back, beneath workerd, which then resets the object. */
const ROLLS_BACK = /\bor\s+rollback\b|\braise\s*\(\s*rollback\b/i;
const SCHEMA =
  "SELECT total(sql LIKE '%deferrable%'), total(sql LIKE '%raise%rollback%' AND type = 'trigger') FROM sqlite_master";
const COUNTERS = 'SELECT json_array(total_changes(), changes(), last_insert_rowid())';
const CONSTRAINT = /SQLITE_CONSTRAINT/;

/** @param {unknown} cell */
const fromCell = (cell) => (cell instanceof ArrayBuffer ? encodeBlob(new Uint8Array(cell)) : cell);

/** What a message has brought about so far, as the answer to it. */
class Answer {
  constructor() {
    /** @type {string[]} */
    this.results = [];
    /** @type {Record<string, unknown>} */
    this.rest = {};
  }

  toText() {
    const rest = JSON.stringify(this.rest);
    return `{"results":[${this.results.join(',')}]${rest === '{}' ? '' : `,${rest.slice(1, -1)}`}}`;
  }
}

/** The messages of one transaction, step by step. */
class Turn {
  /**
   * @param {Next | undefined} next
   * @param {Message} message
   * @param {() => void} isKept throws when the transaction cannot be committed as it is
   */
  constructor(next, message, isKept) {
    this.next = next;
    this.isKept = isKept;
    this.message = message;
    this.position = 0;
    this.answer = new Answer();
  }

  /**
   * The next step, or null at the end of the transaction.
   * @returns {Promise<Step | null>}
   */
  async read() {
    for (;;) {
      if (this.position < this.message.steps.length) return this.message.steps[this.position++];
      if (this.message.end === 'commit') this.check();
      if (this.message.end) return null;
      if (!this.next) throw new Error('the transaction has no end, and nobody to ask for it');
      this.message = JSON.parse(await this.next(this.answer.toText()));
      this.position = 0;
      this.answer = new Answer();
    }
  }

  /** As in SQLite, a transaction that cannot be committed goes on. */
  check() {
    try {
      this.isKept();
    } catch (error) {
      this.answer.rest.error = messageOf(error);
      this.message.end = this.next ? undefined : 'rollback';
    }
  }

  /** @param {unknown} error */
  fail(error) {
    this.answer.rest.error = messageOf(error);
    this.position = this.message.steps.length;
    if (this.message.end) this.message.end = this.next ? undefined : 'rollback';
  }
}

export class SqlObject extends DurableObject {
  /** Changes with every commit that wrote, and with every start. */
  #commits = 0;
  /** @type {Groups} */
  #groups;
  #start = crypto.randomUUID();
  #wrote = false;
  /** SQLite's total_changes() after the last statement. */
  #changes = -1;
  /** Its changes() and last_insert_rowid() then, as JSON: a row number may be beyond what a Number holds. */
  #counters = '0,0';
  /** Whether foreign keys may be checked at the commit only. */
  #defers = false;
  /** Whether transactions must not share a commit: one may end those of others. */
  #apart = false;
  /** Whether the tables of the probe are there. */
  #probes = false;

  /**
   * @param {any} context
   * @param {unknown} env
   */
  constructor(context, env) {
    super(context, env);
    this.#groups = new Groups(context.storage);
    this.readSchema();
  }

  /** Look whether the schema defers foreign keys, and whether its triggers roll back. */
  readSchema() {
    const [[deferring, rolling]] = this.ctx.storage.sql.exec(SCHEMA).raw().toArray();
    this.#apart = Boolean(rolling);
    if (deferring) this.#prepareProbe();
    else this.#defers = false;
  }

  /** Let who watches the version know that rows were written past this class. */
  noteCommit() {
    this.#commits += 1;
  }

  get #version() {
    return `${this.#start}/${this.#commits}`;
  }

  /**
   * Run a message outside of a transaction: each statement for itself, or all or none when it is atomic.
   * @param {string} messageText
   * @returns {string}
   */
  query(messageText) {
    /** @type {Message} */
    const message = JSON.parse(messageText);
    const answer = new Answer();
    try {
      if (this.#defers) this.#runEach(message, answer);
      else this.#runAll(message, /** @type {Statement[]} */ (message.steps), answer);
    } catch (error) {
      this.#probes = false;
      answer.rest.error = messageOf(error);
    }
    this.#noteCommit();
    if (message.watch) answer.rest.version = this.#version;
    return answer.toText();
  }

  /**
   * Run a transaction; the answer is that to the message which ended it. Rejects when the caller is gone.
   * @param {Next | undefined} next not needed when the first message has an end
   * @param {string} firstText
   * @returns {Promise<string>}
   */
  async transact(next, firstText) {
    /** @type {Message} */
    const first = JSON.parse(firstText);
    const turn = new Turn(next, first, () => this.#checkKept());
    if (first.end && !next) return this.#transactWhole(turn);
    try {
      await this.#groups.run((transaction) => this.#runTurn(turn, transaction), this.#apart || ROLLS_BACK.test(firstText));
    } catch (error) {
      this.#probes = false;
      if (!turn.message.end) throw error;
      turn.fail(error);
    }
    turn.answer.rest.ended = true;
    return turn.answer.toText();
  }

  /**
   * Run the messages of a transaction inside it.
   * @param {Turn} turn
   * @param {any} transaction
   */
  async #runTurn(turn, transaction) {
    const { message } = turn;
    this.#wrote = false;
    try {
      if (message.since && message.since !== this.#version) {
        turn.fail(new Error(BUSY));
        message.end = 'rollback';
      }
      const { undo } = await this.#runLevel(turn, 0);
      if (!undo) return this.#noteCommit();
      transaction.rollback();
    } catch (error) {
      this.#noteUndone();
      throw error;
    }
    this.#noteUndone();
  }

  /** What was written is taken back, the tables of the probe maybe too. */
  #noteUndone() {
    this.#wrote = false;
    this.#probes = false;
  }

  /**
   * Run a transaction that came whole, at once.
   * @param {Turn} turn
   */
  #transactWhole({ message, answer }) {
    try {
      if (message.since && message.since !== this.#version) throw new Error(BUSY);
      this.ctx.storage.transactionSync(() => {
        this.#runAll(message, /** @type {Statement[]} */ (message.steps), answer);
        if (message.end === 'rollback') throw new RolledBack();
        this.#checkKept();
      });
    } catch (error) {
      this.#noteUndone();
      if (!(error instanceof RolledBack)) answer.rest.error = messageOf(error);
    }
    this.#noteCommit();
    answer.rest.ended = true;
    return answer.toText();
  }

  /**
   * Run statements where foreign keys may be deferred: what is not kept after a statement is its failure.
   * @param {Message} message
   * @param {Answer} answer
   */
  #runEach(message, answer) {
    const steps = /** @type {Statement[]} */ (message.steps);
    for (const part of message.atomic ? [steps] : steps.map((step) => [step])) {
      this.ctx.storage.transactionSync(() => {
        this.#runAll({ ...message, names: undefined }, part, answer);
        if (this.#wrote) this.#checkKept();
      });
    }
    this.#runAll(message, [], answer);
  }

  #prepareProbe() {
    for (const sql of PROBE) this.ctx.storage.sql.exec(sql);
    this.#defers = this.#probes = true;
  }

  /** Throw when a foreign key would be violated at the commit. */
  #checkKept() {
    if (!this.#defers || !this.#wrote) return;
    if (!this.#probes) this.#prepareProbe();
    let read = 0;
    try {
      this.ctx.storage.transactionSync(() => {
        read = this.ctx.storage.sql.exec('INSERT INTO _edgelift_parent VALUES(2)').rowsRead;
        throw new RolledBack();
      });
    } catch (error) {
      if (!(error instanceof RolledBack)) throw error;
    }
    this.#changes = -1;
    if (read >= PROBE_ROWS) throw new Error(UNKEPT);
  }

  #noteCommit() {
    if (this.#wrote) this.#commits += 1;
    this.#wrote = false;
  }

  /**
   * Run steps until the level with `open` savepoints is left.
   * @param {Turn} turn
   * @param {number} open
   * @returns {Promise<Leave>}
   */
  async #runLevel(turn, open) {
    for (;;) {
      const step = await turn.read();
      if (step === null) return { open: -1, undo: turn.message.end === 'rollback', again: false };
      if (Array.isArray(step)) this.#runStep(turn, step);
      else if ('savepoint' in step) {
        const leave = await this.#runSavepoint(turn, open + 1);
        if (leave.open < open) return leave;
      } else if ('release' in step) return { open: step.release, undo: false, again: false };
      else return { open: step.undo, undo: true, again: true };
    }
  }

  /**
   * @param {Turn} turn
   * @param {number} open with this savepoint
   * @returns {Promise<Leave>}
   */
  async #runSavepoint(turn, open) {
    for (;;) {
      const leave = await this.ctx.storage.transaction(async (transaction) => {
        const left = await this.#runLevel(turn, open);
        if (left.undo) {
          this.#probes = false;
          transaction.rollback();
        }
        return left;
      });
      if (!leave.again || leave.open !== open - 1) return leave;
    }
  }

  /**
   * Run a statement and, in an atomic message, all that follow.
   * @param {Turn} turn
   * @param {Statement} statement
   */
  #runStep(turn, statement) {
    const { message, answer } = turn;
    try {
      if (message.atomic || message.names) {
        const rest = message.steps.slice(turn.position);
        turn.position = message.steps.length;
        this.#runAll(message, /** @type {Statement[]} */ ([statement, ...rest]), answer);
      } else answer.results.push(this.#run(statement));
    } catch (error) {
      this.#probes = false;
      if (this.#isRolledBack(error, statement[0])) throw error;
      turn.fail(error);
    }
  }

  /**
   * @param {unknown} error
   * @param {string} sql
   */
  #isRolledBack(error, sql) {
    if (!CONSTRAINT.test(messageOf(error))) return false;
    if (ROLLS_BACK.test(sql)) return true;
    const triggers = this.ctx.storage.sql.exec("SELECT sql FROM sqlite_master WHERE type = 'trigger'").raw();
    return [...triggers].some(([text]) => ROLLS_BACK.test(String(text)));
  }

  /**
   * @param {Message} message
   * @param {Statement[]} statements
   * @param {Answer} answer
   */
  #runAll(message, statements, answer) {
    const work = () => {
      for (const statement of statements) answer.results.push(this.#run(statement));
    };
    if (message.atomic && statements.length > 1) this.ctx.storage.transactionSync(work);
    else work();
    if (message.names) answer.rest.names = this.#exec(message.names).columnNames;
  }

  /** @param {Statement} statement */
  #exec([sql, params]) {
    return this.ctx.storage.sql.exec(sql, ...(params ?? []).map(toBound));
  }

  /**
   * @param {Statement} statement
   * @returns {string} the JSON of its result
   */
  #run(statement) {
    const form = statement[2];
    const before = form === 'run' || form === 'json' ? this.#readChanges() : -1;
    this.#changes = -1; // a statement that fails may have counted
    const cursor = this.#exec(statement);
    if (form === 'group') return `{"rows":${cursor.raw().toArray()[0][0]}}`;
    const rows = cursor.raw().toArray();
    const wrote = cursor.rowsWritten > 0 || cursor.columnNames.length === 0;
    if (wrote) this.#noteWrite(statement[0]);
    if (before < 0) {
      return JSON.stringify({ rows: rows.map((row) => row.map(fromCell)), columns: cursor.columnNames });
    }
    const meta = `"meta":{"changes":${this.#readChanges() - before},"counters":[${this.#counters}]}`;
    return form === 'run' ? `{"rows":[],${meta}}` : `{${spliceRows(rows)},${meta}}`;
  }

  /** @param {string} sql */
  #noteWrite(sql) {
    this.#wrote = true;
    if (ROLLS_BACK.test(sql)) this.#apart = true;
    if (!DEFERS.test(sql)) return;
    if (!this.#defers) this.#prepareProbe();
    this.#groups.end(); // PRAGMA defer_foreign_keys is good until a commit
  }

  /** @returns {number} how many rows have changed so far, by triggers and foreign keys too */
  #readChanges() {
    if (this.#changes < 0) {
      const [[text]] = this.ctx.storage.sql.exec(COUNTERS).raw().toArray();
      const [, total, counters] = /** @type {string[]} */ (/^.(\d+),(.*).$/.exec(text));
      this.#changes = Number(total);
      this.#counters = counters;
    }
    return this.#changes;
  }
}

/** Leaves transactionSync without its writes. */
class RolledBack extends Error {}
