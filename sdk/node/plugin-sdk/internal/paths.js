// Where state and temporary files are.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { normalizeAgentId } from './accounts.js';

const given = (value) => (value?.trim() && !['undefined', 'null'].includes(value.trim()) ? value.trim() : undefined);

function home(env, homedir = os.homedir) {
  const own = given(env.OPENCLAW_HOME);
  const user = given(env.HOME) ?? given(env.USERPROFILE) ?? given(homedir());
  if (!own) return path.resolve(user ?? process.cwd());
  return path.resolve(own.replace(/^~(?=$|[\\/])/, user ?? ''));
}

/** The home directory. @param {NodeJS.ProcessEnv} [env] @param {() => string} [homedir] @returns {string} */
export const resolveRequiredHomeDir = (env = process.env, homedir = os.homedir) => home(env, homedir);

/** A path with `~` for the home directory. */
export function resolveUserPath(input, env = process.env, homedir = os.homedir) {
  const text = input.trim();
  return text && path.resolve(text.replace(/^~(?=$|[\\/])/, () => home(env, homedir)));
}

/** The state directory. */
export function resolveStateDir(env = process.env, homedir = os.homedir) {
  const override = env.OPENCLAW_STATE_DIR?.trim();
  if (override) return resolveUserPath(override, env, homedir);
  const root = home(env, homedir);
  const current = path.join(root, '.openclaw');
  const older = path.join(root, '.clawdbot');
  return !fs.existsSync(current) && fs.existsSync(older) && env.OPENCLAW_TEST_FAST !== '1' ? older : current;
}

/** The state directory of this process. */
export const STATE_DIR = resolveStateDir();
/** Where the configuration file lies. */
export const CONFIG_DIR = STATE_DIR;

/**
 * Where OAuth credentials are kept.
 * @param {NodeJS.ProcessEnv} [env]
 * @param {string} [stateDir]
 * @returns {string}
 */
export function resolveOAuthDir(env = process.env, stateDir = resolveStateDir(env)) {
  const override = env.OPENCLAW_OAUTH_DIR?.trim();
  return override ? resolveUserPath(override, env) : path.join(stateDir, 'credentials');
}

/** The session store of an agent, or the one that configuration names. */
export function resolveStorePath(store, options) {
  const agentId = normalizeAgentId(options?.agentId);
  const env = options?.env ?? process.env;
  if (!store) return path.join(resolveStateDir(env), 'agents', agentId, 'sessions', 'sessions.json');
  return resolveUserPath(store.replaceAll('{agentId}', agentId), env);
}

/** A directory for temporary files that only this user can write to. */
export function resolvePreferredOpenClawTmpDir() {
  const uid = process.getuid?.();
  const shared = '/tmp/openclaw';
  const candidates = process.platform === 'win32' ? [] : [shared];
  candidates.push(path.join(os.tmpdir(), uid === undefined ? 'openclaw' : `openclaw-${uid}`));
  for (const directory of candidates) {
    try {
      fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
      const stat = fs.lstatSync(directory);
      if (!stat.isDirectory() || (uid !== undefined && stat.uid !== uid)) continue;
      if ((stat.mode & 0o022) !== 0) fs.chmodSync(directory, 0o700);
      fs.accessSync(directory, fs.constants.W_OK | fs.constants.X_OK);
      return directory;
    } catch {
      // The next candidate.
    }
  }
  throw new Error(`no temporary directory is safe to use: ${candidates.join(', ')}`);
}

/** Makes a directory with those above it. @param {string} dir @returns {Promise<void>} */
export const ensureDir = async (dir) => void (await fs.promises.mkdir(dir, { recursive: true }));

/** The home directory; `undefined` when there is none. @returns {string | undefined} */
export const resolveHomeDir = () => home(process.env, os.homedir);
/** Where the configuration is: the state directory, or beside the file that the environment names. @param {NodeJS.ProcessEnv} [env] @param {() => string} [homedir] @returns {string} */
export function resolveConfigDir(env = process.env, homedir = os.homedir) {
  const file = env.OPENCLAW_CONFIG_PATH?.trim();
  if (env.OPENCLAW_STATE_DIR?.trim()) return resolveUserPath(env.OPENCLAW_STATE_DIR.trim(), env, homedir);
  return file ? path.dirname(resolveUserPath(file, env, homedir)) : path.join(resolveRequiredHomeDir(env, homedir), '.openclaw');
}
