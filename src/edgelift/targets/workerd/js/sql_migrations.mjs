// @ts-check
/**
 * The production form of a database's SQL object: its class applies the migrations beside it, in order and each once,
 * before it answers anybody. The local runtime needs none: there edgelift puts the lifted file in the object's place.
 */
import { SqlObject } from './sql_object.mjs';

const TABLE = '_edgelift_migrations';

/** @param {string} sql */
const isEmpty = (sql) => sql.replace(/^\s*--.*/gm, '').trim() === '';

/**
 * @param {{ name: string, sql: string }[]} migrations
 * @returns {typeof SqlObject} the class of an object with this schema
 */
export function withMigrations(migrations) {
  return class extends SqlObject {
    /**
     * @param {any} context
     * @param {unknown} env
     */
    constructor(context, env) {
      super(context, env);
      const { storage } = context;
      storage.transactionSync(() => {
        storage.sql.exec(`CREATE TABLE IF NOT EXISTS ${TABLE}(name TEXT PRIMARY KEY) WITHOUT ROWID`);
        for (const { name, sql } of migrations) {
          if (storage.sql.exec(`SELECT 1 FROM ${TABLE} WHERE name = ?`, name).toArray().length > 0) continue;
          if (!isEmpty(sql)) storage.sql.exec(sql);
          storage.sql.exec(`INSERT INTO ${TABLE} VALUES(?)`, name);
        }
      });
      this.readSchema();
    }
  };
}
