// Settings of speech: what holds for an agent, a channel and an account.
import { normalizeAccountId, normalizeAgentId } from '../accounts.js';
import { isRecord, normalizeLowercaseStringOrEmpty, normalizeOptionalString } from '../strings.js';

const UNSAFE = new Set(['__proto__', 'prototype', 'constructor']);
function merge(base, over) {
  if (!isRecord(base) || !isRecord(over)) return over === undefined ? base : over;
  const next = { ...base };
  for (const [key, value] of Object.entries(over)) if (!UNSAFE.has(key) && value !== undefined) next[key] = key in next ? merge(next[key], value) : value;
  return next;
}
function entry(records, id, normalize) {
  const name = normalizeOptionalString(id);
  if (!isRecord(records) || !name) return undefined;
  const key = Object.hasOwn(records, name) ? name : Object.keys(records).find((candidate) => normalize(candidate) === normalize(name));
  return key && isRecord(records[key]) ? records[key] : undefined;
}

/** The settings for an agent, a channel and an account, the nearest last. @param {object} cfg @param {string | { agentId?: string, channelId?: string, accountId?: string }} [context] @returns {object} */
export function resolveEffectiveTtsConfig(cfg, context) {
  const { agentId, channelId, accountId } = typeof context === 'string' ? { agentId: context } : context ?? {};
  const agent = agentId && Array.isArray(cfg.agents?.list) ? cfg.agents.list.find((one) => normalizeAgentId(one.id) === normalizeAgentId(agentId)) : undefined;
  const channel = entry(cfg.channels, channelId, normalizeLowercaseStringOrEmpty);
  const account = entry(channel?.accounts, accountId, normalizeAccountId);
  return [agent, channel, account].reduce((merged, one) => (isRecord(one?.tts) ? merge(merged, one.tts) : merged), cfg.messages?.tts ?? {});
}
