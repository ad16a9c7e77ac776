// One process of the differential test: calls functions of the reference and of this SDK on the same inputs.
// argv: the numbers of the functions to ask; a line of JSON on descriptor 3 before and after each.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { FUNCTIONS } from './differential-rows.mjs';
import { Fresh, reseed } from './differential/kit.mjs';

const reference = process.env.CHELA_REFERENCE_DIR;
/** What a function may use before it is asked less often, and how long one answer may take, in milliseconds. */
const [ENOUGH, ONE_ANSWER] = [4000, 20_000];
/** A slow function is asked at least this often. */
const AT_LEAST = 10;

/** Both get arguments of their own, since some change them; functions and responses cannot be copied deeply. */
function copyOf(value) {
  if (value instanceof Response) return value.clone();
  if (value instanceof Fresh) return value.make();
  if (value instanceof Map) return new Map(copyOf([...value]));
  if (value instanceof Set) return new Set(value);
  if (Array.isArray(value)) return value.map(copyOf);
  if (value === null || typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copyOf(item)]));
}

/** What a call gives or throws; a row's fourth member says what of the result and the arguments counts. */
async function answer(run, args, view) {
  try {
    return { value: await view(await run(...args), args) };
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
}
async function outcome(run, args, view) {
  let timer;
  const late = new Promise((resolve) => { timer = setTimeout(resolve, ONE_ANSWER, { late: true }); });
  return Promise.race([answer(run, args, view), late]).finally(() => clearTimeout(timer));
}
/** Functions and key order do not count. */
const plain = (value) => JSON.parse(JSON.stringify(value ?? null, (_key, item) => (typeof item === 'bigint' ? `${item}n` : item)) ?? 'null');

/** Asks both and gives `{skip}`, `{differs}` or `{asked}`: how often they gave the same. */
async function compare({ subpath, name, inputs, view, times, callOf }) {
  const theirs = await import(pathToFileURL(path.join(reference, `dist/plugin-sdk/${subpath}.js`))).catch((error) => error);
  if (theirs instanceof Error || !theirs[name]) return { skip: theirs.message ?? 'no such export' };
  const ours = await import(`../plugin-sdk/${subpath}.js`);
  reseed(`${subpath}.${name}`);
  const started = performance.now();
  let asked = 0;
  for (; asked < times && (asked < AT_LEAST || performance.now() - started < ENOUGH); asked++) {
    const given = inputs();
    const [args, mine] = [copyOf(given), copyOf(given)];
    const shown = args.map((arg) => JSON.stringify(plain(arg))).join(', ');
    const [expected, actual] = [await outcome(callOf(theirs[name]), args, view), await outcome(callOf(ours[name]), mine, view)];
    try {
      assert.deepEqual(plain(actual), plain(expected), `${name}(${shown})`);
    } catch (error) {
      return { differs: `${error.message}\nhere ${JSON.stringify(plain(actual))}\nthere ${JSON.stringify(plain(expected))}` };
    }
  }
  return { asked, ms: Math.round(performance.now() - started) };
}

const tell = (line) => fs.writeSync(3, `${JSON.stringify(line)}\n`);
for (const id of process.argv.slice(2).map(Number)) {
  tell({ id, begins: true });
  tell({ id, ...(await compare(FUNCTIONS[id]).catch((error) => ({ differs: `the test itself fails: ${error.stack}` }))) });
}
process.exit(0);
