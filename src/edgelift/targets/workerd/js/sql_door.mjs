// @ts-check
/**
 * The way by which rows get from outside into SQL objects (sql_loading.mjs), and changes into these and D1
 * (sql_applying.mjs): POST /load/<binding>/<verb>?object=<name> with the header `Authorization: Bearer <secret>`. There is no
 * door without the secret EDGELIFT_LOAD_SECRET, which is removed, with the Worker's address, when all is there.
 */
import { Applying, answerText, d1Store } from './sql_applying.mjs';

const SHORTEST = 20;
const LARGEST_BYTES = 16 * 1024 * 1024;

/**
 * @param {number} status
 * @param {string} text
 */
const answer = (status, text) =>
  new Response(`${text}\n`, { status, headers: { 'content-type': 'application/json', 'cache-control': 'no-store' } });
/**
 * @param {number} status
 * @param {string} refused
 */
const refuse = (status, refused) => answer(status, JSON.stringify({ refused }));

/**
 * Compare without telling by the time it takes where two texts differ.
 * @param {string} first
 * @param {string} second
 */
async function isSame(first, second) {
  const encoder = new TextEncoder();
  const [a, b] = await Promise.all(
    [first, second].map(async (text) => new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(text)))),
  );
  return a.reduce((found, byte, place) => found | (byte ^ b[place]), 0) === 0;
}

/**
 * @param {Request} request
 * @param {Record<string, any>} env
 * @param {string[]} objects the bindings of SQL objects' classes
 * @param {string[]} databases the bindings of D1
 */
export async function answerDoor(request, env, objects, databases) {
  const { pathname, searchParams } = new URL(request.url);
  const [, place, binding, verb] = pathname.split('/');
  const secret = env.EDGELIFT_LOAD_SECRET;
  if (place !== 'load' || request.method !== 'POST' || typeof secret !== 'string' || secret.length < SHORTEST) {
    return new Response('Not Found\n', { status: 404 });
  }
  if (!(await isSame(request.headers.get('authorization') ?? '', `Bearer ${secret}`))) {
    return refuse(403, 'the secret is not that of EDGELIFT_LOAD_SECRET');
  }
  const known = [...objects, ...databases];
  if (!known.includes(binding)) return refuse(404, `there is no database ${binding} here, only ${known.join(', ')}`);
  const told = Number(request.headers.get('content-length') ?? Infinity);
  if (!(told <= LARGEST_BYTES)) return refuse(413, `a message has at most ${LARGEST_BYTES} bytes`);
  const name = searchParams.get('object') || binding;
  if (name !== binding && !(objects.includes(binding) && name.startsWith(`${binding}/`))) return refuse(404, `${name} is no object of ${binding}`);
  let text;
  try {
    text = await ask(env[binding], objects.includes(binding) ? name : '', verb, await request.text());
  } catch (error) {
    text = JSON.stringify({ failed: error instanceof Error ? error.message : String(error) });
  }
  if (text.startsWith('{"refused"')) return answer(409, text);
  return answer(text.startsWith('{"failed"') ? 500 : 200, text);
}

/**
 * @param {any} binding a namespace of objects, or a D1
 * @param {string} object "" for a D1
 * @param {string} verb
 * @param {string} text
 * @returns {Promise<string>}
 */
function ask(binding, object, verb, text) {
  if (object) return binding.get(binding.idFromName(object)).load(verb, text);
  return answerText(() => new Applying(d1Store(binding)).run(verb, JSON.parse(text || '{}')));
}
