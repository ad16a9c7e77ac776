// Tests that ask real services: which ones, with which keys and models.
import fs from 'node:fs/promises';
import path from 'node:path';
import { getProviderEnvVars } from '../auth/env-names.js';
import { isTruthyEnvValue } from '../log-settings.js';
import { normalizeProviderId } from '../provider/id.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString } from '../strings.js';

/** A model for tests by provider. */
export const DEFAULT_LIVE_MUSIC_MODELS = { google: 'google/lyria-3-clip-preview', minimax: 'minimax/music-2.6' };
/** A model for tests by provider. */
export const DEFAULT_LIVE_VIDEO_MODELS = {
  alibaba: 'alibaba/wan2.6-t2v', byteplus: 'byteplus/seedance-1-0-lite-t2v-250428', deepinfra: 'deepinfra/Pixverse/Pixverse-T2V', fal: 'fal/fal-ai/minimax/video-01-live',
  google: 'google/veo-3.1-fast-generate-preview', minimax: 'minimax/MiniMax-Hailuo-2.3', openai: 'openai/sora-2', openrouter: 'openrouter/google/veo-3.1-fast', qwen: 'qwen/wan2.6-t2v',
  runway: 'runway/gen4.5', together: 'together/Wan-AI/Wan2.2-T2V-A14B', vydra: 'vydra/veo3', xai: 'xai/grok-imagine-video',
};

/** Whether tests may ask real services. @param {string[]} [more] @param {NodeJS.ProcessEnv} [env] @returns {boolean} */
export const isLiveTestEnabled = (more = [], env = process.env) => [...more, 'LIVE', 'OPENCLAW_LIVE_TEST'].some((name) => isTruthyEnvValue(env[name]));
/** Whether keys must come from sign-ins. @param {NodeJS.ProcessEnv} [env] @returns {boolean} */
export const isLiveProfileKeyModeEnabled = (env = process.env) => isTruthyEnvValue(env.OPENCLAW_LIVE_REQUIRE_PROFILE_KEYS);

/** Providers that take only pictures by address. */
const NO_PICTURES = new Set(['vydra']);
/** Providers that take only videos by address. */
const NO_VIDEOS = new Set(['alibaba', 'google', 'openai', 'qwen', 'xai']);
/** @param {{providerId: string}} params @returns {boolean} */
export const canRunBufferBackedImageToVideoLiveLane = ({ providerId }) => !NO_PICTURES.has(normalizeLowercaseStringOrEmpty(providerId));
/** @param {{providerId: string, modelRef: string}} params @returns {boolean} */
export function canRunBufferBackedVideoToVideoLiveLane({ providerId, modelRef }) {
  const provider = normalizeLowercaseStringOrEmpty(providerId);
  if (provider === 'fal') return modelRef.includes('reference-to-video');
  if (provider === 'runway') return (providerAndModel(modelRef)?.model ?? modelRef.trim()) === 'gen4_aleph';
  return !NO_VIDEOS.has(provider);
}
/** @param {{providerId: string}} params @returns {string} */
export const resolveLiveVideoResolution = ({ providerId }) => ({ minimax: '768P', openrouter: '720P' })[normalizeLowercaseStringOrEmpty(providerId)] ?? '480P';

function providerAndModel(text) {
  const at = text.indexOf('/');
  return at > 0 && at < text.length - 1 ? { provider: normalizeLowercaseStringOrEmpty(text.slice(0, at)), model: text.slice(at + 1).trim() } : undefined;
}
function byProvider(texts) {
  const rows = texts.map((text) => text?.trim() ?? '').map((text) => [providerAndModel(text)?.provider, text]);
  return new Map(rows.filter(([provider]) => provider));
}
/** Models by provider, from a list with commas. @param {string} [raw] @returns {Map<string, string>} */
export const parseProviderModelMap = (raw) => byProvider(raw?.split(',') ?? []);
const configured = (wish) => byProvider(typeof wish === 'string' ? [wish] : [wish?.primary, ...(wish?.fallbacks ?? [])]);
/** @param {any} cfg @returns {Map<string, string>} */
export const resolveConfiguredLiveMusicModels = (cfg) => configured(cfg.agents?.defaults?.musicGenerationModel);
/** @param {any} cfg @returns {Map<string, string>} */
export const resolveConfiguredLiveVideoModels = (cfg) => configured(cfg.agents?.defaults?.videoGenerationModel);

