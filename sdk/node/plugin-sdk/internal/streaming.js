// Streaming settings of channels, and the gate of progress drafts.
import { normalizeAccountId, resolveAccountEntry } from './accounts.js';
import { resolveTextChunkLimit } from './chunk.js';
import { asBoolean, isRecord, normalizeOptionalLowercaseString } from './strings.js';

/** When a progress draft shows at the earliest, in milliseconds. */
export const DEFAULT_PROGRESS_DRAFT_INITIAL_DELAY_MS = 5000;
/** Words above a progress draft. */
export const DEFAULT_PROGRESS_DRAFT_LABELS = [
  'Working', 'Shelling', 'Scuttling', 'Clawing', 'Pinching', 'Molting', 'Bubbling', 'Tiding', 'Reefing', 'Cracking', 'Sifting', 'Brining',
  'Nautiling', 'Krilling', 'Barnacling', 'Lobstering', 'Tidepooling', 'Pearling', 'Snapping', 'Surfacing',
];
const QUIET_TOOLS = new Set(['message', 'messages', 'reply', 'send', 'reaction', 'react', 'typing']);
const PREVIEW_MODES = ['off', 'partial', 'block', 'progress'];

const oneOf = (value, words) => (words.includes(value) ? value : undefined);
const record = (value) => (isRecord(value) ? value : undefined);
const positive = (value, fallback) => (Number.isInteger(value) && value > 0 ? value : fallback);
const previewMode = (value) => oneOf(normalizeOptionalLowercaseString(value), PREVIEW_MODES);

/** The `streaming` object of a channel or account. @param {any} entry @returns {Record<string, any>|undefined} */
export const getChannelStreamingConfigObject = (entry) => record(entry?.streaming);

/** How previews are streamed. @param {any} entry @param {string} defaultMode @returns {string} */
export function resolveChannelPreviewStreamMode(entry, defaultMode) {
  const mode = previewMode(getChannelStreamingConfigObject(entry)?.mode ?? entry?.streaming) ?? previewMode(entry?.streamMode);
  if (mode) return mode;
  return typeof entry?.streaming === 'boolean' ? (entry.streaming ? 'partial' : 'off') : defaultMode;
}

/** How long texts are cut. @param {any} entry @returns {'length'|'newline'|undefined} */
export const resolveChannelStreamingChunkMode = (entry) => {
  const modes = ['length', 'newline'];
  return oneOf(getChannelStreamingConfigObject(entry)?.chunkMode, modes) ?? oneOf(entry?.chunkMode, modes);
};
/** How blocks are joined before they are sent. @param {any} entry @returns {any} */
export const resolveChannelStreamingBlockCoalesce = (entry) => record(getChannelStreamingConfigObject(entry)?.block?.coalesce) ?? record(entry?.blockStreamingCoalesce);
/** Whether the platform's own streaming is used. @param {any} entry @returns {boolean|undefined} */
export const resolveChannelStreamingNativeTransport = (entry) => asBoolean(getChannelStreamingConfigObject(entry)?.nativeTransport) ?? asBoolean(entry?.nativeStreaming);
/** How previews are cut. @param {any} entry @returns {any} */
export const resolveChannelStreamingPreviewChunk = (entry) => record(getChannelStreamingConfigObject(entry)?.preview?.chunk) ?? record(entry?.draftChunk);

/** Whether commands are shown as they are or only as a status. @param {any} entry @param {'raw'|'status'} [defaultValue] @returns {'raw'|'status'} */
export function resolveChannelStreamingPreviewCommandText(entry, defaultValue = 'raw') {
  const streaming = getChannelStreamingConfigObject(entry);
  const words = ['raw', 'status'];
  return oneOf(streaming?.progress?.commandText, words) ?? oneOf(streaming?.preview?.commandText, words) ?? defaultValue;
}

/** Whether previews show the progress of tools. @param {any} entry @param {boolean} [defaultValue] @returns {boolean} */
export function resolveChannelStreamingPreviewToolProgress(entry, defaultValue = true) {
  const streaming = getChannelStreamingConfigObject(entry);
  const own = resolveChannelPreviewStreamMode(entry, 'partial') === 'progress' ? asBoolean(streaming?.progress?.toolProgress) : undefined;
  return own ?? asBoolean(streaming?.preview?.toolProgress) ?? defaultValue;
}

