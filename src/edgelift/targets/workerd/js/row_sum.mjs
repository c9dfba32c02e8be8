// @ts-check
/**
 * The hash of rows beside the data: the sum modulo 2^128 of the rows' hashes, each the first half of the SHA-256 of its
 * cells: a byte for the type (0 NULL, 1 integer, 2 real, 3 text, 4 blob), then 8 bytes, or 4 of length and the bytes;
 * numbers little endian. The other side is src/edgelift/targets/door/cells.py.
 */
import { createHash } from 'node:crypto';

/** Reals that JSON has not, as sql_applying.mjs selects them; any other text is an integer. */
export const REALS = new Set(['Infinity', '-Infinity', '-0.0']);

/** The sum of the hashes of rows. */
export class RowSum {
  rows = 0;
  bytes = 0;
  #high = 0n;
  #low = 0n;
  #number = new DataView(new ArrayBuffer(9));

  /** @param {any[]} row cells as sql_applying.mjs selects them */
  add(row) {
    const hash = createHash('sha256');
    for (const cell of row) this.#addCell(hash, cell);
    const digest = hash.digest();
    this.#high += digest.readBigUInt64BE(0);
    this.#low += digest.readBigUInt64BE(8);
    this.rows += 1;
  }

  /**
   * @param {import('node:crypto').Hash} hash
   * @param {null | number | string | ArrayBuffer | number[]} cell
   */
  #addCell(hash, cell) {
    const view = this.#number;
    if (cell === null) {
      view.setUint8(0, 0);
      hash.update(new Uint8Array(view.buffer, 0, 1));
    } else if (cell instanceof ArrayBuffer || Array.isArray(cell)) {
      const bytes = new Uint8Array(cell);
      view.setUint8(0, bytes[0] === 0x74 ? 3 : 4);
      view.setUint32(1, bytes.length - 1, true);
      hash.update(new Uint8Array(view.buffer, 0, 5));
      hash.update(bytes.subarray(1));
      this.bytes += bytes.length;
    } else {
      const real = typeof cell === 'number' || REALS.has(cell);
      view.setUint8(0, real ? 2 : 1);
      if (real) view.setFloat64(1, Number(cell), true);
      else view.setBigInt64(1, BigInt(cell), true);
      hash.update(new Uint8Array(view.buffer));
    }
  }

  toText() {
    const total = BigInt.asUintN(128, (this.#high << 64n) + this.#low);
    return total.toString(16).padStart(32, '0');
  }
}
