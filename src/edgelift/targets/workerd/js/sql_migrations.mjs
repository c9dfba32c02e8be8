// @ts-check
/**
 * The production form of a database's SQL object: its class applies the migrations beside it, in order and each once,
 * before it answers anybody, and takes its rows from the door before it is open (sql_loading.mjs). The local runtime needs
 * neither: there edgelift puts the lifted file in the object's place.
 */
import { Applying, Refused, answerText, objectStore } from './sql_applying.mjs';
import { Loading } from './sql_loading.mjs';
import { SqlObject } from './sql_object.mjs';

/** Verbs of sql_loading.mjs; all others are those of sql_applying.mjs. */
const LOADING = new Set(['state', 'begin', 'rows', 'settle', 'open']);
/** Verbs that cannot change the schema. */
const QUIET = new Set(['rows', 'place', 'read', 'page', 'sum']);

/**
 * @param {{ name: string, sql: string }[]} migrations
 * @returns {typeof SqlObject} the class of an object with this schema
 */
export function withMigrations(migrations) {
  return class extends SqlObject {
    /** @type {Loading} */
    #loading;
    /** @type {Applying} */
    #applying;

    /**
     * @param {any} context
     * @param {unknown} env
     */
    constructor(context, env) {
      super(context, env);
      this.#loading = new Loading(context.storage, migrations);
      this.#loading.prepare();
      this.#applying = new Applying(objectStore(context.storage));
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
     * Load rows, or apply changes behind them; called by the door.
     * @param {string} verb
     * @param {string} text
     */
    async load(verb, text) {
      const answer = await answerText(() => this.#answer(verb, JSON.parse(text || '{}')));
      if (!QUIET.has(verb)) this.readSchema();
      if (verb === 'apply') this.noteCommit();
      return answer;
    }

    /**
     * @param {string} verb
     * @param {any} message
     */
    async #answer(verb, message) {
      if (LOADING.has(verb)) return this.#loading.run(verb, message);
      if (verb === 'apply' && this.#loading.state === 'loading') throw new Refused('its rows are being loaded');
      return this.#applying.run(verb, message);
    }
  };
}
