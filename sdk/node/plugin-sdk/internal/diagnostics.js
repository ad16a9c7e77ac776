// Diagnostic events within this process, and trace contexts as the W3C writes them.
import { randomBytes } from 'node:crypto';
import { formatErrorMessage } from './error-text.js';
import { createSubsystemLogger } from './host.js';
import { resolveGlobalSingleton } from './singletons.js';

const nonZero = (size) => (value) => typeof value === 'string' && new RegExp(`^[0-9a-f]{${size}}$`).test(value) && !/^0+$/.test(value);

/**
 * @param {unknown} value
 * @returns {boolean}
 */
export const isValidDiagnosticTraceId = nonZero(32);
/**
 * @param {unknown} value
 * @returns {boolean}
 */
export const isValidDiagnosticSpanId = nonZero(16);
/**
 * @param {unknown} value
 * @returns {boolean}
 */
export const isValidDiagnosticTraceFlags = (value) => typeof value === 'string' && /^[0-9a-f]{2}$/.test(value);

const lower = (value) => (typeof value === 'string' ? value.trim().toLowerCase() : undefined);
const valid = (value, check) => (check(lower(value)) ? lower(value) : undefined);
/** Longer headers are not read. */
const MAX_TRACEPARENT = 128;

/**
 * The parts of a `traceparent` header.
 * @param {unknown} traceparent
 * @returns {{traceId: string, spanId: string, traceFlags: string} | undefined}
 */
export function parseDiagnosticTraceparent(traceparent) {
  if (typeof traceparent !== 'string' || traceparent.length > MAX_TRACEPARENT) return undefined;
  const [version, rawTrace, rawSpan, rawFlags, ...more] = lower(traceparent).split('-');
  if (!/^[0-9a-f]{2}$/.test(version) || version === 'ff' || (version === '00' && more.length > 0)) return undefined;
  const [traceId, spanId, traceFlags] = [valid(rawTrace, isValidDiagnosticTraceId), valid(rawSpan, isValidDiagnosticSpanId), valid(rawFlags, isValidDiagnosticTraceFlags)];
  return traceId && spanId && traceFlags ? { traceId, spanId, traceFlags } : undefined;
}

/**
 * A trace context; what is not given is made up.
 * @param {{traceparent?: string, traceId?: string, spanId?: string, parentSpanId?: string, traceFlags?: string}} [input]
 * @returns {{traceId: string, spanId: string, parentSpanId?: string, traceFlags: string}}
 */
export function createDiagnosticTraceContext(input = {}) {
  const header = parseDiagnosticTraceparent(input.traceparent);
  const spanId = valid(input.spanId, isValidDiagnosticSpanId) ?? header?.spanId ?? randomBytes(8).toString('hex');
  const parentSpanId = valid(input.parentSpanId, isValidDiagnosticSpanId);
  return {
    traceId: valid(input.traceId, isValidDiagnosticTraceId) ?? header?.traceId ?? randomBytes(16).toString('hex'),
    spanId,
    ...(parentSpanId && parentSpanId !== spanId ? { parentSpanId } : {}),
    traceFlags: valid(input.traceFlags, isValidDiagnosticTraceFlags) ?? header?.traceFlags ?? '01',
  };
}

/**
 * A context below another one.
 * @param {object} parent
 * @param {{spanId?: string, parentSpanId?: string, traceFlags?: string}} [input]
 * @returns {object}
 */
export const createChildDiagnosticTraceContext = (parent, input = {}) =>
  createDiagnosticTraceContext({
    traceId: parent.traceId, spanId: input.spanId, parentSpanId: valid(input.parentSpanId, isValidDiagnosticSpanId) ?? parent.spanId, traceFlags: input.traceFlags ?? parent.traceFlags,
  });

/**
 * The `traceparent` header of a context.
 * @param {object | undefined} context
 * @returns {string | undefined}
 */
export function formatDiagnosticTraceparent(context) {
  const [traceId, spanId] = [valid(context?.traceId, isValidDiagnosticTraceId), valid(context?.spanId, isValidDiagnosticSpanId)];
  return traceId && spanId ? `00-${traceId}-${spanId}-${valid(context.traceFlags, isValidDiagnosticTraceFlags) ?? '01'}` : undefined;
}

/**
 * Whether configuration lets diagnostics run.
 * @param {object | undefined} config
 * @returns {boolean}
 */
export const isDiagnosticsEnabled = (config) => config?.diagnostics?.enabled !== false;

const OFF = new Set(['0', 'false', 'off', 'none']);
const ALL = new Set(['1', 'true', 'all', '*']);

/**
 * Whether a diagnostic flag is set, in configuration or in `OPENCLAW_DIAGNOSTICS`; `a.*` covers all below `a`.
 * @param {string} flag
 * @param {object} [cfg]
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {boolean}
 */
export function isDiagnosticFlagEnabled(flag, cfg, env = process.env) {
  const named = (env.OPENCLAW_DIAGNOSTICS ?? '').trim().toLowerCase();
  const fromEnv = OFF.has(named) ? undefined : ALL.has(named) ? ['*'] : named.split(/[,\s]+/);
  const wanted = flag.trim().toLowerCase();
  if (!fromEnv || !wanted) return false;
  const flags = [...(Array.isArray(cfg?.diagnostics?.flags) ? cfg.diagnostics.flags : []), ...fromEnv].map((one) => String(one).trim().toLowerCase()).filter(Boolean);
  return flags.some((one) => one === '*' || one === 'all' || one === wanted || (one.endsWith('.*') && (wanted === one.slice(0, -2) || wanted.startsWith(one.slice(0, -1)))) || (!one.endsWith('.*') && one.endsWith('*') && wanted.startsWith(one.slice(0, -1))));
}

