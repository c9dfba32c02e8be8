// @ts-check
/**
 * Runs SQL statements in the engine that D1 runs on: SQLite inside a Durable Object, with workerd's
 * authorizer and limits. The schema stage asks it before anything moves; see sql_check.py.
 */
import { DurableObject } from "cloudflare:workers";

/** @typedef {{ index: number, message: string }} StatementError */

export class Database extends DurableObject {
  /**
   * Execute the statements in order; one that fails does not stop the rest.
   * @param {string[]} statements
   * @returns {StatementError[]}
   */
  check(statements) {
    const errors = [];
    for (const [index, statement] of statements.entries()) {
      try {
        this.ctx.storage.sql.exec(statement).toArray();
      } catch (error) {
        errors.push({ index, message: String(error instanceof Error ? error.message : error) });
      }
    }
    return errors;
  }

  /**
   * Count the rows of each table.
   * @param {string[]} names quoted names
   * @returns {number[]}
   */
  count(names) {
    const sql = this.ctx.storage.sql;
    return names.map((name) => Number(sql.exec(`SELECT count(*) AS n FROM ${name}`).one().n));
  }
}

export default {
  /**
   * @param {Request} request path /check with a JSON array of statements, or /count with names
   * @param {{ DATABASE: any }} env
   */
  async fetch(request, env) {
    const database = env.DATABASE.get(env.DATABASE.idFromName("database"));
    const body = await request.json();
    if (new URL(request.url).pathname === "/count") return Response.json(await database.count(body));
    return Response.json(await database.check(body));
  },
};
