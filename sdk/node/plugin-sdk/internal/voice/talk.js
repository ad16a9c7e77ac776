// The events of a conversation by voice, and the bridge to a voice service.
import { createSubsystemLogger } from '../host.js';
import { asOptionalRecord, normalizeOptionalString } from '../strings.js';
import { selectCapabilityProvider } from '../capability-providers.js';

export const TALK_EVENT_TYPES = [
  'session.started', 'session.ready', 'session.closed', 'session.error', 'session.replaced', 'turn.started', 'turn.ended', 'turn.cancelled', 'capture.started', 'capture.stopped',
  'capture.cancelled', 'capture.once', 'input.audio.delta', 'input.audio.committed', 'transcript.delta', 'transcript.done', 'output.text.delta', 'output.text.done',
  'output.audio.started', 'output.audio.delta', 'output.audio.done', 'tool.call', 'tool.progress', 'tool.result', 'tool.error', 'usage.metrics', 'latency.metrics', 'health.changed',
];
const OF_TURN = /^(?:turn|input|transcript|output|tool)\./;
const NOT_LOGGED = new Set(['input.audio.delta', 'output.audio.delta', 'output.text.delta', 'transcript.delta', 'tool.progress']);

/** The name of a transport in canonical form. @param {unknown} value @returns {string | undefined} */
export function normalizeTalkTransport(value) {
  const name = normalizeOptionalString(value);
  return { 'webrtc-sdp': 'webrtc', 'json-pcm-websocket': 'provider-websocket' }[name] ?? name;
}

/** Numbers the events of a session. @param {{ sessionId: string }} context @param {{ now?: () => Date | string }} [options] */
export function createTalkEventSequencer(context, { now = () => new Date() } = {}) {
  let seq = 0;
  return {
    next(input) {
      if (OF_TURN.test(input.type) && !input.turnId?.trim()) throw new Error(`Talk event ${input.type} requires turnId`);
      if (input.type.startsWith('capture.') && !input.captureId?.trim()) throw new Error(`Talk event ${input.type} requires captureId`);
      seq++;
      const at = input.timestamp ?? now();
      const { type, turnId, captureId, final, callId, itemId, parentId, payload } = input;
      return { ...context, id: `${context.sessionId}:${seq}`, type, turnId, captureId, seq, timestamp: typeof at === 'string' ? at : at.toISOString(), final, callId, itemId, parentId, payload };
    },
  };
}

/** Starts and ends turns, and tells everyone. @param {object} params @param {{ sequencer?: object, now?: Function, onEvent?: (event: object) => void }} [options] */
export function createTalkSessionController({ maxRecentEvents = 20, turnIdPrefix = 'turn', ...context }, options = {}) {
  const sequencer = options.sequencer ?? createTalkEventSequencer(context, { now: options.now });
  const recentEvents = [];
  let [active, speaking, count] = [undefined, false, 0];
  const emit = (input) => {
    const event = sequencer.next(input);
    recentEvents.push(event);
    if (recentEvents.length > maxRecentEvents) recentEvents.splice(0, recentEvents.length - maxRecentEvents);
    try {
      options.onEvent?.(event);
    } catch {
      // A listener must not break a conversation.
    }
    return event;
  };
  const startTurn = ({ turnId: wanted, payload = {} } = {}) => {
    const turnId = normalizeOptionalString(wanted) ?? `${turnIdPrefix}-${++count}`;
    [speaking, active] = [false, turnId];
    return { turnId, event: emit({ type: 'turn.started', turnId, payload }) };
  };
  const refusal = (wanted) => {
    const id = normalizeOptionalString(wanted);
    if (!active) return { ok: false, reason: 'no_active_turn' };
    return id && id !== active ? { ok: false, reason: 'stale_turn' } : undefined;
  };
  const finish = (type, { turnId: wanted, payload = {} } = {}) => {
    const refused = refusal(wanted);
    if (refused) return refused;
    const turnId = active;
    [speaking, active] = [false, undefined];
    return { ok: true, turnId, event: emit({ type, turnId, payload, final: true }) };
  };
  const ensureTurn = (params) => (active ? { turnId: active } : startTurn(params));
  return {
    get activeTurnId() {
      return active;
    },
    get outputAudioActive() {
      return speaking;
    },
    context,
    recentEvents,
    emit,
    startTurn,
    ensureTurn,
    clearActiveTurn: () => void ([active, speaking] = [undefined, false]),
    endTurn: (params) => finish('turn.ended', params),
    cancelTurn: (params) => finish('turn.cancelled', params),
    startOutputAudio({ turnId: wanted, payload = {} } = {}) {
      const { turnId } = ensureTurn({ turnId: wanted, payload: {} });
      if (speaking) return { turnId };
      speaking = true;
      return { turnId, event: emit({ type: 'output.audio.started', turnId, payload }) };
    },
    finishOutputAudio({ turnId: wanted, payload = {} } = {}) {
      if (!speaking || refusal(wanted)) return undefined;
      speaking = false;
      return emit({ type: 'output.audio.done', turnId: active, payload, final: true });
    },
  };
}