const state = resolveGlobalSingleton(Symbol.for('openclaw.sdk.diagnosticEvents'), () => ({ seq: 0, depth: 0, listeners: new Set() }));
/** A listener that emits from within an event may do so only so deep. */
const MAX_DEPTH = 100;

function emit(event, trusted) {
  if (state.depth > MAX_DEPTH) return;
  const full = { ...event, seq: ++state.seq, ts: Date.now() };
  state.depth++;
  for (const listener of [...state.listeners]) {
    try {
      listener(full, { trusted });
    } catch (error) {
      createSubsystemLogger('diagnostics').error(`a listener of \`${event.type}\` failed: ${formatErrorMessage(error)}`);
    }
  }
  state.depth--;
}

/**
 * Tells the listeners of this process.
 * @param {{type: string}} event
 * @returns {void}
 */
export const emitDiagnosticEvent = (event) => emit(event, false);

/**
 * The same for events that only internal listeners get.
 * @param {{type: string}} event
 * @returns {void}
 */
export const emitTrustedDiagnosticEvent = (event) => emit(event, true);

/**
 * @param {(event: object, metadata: {trusted: boolean}) => void} listener
 * @returns {() => void} ends it
 */
export function onInternalDiagnosticEvent(listener) {
  state.listeners.add(listener);
  return () => void state.listeners.delete(listener);
}

/**
 * Listens to diagnostic events, without log lines and trusted ones.
 * @param {(event: object) => void} listener
 * @returns {() => void} ends it
 */
export const onDiagnosticEvent = (listener) => onInternalDiagnosticEvent((event, { trusted }) => (trusted || event.type === 'log.record' ? undefined : listener(event)));

/**
 * @returns {void}
 */
export function resetDiagnosticEventsForTest() {
  Object.assign(state, { seq: 0, depth: 0 });
  state.listeners.clear();
}

const counts = { received: 0, processed: 0, errors: 0 };
const said = (params) => `channel=${params.channel} type=${params.updateType ?? 'unknown'} chatId=${params.chatId ?? 'unknown'}`;

/**
 * @param {{channel: string, updateType?: string, chatId?: number | string}} params
 * @returns {void}
 */
export function logWebhookReceived({ channel, updateType, chatId }) {
  createSubsystemLogger('diagnostic').debug(`webhook received: ${said({ channel, updateType, chatId })} total=${++counts.received}`);
  emitDiagnosticEvent({ type: 'webhook.received', channel, updateType, chatId });
}

/**
 * @param {{channel: string, updateType?: string, chatId?: number | string, durationMs?: number}} params
 * @returns {void}
 */
export function logWebhookProcessed({ channel, updateType, chatId, durationMs }) {
  createSubsystemLogger('diagnostic').debug(`webhook processed: ${said({ channel, updateType, chatId })} duration=${durationMs ?? 0}ms processed=${++counts.processed}`);
  emitDiagnosticEvent({ type: 'webhook.processed', channel, updateType, chatId, durationMs });
}

/**
 * @param {{channel: string, updateType?: string, chatId?: number | string, error: string}} params
 * @returns {void}
 */
export function logWebhookError({ channel, updateType, chatId, error }) {
  createSubsystemLogger('diagnostic').error(`webhook error: ${said({ channel, updateType, chatId })} error="${error}" errors=${++counts.errors}`);
  emitDiagnosticEvent({ type: 'webhook.error', channel, updateType, chatId, error });
}

/** The gateway watches its own runs. @returns {void} */
export const startDiagnosticHeartbeat = () => {};
/** @returns {void} */
export const stopDiagnosticHeartbeat = () => {};

/** A trace context that nothing changes. @param {any} context @returns {any} */
export function freezeDiagnosticTraceContext({ traceId, spanId, parentSpanId, traceFlags }) {
  return Object.freeze({ traceId, ...(spanId ? { spanId } : {}), ...(parentSpanId ? { parentSpanId } : {}), ...(traceFlags ? { traceFlags } : {}) });
}
/** A plugin's process has no trace of its own under way. @param {any} [input] @returns {any} */
export const createDiagnosticTraceContextFromActiveScope = (input) => createDiagnosticTraceContext(input);
/** @param {any} metadata @returns {boolean} */
export const isInternalDiagnosticEventMetadata = (metadata) => metadata.internal === true;
/** Events are told at once: none waits. @returns {false} */
export const hasPendingInternalDiagnosticEvent = () => false;
/** Events are told at once. @returns {Promise<void>} */
export const waitForDiagnosticEventsDrained = async () => {};
/** Tells of an event; what is private stays out of it, since listeners of other plugins hear it. @param {any} event */
export const emitTrustedDiagnosticEventWithPrivateData = (event) => emitTrustedDiagnosticEvent(event);

const CONTENTS = ['inputMessages', 'outputMessages', 'toolInputs', 'toolOutputs', 'systemPrompt', 'toolDefinitions'];
/** Which contents of model calls traces may hold. @param {any} config @returns {any} */
export function resolveDiagnosticModelContentCapturePolicy(config) {
  const otel = config?.diagnostics?.enabled === false ? undefined : config?.diagnostics?.otel;
  const wish = otel?.enabled === true && otel.traces !== false ? otel.captureContent : undefined;
  const may = (name) => (wish === true ? name !== 'systemPrompt' : wish?.enabled === true && wish[name] === true);
  const policy = Object.fromEntries(CONTENTS.map((name) => [name, Boolean(may(name))]));
  return { ...policy, anyModelContent: policy.inputMessages || policy.outputMessages || policy.systemPrompt || policy.toolDefinitions };
}
