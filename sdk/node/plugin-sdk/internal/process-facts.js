// The machine and the variables of this process.
import fs from 'node:fs/promises';
import { isWSLEnv } from './small-tools.js';
import { normalizeOptionalString } from './strings.js';

let wsl;
async function readWsl() {
  if (process.platform !== 'linux') return false;
  return isWSLEnv() || /microsoft|wsl/i.test(await fs.readFile('/proc/sys/kernel/osrelease', 'utf8').catch(() => ''));
}
/** Whether this is Linux inside Windows. @returns {Promise<boolean>} */
export const isWSL = () => (wsl ??= readWsl());
/** Looks again at the next question. */
export const resetWSLStateForTests = () => { wsl = undefined; };

/** The variables of Z.AI's key: each stands for the other. */
const ZAI = ['ZAI_API_KEY', 'Z_AI_API_KEY'];
/** Gives Z.AI's key its usual name. */
export function normalizeZaiEnv() {
  const [name, other] = ZAI;
  if (!process.env[name]?.trim() && process.env[other]?.trim()) process.env[name] = process.env[other];
}
/** Gives variables their usual names. */
export const normalizeEnv = normalizeZaiEnv;
/** Variables that mean the same as one. @param {string} key @returns {string[]} */
export const resolveEnvNormalizationKeys = (key) => (ZAI.includes(key) ? ZAI : [key]);
/** @param {Iterable<string>} keys @returns {Set<string>} */
export const expandEnvNormalizationKeys = (keys) => new Set([...keys].flatMap(resolveEnvNormalizationKeys));
/** The gateway logs its own variables. */
export const logAcceptedEnvOption = () => {};
/** @returns {boolean} */
export const areDiagnosticsEnabledForProcess = () => true;

/** Anything thrown as an error. @param {unknown} value @param {string} fallbackMessage @returns {Error} */
export function toErrorObject(value, fallbackMessage) {
  if (value instanceof Error) return value;
  if (typeof value === 'string') return new Error(value);
  const error = new Error(fallbackMessage, { cause: value });
  return value !== null && ['object', 'function'].includes(typeof value) ? Object.assign(error, value) : error;
}

/** Who an answer comes from, without blank parts; nothing when all are. @param {any} identity @returns {any} */
export function normalizeOutboundIdentity(identity) {
  const parts = Object.fromEntries(['name', 'avatarUrl', 'emoji', 'theme'].map((key) => [key, normalizeOptionalString(identity?.[key])]));
  return Object.values(parts).some(Boolean) ? parts : undefined;
}
