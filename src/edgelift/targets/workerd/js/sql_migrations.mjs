// @ts-check
/**
 * The production form of a database's SQL object: its class applies the migrations beside it, in order and each once,
 * before it answers anybody, and takes its rows from the door before it is open (sql_loading.mjs). The local runtime needs
 * neither: there edgelift puts the lifted file in the object's place.
 */
import { Loading, answerLoad } from './sql_loading.mjs';
import { SqlObject } from './sql_object.mjs';

/**
 * @param {{ name: string, sql: string }[]} migrations
 * @returns {typeof SqlObject} the class of an object with this schema
 */
export function withMigrations(migrations) {
  return class extends SqlObject {
    /** @type {Loading} */
    #loading;

    /**
     * @param {any} context
     * @param {unknown} env
     */
    constructor(context, env) {
      super(context, env);
      this.#loading = new Loading(context.storage, migrations);
      this.#loading.prepare();
      this.readSchema();
    }

    /**
     * @param {string} message
     * @param {boolean} [expects] see whyClosed
     */
    query(message, expects = false) {
      const why = this.#loading.whyClosed(expects);
      return why ? JSON.stringify({ results: [], error: why }) : super.query(message);
    }

    /**
     * @param {((answer: string) => Promise<string>) | undefined} next
     * @param {string} first
     * @param {boolean} [expects]
     */
    async transact(next, first, expects = false) {
      const why = this.#loading.whyClosed(expects);
      return why ? JSON.stringify({ results: [], error: why, ended: true }) : super.transact(next, first);
    }

    /**
     * Load rows; called by the door.
     * @param {string} verb
     * @param {string} text
     */
    async load(verb, text) {
      const answer = await answerLoad(this.#loading, verb, text);
      if (verb !== 'rows' && verb !== 'proof') this.readSchema();
      return answer;
    }
  };
}
