// @ts-check
/**
 * Test bodies for the SQL object, run inside workerd: GET /run/<name>?<parameters> runs a function of scenarios.mjs.
 * POST /session/<database>/<number>?begins&whole&busy=<ms>[&idle=<ms>&longest=<ms>] is one step of a session that outlives the request: it is
 * held in an object of its own, so that a test's process can drive a transaction over HTTP.
 */
import { DurableObject } from 'cloudflare:workers';
import { SqlSession } from './sql_session.mjs';
import * as scenarios from './scenarios.mjs';

/** @param {any} env @param {string} name */
const stubOf = (env, name) => env.SQL.get(env.SQL.idFromName(name));

export class Sessions extends DurableObject {
  #sessions = new Map();

  /** @param {Request} request */
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const [, , database, key] = pathname.split('/');
    const message = await request.text();
    if (key === '0') return new Response(await stubOf(this.env, database).query(message));
    if (searchParams.has('begins')) {
      const limit = (/** @type {string} */ name) => Number(searchParams.get(name) ?? 0) || undefined;
      const limits = { busyMs: limit('busy'), idleMs: limit('idle'), longestMs: limit('longest') };
      this.#sessions.set(key, new SqlSession(stubOf(this.env, database), limits));
    }
    const session = this.#sessions.get(key);
    if (searchParams.has('abandon')) {
      session.abandon('the transaction was rolled back: its request is over: SQLITE_ABORT');
      return new Response('{}');
    }
    const answer = await session.step(message, searchParams.has('whole'));
    if (session.over) this.#sessions.delete(key);
    return new Response(answer);
  }
}

export default {
  /** @param {Request} request @param {any} env @param {any} context */
  async fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url);
    const [, what, name] = pathname.split('/');
    if (what === 'session') return env.SESSIONS.get(env.SESSIONS.idFromName('all')).fetch(request);
    const parameters = Object.fromEntries(searchParams);
    const stub = stubOf(env, parameters.database ?? name);
    try {
      return Response.json(await /** @type {any} */ (scenarios)[name]({ stub, parameters, env, context, stubOf }));
    } catch (error) {
      const { name: kind, message } = /** @type {Error} */ (error);
      return Response.json({ threw: `${kind}: ${message}` }, { status: 500 });
    }
  },
};
