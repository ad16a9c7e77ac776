// Runs and single questions that a plugin puts to the agent of its worker's gateway.
import { randomUUID } from 'node:crypto';
import { ask } from '../../worker/runtime/group.js';
import { logVerbose } from './host.js';
import { ownPlugin, ownRuntime } from './own-plugin.js';

/** Time for a label, in ms, and its length in characters. */
const [LABEL_TIMEOUT, LABEL_LENGTH] = [15_000, 128];

/** A short name of a conversation, made by the agent's model; `null` when it gives none. @param {{userMessage: string, prompt: string, cfg?: object, agentId?: string, maxLength?: number}} params @returns {Promise<string | null>} */
export async function generateConversationLabel({ userMessage, prompt, agentId, maxLength }) {
  const limit = Number.isFinite(maxLength) && maxLength > 0 ? Math.floor(maxLength) : LABEL_LENGTH;
  try {
    const request = { systemPrompt: prompt, messages: [{ role: 'user', content: userMessage }], maxTokens: 100, temperature: 0.3, ...(agentId ? { agentId } : {}) };
    const { text } = await ask(ownPlugin('api.runtime.llm'), 'host.llm.complete', request, AbortSignal.timeout(LABEL_TIMEOUT));
    return text?.trim().slice(0, limit) || null;
  } catch (error) {
    logVerbose(`no label for the conversation: ${error?.message ?? error}`);
    return null;
  }
}

/**
 * Runs a turn of the agent on a message and gives what it says.
 * @param {any} options `message`, `sessionKey` or `sessionId`, `agentId`, `extraSystemPrompt`, `thinking`, `timeout` (seconds as text), `abortSignal`
 * @returns {Promise<{payloads: any[], meta: any}>}
 */
export async function agentCommandFromIngress(options) {
  const { message, sessionKey, sessionId, agentId, extraSystemPrompt, thinking, timeout, abortSignal, model, provider, runId } = options;
  const timeoutMs = Number(timeout) > 0 ? Number(timeout) * 1000 : undefined;
  const run = { sessionId: sessionId ?? randomUUID(), sessionKey, agentId, prompt: message, runId: runId ?? randomUUID(), extraSystemPrompt, thinkLevel: thinking, provider, model, timeoutMs, abortSignal };
  const result = await ownRuntime('agent').runEmbeddedAgent(Object.fromEntries(Object.entries(run).filter(([, value]) => value !== undefined)));
  return { payloads: result?.payloads ?? [], meta: result?.meta ?? {} };
}
export const agentCommand = agentCommandFromIngress;
