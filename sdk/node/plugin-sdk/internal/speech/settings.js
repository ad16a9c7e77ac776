// Speech: what configuration and user chose. The choices of the user are in a file that the gateway reads too.
import fs from 'node:fs';
import path from 'node:path';
import { canonicalizeSpeechProviderId, getSpeechProvider, listSpeechProviders } from '../capability-registries.js';
import { getRuntimeConfig } from '../config-snapshot.js';
import { resolveConfigDir, resolveUserPath } from '../paths.js';
import { replaceFileAtomicSync } from '../safe-files.js';
import { asRecord, isRecord, normalizeLowercaseStringOrEmpty, normalizeOptionalLowercaseString, normalizeOptionalString } from '../strings.js';
import { resolveEffectiveTtsConfig } from './config.js';
import { normalizeSpeechProviderId, normalizeTtsAutoMode } from './values.js';

/** Time for one provider in ms, characters of one request, characters that are spoken without a summary. */
const [TIMEOUT, MOST_CHARS, MAX_LENGTH] = [30_000, 4096, 1500];
const POLICY = { allowText: true, allowProvider: false, allowVoice: true, allowModelId: true, allowVoiceSettings: true, allowNormalization: true, allowSeed: true };
const OWN_KEYS = new Set(['auto', 'enabled', 'maxTextLength', 'mode', 'modelOverrides', 'persona', 'personas', 'prefsPath', 'provider', 'providers', 'summaryModel', 'timeoutMs']);

/** The configuration that the caller has; a worker knows no other form of it. */
const inUse = (cfg) => cfg ?? getRuntimeConfig();
function idOf(raw) {
  const id = normalizeSpeechProviderId(raw);
  return id === 'edge' ? 'microsoft' : id;
}
const policyOf = ({ enabled = true, ...wishes } = {}) => ({ enabled: Boolean(enabled), ...Object.fromEntries(Object.entries(POLICY).map(([key, usual]) => [key, enabled ? wishes[key] ?? usual : false])) });
const byId = (value) => Object.fromEntries(Object.entries(asRecord(value)).map(([id, config]) => [idOf(id) ?? id, asRecord(config)]));
function personasOf(raw) {
  const rows = Object.entries(asRecord(raw.personas)).map(([id, persona]) => [normalizeOptionalLowercaseString(id), persona]).filter(([id, persona]) => id && isRecord(persona));
  return Object.fromEntries(rows.map(([id, persona]) => {
    const providers = byId(persona.providers);
    return [id, { ...persona, id, provider: idOf(persona.provider) ?? persona.provider, providers: Object.keys(providers).length > 0 ? providers : undefined }];
  }));
}
function providersOf(raw) {
  const direct = Object.fromEntries(Object.entries(raw).filter(([key, value]) => !OWN_KEYS.has(key) && isRecord(value)));
  return { ...byId(direct), ...byId(raw.providers) };
}

/** The settings of speech for an agent, a channel and an account. @param {object} cfg @param {string | { agentId?: string, channelId?: string, accountId?: string }} [context] */
export function resolveTtsConfig(cfg, context) {
  const sourceConfig = inUse(cfg);
  const raw = resolveEffectiveTtsConfig(sourceConfig, context);
  return {
    auto: normalizeTtsAutoMode(raw.auto) ?? (raw.enabled ? 'always' : 'off'), mode: raw.mode ?? 'final',
    provider: idOf(raw.provider) ?? '', providerSource: raw.provider ? 'config' : 'default', persona: normalizeOptionalLowercaseString(raw.persona), personas: personasOf(raw),
    summaryModel: normalizeOptionalString(raw.summaryModel), modelOverrides: policyOf(raw.modelOverrides), providerConfigs: providersOf(raw), prefsPath: raw.prefsPath,
    maxTextLength: raw.maxTextLength ?? MOST_CHARS, timeoutMs: raw.timeoutMs ?? TIMEOUT, rawConfig: raw, sourceConfig,
  };
}
/** The file of the user's choices. @param {{prefsPath?: string}} config @returns {string} */
export function resolveTtsPrefsPath({ prefsPath }) {
  const named = prefsPath?.trim() || process.env.OPENCLAW_TTS_PREFS?.trim();
  return named ? resolveUserPath(named) : path.join(resolveConfigDir(), 'settings', 'tts.json');
}

