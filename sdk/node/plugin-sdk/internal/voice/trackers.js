// What a live voice is doing: sound that goes out, turns, transcripts, echoes.

/** Counts sound that goes out. @param {{ now?: () => number }} [options] */
export function createRealtimeVoiceOutputActivityTracker({ now = Date.now } = {}) {
  const empty = () => ({ audioMs: 0, chunks: 0, sourceAudioBytes: 0, sinkAudioBytes: 0, playbackStarted: false, streamEnding: false, lastAudioAt: undefined, playbackStartedAt: undefined });
  let state = empty();
  const set = (change) => void Object.assign(state, change);
  const sinceStart = () => now() - state.playbackStartedAt;
  return {
    markStreamOpened: () => set({ streamEnding: false, playbackStarted: false, playbackStartedAt: undefined, lastAudioAt: undefined }),
    markStreamEnding: () => set({ streamEnding: true }),
    markPlaybackStarted: () => state.playbackStarted || set({ playbackStarted: true, playbackStartedAt: now() }),
    markAudio(delta) {
      for (const key of ['audioMs', 'sourceAudioBytes', 'sinkAudioBytes']) state[key] += Math.max(0, delta[key] ?? 0);
      set({ chunks: state.chunks + 1, lastAudioAt: now() });
    },
    reset: () => void (state = empty()),
    isActive: (sinkActive = false) => sinkActive || state.chunks > 0,
    isInterruptible: (sinkActive = false) => sinkActive || state.chunks > 0 || state.audioMs > 0,
    elapsedPlaybackMs: () => (state.playbackStartedAt === undefined ? 0 : sinceStart()),
    playbackWatchdogDelayMs: ({ marginMs, minMs = 1000 }) => (state.playbackStartedAt === undefined || state.audioMs <= 0 ? undefined : Math.max(minMs, state.audioMs - sinceStart() + marginMs)),
    snapshot: () => Object.fromEntries(Object.entries(state).filter(([, value]) => value !== undefined)),
  };
}

const whole = (value, fallback) => (value === undefined || !Number.isFinite(value) ? fallback : Math.max(0, Math.floor(value)));

/** Keeps to which turn sound belongs. @param {{ now?: () => number, limit?: number, ignoredContextTtlMs?: number, deferUntilAudio?: boolean }} [options] */
export function createRealtimeVoiceTurnContextTracker(options = {}) {
  const now = options.now ?? Date.now;
  const [limit, ttl] = [whole(options.limit, 32), whole(options.ignoredContextTtlMs, 10_000)];
  const owner = Symbol('turns');
  let turns = [];
  let [ignored, count] = [undefined, 0];
  const prune = () => {
    turns = turns.filter((turn) => !turn.closed || turn.hasAudio);
    while (turns.length > limit) turns.splice(Math.max(turns.findIndex((turn) => turn.closed), 0), 1);
  };
  const add = (turn) => {
    if (turns.includes(turn)) return;
    turns.push(turn);
    prune();
  };
  /** A closed turn is over once a later one has sound. */
  const heard = () => {
    prune();
    const last = turns.findLastIndex((turn) => turn.hasAudio);
    turns = turns.filter((turn, index) => !(turn.hasAudio && turn.closed && index < last));
    return turns.find((turn) => turn.hasAudio);
  };
  return {
    open(context, extra) {
      const startedAt = now();
      const turn = { ...extra, [owner]: true, id: `realtime-turn:${startedAt}:${++count}`, context, hasAudio: false, closed: false, startedAt };
      if (options.deferUntilAudio !== true) add(turn);
      return turn;
    },
    markAudio(turn) {
      if (!turn[owner]) return;
      Object.assign(turn, { hasAudio: true, lastAudioAt: now() });
      add(turn);
    },
    close(turn) {
      if (!turn[owner]) return;
      turn.closed = true;
      if (turns.includes(turn)) prune();
    },
    consumeAudioContext() {
      const turn = heard();
      turns = turns.filter((one) => one !== turn);
      prune();
      return turn?.context;
    },
    peekAudioTurn: heard,
    hasAudioContext: () => heard() !== undefined,
    rememberIgnoredContext: (context) => void (context === undefined || (ignored = { context, at: now() })),
    consumeIgnoredContext() {
      const recent = ignored;
      ignored = undefined;
      return recent && now() - recent.at <= ttl ? recent.context : undefined;
    },
    size() {
      prune();
      return turns.length;
    },
    clear() {
      turns = [];
      ignored = undefined;
    },
  };
}