const firstNumber = (payload, ...keys) => keys.map((key) => asOptionalRecord(payload)?.[key]).find((value) => typeof value === 'number' && Number.isFinite(value) && value >= 0);
const factsOf = ({ payload }) => ({ durationMs: firstNumber(payload, 'durationMs', 'latencyMs', 'elapsedMs'), byteLength: firstNumber(payload, 'byteLength', 'audioBytes') });
/** An event as a diagnostic. @param {object} event */
export function createTalkDiagnosticEvent(event) {
  const { sessionId, turnId, captureId, mode, transport, brain, provider, final } = event;
  return { type: 'talk.event', sessionId, turnId, captureId, talkEventType: event.type, mode, transport, brain, provider, final, ...factsOf(event) };
}
/** An event as a line of the log; `undefined` for what comes too often. @param {object} event */
export function createTalkLogRecord(event) {
  if (NOT_LOGGED.has(event.type)) return undefined;
  const { durationMs, byteLength } = factsOf(event);
  const attributes = { sessionId: event.sessionId, talkEventType: event.type, talkMode: event.mode, talkTransport: event.transport, talkBrain: event.brain };
  if (event.provider) attributes.talkProvider = event.provider;
  if (typeof event.final === 'boolean') attributes.talkFinal = event.final;
  if (durationMs !== undefined) attributes.talkDurationMs = durationMs;
  if (byteLength !== undefined) attributes.talkByteLength = byteLength;
  return { level: ['session.error', 'tool.error'].includes(event.type) ? 'warn' : 'info', message: `talk event ${event.type}`, attributes };
}
/** Writes an event to the log. @param {object} event */
export function recordTalkLogEvent(event) {
  const record = createTalkLogRecord(event);
  if (record) createSubsystemLogger('talk')[record.level](record.message, record.attributes);
}

/** Ties a voice service to a sink of sound. @param {object} params */
export function createRealtimeVoiceBridgeSession(params) {
  const { provider, audioSink, markStrategy } = params;
  let bridge;
  const ready = () => {
    if (!bridge) throw new Error('Realtime voice bridge is not ready');
    return bridge;
  };
  const open = () => audioSink.isOpen?.() ?? true;
  const always = Object.fromEntries(['acknowledgeMark', 'close', 'connect', 'sendAudio', 'setMediaTimestamp', 'submitToolResult'].map((name) => [name, (...args) => ready()[name](...args)]));
  const maybe = Object.fromEntries(['sendUserMessage', 'handleBargeIn', 'triggerGreeting'].map((name) => [name, (...args) => ready()[name]?.(...args)]));
  const session = Object.defineProperty({ ...always, ...maybe }, 'bridge', { get: ready, enumerable: true });
  const settings = ['cfg', 'providerConfig', 'audioFormat', 'instructions', 'autoRespondToAudio', 'interruptResponseOnInputAudio', 'tools', 'onTranscript', 'onEvent', 'onError', 'onClose'];
  bridge = provider.createBridge({
    ...Object.fromEntries(settings.map((key) => [key, params[key]])),
    onAudio: (audio) => open() && audioSink.sendAudio(audio),
    onClearAudio: () => open() && audioSink.clearAudio?.(),
    onMark(name) {
      if (!open() || markStrategy === 'ignore') return;
      if (markStrategy === 'ack-immediately') bridge?.acknowledgeMark();
      else if (markStrategy === undefined || markStrategy === 'transport') audioSink.sendMark?.(name);
    },
    onToolCall: (event) => bridge && params.onToolCall?.(event, session),
    onReady() {
      if (!bridge) return;
      if (params.triggerGreetingOnReady) bridge.triggerGreeting?.(params.initialGreetingInstructions);
      params.onReady?.(session);
    },
  });
  return session;
}

/** The voice service that configuration names, or the first that is ready. @param {object} params @returns {{ provider: object, providerConfig: object }} */
export function resolveConfiguredRealtimeVoiceProvider(params) {
  const { cfg, cfgForResolve = cfg ?? {}, defaultModel, providerConfigOverrides } = params;
  return selectCapabilityProvider({
    ...params,
    cfgForResolve,
    label: 'Realtime voice provider',
    none: params.noRegisteredProviderMessage ?? 'No realtime voice provider registered',
    configOf(provider, raw) {
      const rawConfig = { ...raw, ...(defaultModel && raw.model === undefined ? { model: defaultModel } : {}), ...providerConfigOverrides };
      return provider.resolveConfig?.({ cfg: cfgForResolve, rawConfig }) ?? rawConfig;
    },
    isConfigured: (provider, providerConfig) => provider.isConfigured({ cfg, providerConfig }),
  });
}