/** Whether progress drafts show what the model says in between. @param {any} entry @param {boolean} [defaultValue] @returns {boolean} */
export const resolveChannelStreamingProgressCommentary = (entry, defaultValue = false) =>
  resolveChannelPreviewStreamMode(entry, 'partial') === 'progress' && (asBoolean(record(getChannelStreamingConfigObject(entry)?.progress)?.commentary) ?? defaultValue);

/** Whether separate messages about tools are left out because the preview shows them. @param {any} entry @param {any} [options] @returns {boolean} */
export function resolveChannelStreamingSuppressDefaultToolProgressMessages(entry, options) {
  if (options?.draftStreamActive === false || options?.previewStreamingEnabled === false) return false;
  const mode = resolveChannelPreviewStreamMode(entry, 'off');
  if (mode === 'off' || mode === 'progress') return mode === 'progress';
  return options?.draftStreamActive === true || (options?.previewToolProgressEnabled ?? resolveChannelStreamingPreviewToolProgress(entry));
}

/** The settings of progress drafts. @param {any} entry @returns {Record<string, any>} */
export const resolveChannelProgressDraftConfig = (entry) => record(getChannelStreamingConfigObject(entry)?.progress) ?? {};
/** How many lines a draft has. @param {any} entry @param {number} [defaultValue] @returns {number} */
export const resolveChannelProgressDraftMaxLines = (entry, defaultValue = 8) => positive(resolveChannelProgressDraftConfig(entry).maxLines, defaultValue);
/** How many characters a line has. @param {any} entry @param {number} [defaultValue] @returns {number} */
export const resolveChannelProgressDraftMaxLineChars = (entry, defaultValue = 120) => positive(resolveChannelProgressDraftConfig(entry).maxLineChars, defaultValue);
/** Whether drafts are plain text. @param {any} entry @param {'text'|'rich'} [defaultValue] @returns {'text'|'rich'} */
export const resolveChannelProgressDraftRender = (entry, defaultValue = 'text') => oneOf(resolveChannelProgressDraftConfig(entry).render, ['rich', 'text']) ?? defaultValue;
/** Options of a draft's lines. @param {any} entry @param {any} [options] @returns {any} */
export const resolveChannelProgressDraftLineOptions = (entry, options) => ({ ...options, commandText: options?.commandText ?? resolveChannelStreamingPreviewCommandText(entry) });

/** A stable number of a text (FNV-1a, 32 bits). */
function seedNumber(seed) {
  let hash = 2166136261;
  for (let i = 0; i < seed.length; i++) hash = Math.imul(hash ^ seed.charCodeAt(i), 16777619);
  return hash >>> 0;
}

/** The word above a draft: set, or one of the list chosen by a seed. @param {{entry?: any, seed?: string, random?: () => number}} params @returns {string|undefined} */
export function resolveChannelProgressDraftLabel({ entry, seed, random }) {
  const { label, labels } = resolveChannelProgressDraftConfig(entry);
  if (label === false) return undefined;
  if (typeof label === 'string' && label.trim() && label.trim().toLowerCase() !== 'auto') return label.trim();
  const configured = Array.isArray(labels) ? labels.filter((item) => typeof item === 'string').map((item) => item.trim()).filter(Boolean) : [];
  const list = configured.length > 0 ? configured : DEFAULT_PROGRESS_DRAFT_LABELS;
  const index = seed ? seedNumber(seed) % list.length : Math.floor(Math.min(0.999999, Math.max(0, random?.() ?? 0)) * list.length);
  return list[index] ?? list[0];
}

/** Whether a tool does work that is worth a draft. @param {string|undefined} name @returns {boolean} */
export function isChannelProgressDraftWorkToolName(name) {
  const normalized = normalizeOptionalLowercaseString(name);
  return Boolean(normalized) && !QUIET_TOOLS.has(normalized);
}

/**
 * Opens a draft when there is more work than one step, or when one step takes long.
 * @param {{onStart: () => any, initialDelayMs?: number, onStartError?: (error: unknown) => void, setTimeoutFn?: Function, clearTimeoutFn?: Function}} params
 */
