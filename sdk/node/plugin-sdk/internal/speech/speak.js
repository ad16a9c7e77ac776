// Speaking: the gateway asks the providers of all plugins.
import { ask } from '../../../worker/runtime/group.js';
import { ownPlugin, ownRuntime } from '../own-plugin.js';
import { stripMarkdown } from '../plain-text.js';
import { resolveSendableOutboundReplyParts } from '../reply.js';
import { parseTtsDirectives } from './directives.js';
import { getTtsMaxLength, getTtsProvider, isSummarizationEnabled, resolveTtsAutoMode, resolveTtsConfig, resolveTtsPrefsPath } from './settings.js';

/** Shorter texts are not worth a voice message, in characters. */
const SHORTEST = 10;
/** Bounds of a summary, in characters. */
const [SUMMARY_MIN, SUMMARY_MAX] = [100, 10_000];

/** Speaks into a file. @param {object} params as of `api.runtime.tts.textToSpeech` @returns {Promise<any>} */
export const textToSpeech = async (params) => ownRuntime('tts').textToSpeech(params);
/** Speaks for the telephone. @param {object} params @returns {Promise<any>} */
export const textToSpeechTelephony = async (params) => ownRuntime('tts').textToSpeechTelephony(params);
/** Speaks as a stream. @param {object} params @returns {Promise<any>} */
export const textToSpeechStream = async (params) => ownRuntime('tts').textToSpeechStream(params);
export const streamSpeech = textToSpeechStream;
/** The voices of a provider. @param {object} params @returns {Promise<any[]>} */
export const listSpeechVoices = async (params) => ownRuntime('tts').listVoices(params);
/** Speaks into memory. @param {object} params @returns {Promise<any>} with `audioBuffer` */
export async function synthesizeSpeech(params) {
  const result = await textToSpeech(params);
  if (!result.success || !result.audioPath) return result;
  const { readFile } = await import('node:fs/promises');
  const { audioPath, ...rest } = result;
  return { ...rest, audioBuffer: await readFile(audioPath) };
}
/** Everything is loaded when it is used. @returns {Promise<void>} */
export const prewarmTtsRuntimeFacade = async () => {};

/** A shorter text with what matters, made by the agent's model. @param {{text: string, targetLength: number, cfg: object, config: any, timeoutMs: number}} params @returns {Promise<{summary: string, latencyMs: number, inputLength: number, outputLength: number}>} */
export async function summarizeText({ text, targetLength, config, timeoutMs }) {
  if (targetLength < SUMMARY_MIN || targetLength > SUMMARY_MAX) throw new Error(`Invalid targetLength: ${targetLength}`);
  const started = Date.now();
  const content = `Summarise the text between the tags in about ${targetLength} characters, in its own language and tone. Answer with the summary alone.\n\n<text>\n${text}\n</text>`;
  const request = { messages: [{ role: 'user', content }], maxTokens: Math.ceil(targetLength / 2), temperature: 0.3, ...(config?.summaryModel ? { model: config.summaryModel } : {}) };
  const { text: answer } = await ask(ownPlugin('api.runtime.llm'), 'host.llm.complete', request, AbortSignal.timeout(timeoutMs));
  const summary = answer?.trim();
  if (!summary) throw new Error('No summary returned');
  return { summary, latencyMs: Date.now() - started, inputLength: text.length, outputLength: summary.length };
}

let last;
/** How the last spoken answer went. */
export const getLastTtsAttempt = () => last;
/** @param {any} entry @returns {void} */
export const setLastTtsAttempt = (entry) => void (last = entry);

const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 3)}...` : text);
async function withinLimit(text, config, prefsPath, cfg) {
  const length = getTtsMaxLength(prefsPath);
  if (text.length <= length) return { spoken: text, summarized: false };
  if (!isSummarizationEnabled(prefsPath)) return { spoken: cut(text, length), summarized: false };
  try {
    const { summary } = await summarizeText({ text, targetLength: length, cfg, config, timeoutMs: config.timeoutMs });
    return { spoken: cut(summary, config.maxTextLength), summarized: true };
  } catch {
    return { spoken: cut(text, length), summarized: false };
  }
}

/** Adds a spoken version to an answer, when settings and answer ask for it. @param {any} params `payload`, `cfg`, `channel`, `kind`, `inboundAudio`, `ttsAuto`, `agentId`, `accountId` @returns {Promise<any>} the payload */
export async function maybeApplyTtsToPayload({ payload, cfg, channel, kind, inboundAudio, ttsAuto, agentId, accountId }) {
  if (payload.isCompactionNotice) return payload;
  const config = resolveTtsConfig(cfg, { agentId, channelId: channel, accountId });
  const prefsPath = resolveTtsPrefsPath(config);
  const mode = resolveTtsAutoMode({ config, prefsPath, sessionAuto: ttsAuto });
  if (mode === 'off') return payload;
  const { text, hasMedia } = resolveSendableOutboundReplyParts(payload);
  const directives = parseTtsDirectives(text, config.modelOverrides, { cfg, providerConfigs: config.providerConfigs, preferredProviderId: getTtsProvider(config, prefsPath) });
  const [visible, named] = [directives.cleanedText.trim(), directives.ttsText?.trim() ?? ''];
  const next = visible === text.trim() ? payload : { ...payload, text: visible || undefined };
  const wanted = (mode !== 'tagged' || directives.hasDirective) && (mode !== 'inbound' || inboundAudio === true) && (config.mode !== 'final' || !kind || kind === 'final');
  const long = (value) => named || value.length >= SHORTEST;
  if (!wanted || hasMedia || text.includes('MEDIA:') || !(named || visible) || !long(visible)) return next;
  const { spoken, summarized } = await withinLimit(named || visible, config, prefsPath, cfg);
  const plain = stripMarkdown(spoken).trim();
  if (!plain || !long(plain)) return next;
  const result = await textToSpeech({ text: plain, cfg, prefsPath, channel, overrides: directives.overrides, agentId, accountId }).catch((error) => ({ success: false, error: error.message }));
  const { success, provider, persona, fallbackFrom, attemptedProviders, attempts, latencyMs, error } = result;
  last = { timestamp: Date.now(), success: Boolean(success), textLength: text.length, summarized, provider, persona, fallbackFrom, attemptedProviders, attempts, latencyMs, error };
  return success && result.audioPath ? { ...next, mediaUrl: result.audioPath, audioAsVoice: result.audioAsVoice || payload.audioAsVoice, spokenText: plain } : next;
}
