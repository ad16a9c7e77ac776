// Counts what was denied and touched, tells the host in bundles, and makes the errors that plugins get.
import { peer } from '../state.js';

/** Different things that wait to be told; more are only counted under the last one's permission. */
const MAX_WAITING = 200;
const PAUSE_MS = 50;

let plugin = '';
let key = '';
let waiting = { denied: new Map(), touched: new Map(), env: new Set() };
let timer;

/** Names the plugin and the place in the config that messages speak of. */
export function begin(pluginId, policy) {
  plugin = pluginId;
  key = policy.key;
}

/** Counts a denial. */
export function denied(permission, what) {
  add(waiting.denied, permission, what);
}

/** Records what an unconfined plugin reaches for. */
export function touched(permission, what) {
  add(waiting.touched, permission, what);
}

/** Records the name of a variable that a plugin looked for in vain; the host knows whether it was withheld. */
export function missed(name) {
  if (waiting.env.size < MAX_WAITING) waiting.env.add(name);
  later();
}

function add(rows, permission, what) {
  const name = `${permission}\0${what}`;
  if (rows.size < MAX_WAITING || rows.has(name)) rows.set(name, (rows.get(name) ?? 0) + 1);
  later();
}

function later() {
  timer ??= setTimeout(flush, PAUSE_MS).unref();
}

/** Tells the host what waits. */
export function flush() {
  clearTimeout(timer);
  timer = undefined;
  const { denied: no, touched: yes, env } = waiting;
  if (no.size + yes.size + env.size === 0) return;
  waiting = { denied: new Map(), touched: new Map(), env: new Set() };
  const rows = (map) => [...map].map(([name, count]) => [...name.split('\0'), count]);
  peer.note('sandbox', { pluginId: plugin, denied: rows(no), touched: rows(yes), env: [...env] });
}

const VERBS = {
  'files.read': 'read',
  'files.write': 'write',
  network: 'reach',
  childProcesses: 'start',
  nativeAddons: 'load the native addon',
};

/** What a plugin is told, and which key changes it. */
export function denialText(permission, what) {
  const remedy =
    permission === 'nativeAddons' ? `set \`${key}.nativeAddons\` to true` : `add it to \`${key}.${permission}\``;
  return `plugin \`${plugin}\` may not ${VERBS[permission]} \`${what}\`: permission \`${permission}\` is not granted; ${remedy}`;
}

/** A denial as an error: `code` is `EACCES`, as the system's own would have. */
export class PermissionDeniedError extends Error {
  constructor(permission, what, extra) {
    super(`EACCES: ${denialText(permission, what)}`);
    this.name = 'PermissionDeniedError';
    Object.assign(this, { code: 'EACCES', errno: -13, permission, pluginId: plugin }, extra);
  }
}

/** Counts a denial and returns the error for it. */
export function refuse(permission, what, extra) {
  denied(permission, what);
  return new PermissionDeniedError(permission, what, extra);
}

/** Counts a denial that the kernel answered, and makes its error say what to do. */
export function explain(error, permission, what) {
  denied(permission, what);
  if (Object.isFrozen(error)) return error;
  error.message = `EACCES: ${denialText(permission, what)}`;
  return Object.assign(error, { permission, pluginId: plugin });
}
