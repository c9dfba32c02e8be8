// @ts-check
/**
 * The file format of packs, snapshots and build answers: a JSON head, then bytes (targets/workerd/container.py is
 * the other half). Layout: uint32 little-endian length of the head, the head in UTF-8, zeros up to a multiple of
 * eight, the bytes.
 */
const ALIGNMENT = 8;

/** @param {number} headLength */
const payloadStart = (headLength) => Math.ceil((4 + headLength) / ALIGNMENT) * ALIGNMENT;

/**
 * @param {ArrayBuffer} buffer
 * @returns {{ head: any, bytes: Uint8Array }} `bytes` is a view, not a copy
 */
export function readContainer(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { head, bytes: new Uint8Array(buffer, payloadStart(length)) };
}

/**
 * @param {unknown} head
 * @param {Uint8Array[]} parts
 */
export function writeContainer(head, parts) {
  const encoded = new TextEncoder().encode(JSON.stringify(head));
  const start = payloadStart(encoded.length);
  const size = parts.reduce((sum, part) => sum + part.length, start);
  const whole = new Uint8Array(size);
  new DataView(whole.buffer).setUint32(0, encoded.length, true);
  whole.set(encoded, 4);
  let offset = start;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