function choices(prefsPath) {
  try {
    return asRecord(JSON.parse(fs.readFileSync(prefsPath, 'utf8')));
  } catch {
    return {};
  }
}
const choice = (prefsPath) => asRecord(choices(prefsPath).tts);
function choose(prefsPath, change) {
  const all = choices(prefsPath);
  replaceFileAtomicSync({ filePath: prefsPath, content: JSON.stringify({ ...all, tts: change(asRecord(all.tts)) }, null, 2), mode: 0o600, dirMode: 0o700 });
}

/** When answers are spoken: as the session, the user or the configuration says. @param {{config: any, prefsPath: string, sessionAuto?: unknown}} params @returns {string} */
export function resolveTtsAutoMode({ config, prefsPath, sessionAuto }) {
  const { auto, enabled } = choice(prefsPath);
  return normalizeTtsAutoMode(sessionAuto) ?? normalizeTtsAutoMode(auto) ?? (typeof enabled === 'boolean' ? (enabled ? 'always' : 'off') : config.auto);
}
/** @param {any} config @param {string} prefsPath @param {unknown} [sessionAuto] @returns {boolean} */
export const isTtsEnabled = (config, prefsPath, sessionAuto) => resolveTtsAutoMode({ config, prefsPath, sessionAuto }) !== 'off';
/** @param {string} prefsPath @param {string} mode @returns {void} */
export const setTtsAutoMode = (prefsPath, mode) => choose(prefsPath, ({ enabled: _former, ...rest }) => ({ ...rest, auto: mode }));
/** @param {string} prefsPath @param {boolean} enabled @returns {void} */
export const setTtsEnabled = (prefsPath, enabled) => setTtsAutoMode(prefsPath, enabled ? 'always' : 'off');
/** @param {string} prefsPath @returns {number} in characters */
export const getTtsMaxLength = (prefsPath) => choice(prefsPath).maxLength ?? MAX_LENGTH;
/** @param {string} prefsPath @param {number} maxLength @returns {void} */
export const setTtsMaxLength = (prefsPath, maxLength) => choose(prefsPath, (tts) => ({ ...tts, maxLength }));
/** @param {string} prefsPath @returns {boolean} */
export const isSummarizationEnabled = (prefsPath) => choice(prefsPath).summarize ?? true;
/** @param {string} prefsPath @param {boolean} summarize @returns {void} */
export const setSummarizationEnabled = (prefsPath, summarize) => choose(prefsPath, (tts) => ({ ...tts, summarize }));

/** The persona in force. @param {any} config @param {string} prefsPath */
export function getTtsPersona(config, prefsPath) {
  const tts = choice(prefsPath);
  const id = normalizeOptionalLowercaseString(Object.hasOwn(tts, 'persona') ? tts.persona : config.persona);
  return id ? config.personas[id] : undefined;
}
/** @param {any} config */
export const listTtsPersonas = (config) => Object.values(config.personas).sort((a, b) => a.id.localeCompare(b.id));
/** @param {string} prefsPath @param {string | null | undefined} persona @returns {void} */
export const setTtsPersona = (prefsPath, persona) => choose(prefsPath, (tts) => ({ ...tts, persona: normalizeOptionalLowercaseString(persona) ?? null }));

const byOrder = (a, b) => (a.autoSelectOrder ?? Infinity) - (b.autoSelectOrder ?? Infinity) || a.id.localeCompare(b.id);
const ordered = (cfg) => [...listSpeechProviders(cfg)].sort((a, b) => byOrder(a, b) || 0);
/** The provider in force: the user's, the persona's, the configuration's, else the first of this worker that is ready. @param {any} config @param {string} prefsPath @returns {string} */
export function getTtsProvider(config, prefsPath) {
  const chosen = idOf(canonicalizeSpeechProviderId(choice(prefsPath).provider));
  if (chosen) return chosen;
  const persona = idOf(canonicalizeSpeechProviderId(getTtsPersona(config, prefsPath)?.provider));
  if (persona && getSpeechProvider(persona)) return persona;
  if (config.providerSource === 'config') return config.provider;
  const ready = ({ id, isConfigured }) => isConfigured?.({ cfg: config.sourceConfig, providerConfig: config.providerConfigs[id] ?? {}, timeoutMs: config.timeoutMs });
  return ordered(config.sourceConfig).find(ready)?.id ?? config.provider;
}
/** @param {string} prefsPath @param {string} provider @returns {void} */
export const setTtsProvider = (prefsPath, provider) => choose(prefsPath, (tts) => ({ ...tts, provider: canonicalizeSpeechProviderId(provider) ?? provider }));
/** The providers of this worker with the given one first. @param {string} primary @param {object} [cfg] @returns {string[]} */
export const resolveTtsProviderOrder = (primary, cfg) => [...new Set([canonicalizeSpeechProviderId(primary) ?? primary, ...ordered(cfg).map(({ id }) => id)])];