const keep = (list, entry, most) => {
  list.push(entry);
  if (list.length > most) list.splice(0, list.length - most);
  return entry;
};
/** Notes what was said. @param {object[]} transcript @param {string} role @param {string} text @param {number} [maxEntries] */
export const recordRealtimeVoiceTranscript = (transcript, role, text, maxEntries = 40) => keep(transcript, { at: new Date().toISOString(), role, text }, maxEntries);
/** Notes an event of a voice service; sound itself is not noted. @param {object[]} events @param {{ direction: string, type: string, detail?: string }} event @param {number} [maxEntries] */
export function recordRealtimeVoiceBridgeEvent(events, event, maxEntries = 40) {
  if (event.direction !== 'client' || event.type !== 'input_audio_buffer.append') keep(events, { at: new Date().toISOString(), ...event }, maxEntries);
}
/** The latest of what was said. @param {object[]} transcript */
export function getRealtimeVoiceTranscriptHealth(transcript) {
  const last = transcript.at(-1);
  return { realtimeTranscriptLines: transcript.length, lastRealtimeTranscriptAt: last?.at, lastRealtimeTranscriptRole: last?.role, lastRealtimeTranscriptText: last?.text, recentRealtimeTranscript: transcript.slice(-5) };
}
/** The latest events. @param {object[]} events */
export function getRealtimeVoiceBridgeEventHealth(events) {
  const last = events.at(-1);
  return { lastRealtimeEventAt: last?.at, lastRealtimeEventType: last ? `${last.direction}:${last.type}` : undefined, lastRealtimeEventDetail: last?.detail, recentRealtimeEvents: events.slice(-10) };
}

/** Until when sound that comes in may be an echo. @param {{ audio: Uint8Array, bytesPerMs: number, nowMs: number, lastOutputPlayableUntilMs: number, suppressInputUntilMs: number, tailMs: number }} params */
export function extendRealtimeVoiceOutputEchoSuppression(params) {
  const durationMs = Math.ceil(params.audio.byteLength / params.bytesPerMs);
  const end = Math.max(params.nowMs, params.lastOutputPlayableUntilMs) + durationMs;
  return { durationMs, lastOutputPlayableUntilMs: end, suppressInputUntilMs: Math.max(params.suppressInputUntilMs, end + params.tailMs) };
}

const tokens = (text) => text.toLowerCase().replace(/['’]/g, '').split(/[^a-z0-9]+/).filter((token) => token.length > 1);
/** Whether what was heard is what the assistant just said. @param {{ text: string, transcript: object[], lookbackMs: number, nowMs?: number }} params @returns {boolean} */
export function isLikelyRealtimeVoiceAssistantEchoTranscript({ text, transcript, lookbackMs, nowMs = Date.now() }) {
  const heard = tokens(text);
  const recent = transcript.filter((entry) => entry.role === 'assistant' && nowMs - Date.parse(entry.at) <= lookbackMs).slice(-6);
  const said = tokens(recent.map((entry) => entry.text).join(' '));
  if (heard.length < 4 || said.length === 0) return false;
  const [a, b] = [heard.join(' '), said.join(' ')];
  if ((a.length >= 18 && b.includes(a)) || (b.length >= 18 && a.includes(b))) return true;
  const own = new Set(heard);
  return said.length >= 4 && own.size >= 4 && [...own].filter((token) => said.includes(token)).length / own.size >= 0.58;
}
