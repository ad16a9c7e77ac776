// Whether a message is meant for the bot.
import { resolveAgentConfig } from './agents.js';
import { escapeRegExp, isRecord, normalizeLowercaseStringOrEmpty, normalizeOptionalString } from './strings.js';

export const implicitMentionKindWhen = (kind, enabled) => (enabled ? [kind] : []);

/** Decides from facts and policy; both may also be given flat. */
export function resolveInboundMentionDecision(params) {
  const facts = params.facts ?? params;
  const policy = params.policy ?? params;
  const mentionedAtAll = facts.wasMentioned || (facts.hasAnyMention ?? false);
  const shouldBypassMention =
    policy.isGroup && policy.requireMention && !mentionedAtAll && policy.allowTextCommands && policy.commandAuthorized && policy.hasControlCommand;
  const allowed = policy.allowedImplicitMentionKinds && new Set(policy.allowedImplicitMentionKinds);
  const matchedImplicitMentionKinds = [...new Set(facts.implicitMentionKinds ?? [])].filter((kind) => !allowed || allowed.has(kind));
  const implicitMention = matchedImplicitMentionKinds.length > 0;
  const effectiveWasMentioned = facts.wasMentioned || implicitMention || shouldBypassMention;
  return {
    implicitMention,
    matchedImplicitMentionKinds,
    effectiveWasMentioned,
    shouldBypassMention,
    shouldSkip: policy.requireMention && facts.canDetectMention && !effectiveWasMentioned,
  };
}

/** The same from flat facts of older callers. @param {any} params @returns {{effectiveWasMentioned: boolean, shouldSkip: boolean}} */
export function resolveMentionGating({ requireMention, canDetectMention, wasMentioned, implicitMention, shouldBypassMention }) {
  const effectiveWasMentioned = wasMentioned || implicitMention === true || shouldBypassMention === true;
  return { effectiveWasMentioned, shouldSkip: requireMention && canDetectMention && !effectiveWasMentioned };
}
/** The same, where a command may pass without a mention. @param {any} params @returns {{effectiveWasMentioned: boolean, shouldSkip: boolean, shouldBypassMention: boolean}} */
export function resolveMentionGatingWithBypass({ implicitMention, ...params }) {
  const { effectiveWasMentioned, shouldSkip, shouldBypassMention } = resolveInboundMentionDecision({ ...params, implicitMentionKinds: implicitMentionKindWhen('native', implicitMention === true) });
  return { effectiveWasMentioned, shouldSkip, shouldBypassMention };
}

/** A text in lower case without invisible marks. @param {string|null|undefined} text @returns {string} */
export const normalizeMentionText = (text) => normalizeLowercaseStringOrEmpty((text ?? '').replace(/[\u200b-\u200f\u202a-\u202e\u2060-\u206f]/g, ''));

/** Whether any pattern fits a text. @param {string|null|undefined} text @param {RegExp[]} mentionRegexes @returns {boolean} */
export function matchesMentionPatterns(text, mentionRegexes) {
  const plain = normalizeMentionText(text);
  return plain !== '' && mentionRegexes.some((pattern) => pattern.test(plain));
}

/** The same, where the platform may say itself who is mentioned; a transcript counts when there is no text. @param {any} params @returns {boolean} */
export function matchesMentionWithExplicit({ text, mentionRegexes, explicit, transcript }) {
  const known = explicit?.isExplicitlyMentioned === true;
  const plain = normalizeMentionText(text) || normalizeMentionText(transcript);
  const mustAsk = plain !== '' || (explicit?.hasAnyMention === true && explicit.canResolveExplicit === true);
  return known || (mustAsk && mentionRegexes.some((pattern) => pattern.test(plain)));
}

const ids = (list) => new Set((list ?? []).map((value) => normalizeOptionalString(value)).filter(Boolean));

/** Whether patterns count in a conversation of a channel. @param {any} params @returns {{effectiveMode: string, allowMatched: boolean, denyMatched: boolean, enabled: boolean}} */
export function resolveMentionPatternPolicy({ cfg, provider, conversationId, providerPolicy }) {
  const configured = provider ? cfg?.channels?.[provider]?.mentionPatterns : undefined;
  const policy = providerPolicy ?? (isRecord(configured) ? configured : undefined);
  const effectiveMode = policy?.mode === 'deny' ? 'deny' : 'allow';
  const id = normalizeOptionalString(conversationId);
  const allowMatched = id !== undefined && ids(policy?.allowIn).has(id);
  const denyMatched = id !== undefined && ids(policy?.denyIn).has(id);
  return { effectiveMode, allowMatched, denyMatched, enabled: !denyMatched && (effectiveMode === 'allow' || allowMatched) };
}

const MAX_PATTERN = 512;
/** A repetition inside a repetition could take for ever. */
const NESTED_REPEAT = /\([^)]*[+*}][^)]*\)[+*{]/;
const compiled = new Map();
function compile(source) {
  if (!compiled.has(source)) {
    let pattern = null;
    try {
      pattern = source.length <= MAX_PATTERN && !NESTED_REPEAT.test(source) ? new RegExp(source, 'i') : null;
    } catch {
      // Said below.
    }
    if (!pattern) process.emitWarning(`the mention pattern \`${source.slice(0, 80)}\` is not a safe regular expression and is left out`, { code: 'CHELA_MENTION_PATTERN' });
    compiled.set(source, pattern);
  }
  return compiled.get(source);
}

/** By name and emoji of an agent. */
function patternsOf(identity) {
  const name = normalizeOptionalString(identity?.name);
  const emoji = normalizeOptionalString(identity?.emoji);
  return [...(name ? [String.raw`\b@?${name.split(/\s+/).map(escapeRegExp).join(String.raw`\s+`)}\b`] : []), ...(emoji ? [escapeRegExp(emoji)] : [])];
}

/** The patterns by which an agent is called: its own, the general ones, or its name and emoji. @param {any} cfg @param {string} [agentId] @param {any} [options] @returns {RegExp[]} */
export function buildMentionRegexes(cfg, agentId, options) {
  if (!cfg || !resolveMentionPatternPolicy({ ...options, cfg }).enabled) return [];
  const agent = agentId ? resolveAgentConfig(cfg, agentId) : undefined;
  const own = [agent?.groupChat, cfg.messages?.groupChat].find((chat) => chat && Object.hasOwn(chat, 'mentionPatterns'));
  const sources = own ? (own.mentionPatterns ?? []) : patternsOf(agent?.identity);
  // In JSON `\b` is a backspace; a word boundary was meant.
  return sources.map((source) => compile(String(source).replaceAll('\b', '\\b'))).filter(Boolean);
}
