// Where commands and monitors write, and how they end.
import { format } from 'node:util';
import { createLogger } from '../../worker/logger.js';
import { plugins } from '../../worker/state.js';

const json = (value, space) => JSON.stringify(value, null, space > 0 ? space : undefined);

function io() {
  return {
    log: (...args) => console.log(...args),
    error: (...args) => console.error(...args),
    writeStdout: (value) => void process.stdout.write(value.endsWith('\n') ? value : `${value}\n`),
    writeJson: (value, space = 2) => void process.stdout.write(`${json(value, space)}\n`),
  };
}

/**
 * Writes to the terminal and ends the process.
 * @type {{log: Function, error: Function, writeStdout: (text: string) => void, writeJson: (value: unknown, space?: number) => void, exit: (code: number) => never}}
 */
export const defaultRuntime = {
  ...io(),
  exit(code) {
    process.exit(code);
    throw new Error('unreachable');
  },
};

/**
 * The same, but an end is an error that the caller sees.
 * @returns {typeof defaultRuntime}
 */
export const createNonExitingRuntime = () => ({
  ...io(),
  exit(code) {
    throw new Error(`exit ${code}`);
  },
});

/**
 * A runtime that writes to a logger.
 * @param {{logger: {info: (text: string) => void, error: (text: string) => void}, exitError?: (code: number) => Error}} params
 * @returns {typeof defaultRuntime}
 */
export function createLoggerBackedRuntime({ logger, exitError }) {
  return {
    log: (...args) => logger.info(format(...args)),
    error: (...args) => logger.error(format(...args)),
    writeStdout: (value) => logger.info(value),
    writeJson: (value, space = 2) => logger.info(json(value, space)),
    exit(code) {
      throw exitError?.(code) ?? new Error(`exit ${code}`);
    },
  };
}

/**
 * The runtime that is given, else one that writes to the logger.
 * @param {{runtime?: typeof defaultRuntime, logger: object, exitError?: (code: number) => Error}} params
 * @returns {typeof defaultRuntime}
 */
export const resolveRuntimeEnv = ({ runtime, ...params }) => runtime ?? createLoggerBackedRuntime(params);

/**
 * The same; an end is refused with one message.
 * @param {{runtime?: typeof defaultRuntime, logger: object, unavailableMessage?: string}} params
 * @returns {typeof defaultRuntime}
 */
export const resolveRuntimeEnvWithUnavailableExit = ({ unavailableMessage = 'Runtime exit not available', ...params }) =>
  resolveRuntimeEnv({ ...params, exitError: () => new Error(unavailableMessage) });

/**
 * The same with the arguments in order.
 * @param {typeof defaultRuntime | undefined} runtime
 * @param {object} logger
 * @returns {typeof defaultRuntime}
 */
export const resolveLoggerBackedRuntime = (runtime, logger) => resolveRuntimeEnvWithUnavailableExit({ runtime, logger });

const own = (bindings) => createLogger(plugins.size === 1 ? plugins.keys().next().value : undefined, bindings);
const METHODS = ['silly', 'trace', 'debug', 'info', 'warn', 'error', 'fatal'];
const plainText = (args) => format(...args.filter((arg) => arg !== undefined));

function childOf(bindings) {
  const logger = own(bindings);
  const child = { settings: { minLevel: 0, name: bindings ? JSON.stringify(bindings) : undefined } };
  for (const method of METHODS) child[method] = (...args) => logger[method === 'silly' ? 'trace' : method](plainText(args));
  child.getSubLogger = ({ name } = {}) => childOf(name ? { ...bindings, name } : bindings);
  return child;
}

/**
 * A logger that adds these members to its lines.
 * @param {Record<string, unknown>} [bindings]
 * @returns {object} a logger with the methods of tslog
 */
export const getChildLogger = (bindings) => childOf(bindings);

/**
 * A logger for libraries that expect pino.
 * @param {{getSubLogger: Function, settings: object}} logger
 * @param {string} level
 * @returns {object}
 */
export function toPinoLikeLogger(logger, level) {
  const pino = { level, child: (bindings) => toPinoLikeLogger(logger.getSubLogger({ name: bindings ? JSON.stringify(bindings) : undefined, minLevel: logger.settings?.minLevel }), level) };
  for (const method of METHODS.slice(1)) pino[method] = (...args) => logger[method](...args);
  return pino;
}

function write(level, message, runtime) {
  if (runtime) return void runtime[level === 'error' ? 'error' : 'log'](message);
  own()[level](message);
}

/**
 * @param {string} message
 * @param {typeof defaultRuntime} [runtime] where to write; the log without it
 * @returns {void}
 */
export const logInfo = (message, runtime) => write('info', message, runtime);
/**
 * @param {string} message
 * @param {typeof defaultRuntime} [runtime]
 * @returns {void}
 */
export const logWarn = (message, runtime) => write('warn', message, runtime);
/**
 * @param {string} message
 * @param {typeof defaultRuntime} [runtime]
 * @returns {void}
 */
export const logSuccess = (message, runtime) => write('info', message, runtime);
/**
 * @param {string} message
 * @param {typeof defaultRuntime} [runtime]
 * @returns {void}
 */
export const logError = (message, runtime) => write('error', message, runtime);
/**
 * @param {string} message
 * @returns {void}
 */
export const logDebug = (message) => own().debug(message);
