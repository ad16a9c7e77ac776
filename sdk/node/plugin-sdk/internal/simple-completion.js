// One question to a model outside any session. The gateway keeps the keys and asks the model.
import { peer, plugins } from '../../worker/state.js';
import { resolveAgentDir, resolveAgentEffectiveModelPrimary, resolveDefaultAgentId } from './agents.js';
import { buildModelAliasIndex, resolveDefaultModelForAgent, resolveModelRefFromString } from './provider/model-refs.js';
import { normalizeOptionalString } from './strings.js';
import { sanitizeAssistantVisibleText } from './visible-text.js';

/** What was asked for when a model was prepared: only what differs from the default needs the operator's permission. */
const asked = new WeakMap();

/** A model reference without the profile of a sign-in at its end. */
function withoutProfile(raw) {
  const at = raw.lastIndexOf('@');
  return at > raw.lastIndexOf('/') && at > 0 && at < raw.length - 1 ? { model: raw.slice(0, at), profile: raw.slice(at + 1) } : { model: raw };
}

/**
 * Which model an agent would use for a single question.
 * @param {{cfg: any, agentId: string, modelRef?: string}} params
 * @returns {{provider: string, modelId: string, profileId?: string, agentDir: string} | null}
 */
export function resolveSimpleCompletionSelectionForAgent({ cfg, agentId, modelRef }) {
  const fallback = resolveDefaultModelForAgent({ cfg, agentId });
  const defaultProvider = fallback.provider || 'openai';
  const raw = normalizeOptionalString(modelRef) ?? resolveAgentEffectiveModelPrimary(cfg, agentId);
  const named = raw ? withoutProfile(raw) : undefined;
  const ref = named && resolveModelRefFromString({ raw: named.model, defaultProvider, aliasIndex: buildModelAliasIndex({ cfg, defaultProvider }) })?.ref;
  const { provider, model } = ref ?? fallback;
  return provider && model ? { provider, modelId: model, profileId: named?.profile, agentDir: resolveAgentDir(cfg, agentId) } : null;
}

function prepared(provider, modelId, wish) {
  const model = { id: modelId, name: modelId, provider };
  asked.set(model, wish);
  return { model, auth: { source: 'gateway', mode: 'api-key' } };
}

/**
 * A model to ask. The key stays in the gateway: `auth` holds none.
 * @param {{cfg: any, provider: string, modelId: string}} params @returns {Promise<{model: any, auth: any}>}
 */
export const prepareSimpleCompletionModel = async ({ provider, modelId }) => prepared(provider, modelId, { model: `${provider}/${modelId}` });

/**
 * The model of an agent to ask, with what chose it.
 * @param {{cfg: any, agentId: string, modelRef?: string}} params @returns {Promise<any>} `error` when the agent has no model
 */
export async function prepareSimpleCompletionModelForAgent({ cfg, agentId, modelRef }) {
  const selection = resolveSimpleCompletionSelectionForAgent({ cfg, agentId, modelRef });
  if (!selection) return { error: `No model configured for agent ${agentId}.` };
  const wish = { ...(normalizeOptionalString(modelRef) && { model: `${selection.provider}/${selection.modelId}` }), ...(agentId !== resolveDefaultAgentId(cfg) && { agentId }) };
  return { selection, ...prepared(selection.provider, selection.modelId, wish) };
}

const textOf = (content) => (typeof content === 'string' ? content : (Array.isArray(content) ? content : []).filter((part) => part?.type === 'text').map((part) => part.text).join('\n'));

/**
 * Asks a prepared model. Only texts of the context are sent.
 * @param {{model: any, context: {systemPrompt?: string, messages: any[]}, options?: {maxTokens?: number, temperature?: number, signal?: AbortSignal}}} params
 * @returns {Promise<any>} the assistant's message
 */
export async function completeWithPreparedSimpleCompletionModel({ model, context, options = {} }) {
  if (!peer) throw Object.assign(new Error('this function needs the gateway and works only inside a plugin worker'), { code: 'NOT_BUILT' });
  const messages = context.messages.filter(({ role }) => role === 'user' || role === 'assistant').map(({ role, content }) => ({ role, content: textOf(content) }));
  const { maxTokens, temperature, signal } = options;
  const pluginId = plugins.size === 1 ? plugins.keys().next().value : undefined;
  const wish = asked.get(model) ?? { model: `${model.provider}/${model.id}` };
  const answer = await peer.request('host.llm.complete', { pluginId, ...wish, systemPrompt: context.systemPrompt, messages, maxTokens, temperature, purpose: 'simple-completion' }, { signal });
  const { inputTokens = 0, outputTokens = 0, cacheReadTokens = 0, cacheWriteTokens = 0, totalTokens = 0 } = answer.usage ?? {};
  return {
    role: 'assistant',
    content: [{ type: 'text', text: answer.text }],
    provider: answer.provider,
    model: answer.model,
    usage: { input: inputTokens, output: outputTokens, cacheRead: cacheReadTokens, cacheWrite: cacheWriteTokens, totalTokens },
    stopReason: 'stop',
    timestamp: Date.now(),
  };
}

/** What an assistant's message says. @param {any} message @returns {string} */
export const extractAssistantText = (message) => sanitizeAssistantVisibleText(textOf(message?.content)).trim();
