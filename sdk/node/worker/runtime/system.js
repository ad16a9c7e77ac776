// `api.runtime.system` and `api.runtime.logging`.
import { createLogger } from '../logger.js';
import { snapshot } from '../state.js';
import { ask, askSync } from './group.js';

/** Adds what takes its arguments in another shape. */
export function finishSystem(system, plugin) {
  system.enqueueSystemEvent = (text, options) => askSync(plugin, 'host.system.enqueueSystemEvent', { text, ...options });
  system.requestHeartbeatNow = (options) =>
    askSync(plugin, 'host.system.requestHeartbeat', { source: 'other', intent: 'immediate', ...options });
  system.runCommandWithTimeout = async (argv, options) => {
    const given = typeof options === 'number' ? { timeoutMs: options } : options;
    if (plugin.params?.permissions?.sandbox?.mode !== 'enforce') return ask(plugin, 'host.system.runCommandWithTimeout', { argv, ...given });
    const { runCommand } = await import('../sandbox/command.js');
    return runCommand(argv, given ?? {});
  };
}

/** Loggers of a plugin. */
export function loggingGroup(plugin) {
  return {
    shouldLogVerbose: () => snapshot.verbose === true,
    getChildLogger: (bindings, options) => atLeast(createLogger(plugin.id, bindings), options?.level),
  };
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** A logger that says nothing below a level. */
function atLeast(logger, level) {
  const from = level === 'silent' ? LEVELS.length : LEVELS.indexOf(level);
  for (const name of LEVELS.slice(0, Math.max(0, from))) logger[name] = () => {};
  return logger;
}
