// @ts-check
/**
 * The production form's entry for callers without JavaScript, as a Python Worker is one: a service binding to this
 * entrypoint, `props.object` naming the SQL object, beside which it runs. It holds the caller's side of transactions
 * (sql_session.mjs), so that a caller that is stuck in a loop cannot keep the object from the others.
 */
import { RpcTarget, WorkerEntrypoint } from 'cloudflare:workers';
import { SqlSession } from './sql_session.mjs';

/** A transaction in the hands of a caller elsewhere; when that is gone, so is the transaction. */
class RemoteSession extends RpcTarget {
  /** @param {SqlSession} session */
  constructor(session) {
    super();
    this.session = session;
  }

  /** @param {string} message */
  step(message) {
    return this.session.step(message);
  }

  [Symbol.dispose]() {
    this.session.abandon('the transaction was rolled back: its caller is gone: SQLITE_ABORT');
  }
}

export class SqlGateway extends WorkerEntrypoint {
  /** @param {string} shard "" for the database as a whole */
  #stub(shard) {
    const name = this.ctx.props?.object;
    if (!name) throw new Error('the binding does not name its object (props.object)');
    const { SQL_OBJECT } = /** @type {any} */ (this.env);
    return SQL_OBJECT.get(SQL_OBJECT.idFromName(shard ? `${name}/${shard}` : name));
  }

  /**
   * @param {string} shard
   * @param {string} message
   * @returns {Promise<string>}
   */
  query(shard, message) {
    return this.#stub(shard).query(message);
  }

  /**
   * Begin a transaction; `session` is null when the first message ended it.
   * @param {string} shard
   * @param {string} message
   * @param {number} busyMs
   * @param {boolean} whole
   */
  async begin(shard, message, busyMs, whole) {
    const session = new SqlSession(this.#stub(shard), { busyMs });
    const answer = await session.step(message, whole);
    return { answer, session: session.over ? null : new RemoteSession(session) };
  }
}
