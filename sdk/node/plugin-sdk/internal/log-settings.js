// Levels and switches of logging in this process. Lines go to the gateway, which decides what is kept and shown.
import { format } from 'node:util';
import { snapshot } from '../../worker/state.js';
import { createSubsystemLogger } from './host.js';
import { defaultRuntime } from './runtime-io.js';
import { normalizeLowercaseStringOrEmpty } from './strings.js';
import { theme } from './terminal.js';

/** From the quietest to the loudest. */
export const ALLOWED_LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'];
const MIN_LEVELS = { trace: 1, debug: 2, info: 3, warn: 4, error: 5, fatal: 6, silent: Infinity };
const flags = { verbose: undefined, yes: false, subsystems: null };

/**
 * @param {string | undefined} level
 * @param {string} [fallback]
 * @returns {string}
 */
export const normalizeLogLevel = (level, fallback = 'info') => (ALLOWED_LOG_LEVELS.includes(level?.trim()) ? level.trim() : fallback);

/**
 * @param {string} level
 * @returns {number}
 */
export const levelToMinLevel = (level) => MIN_LEVELS[level];

const own = () => normalizeLogLevel(snapshot.config?.logging?.level);

/**
 * @param {string} level
 * @returns {boolean} whether the log keeps such lines
 */
export const isFileLogLevelEnabled = (level) => level !== 'silent' && own() !== 'silent' && levelToMinLevel(level) >= levelToMinLevel(own());

/**
 * @returns {boolean}
 */
export const isVerbose = () => flags.verbose ?? snapshot.verbose === true;
/**
 * @param {boolean} value
 * @returns {void}
 */
export const setVerbose = (value) => void (flags.verbose = value);
/**
 * @returns {boolean} whether questions are answered with yes
 */
export const isYes = () => flags.yes;
/**
 * @param {boolean} value
 * @returns {void}
 */
export const setYes = (value) => void (flags.yes = value);

/**
 * @param {string} message
 * @returns {void}
 */
export const logVerboseConsole = (message) => void (isVerbose() && console.log(theme.muted(message)));

/**
 * @param {string[] | null} [filters] names of subsystems
 * @returns {void}
 */
export function setConsoleSubsystemFilter(filters) {
  const names = (filters ?? []).map((name) => name.trim()).filter(Boolean);
  flags.subsystems = names.length > 0 ? names : null;
}

/**
 * @param {string} subsystem
 * @returns {boolean}
 */
export const shouldLogSubsystemToConsole = (subsystem) => !flags.subsystems || flags.subsystems.some((name) => subsystem === name || subsystem.startsWith(`${name}/`));

/**
 * A line without the name of its subsystem in front.
 * @param {string} message
 * @param {string | undefined} subsystem
 * @returns {string}
 */
export function stripRedundantSubsystemPrefixForConsole(message, subsystem) {
  const name = normalizeLowercaseStringOrEmpty(subsystem);
  if (!subsystem) return message;
  const bracket = /^\[([^\]]+)\] */.exec(message);
  if (bracket && normalizeLowercaseStringOrEmpty(bracket[1]) === name) return message.slice(bracket[0].length);
  if (normalizeLowercaseStringOrEmpty(message.slice(0, subsystem.length)) !== name) return message;
  const rest = message.slice(subsystem.length);
  return /^[: ]/.test(rest) ? rest.replace(/^ *:? */, '') : message;
}

/**
 * A runtime that writes to a logger.
 * @param {{info: (text: string) => void, error: (text: string) => void}} logger
 * @param {(code: number) => void} [exit]
 * @returns {object}
 */
export const runtimeForLogger = (logger, exit = defaultRuntime.exit) => ({
  log: (...args) => logger.info(format(...args).trim()),
  error: (...args) => logger.error(format(...args).trim()),
  writeStdout: (value) => logger.info(value),
  writeJson: (value, space = 2) => logger.info(JSON.stringify(value, null, space > 0 ? space : undefined)),
  exit,
});

/**
 * The same for a part of the plugin.
 * @param {string} subsystem
 * @param {(code: number) => void} [exit]
 * @returns {object}
 */
export const createSubsystemRuntime = (subsystem, exit) => runtimeForLogger(createSubsystemLogger(subsystem), exit);

/**
 * @param {unknown} value
 * @returns {boolean} whether a variable says yes
 */
export const isTruthyEnvValue = (value) => ['1', 'on', 'true', 'yes'].includes(normalizeLowercaseStringOrEmpty(value));
