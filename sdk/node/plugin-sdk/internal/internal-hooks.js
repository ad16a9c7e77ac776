// Internal hooks of this process, and work that nobody waits for.
import { formatErrorMessage } from './error-text.js';
import { createSubsystemLogger, logVerbose, triggerGatewayInternalHook } from './host.js';
import { resolveGlobalSingleton } from './singletons.js';

const state = resolveGlobalSingleton(Symbol.for('openclaw.sdk.internalHooks'), () => ({ enabled: true, handlers: new Map(), running: 0, waiting: [] }));

/**
 * Runs a handler at an event, or at all events of a type.
 * @param {string} eventKey `type` or `type:action`
 * @param {(event: object) => void | Promise<void>} handler
 * @returns {void}
 */
export const registerInternalHook = (eventKey, handler) => void state.handlers.set(eventKey, [...(state.handlers.get(eventKey) ?? []), handler]);

/**
 * @param {string} eventKey
 * @param {Function} handler
 * @returns {void}
 */
export function unregisterInternalHook(eventKey, handler) {
  const rest = (state.handlers.get(eventKey) ?? []).filter((one) => one !== handler);
  if (rest.length > 0) state.handlers.set(eventKey, rest);
  else state.handlers.delete(eventKey);
}

/**
 * @returns {void}
 */
export const clearInternalHooks = () => state.handlers.clear();

/**
 * @param {boolean} enabled
 * @returns {void}
 */
export const setInternalHooksEnabled = (enabled) => {
  state.enabled = enabled;
};

/**
 * @returns {string[]} the events that have handlers
 */
export const getRegisteredEventKeys = () => [...state.handlers.keys()];

/**
 * @param {string} type
 * @param {string} action
 * @returns {boolean}
 */
export const hasInternalHookListeners = (type, action) => [type, `${type}:${action}`].some((key) => state.handlers.has(key));

/**
 * An event for internal hooks.
 * @param {string} type
 * @param {string} action
 * @param {string} sessionKey
 * @param {object} [context]
 * @returns {{type: string, action: string, sessionKey: string, context: object, timestamp: Date, messages: string[]}}
 */
export const createInternalHookEvent = (type, action, sessionKey, context = {}) => ({ type, action, sessionKey, context, timestamp: new Date(), messages: [] });

/**
 * Runs the handlers of an event one after the other, those of this process first, then the gateway's; a failing one is logged.
 * What handlers say is added to the event's messages.
 * @param {object} event
 * @returns {Promise<void>}
 */
export async function triggerInternalHook(event) {
  if (!state.enabled) return;
  const failed = (error) => createSubsystemLogger('hooks').error(`Hook error [${event.type}:${event.action}]: ${formatErrorMessage(error)}`);
  for (const handler of [event.type, `${event.type}:${event.action}`].flatMap((key) => state.handlers.get(key) ?? [])) {
    try {
      await handler(event);
    } catch (error) {
      failed(error);
    }
  }
  const { type, action, sessionKey, context } = event;
  const said = await triggerGatewayInternalHook({ type, action, sessionKey, context }).catch(failed);
  event.messages?.push(...(said?.messages ?? []));
}

/** The longest line about a failed hook, in characters. */
const MAX_LOG_LINE = 500;

/**
 * An error in one short line.
 * @param {unknown} error
 * @returns {string}
 */
export function formatHookErrorForLog(error) {
  const line = String(formatErrorMessage(error) ?? '').replace(/[\p{Cc}\s]+/gu, ' ').trim();
  return (line || 'unknown error').slice(0, MAX_LOG_LINE);
}

/**
 * Lets work run; its failure is logged.
 * @param {Promise<unknown>} task
 * @param {string} label
 * @param {(message: string) => void} [logger]
 * @returns {void}
 */
export const fireAndForgetHook = (task, label, logger = logVerbose) => void task.catch((error) => logger(`${label}: ${formatHookErrorForLog(error)}`));

/** How many run at once, how many wait, and how long one may take, unless a call says otherwise. */
const LIMITS = { maxConcurrency: 16, maxQueue: 256, timeoutMs: 2000 };
const limit = (value, fallback) => (Number.isFinite(value) && value > 0 ? Math.floor(value) : fallback);

function drain(most) {
  while (state.running < most && state.waiting.length > 0) {
    const { task, label, logger, timeoutMs } = state.waiting.shift();
    state.running++;
    const late = setTimeout(() => logger(`${label}: still running after ${timeoutMs}ms`), timeoutMs);
    const timeout = new Promise((resolve) => setTimeout(resolve, timeoutMs));
    const work = Promise.resolve().then(task).catch((error) => logger(`${label}: ${formatHookErrorForLog(error)}`)).finally(() => clearTimeout(late));
    // A task that hangs gives its place to others after its time.
    void Promise.race([work, timeout]).finally(() => {
      state.running--;
      drain(most);
    });
  }
}

/**
 * Lets work run with others, a bounded number at a time.
 * @param {() => Promise<unknown>} task
 * @param {string} label
 * @param {(message: string) => void} [logger]
 * @param {{maxConcurrency?: number, maxQueue?: number, timeoutMs?: number}} [options]
 * @returns {void}
 */
export function fireAndForgetBoundedHook(task, label, logger = logVerbose, options = {}) {
  const most = limit(options.maxConcurrency, LIMITS.maxConcurrency);
  if (state.running >= most && state.waiting.length >= limit(options.maxQueue, LIMITS.maxQueue)) return logger(`${label}: queue full; dropping hook`);
  state.waiting.push({ task, label, logger, timeoutMs: limit(options.timeoutMs, LIMITS.timeoutMs) });
  return drain(most);
}

const isEvent = (type, action, check) => (event) => event?.type === type && event.action === action && typeof event.context === 'object' && event.context !== null && check(event.context);
const isText = (value) => typeof value === 'string';

/**
 * @param {object} event
 * @returns {boolean}
 */
export const isAgentBootstrapEvent = isEvent('agent', 'bootstrap', (context) => isText(context.workspaceDir) && Array.isArray(context.bootstrapFiles));
/**
 * @param {object} event
 * @returns {boolean}
 */
export const isGatewayStartupEvent = isEvent('gateway', 'startup', () => true);
/**
 * @param {object} event
 * @returns {boolean}
 */
export const isMessageReceivedEvent = isEvent('message', 'received', (context) => isText(context.from) && isText(context.channelId));
/**
 * @param {object} event
 * @returns {boolean}
 */
export const isMessageSentEvent = isEvent('message', 'sent', (context) => isText(context.to) && isText(context.channelId) && typeof context.success === 'boolean');
/**
 * @param {object} event
 * @returns {boolean}
 */
export const isMessageTranscribedEvent = isEvent('message', 'transcribed', (context) => isText(context.transcript) && isText(context.channelId));
/**
 * @param {object} event
 * @returns {boolean}
 */
export const isMessagePreprocessedEvent = isEvent('message', 'preprocessed', (context) => isText(context.channelId));
/**
 * @param {object} event
 * @returns {boolean}
 */
export const isSessionPatchEvent = isEvent('session', 'patch', (context) => ['patch', 'cfg', 'sessionEntry'].every((key) => typeof context[key] === 'object' && context[key] !== null));
