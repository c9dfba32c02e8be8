// @ts-check
/**
 * The production form's entry for callers without JavaScript, as a Python Worker is one: a service binding to this
 * entrypoint, whose `props.object` names the binding of the SQL object's class here. It holds the caller's side of transactions
 * (sql_session.mjs), so that a caller that is stuck in a loop cannot keep the object from the others.
 */
import { RpcTarget, WorkerEntrypoint } from 'cloudflare:workers';
import { loads } from './loads.mjs';
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

  abandon() {
    this.session.abandon('the transaction was rolled back: its caller is gone: SQLITE_ABORT');
  }

  [Symbol.dispose]() {
    this.abandon();
  }
}

export class SqlGateway extends WorkerEntrypoint {
  /** @param {string} shard "" for the database as a whole */
  #stub(shard) {
    const name = this.ctx.props?.object;
    if (!name) throw new Error('the binding does not name its object (props.object)');
    const namespace = /** @type {any} */ (this.env)[name];
    const object = shard ? `${name}/${shard}` : name;
    const stub = namespace.get(namespace.idFromName(object));
    const expects = loads.includes(object);
    return {
      /** @param {string} message */
      query: (message) => stub.query(message, expects),
      /**
       * @param {((answer: string) => Promise<string>) | undefined} next
       * @param {string} first
       */
      transact: (next, first) => stub.transact(next, first, expects),
    };
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
   * Begin a transaction; there is no `session` to go on with when the first message ended it.
   * @param {string} shard
   * @param {string} message
   * @param {number} busyMs
   */
  async begin(shard, message, busyMs) {
    const session = new SqlSession(this.#stub(shard), { busyMs });
    const answer = await session.step(message);
    return session.over ? { answer } : { answer, session: new RemoteSession(session) };
  }
}
