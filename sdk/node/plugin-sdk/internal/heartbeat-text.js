// What heartbeats ask, and the word by which the model says that there is nothing to tell.
import { hasOutboundReplyContent } from './reply-send.js';
import { escapeRegExp, normalizeOptionalString } from './strings.js';

export const HEARTBEAT_TOKEN = 'HEARTBEAT_OK';
/** Up to how many characters beside the word count as nothing. */
export const DEFAULT_HEARTBEAT_ACK_MAX_CHARS = 300;
export const HEARTBEAT_PROMPT = `If the workspace has a HEARTBEAT.md, read it and do what it says, no more. Leave tasks of earlier conversations alone. When there is nothing to tell, answer ${HEARTBEAT_TOKEN}.`;

/** @param {string|undefined} raw @returns {string} */
export const resolveHeartbeatPrompt = (raw) => normalizeOptionalString(raw) ?? HEARTBEAT_PROMPT;

/** The last payload of a reply that has anything in it. @param {any} result @returns {any} */
export const resolveHeartbeatReplyPayload = (result) => (Array.isArray(result) ? result.findLast((payload) => payload && hasOutboundReplyContent(payload)) : result || undefined);

/** Takes the word from both ends. */
function withoutToken(raw) {
  const end = new RegExp(`${escapeRegExp(HEARTBEAT_TOKEN)}([^\\w]{0,4})$`);
  let [text, found] = [raw.trim(), false];
  for (let before; before !== text;) {
    before = text;
    if (text.startsWith(HEARTBEAT_TOKEN)) text = text.slice(HEARTBEAT_TOKEN.length).trim();
    else if (end.test(text)) {
      const head = text.slice(0, text.lastIndexOf(HEARTBEAT_TOKEN)).trimEnd();
      text = head && head + end.exec(text)[1].trim();
    }
    found ||= text !== before;
  }
  return { text: text.replace(/\s+/g, ' ').trim(), found };
}

/** A reply without the word; `shouldSkip` when nothing is left to tell. @param {string|undefined} raw @param {{mode?: 'heartbeat'|'message', maxAckChars?: number|string}} [options] @returns {{shouldSkip: boolean, text: string, didStrip: boolean}} */
export function stripHeartbeatToken(raw, { mode = 'message', maxAckChars } = {}) {
  const trimmed = raw?.trim();
  if (!trimmed) return { shouldSkip: true, text: '', didStrip: false };
  const bare = trimmed.replace(/<[^>]*>/g, ' ').replace(/&nbsp;/gi, ' ').replace(/^[*`~_]+/, '').replace(/[*`~_]+$/, '');
  const [own, plain] = [trimmed, bare].map(withoutToken);
  const { text, found } = own.found && own.text ? own : plain;
  if (!found) return { shouldSkip: false, text: trimmed, didStrip: false };
  const given = typeof maxAckChars === 'string' ? Number(maxAckChars) : maxAckChars;
  const limit = Number.isFinite(given) ? Math.max(0, given) : DEFAULT_HEARTBEAT_ACK_MAX_CHARS;
  const nothing = !text || (mode === 'heartbeat' && text.length <= limit);
  return { shouldSkip: nothing, text: nothing ? '' : text, didStrip: true };
}

/** What a channel shows of heartbeats. @param {{cfg: any, channel: string, accountId?: string}} params @returns {{showOk: boolean, showAlerts: boolean, useIndicator: boolean}} */
export function resolveHeartbeatVisibility({ cfg, channel, accountId }) {
  const section = channel === 'webchat' ? undefined : cfg.channels?.[channel];
  const levels = [section?.accounts?.[accountId], section, cfg.channels?.defaults].map((level) => level?.heartbeat);
  const set = (name, fallback) => levels.map((level) => level?.[name]).find((value) => value != null) ?? fallback;
  return { showOk: set('showOk', false), showAlerts: set('showAlerts', true), useIndicator: set('useIndicator', true) };
}

const INDICATORS = { 'ok-empty': 'ok', 'ok-token': 'ok', sent: 'alert', failed: 'error', skipped: undefined };
/** @param {string} status @returns {'ok'|'alert'|'error'|undefined} */
export function resolveIndicatorType(status) {
  if (Object.hasOwn(INDICATORS, status)) return INDICATORS[status];
  throw new Error('Unsupported heartbeat status');
}

/** Ends a dispatcher: no more is queued, and what is queued is delivered. @param {{dispatcher: any, onSettled?: () => any}} params @returns {Promise<void>} */
export async function settleReplyDispatcher({ dispatcher, onSettled }) {
  dispatcher.markComplete();
  try {
    await dispatcher.waitForIdle();
  } finally {
    await onSettled?.();
  }
}