/** A provider's settings, as it makes them of the configuration. @param {any} config @param {string} providerId @param {object} [cfg] */
export function getResolvedSpeechProviderConfig(config, providerId, cfg) {
  const id = idOf(canonicalizeSpeechProviderId(providerId)) ?? normalizeLowercaseStringOrEmpty(providerId);
  const source = cfg ? inUse(cfg) : config.sourceConfig;
  const raw = config.rawConfig ?? {};
  const own = asRecord(asRecord(raw.providers)[id] ?? raw[id]);
  const resolve = getSpeechProvider(id)?.resolveConfig;
  config.providerConfigs[id] = source && resolve ? resolve({ cfg: source, rawConfig: { ...raw, providers: asRecord(raw.providers) }, timeoutMs: config.timeoutMs }) : own;
  return config.providerConfigs[id];
}
/** Whether a provider of this worker is ready. @param {any} config @param {string} provider @param {object} [cfg] @returns {boolean} */
export function isTtsProviderConfigured(config, provider, cfg) {
  const found = getSpeechProvider(provider);
  const source = cfg ? inUse(cfg) : config.sourceConfig;
  return Boolean(found?.isConfigured?.({ cfg: source, providerConfig: getResolvedSpeechProviderConfig(config, found.id, source), timeoutMs: config.timeoutMs }));
}

/** A voice or a model that the user named, as the provider takes it. @param {any} params @returns {{provider?: string, providerOverrides?: object}} */
export function resolveExplicitTtsOverrides(params) {
  const [named, modelId, voiceId] = [params.provider, params.modelId, params.voiceId].map((value) => value?.trim());
  const config = resolveTtsConfig(params.cfg, params);
  const chosen = named ? canonicalizeSpeechProviderId(named) : modelId || voiceId ? getTtsProvider(config, params.prefsPath ?? resolveTtsPrefsPath(config)) : undefined;
  if (!modelId && !voiceId) return chosen ? { provider: chosen } : {};
  if (!chosen) throw new Error('TTS model or voice overrides require a resolved provider.');
  const provider = getSpeechProvider(chosen);
  if (!provider) throw new Error(`speech provider ${chosen} is not registered`);
  const overrides = provider.resolveTalkOverrides?.({ talkProviderConfig: {}, params: { ...(voiceId ? { voiceId } : {}), ...(modelId ? { modelId } : {}) } });
  if (!Object.keys(overrides ?? {}).length) throw new Error(`TTS provider "${chosen}" takes no model or voice by name`);
  return { provider: chosen, providerOverrides: { [provider.id]: overrides } };
}

const WHEN = { inbound: "Only use TTS when the user's last message was spoken.", tagged: 'Only use TTS when you write [[tts:key=value]] or [[tts:text]].' };
/** What the model is told of speech; `undefined` when it is off. @param {object} cfg @param {string} [agentId] @returns {string | undefined} */
export function buildTtsSystemPromptHint(cfg, agentId) {
  const config = resolveTtsConfig(cfg, agentId);
  const prefsPath = resolveTtsPrefsPath(config);
  const mode = resolveTtsAutoMode({ config, prefsPath });
  if (mode === 'off') return undefined;
  const persona = getTtsPersona(config, prefsPath);
  return [
    'Answers can be spoken (TTS is on).', WHEN[mode], persona && `The voice is of the persona ${persona.label ?? persona.id}${persona.description ? `: ${persona.description}` : ''}.`,
    `Spoken text of more than ${getTtsMaxLength(prefsPath)} characters is ${isSummarizationEnabled(prefsPath) ? 'summarised' : 'cut'}.`, 'Write [[tts:...]] or [[tts:text]]...[[/tts:text]] to steer the voice.',
  ].filter(Boolean).join('\n');
}
