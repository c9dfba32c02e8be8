// @ts-check
/**
 * Static files answered before Python, as Workers static assets do in production: exact paths, ETag, no ranges.
 * The list is made by the build (targets/workerd/assets.py), so a request can never name another file.
 */

/** @typedef {Record<string, [string, string, string, number]>} AssetList   path -> [file, content type, etag, size] */

/** As Cloudflare's asset server sends it. */
const CACHE_CONTROL = 'public, max-age=0, must-revalidate';

/**
 * @param {Request} request
 * @param {string} path raw path of the URL
 * @param {AssetList} assets
 * @param {Fetcher} files
 * @returns {Promise<Response> | undefined} undefined when no asset has this path
 */
export function answerAsset(request, path, assets, files) {
  const asset = assets[path] ?? assets[decode(path)];
  if (!asset || !Array.isArray(asset)) return undefined;
  return sendAsset(request, asset, files);
}

/** @param {string} path */
function decode(path) {
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/**
 * @param {Request} request
 * @param {[string, string, string, number]} asset
 * @param {Fetcher} files
 */
async function sendAsset(request, [file, contentType, etag, size], files) {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return new Response(null, { status: 405, headers: { allow: 'GET, HEAD' } });
  }
  const headers = new Headers({ 'cache-control': CACHE_CONTROL, etag });
  if (matches(request.headers.get('if-none-match'), etag)) return new Response(null, { status: 304, headers });
  headers.set('content-type', contentType);
  headers.set('content-length', String(size));
  if (request.method === 'HEAD') return new Response(null, { headers });
  const found = await files.fetch(`http://assets/${file}`);
  if (!found.ok || !found.body) {
    console.error(`asset ${file}: HTTP ${found.status}`);
    return new Response('The file is missing from the bundle.', { status: 500 });
  }
  const { readable, writable } = new FixedLengthStream(size);
  found.body.pipeTo(writable).catch(() => {});
  return new Response(readable, { headers });
}

/**
 * @param {string | null} condition If-None-Match
 * @param {string} etag
 */
function matches(condition, etag) {
  if (!condition) return false;
  return condition.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag);
}
