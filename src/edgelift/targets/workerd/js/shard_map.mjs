// @ts-check
// Which shard holds a key: reads the routing map that `edgelift data` made, in a Worker's JavaScript.
// The name is that of the object: namespace.idFromName(`${binding}/${shard}`). The same in Python: worker/shard_map.py.

const SLOT_DIGITS = 4;
const INTEGER = /^-?[0-9]{1,20}$/;
const UUID = /^([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$/i;

/**
 * @typedef {{name: string, tenants: string[], low: string, high: string}} Shard
 * @typedef {{format: number, by: "tenant" | "key", form?: string, shards: Shard[]}} ShardMap
 */

/**
 * Return a key as the map writes it; throws for what is no key of the map's form.
 * @param {string} text
 * @param {string} form
 */
function readKey(text, form) {
  if (form === "integer" && INTEGER.test(text)) return String(BigInt(text));
  const parts = form === "uuid" ? UUID.exec(text) : null;
  if (parts) return parts.slice(1).join("-").toLowerCase();
  if (form === "integer" || form === "uuid") throw new Error(`${text} is no key of the form ${form}`);
  return text;
}

/**
 * Return the name of a key's shard; throws for a key that the map cannot place: a tenant that it does not know, unless
 * `spread` has its hash decide, and a text that is none of the keys' form.
 * @param {ShardMap} map
 * @param {string | number | bigint} key
 * @param {{ spread?: boolean }} [options]
 * @returns {Promise<string>}
 */
export async function findShard(map, key, { spread = false } = {}) {
  if (map.format !== 1) throw new Error(`a shard map of the format ${map.format}`);
  const text = readKey(String(key), map.form ?? "");
  if (map.by === "tenant") {
    const known = map.shards.find((shard) => shard.tenants.includes(text));
    if (known) return known.name;
    if (!spread) throw new Error(`no shard holds ${text}`);
  }
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const slot = [...new Uint8Array(digest).subarray(0, SLOT_DIGITS / 2)]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  const found =
    map.by === "tenant"
      ? map.shards[Math.floor((Number.parseInt(slot, 16) * map.shards.length) / 16 ** SLOT_DIGITS)]
      : map.shards.find((shard) => shard.low <= slot && slot <= shard.high);
  if (!found) throw new Error(`no shard holds ${text}`);
  return found.name;
}
