// Questions that a spoken session puts to the agent, and what memory knows at once.
import { randomUUID } from 'node:crypto';
import { emitDiagnosticEvent } from '../diagnostics.js';
import { formatErrorMessage } from '../error-text.js';
import { getActiveMemorySearchManager } from '../memory-host.js';
import { withTimeout } from '../async-tools.js';
import { buildRealtimeVoiceAgentConsultPrompt, collectRealtimeVoiceAgentConsultVisibleText, parseRealtimeVoiceAgentConsultArgs } from './consult.js';
import { createTalkDiagnosticEvent, recordTalkLogEvent } from './talk.js';

/** Says what happens in a spoken session, to those who listen for diagnostics. @param {any} event @returns {void} */
export const recordTalkDiagnosticEvent = (event) => void emitDiagnosticEvent(createTalkDiagnosticEvent(event));
/** The same, and to the log. @param {any} event @returns {void} */
export function recordTalkObservabilityEvent(event) {
  recordTalkDiagnosticEvent(event);
  recordTalkLogEvent(event);
}

/** The session of a question: the one there is, or a new one. */
async function sessionOf({ agentRuntime, cfg, agentId, sessionKey, spawnedBy }) {
  const storePath = agentRuntime.session.resolveStorePath(cfg.session?.store, { agentId });
  const entry = agentRuntime.session.loadSessionStore(storePath)[sessionKey] ?? {};
  const sessionId = entry.sessionId ?? randomUUID();
  return { sessionId, sessionFile: agentRuntime.session.resolveSessionFilePath(sessionId, entry, { agentId }), spawnedBy: spawnedBy ?? entry.spawnedBy };
}

/**
 * Asks the agent and gives its answer as text.
 * @param {any} params `cfg`, `agentRuntime` (`api.runtime.agent`), `logger`, `sessionKey`, `args`, `transcript`, `surface` and what the run takes
 * @returns {Promise<{text: string}>}
 */
export async function consultRealtimeVoiceAgent(params) {
  const { agentRuntime, cfg, agentId = 'main', sessionKey, logger } = params;
  const workspaceDir = agentRuntime.resolveAgentWorkspaceDir(cfg, agentId);
  await agentRuntime.ensureAgentWorkspace({ dir: workspaceDir });
  const { sessionId, sessionFile, spawnedBy } = await sessionOf({ ...params, agentId });
  const prompt = buildRealtimeVoiceAgentConsultPrompt(params);
  const result = await (agentRuntime.runEmbeddedAgent ?? agentRuntime.runEmbeddedPiAgent)({
    sessionId, sessionKey, sessionFile, agentId, spawnedBy, workspaceDir, agentDir: agentRuntime.resolveAgentDir(cfg, agentId), config: cfg, prompt,
    messageProvider: params.messageProvider, lane: params.lane, runId: `${params.runIdPrefix ?? 'voice'}:${Date.now()}`, provider: params.provider, model: params.model, thinkLevel: params.thinkLevel ?? 'high', fastMode: params.fastMode,
    timeoutMs: params.timeoutMs ?? agentRuntime.resolveAgentTimeoutMs({ cfg }), toolsAllow: params.toolsAllow, extraSystemPrompt: params.extraSystemPrompt, abortSignal: params.abortSignal,
  });
  const text = collectRealtimeVoiceAgentConsultVisibleText(result?.payloads ?? []);
  if (text) return { text };
  logger?.warn?.(`[talk] the agent answered nothing to the question of ${sessionKey}`);
  return { text: params.fallbackText ?? 'I could not find an answer to that.' };
}

/** How long an excerpt may be, in characters. */
const EXCERPT = 700;
const describe = (hit, index) => `${index + 1}. ${[hit.path, hit.startLine && `line ${hit.startLine}`].filter(Boolean).join(', ')}\n${String(hit.snippet ?? '').replace(/\s+/g, ' ').slice(0, EXCERPT)}`;

async function search({ cfg, agentId, sessionKey, config }, query) {
  const { manager, error } = await getActiveMemorySearchManager({ cfg, agentId });
  if (!manager) throw new Error(error ?? 'no memory is active');
  return manager.search(query, { maxResults: config.maxResults, sources: config.sources, sessionKey });
}

/**
 * Answers from memory alone, when it knows something in time.
 * @param {any} params `cfg`, `agentId`, `sessionKey`, `config` (`enabled`, `timeoutMs`, `maxResults`, `sources`, `fallbackToConsult`), `args`, `logger`, `labels`
 * @returns {Promise<{handled: boolean, result?: {text: string}}>} not handled: the agent is to be asked
 */
export async function resolveRealtimeVoiceFastContextConsult(params) {
  const { config, args, logger, labels } = params;
  if (!config.enabled) return { handled: false };
  const { question, context } = parseRealtimeVoiceAgentConsultArgs(args);
  const query = [question, context].filter(Boolean).join('\n\n');
  const person = labels?.audienceLabel ?? 'person';
  const nothing = () => (config.fallbackToConsult ? { handled: false } : { handled: true, result: { text: `Memory holds nothing about: "${query}". Say so to the ${person}, and offer to look further.` } });
  try {
    const hits = await withTimeout(search(params, query), config.timeoutMs);
    if (hits.length === 0) return nothing();
    return { handled: true, result: { text: `Answer the ${person} from these notes, and only from them where they fit.\nQuestion: ${query}\n\n${hits.map(describe).join('\n\n')}` } };
  } catch (error) {
    logger?.debug?.(`[talk] memory did not answer in time: ${formatErrorMessage(error)}`);
    return nothing();
  }
}
