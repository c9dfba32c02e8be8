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

/** How much is read at once: few turns of the event loop, and little garbage. */
const CHUNK_BYTES = 1_048_576;

/** Reads a container from a stream without ever holding all of it. */
export class ContainerReader {
  /** @param {ReadableStream<Uint8Array>} body */
  constructor(body) {
    this.reader = body.getReader({ mode: 'byob' });
    this.buffer = new ArrayBuffer(CHUNK_BYTES);
    this.rest = new Uint8Array(0);
    this.position = 0;
  }

  /** @returns {Promise<any>} the head; to be called first */
  async readHead() {
    const length = new DataView((await this.read(4)).buffer).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(await this.read(length)));
    await this.read(payloadStart(length) - this.position);
    return head;
  }

  /** @param {number} length */
  async read(length) {
    const bytes = new Uint8Array(length);
    await this.readInto(bytes);
    return bytes;
  }

  /**
   * Fill `target` with the next bytes.
   * @param {Uint8Array} target
   */
  async readInto(target) {
    let filled = 0;
    while (filled < target.length) {
      if (this.rest.length === 0) await this.#fill();
      const part = this.rest.subarray(0, target.length - filled);
      target.set(part, filled);
      filled += part.length;
      this.rest = this.rest.subarray(part.length);
    }
    this.position += filled;
  }

  async #fill() {
    const { value } = await this.reader.readAtLeast(CHUNK_BYTES, new Uint8Array(this.buffer));
    if (!value || value.length === 0) throw new Error(`the file is cut off after ${this.position} bytes`);
    this.buffer = value.buffer;
    this.rest = value;
  }

  /** Give the stream up. */
  async close() {
    await this.reader.cancel();
  }
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