/** No sign-ins, where keys of the environment do. @param {{requireProfileKeys?: boolean, hasLiveKeys?: boolean}} params */
export const resolveLiveMusicAuthStore = ({ requireProfileKeys, hasLiveKeys }) => (requireProfileKeys || !hasLiveKeys ? undefined : { version: 1, profiles: {} });
/** @param {{requireProfileKeys?: boolean, hasLiveKeys?: boolean}} params */
export const resolveLiveVideoAuthStore = resolveLiveMusicAuthStore;

/** Shows the ends of a key. @param {string} [value] @returns {string} */
export function redactLiveApiKey(value) {
  const key = value?.trim();
  if (!key) return 'none';
  return key.length > 12 ? `${key.slice(0, 8)}...${key.slice(-4)}` : key;
}

const BASES = { google: ['GEMINI', 'OPENCLAW_LIVE_GEMINI_KEY', ['GOOGLE_API_KEY']], 'google-vertex': ['GEMINI', 'OPENCLAW_LIVE_GEMINI_KEY', ['GOOGLE_API_KEY']] };
/** The keys of a provider in the environment, the most specific first; one for tests alone hides the others. @param {string} provider @param {{env?: NodeJS.ProcessEnv, providerEnvVars?: string[]}} [options] @returns {string[]} */
export function collectProviderApiKeys(provider, { env = process.env, providerEnvVars } = {}) {
  const id = normalizeProviderId(provider);
  const [base, single, others] = BASES[id] ?? [id.toUpperCase().replaceAll('-', '_'), undefined, []];
  const value = (name) => normalizeOptionalString(env[name]);
  const forced = value(single ?? `OPENCLAW_LIVE_${base}_KEY`);
  if (forced) return [forced];
  const listed = (env[`${base}_API_KEYS`] ?? '').split(/[\s,;]+/g).map((key) => key.trim());
  const prefixed = Object.keys(env).filter((name) => name.startsWith(`${base}_API_KEY_`)).map(value);
  const rest = [...others, ...(providerEnvVars ?? getProviderEnvVars(id))].map(value);
  return [...new Set([...listed, value(`${base}_API_KEY`), ...prefixed, ...rest].filter(Boolean))];
}

/** A script and a batch file that starts it. @param {{scriptPath: string, shimPath: string, shimLine: string}} params */
export async function createWindowsCmdShimFixture({ scriptPath, shimPath, shimLine }) {
  for (const [file, text] of [[scriptPath, 'module.exports = {};\n'], [shimPath, `@echo off\r\n${shimLine}\r\n`]]) {
    await fs.mkdir(path.dirname(file), { recursive: true });
    await fs.writeFile(file, text, 'utf8');
  }
}

/** Nothing is read from a login shell here. @returns {string[]} */
export const getShellEnvAppliedKeys = () => [];
/** Nothing is read from a login shell here. */
export const maybeLoadShellEnvForGenerationProviders = () => {};

/** The length that a model can make, nearest to the wish. @param {any} params @returns {number | undefined} */
export function normalizeVideoGenerationDuration({ provider, model, durationSeconds, inputImageCount = 0, inputVideoCount = 0 }) {
  if (typeof durationSeconds !== 'number' || !Number.isFinite(durationSeconds)) return undefined;
  const wish = Math.max(1, Math.round(durationSeconds));
  const { capabilities: all = {} } = provider ?? {};
  const mode = inputImageCount > 0 && inputVideoCount > 0 ? undefined : inputVideoCount > 0 ? all.videoToVideo : inputImageCount > 0 ? all.imageToVideo : all.generate;
  const has = { ...all, ...mode };
  const byModel = model ? has.supportedDurationSecondsByModel?.[model.trim()] : undefined;
  const lengths = [...new Set((byModel?.length ? byModel : has.supportedDurationSeconds ?? []).filter((n) => Number.isFinite(n) && n > 0).map((n) => Math.max(1, Math.round(n))))].sort((a, b) => a - b);
  return lengths.length === 0 ? wish : lengths.reduce((best, next) => (Math.abs(next - wish) <= Math.abs(best - wish) ? next : best));
}
