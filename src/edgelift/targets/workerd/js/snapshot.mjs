// @ts-check
/**
 * Memory snapshots of a booted interpreter: made by the build after the app's import, restored at every start.
 *
 * A snapshot holds the non-zero 4 KiB pages of the heap, the JavaScript objects Python refers to (by name) and, for
 * every native side module, where it lay in memory and in the function table, so that it can be put there again.
 * The method follows workerd's own src/pyodide/internal/snapshot.ts (Apache-2.0); sparse pages are ours.
 */
import { applyChanges, collectChanges } from './filesystem.mjs';

const PAGE_BYTES = 4096;
const WASM_PAGE_BYTES = 65536;

/**
 * @typedef {object} SideModule
 * @property {string} libName
 * @property {number} memoryBase
 * @property {number} tableBase
 * @property {boolean} global
 * @property {number[]} handles
 * @property {[string, number][]} slots
 *
 * @typedef {object} SnapshotHead
 * @property {unknown} hiwire
 * @property {SideModule[]} sideModules
 * @property {number} heapBytes
 * @property {number} tableLength
 * @property {[number, number][]} runs   heap offset and length of each run of pages; the bytes follow one another
 * @property {import('./filesystem.mjs').FileChanges} files   their bytes follow those of the heap
 */

/**
 * @param {any} python
 * @param {(object: unknown) => unknown} serialize
 * @param {Map<string, any>} nodesBefore files as they were before the app's import
 * @returns {{ head: SnapshotHead, parts: Uint8Array[] }}
 */
export function makeSnapshot(python, serialize, nodesBefore) {
  const module = python._module;
  const heap = new Uint8Array(module.HEAP8.buffer);
  const { changes, parts: fileParts } = collectChanges(module.FS, nodesBefore);
  const { runs, parts } = collectRuns(heap);
  const head = {
    hiwire: python._api.serializeHiwireState(serialize),
    sideModules: listSideModules(module),
    heapBytes: heap.length,
    tableLength: module.edgelift.table().length,
    runs,
    files: changes,
  };
  return { head, parts: [...parts, ...fileParts] };
}

/** @param {any} module */
function listSideModules(module) {
  const { LDSO } = module;
  const slotOf = module.edgelift.functionsInTable();
  return module.edgelift.loads.map((/** @type {any} */ load) => {
    const library = LDSO.loadedLibsByName[load.libName];
    const handles = Object.keys(LDSO.loadedLibsByHandle).filter((h) => LDSO.loadedLibsByHandle[h] === library);
    const slots = Object.entries(library.exports).flatMap(([symbol, value]) => {
      const slot = typeof value === 'function' ? slotOf.get(value) : undefined;
      return slot === undefined ? [] : [[symbol, slot]];
    });
    return { ...load, global: library.global, handles: handles.map(Number), slots };
  });
}

/** @param {Uint8Array} heap */
function collectRuns(heap) {
  // Eight bytes at a time as doubles: +0 is the only double all of whose bits are zero.
  const words = new Float64Array(heap.buffer);
  const perPage = PAGE_BYTES / 8;
  /** @type {[number, number][]} */
  const runs = [];
  for (let page = 0; page < heap.length / PAGE_BYTES; page++) {
    let index = page * perPage;
    const end = index + perPage;
    while (index < end && Object.is(words[index], 0)) index++;
    if (index === end) continue;
    const last = runs.at(-1);
    if (last && last[0] + last[1] === page * PAGE_BYTES) last[1] += PAGE_BYTES;
    else runs.push([page * PAGE_BYTES, PAGE_BYTES]);
  }
  return { runs, parts: runs.map(([start, length]) => heap.subarray(start, start + length)) };
}

/**
 * Put a snapshot into a fresh instance, before Pyodide finishes its start.
 * @param {any} module
 * @param {import('./container.mjs').ContainerReader} source
 * @returns {Promise<unknown>} what Pyodide's finalizeBootstrap expects
 */
export async function restoreSnapshot(module, source) {
  /** @type {SnapshotHead} */
  const head = await source.readHead();
  growMemory(module, head.heapBytes);
  for (const sideModule of head.sideModules) loadSideModule(module, sideModule);
  growTable(module, head.tableLength);
  await readHeap(new Uint8Array(module.HEAP8.buffer), head.runs, source);
  await applyChanges(module.FS, head.files, source);
  await source.close();
  return head.hiwire;
}

/**
 * @param {any} module
 * @param {number} heapBytes
 */
function growMemory(module, heapBytes) {
  const memory = module.edgelift.memory();
  const missing = heapBytes - memory.buffer.byteLength;
  if (missing <= 0) return;
  memory.grow(missing / WASM_PAGE_BYTES);
  module.edgelift.updateMemoryViews();
}

/**
 * @param {any} module
 * @param {number} length
 */
function growTable(module, length) {
  const table = module.edgelift.table();
  if (table.length < length) table.grow(length - table.length);
}

/**
 * @param {any} module
 * @param {SideModule} side
 */
function loadSideModule(module, side) {
  const { edgelift, LDSO, FS } = module;
  growTable(module, side.tableBase);
  edgelift.forced.set(side.libName, side);
  const flags = { global: side.global, nodelete: true, loadAsync: false };
  const scope = side.global ? null : {};
  const exports = edgelift.loadModule(FS.readFile(side.libName), flags, side.libName, scope, 0);
  edgelift.forced.delete(side.libName);
  if (side.global) edgelift.mergeSymbols(exports, side.libName);
  const library = { refcount: Number.POSITIVE_INFINITY, name: side.libName, exports, global: side.global };
  LDSO.loadedLibsByName[side.libName] = library;
  for (const handle of side.handles) LDSO.loadedLibsByHandle[handle] = library;
  for (const [symbol, slot] of side.slots) {
    growTable(module, slot + 1);
    edgelift.setTableEntry(slot, exports[symbol]);
    edgelift.functionsInTable().set(exports[symbol], slot);
  }
}

/**
 * @param {Uint8Array} heap
 * @param {[number, number][]} runs
 * @param {import('./container.mjs').ContainerReader} source
 */
async function readHeap(heap, runs, source) {
  let done = 0;
  for (const [start, length] of runs) {
    clear(heap, done, start);
    done = start + length;
    await source.readInto(heap.subarray(start, done));
  }
  clear(heap, done, heap.length);
}

/**
 * Zero a range, writing only where something is: pages nobody wrote to stay out of resident memory.
 * @param {Uint8Array} heap
 * @param {number} start
 * @param {number} end
 */
function clear(heap, start, end) {
  const words = new Uint32Array(heap.buffer, start, (end - start) >> 2);
  for (let index = 0; index < words.length; index++) if (words[index] !== 0) words[index] = 0;
}

/**
 * The function table as text, one entry per slot, to compare a restored instance with the one that was kept.
 * @param {any} module
 * @returns {string[]}
 */
export function describeTable(module) {
  const table = module.edgelift.table();
  return Array.from({ length: table.length }, (_unused, slot) => {
    const entry = table.get(slot);
    return entry ? `${entry.name}/${entry.length}` : '';
  });
}