export function createChannelProgressDraftGate({ onStart, initialDelayMs = DEFAULT_PROGRESS_DRAFT_INITIAL_DELAY_MS, onStartError, setTimeoutFn = setTimeout, clearTimeoutFn = clearTimeout }) {
  const report = onStartError ?? ((error) => console.warn(`[progress-draft] the progress draft of a channel did not start: ${String(error)}`));
  let [started, disposed, events] = [false, false, 0];
  let timer;
  let starting;
  const stopTimer = () => {
    if (timer !== undefined) clearTimeoutFn(timer);
    timer = undefined;
  };
  const start = () => {
    if (starting || disposed || started) return starting ?? Promise.resolve();
    stopTimer();
    started = true;
    const own = (async () => {
      await undefined;
      try {
        await onStart();
        if (disposed) started = false;
      } catch (error) {
        started = false;
        throw error;
      } finally {
        starting = undefined;
      }
    })();
    starting = own;
    return own;
  };
  return {
    get hasStarted() {
      return started;
    },
    get workEvents() {
      return events;
    },
    /** Counts a step; true once the draft is there. */
    async noteWork() {
      if (disposed) return false;
      events += 1;
      if (!starting && !started && events === 1) {
        if (initialDelayMs >= 0) {
          timer = setTimeoutFn(() => {
            timer = undefined;
            start().catch(report);
          }, initialDelayMs);
        }
        return false;
      }
      await start();
      return started;
    },
    startNow: async () => void (await start()),
    cancel() {
      [disposed, started] = [true, false];
      stopTimer();
    },
  };
}

const MIN_KNOWN = 48;
const MIN_CONTINUATION = 24;
const withoutEllipsis = (text) => text.replace(/(?:\s*(?:\.{3}|\u2026))+$/u, '').trimEnd();

/** Whether a final text looks cut off. @param {string} finalText @returns {boolean} */
export function isPotentialTruncatedFinal(finalText) {
  const text = finalText.trimEnd();
  const known = withoutEllipsis(text);
  return known !== text && known.length >= MIN_KNOWN;
}

/** The first candidate that continues a final text that was cut off. @param {{finalText: string, candidateTexts: (string|undefined)[]}} params @returns {string|undefined} */
export function selectLongerFinalText({ finalText, candidateTexts }) {
  if (!isPotentialTruncatedFinal(finalText)) return undefined;
  const text = finalText.trimEnd();
  const known = withoutEllipsis(text);
  return candidateTexts.map((candidate) => candidate?.trimEnd()).find((candidate) => {
    if (!candidate || candidate.length <= text.length || !candidate.startsWith(known)) return false;
    const more = candidate.slice(known.length).trimStart();
    return more.length >= MIN_CONTINUATION && /^[\p{L}\p{N}]/u.test(more);
  });
}

/** A final text, or what the transcript has of it when it was cut off. @param {{finalText: string, resolveCandidateText: () => any}} params @returns {Promise<string>} */
export async function resolveTranscriptBackedChannelFinalText({ finalText, resolveCandidateText }) {
  if (!isPotentialTruncatedFinal(finalText)) return finalText;
  return selectLongerFinalText({ finalText, candidateTexts: [await resolveCandidateText()] }) ?? finalText;
}

/** How previews of an account are cut, in characters. @param {any} cfg @param {string} channelId @param {string|null|undefined} accountId @param {{fallbackLimit?: number}} options @returns {{minChars: number, maxChars: number, breakPreference: string}} */
export function resolveChannelDraftStreamingChunking(cfg, channelId, accountId, options) {
  const section = cfg?.channels?.[channelId];
  const own = resolveChannelStreamingPreviewChunk(resolveAccountEntry(section?.accounts, normalizeAccountId(accountId))) ?? resolveChannelStreamingPreviewChunk(section);
  const limit = resolveTextChunkLimit(cfg, channelId, accountId, { fallbackLimit: options.fallbackLimit });
  const whole = (value, fallback) => Math.max(1, Math.floor(value ?? fallback));
  const maxChars = Math.max(1, Math.min(whole(own?.maxChars, 800), limit));
  const preferred = oneOf(own?.breakPreference, ['newline', 'sentence']) ?? 'paragraph';
  return { minChars: Math.min(whole(own?.minChars, 200), maxChars), maxChars, breakPreference: preferred };
}
