// Environments of tests: variables, home and state directories that are put back afterwards.
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

const set = (name, value) => {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
};
const HOME_KEYS = ['HOME', 'USERPROFILE', 'HOMEDRIVE', 'HOMEPATH', 'OPENCLAW_HOME', 'OPENCLAW_STATE_DIR', 'CLAWDBOT_STATE_DIR', 'OPENCLAW_CONFIG_PATH', 'OPENCLAW_AGENT_DIR'];

/**
 * Remembers variables.
 * @param {string[]} names
 * @returns {{restore: () => void}}
 */
export function captureEnv(names) {
  const kept = names.map((name) => [name, process.env[name]]);
  return { restore: () => kept.forEach(([name, value]) => set(name, value)) };
}

/**
 * Runs something with other variables.
 * @template T
 * @param {Record<string, string | undefined>} env
 * @param {() => T} run
 * @returns {T}
 */
export function withEnv(env, run) {
  const kept = captureEnv(Object.keys(env));
  try {
    for (const [name, value] of Object.entries(env)) set(name, value);
    return run();
  } finally {
    kept.restore();
  }
}

/**
 * The same for work that takes time.
 * @template T
 * @param {Record<string, string | undefined>} env
 * @param {() => Promise<T>} run
 * @returns {Promise<T>}
 */
export async function withEnvAsync(env, run) {
  const kept = captureEnv(Object.keys(env));
  try {
    for (const [name, value] of Object.entries(env)) set(name, value);
    return await run();
  } finally {
    kept.restore();
  }
}

/**
 * Runs something with a directory that is removed afterwards.
 * @template T
 * @param {string} prefix
 * @param {(dir: string) => Promise<T>} run
 * @returns {Promise<T>}
 */
export async function withTempDir(prefix, run) {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), prefix));
  try {
    return await run(dir);
  } finally {
    await fs.rm(dir, { recursive: true, force: true });
  }
}

/**
 * A home directory of its own, with a state directory in it.
 * @param {string} prefix
 * @returns {Promise<{home: string, restore: () => Promise<void>}>}
 */
export async function createTempHomeEnv(prefix) {
  const home = await fs.mkdtemp(path.join(os.tmpdir(), prefix));
  const kept = captureEnv(HOME_KEYS);
  for (const name of HOME_KEYS) set(name, undefined);
  await fs.mkdir(path.join(home, '.openclaw', 'agents', 'main', 'sessions'), { recursive: true });
  Object.assign(process.env, { HOME: home, USERPROFILE: home, OPENCLAW_STATE_DIR: path.join(home, '.openclaw') });
  const restore = async () => {
    kept.restore();
    await fs.rm(home, { recursive: true, force: true });
  };
  return { home, restore };
}

/**
 * Runs something with such a home directory.
 * @template T
 * @param {(home: string) => Promise<T>} run
 * @param {{env?: Record<string, string | undefined | ((home: string) => string | undefined)>, prefix?: string}} [options]
 * @returns {Promise<T>}
 */
export async function withTempHome(run, { env = {}, prefix = 'openclaw-test-home-' } = {}) {
  const builtin = Object.keys(env).find((name) => ['HOME', 'USERPROFILE', 'HOMEDRIVE', 'HOMEPATH'].includes(name));
  if (builtin) throw new Error(`withTempHome: use built-in home env (got ${builtin})`);
  const { home, restore } = await createTempHomeEnv(prefix);
  const values = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, typeof value === 'function' ? value(home) : value]));
  try {
    return await withEnvAsync(values, () => run(home));
  } finally {
    await restore();
  }
}

/**
 * Runs something with a state directory of its own.
 * @template T
 * @param {string} prefix
 * @param {(dirs: {tempRoot: string, stateDir: string}) => Promise<T>} run
 * @returns {Promise<T>}
 */
export const withStateDirEnv = (prefix, run) =>
  withTempDir(prefix, async (tempRoot) => {
    const stateDir = path.join(tempRoot, 'state');
    await fs.mkdir(stateDir);
    return withEnvAsync({ OPENCLAW_STATE_DIR: stateDir, CLAWDBOT_STATE_DIR: undefined }, () => run({ tempRoot, stateDir }));
  });
