// The logger of a plugin: every line is a note that names its plugin.
import { inspect } from 'node:util';
import { peer } from './state.js';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** A logger whose lines carry the plugin id, and `bindings` as structured data. */
export function createLogger(pluginId, bindings) {
  const logger = {};
  for (const level of LEVELS) {
    logger[level] = (message, ...rest) => {
      const meta = metaOf(bindings, rest);
      // Without a worker (a test of the plugin's author, a tool) there is only the terminal.
      if (!peer) return void console.error(`[${level}] ${textOf(message)}`);
      peer.note('log', { pluginId, level, message: textOf(message), ...(meta === undefined ? {} : { meta }) });
      return undefined;
    };
  }
  return logger;
}

function textOf(message) {
  return typeof message === 'string' ? message : inspect(message, { depth: 4, breakLength: Infinity });
}

function metaOf(bindings, rest) {
  if (rest.length === 0) return bindings;
  const [first] = rest;
  if (rest.length === 1 && first && typeof first === 'object' && !(first instanceof Error) && !Array.isArray(first)) {
    return { ...bindings, ...plain(first) };
  }
  return { ...bindings, args: rest.map((item) => (item instanceof Error ? (item.stack ?? String(item)) : plain(item))) };
}

function plain(value) {
  try {
    return JSON.parse(JSON.stringify(value) ?? 'null');
  } catch {
    return inspect(value, { depth: 2 });
  }
}
