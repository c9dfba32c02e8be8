// @ts-check
/** Python's files: one pack, mounted as in-memory nodes whose contents are views into it, so nothing is copied. */

/** One fixed time on all nodes keeps the import system's directory caches in a snapshot valid. */
const TIMESTAMP_MS = 1_700_000_000_000;
const FILE_MODE = 0o100644;

/** @typedef {{ head: { directories: string[], files: [string, number, number][] }, bytes: Uint8Array }} Pack */

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
  for (const [path, offset, length] of pack.head.files) {
    const cut = path.lastIndexOf('/');
    const node = memory.createNode(folders.get(path.slice(0, cut)), path.slice(cut + 1), FILE_MODE, 0);
    node.contents = pack.bytes.subarray(offset, offset + length);
    node.usedBytes = length;
  }
  setTimes(FS, FS.lookupPath('/').node);
}

/**
 * @param {any} FS
 * @param {any} node
 */
function setTimes(FS, node) {
  node.mtime = node.ctime = node.atime = TIMESTAMP_MS;
  if (FS.isDir(node.mode) && node.contents) for (const name in node.contents) setTimes(FS, node.contents[name]);
}
