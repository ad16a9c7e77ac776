// Replies by which the model says that it will not reply.
import { escapeRegExp } from './strings.js';

/** What the model writes instead of a reply. */
export const SILENT_REPLY_TOKEN = 'NO_REPLY';

/** Whether a text is the token and nothing else. @param {string|undefined} text @param {string} [token] @returns {boolean} */
export function isSilentReplyText(text, token = SILENT_REPLY_TOKEN) {
  const word = escapeRegExp(token);
  return Boolean(text) && new RegExp(`^\\s*${word}(?:\\s+${word})*\\s*$`, 'i').test(text);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `"NO_REPLY"` or `{"action": "NO_REPLY"}`. */
function isSilentJson(text, token) {
  const trimmed = text.trim();
  if (!trimmed.includes(token) || !/^(?:"[\s\S]*"|\{[\s\S]*\})$/.test(trimmed)) return false;
  const value = parsed(trimmed);
  const word = typeof value === 'string' ? value : value && Object.keys(value).join() === 'action' ? value.action : undefined;
  return typeof word === 'string' && word.trim() === token;
}

const NAME = String.raw`<\s*(?:(?:antml:|mm:)?(?:think(?:ing)?|thought)|antthinking)\b[^<>]*>`;
const CLOSED_THOUGHT = new RegExp(String.raw`^\s*${NAME}[\s\S]*?<\s*/\s*(?:(?:antml:|mm:)?(?:think(?:ing)?|thought)|antthinking)\s*>\s*`, 'i');
const OPEN_THOUGHT = new RegExp(String.raw`^\s*${NAME}`, 'i');
const HEADED_THOUGHT = /^\s*(?:think(?:ing)?|thought|analysis|reasoning)\s*:?\s*\r?\n/i;
const WHERE = String.raw`(?:\s+(?:here|for now|on this|in this (?:chat|thread|channel|conversation)))?`.replaceAll(' ', String.raw`\s+`);
const SUBJECT = String.raw`(?:i|i'll|i will|i'm|i am|we|we'll|we will|the assistant|assistant|the bot|bot|openclaw)`.replaceAll(' ', String.raw`\s+`);
const STAY = String.raw`(?:(?:will\s+)?(?:stay|remain|keep|be)\s+(?:quiet|silent)${WHERE})`;
const REFUSE = String.raw`(?:(?:do\s+not|don't|dont|will\s+not|won't|would\s+not|should\s+not)\s+(?:reply|respond)${WHERE})`;
const NOTHING = String.raw`(?:(?:have|has)\s+nothing\s+(?:to|for)\s+(?:say|add|reply|respond))`;
const INTENT = new RegExp(String.raw`^\s*${SUBJECT}\s+(?:${STAY}|${REFUSE}|${NOTHING})[.!?]*\s*$`, 'i');
const ANSWER = /\b(?:answer|here(?:'s|\s+is)|tell\s+them|you\s+(?:should|can|could|need|must)|please|try|use|send|service\s+is|resolved|retry|yes|no,|sure)\b/i;
const PLACEHOLDER = /^\s*(?:(?:internal|private)\s+)?(?:reasoning|thinking|thoughts?|analysis)(?:\s+notes?)?\s*$/i;

/** The text before a final token; `null` when it does not end with one. */
function beforeToken(text, token) {
  const rest = text.replace(new RegExp(`(?:^|[\\s*.])${escapeRegExp(token)}\\s*$`, 'i'), '').trim();
  return rest === text.trim() ? null : rest;
}

/** Whether what follows a thought is silence. In a thought that was not closed, its last line may say so. */
function endsSilent(text, token, inThought) {
  if (isSilentReplyText(text, token)) return true;
  const rest = beforeToken(text, token);
  if (rest === null) return false;
  if (rest === '' || INTENT.test(rest)) return true;
  if (!inThought) return false;
  const lines = rest.split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
  const before = lines.slice(0, -1).join('\n');
  return PLACEHOLDER.test(rest) || (before !== '' && INTENT.test(lines.at(-1)) && !ANSWER.test(before));
}

function isSilentAfterThought(text, token) {
  const trimmed = text.trim();
  let rest = trimmed;
  while (CLOSED_THOUGHT.test(rest)) rest = rest.replace(CLOSED_THOUGHT, '');
  if (rest !== trimmed) return endsSilent(rest, token, false);
  const head = [OPEN_THOUGHT, HEADED_THOUGHT].find((pattern) => pattern.test(trimmed));
  return head !== undefined && endsSilent(trimmed.replace(head, ''), token, true);
}

/** Whether a whole payload is silence: the token, as JSON, or behind a thought. @param {string|undefined} text @param {string} [token] @returns {boolean} */
export const isSilentReplyPayloadText = (text, token = SILENT_REPLY_TOKEN) =>
  Boolean(text) && (isSilentReplyText(text, token) || isSilentJson(text, token) || isSilentAfterThought(text, token));
