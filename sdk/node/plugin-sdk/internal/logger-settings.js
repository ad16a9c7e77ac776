// Settings of logs, for plugins that look at them. Lines of plugins go to the gateway, which keeps and shows them.
import path from 'node:path';
import { snapshot } from '../../worker/state.js';
import { normalizeLogLevel } from './log-settings.js';
import { resolvePreferredOpenClawTmpDir, resolveUserPath } from './paths.js';
import { getChildLogger } from './runtime-io.js';

/** Where logs are kept when nothing is set. */
export const DEFAULT_LOG_DIR = resolvePreferredOpenClawTmpDir();
export const DEFAULT_LOG_FILE = path.join(DEFAULT_LOG_DIR, 'openclaw.log');
/** The largest file, in bytes. */
const LARGEST = 100 * 1024 * 1024;

const own = { settings: undefined, load: undefined, loadConsole: undefined };
const logging = () => own.settings ?? own.load?.() ?? snapshot.config?.logging ?? {};

/** What holds for the log. @returns {{level: string, file: string, maxFileBytes: number}} */
export function getResolvedLoggerSettings() {
  const { level, file, maxFileBytes } = logging();
  return { level: normalizeLogLevel(level), file: file ? resolveUserPath(file) : DEFAULT_LOG_FILE, maxFileBytes: maxFileBytes > 0 ? Math.floor(maxFileBytes) : LARGEST };
}
/** What holds for the console. @returns {{level: string, style: 'pretty' | 'compact' | 'json'}} */
export function getResolvedConsoleSettings() {
  const { consoleLevel, consoleStyle } = own.loadConsole?.() ?? logging();
  return { level: normalizeLogLevel(consoleLevel), style: ['pretty', 'compact', 'json'].includes(consoleStyle) ? consoleStyle : process.stdout.isTTY ? 'pretty' : 'compact' };
}
export const getConsoleSettings = getResolvedConsoleSettings;
/** The logger of the plugin. */
export const getLogger = () => getChildLogger();

/** Settings in place of the gateway's, for this process. @param {object | null} settings @returns {void} */
export const setLoggerOverride = (settings) => void (own.settings = settings ?? undefined);
/** @param {(() => object | undefined) | undefined} [load] @returns {void} */
export const setLoggerConfigLoaderForTests = (load) => void (own.load = load);
/** @param {(() => object | undefined) | undefined} [load] @returns {void} */
export const setConsoleConfigLoaderForTests = (load) => void (own.loadConsole = load);
/** @returns {void} */
export const resetLogger = () => Object.assign(own, { settings: undefined, load: undefined, loadConsole: undefined }) && undefined;
/** What a worker prints goes to the log of the gateway already. @returns {void} */
export const enableConsoleCapture = () => {};
/** A worker's standard output is not the user's: nothing is to be moved. @returns {void} */
export const routeLogsToStderr = () => {};
/** The gateway writes times. @param {boolean} _enabled @returns {void} */
export const setConsoleTimestampPrefix = (_enabled) => {};
/** Proxies of the environment are used by the dispatchers of the SDK; the process-wide one is left as it is. @returns {void} */
export const ensureGlobalUndiciEnvProxyDispatcher = () => {};
