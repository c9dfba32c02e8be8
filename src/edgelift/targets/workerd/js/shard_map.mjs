// @ts-check
// Which shard holds a key: reads the routing map that `edgelift data` made, in a Worker's JavaScript.
// The name is that of the object: namespace.idFromName(`${database}/${shard}`).

const SLOT_DIGITS = 4;

/**
 * @typedef {{name: string, tenants: string[], low: string, high: string}} Shard
 * @typedef {{format: number, by: "tenant" | "key", shards: Shard[]}} ShardMap
 */

/**
 * Return the name of a key's shard; throws for a tenant that the map does not know.
 * @param {ShardMap} map
 * @param {string | number | bigint} key
 * @returns {Promise<string>}
 */
export async function findShard(map, key) {
  if (map.format !== 1) throw new Error(`a shard map of the format ${map.format}`);
  const text = String(key);
  let found;
  if (map.by === "tenant") {
    found = map.shards.find((shard) => shard.tenants.includes(text));
  } else {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    const hex = [...new Uint8Array(digest).subarray(0, SLOT_DIGITS / 2)]
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join("");
    found = map.shards.find((shard) => shard.low <= hex && hex <= shard.high);
  }
  if (!found) throw new Error(`no shard holds ${text}`);
  return found.name;
}
