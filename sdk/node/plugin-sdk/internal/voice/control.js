// What a caller wants of work that is under way.
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString } from '../strings.js';
import { REALTIME_VOICE_AGENT_CONTROL_MODES } from './consult.js';

const OPENING = String.raw`^(?:(?:ok|okay|alright|all right)[,\s]+)?`;
const pattern = (source) => new RegExp(OPENING + source);
const END = String.raw`(?:\s*[.!?])?$`;
const WORK = String.raw`(?:that|this|it|the\s+(?:check|run|task|work))`;
const STOP = '(?:cancel|cancle|stop|abort)';

/** By mode, in the order in which they are tried. */
const INTENTS = [
  ['steer', 'medium', 'steer_command', [
    pattern(String.raw`(?:please\s+)?stop\s+(?:using|doing|checking|looking at|focusing on|trying)\b`),
    pattern(String.raw`(?:can|could|would)\s+(?:you|we)\s+(?:please\s+)?stop\s+(?:using|doing|checking|looking at|focusing on|trying)\b`),
    pattern(String.raw`(?:please\s+)?stop\s+${WORK}\s+from\b`),
  ]],
  ['cancel', 'high', 'cancel_safety', [
    pattern(String.raw`(?:please\s+)?${STOP}(?:\s+${WORK})?${END}`),
    pattern(String.raw`(?:please\s+)?(?:never mind|nevermind|forget it|kill it|end that)${END}`),
    pattern(String.raw`(?:can|could|would)\s+you\s+(?:please\s+)?${STOP}(?:\s+${WORK})?${END}`),
    new RegExp(String.raw`^(?:(?:ok|okay|alright|all right|actually)[,\s]+)?(?:can|could|would)\s+(?:we|you)\s+(?:just\s+)?${STOP}(?:\s+${WORK})?${END}`),
    new RegExp(String.raw`\b${STOP}\s+${WORK}\b`),
  ]],
  ['status', 'high', 'status_query', [
    pattern(`(?:status|progress|update)${END}`),
    pattern(String.raw`(?:give me|what'?s|any)\s+(?:an?\s+)?update${END}`),
    pattern(String.raw`(?:where are we|what'?s happening|what (?:are you|is it) doing|what'?s it doing|how (?:is|are) (?:it|you|that|this) going|how'?s it going|are you still working|is it done|did it finish)(?:\b|[.!?])`),
  ]],
  ['followup', 'high', 'followup_marker', [/^(after that|when you'?re done|when it'?s done|next|then|also|one more thing|follow up)(\b|[,.!?])/]],
  ['steer', 'medium', 'steer_command', [
    pattern(String.raw`(?:please\s+)?update\s+\S`),
    /^(?:actually|instead|change|switch|focus|use|try|prefer|make|do|check|look at|go with|redirect|steer|tell it to)\b/,
    /^(?:can|could|would)\s+you\s+(?:actually\s+)?(?:change|switch|focus|use|try|prefer|make|do|check|look at|go with|redirect|steer)\b/,
    /\b(?:instead|not that|rather than|change that|switch to|focus on|use the|try the|go with|tell it to)\b/,
  ]],
];
const REFUSED = /\b(?:don'?t|do\s+not|not|never)\s+(?:please\s+)?(?:cancel|cancle|stop|abort|kill|end)\b|\bstop\s+(?:it|that|this)\s+from\b/;

/** A mode by its name. @param {unknown} value @returns {string | undefined} */
export const normalizeRealtimeVoiceAgentControlMode = (value) => REALTIME_VOICE_AGENT_CONTROL_MODES.find((mode) => mode === normalizeLowercaseStringOrEmpty(value));

/** What is wanted, and how sure that is. @param {{ text: string, mode?: unknown }} params @returns {{ mode: string, confidence: string, reason: string, shouldAutoControl: boolean }} */
export function resolveRealtimeVoiceAgentControlIntent({ text, mode }) {
  const named = normalizeRealtimeVoiceAgentControlMode(mode);
  if (named) return { mode: named, confidence: 'high', reason: 'explicit_mode', shouldAutoControl: true };
  const line = text.trim().toLowerCase();
  const fits = ([wanted, , , patterns]) => !(wanted === 'cancel' && REFUSED.test(line)) && patterns.some((one) => one.test(line));
  const found = INTENTS.find(fits);
  if (!found) return { mode: 'status', confidence: 'low', reason: 'safe_default', shouldAutoControl: false };
  return { mode: found[0], confidence: found[1], reason: found[2], shouldAutoControl: true };
}
/** The mode alone. @param {string} text @returns {string} */
export const classifyRealtimeVoiceAgentControlText = (text) => resolveRealtimeVoiceAgentControlIntent({ text }).mode;
/** Whether a text is surely meant for work under way. @param {string} text @returns {boolean} */
export const shouldAutoControlRealtimeVoiceAgentText = (text) => resolveRealtimeVoiceAgentControlIntent({ text }).shouldAutoControl;

function recordOf(args) {
  if (typeof args !== 'string') return args;
  try {
    return args.trim() ? JSON.parse(args) : {};
  } catch {
    return { text: args.trim() };
  }
}
/** The arguments of the control tool; without a text they are an error. @param {unknown} args @returns {{ text: string, mode: string }} */
export function parseRealtimeVoiceAgentControlToolArgs(args) {
  const record = recordOf(args);
  const own = record && typeof record === 'object' && !Array.isArray(record) ? record : {};
  const text = ['text', 'message', 'request', 'query'].map((key) => normalizeOptionalString(own[key])).find(Boolean);
  if (!text) throw new Error('text required');
  return { text, mode: normalizeRealtimeVoiceAgentControlMode(own.mode) ?? classifyRealtimeVoiceAgentControlText(text) };
}
