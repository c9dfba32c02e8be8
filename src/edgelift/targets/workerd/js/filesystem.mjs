// @ts-check
/**
 * Python's files: one pack, mounted as in-memory nodes whose contents are views into it, so nothing is copied.
 * They live in JavaScript, not in the heap: what the app's import changes in them is kept with the snapshot.
 */
import { inflateRawSync } from 'node:zlib';

/** One fixed time on all nodes keeps the import system's directory caches in a snapshot valid. */
const TIMESTAMP_MS = 1_700_000_000_000;
const FILE_MODE = 0o100644;

/**
 * Files are [path, offset, stored length, size]; one stored shorter than it is was deflated (RFC 1951).
 * @typedef {[string, number, number, number]} PackedFile
 * @typedef {{ head: { directories: string[], files: PackedFile[] }, bytes: Uint8Array }} Pack
 */

/**
 * @param {any} FS Emscripten's file system
 * @param {Pack} pack
 */
export function mountPack(FS, pack) {
  const memory = FS.filesystems.MEMFS;
  /** @type {Map<string, any>} */
  const folders = new Map();
  for (const directory of pack.head.directories) {
    FS.mkdirTree(directory);
    folders.set(directory, FS.lookupPath(directory).node);
  }
  const operations = packedOperations(memory, pack.bytes);
  for (const [path, offset, length, size] of pack.head.files) {
    const cut = path.lastIndexOf('/');
    const node = memory.createNode(folders.get(path.slice(0, cut)), path.slice(cut + 1), FILE_MODE, 0);
    node.usedBytes = size;
    if (size === 0) continue;
    node.packedAt = offset;
    node.packedLength = length;
    node.node_ops = operations.node;
    node.stream_ops = operations.stream;
  }
  setTimes(FS, FS.lookupPath('/').node);
}

/**
 * Most files are never read: they hold two numbers, and get their contents when they are first opened or resized.
 * An accessor per node would do as well, but takes 1 KB of V8's heap for each.
 * @param {any} memory Emscripten's in-memory file system
 * @param {Uint8Array} bytes
 */
function packedOperations(memory, bytes) {
  const { node: nodeOperations, stream: streamOperations } = memory.ops_table.file;
  const unpack = (/** @type {any} */ node) => {
    if (node.stream_ops !== operations.stream) return;
    const stored = bytes.subarray(node.packedAt, node.packedAt + node.packedLength);
    if (node.packedLength === node.usedBytes) node.contents = stored;
    else {
      const data = inflateRawSync(stored);
      node.contents = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    }
    node.node_ops = nodeOperations;
    node.stream_ops = streamOperations;
  };
  const operations = {
    stream: { ...streamOperations, open: (/** @type {any} */ stream) => unpack(stream.node) },
    node: {
      ...nodeOperations,
      setattr(/** @type {any} */ node, /** @type {any} */ changes) {
        // Another length, or another time: both make it a changed file, whose contents go into the snapshot.
        unpack(node);
        node.node_ops.setattr(node, changes);
      },
    },
  };
  return operations;
}

/**
 * @param {any} FS
 * @param {any} node
 */
function setTimes(FS, node) {
  node.mtime = node.ctime = node.atime = TIMESTAMP_MS;
  if (FS.isDir(node.mode) && node.contents) for (const name in node.contents) setTimes(FS, node.contents[name]);
}

/** Devices and process information are no files of the app. */
const NOT_FILES = new Set(['/dev', '/proc']);

/**
 * @typedef {object} FileChanges
 * @property {string} cwd
 * @property {string[]} directories made, parents first
 * @property {[string, number][]} files made or written, with their length; the bytes follow one another
 * @property {string[]} removed
 */

/**
 * @param {any} FS
 * @returns {Map<string, any>} nodes of all files and directories by path
 */
export function listNodes(FS) {
  /** @type {Map<string, any>} */
  const found = new Map();
  /**
   * @param {string} path
   * @param {any} node
   */
  const visit = (path, node) => {
    for (const [name, child] of Object.entries(node.contents ?? {})) {
      const childPath = `${path}/${name}`;
      if (NOT_FILES.has(childPath)) continue;
      if (FS.isDir(child.mode)) {
        found.set(childPath, child);
        visit(childPath, child);
      } else if (FS.isFile(child.mode)) found.set(childPath, child);
    }
  };
  visit('', FS.lookupPath('/').node);
  return found;
}

/**
 * What changed since `before` was listed. Throws for a file that is still open: its position is no part of the heap.
 * @param {any} FS
 * @param {Map<string, any>} before
 * @returns {{ changes: FileChanges, parts: Uint8Array[] }}
 */
export function collectChanges(FS, before) {
  for (const stream of FS.streams) {
    if (stream && FS.isFile(stream.node?.mode ?? 0)) throw new Error(`the app's import leaves a file open: ${stream.path}`);
  }
  const after = listNodes(FS);
  const made = [...after].filter(([path, node]) => !before.has(path) || node.mtime !== TIMESTAMP_MS);
  const files = made.filter(([, node]) => FS.isFile(node.mode));
  const directories = made.filter(([path, node]) => FS.isDir(node.mode) && !before.has(path));
  return {
    changes: {
      cwd: FS.cwd(),
      directories: directories.map(([path]) => path),
      files: files.map(([path, node]) => [path, node.usedBytes]),
      removed: [...before.keys()].filter((path) => !after.has(path)),
    },
    parts: files.map(([, node]) => node.contents.subarray(0, node.usedBytes)),
  };
}

/**
 * @param {any} FS
 * @param {FileChanges} changes
 * @param {import('./container.mjs').ContainerReader} source stands at the files' bytes
 */
export async function applyChanges(FS, changes, source) {
  for (const path of changes.directories) FS.mkdirTree(path);
  for (const [path, length] of changes.files) FS.writeFile(path, await source.read(length));
  // Children come after their directory in `removed`, so from its end.
  for (const path of changes.removed.toReversed()) {
    if (FS.isDir(FS.lookupPath(path).node.mode)) FS.rmdir(path);
    else FS.unlink(path);
  }
  setTimes(FS, FS.lookupPath('/').node);
  FS.chdir(changes.cwd);
}
