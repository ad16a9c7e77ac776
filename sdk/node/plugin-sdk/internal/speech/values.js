// Values of speech settings.
import { rmSync } from 'node:fs';
import { normalizeCapabilityProviderId } from '../capability-providers.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString } from '../strings.js';

export const TTS_AUTO_MODES = new Set(['off', 'always', 'inbound', 'tagged']);
export const normalizeSpeechProviderId = normalizeCapabilityProviderId;
export const trimToUndefined = normalizeOptionalString;

/** When answers are spoken. @param {unknown} value @returns {string | undefined} */
export const normalizeTtsAutoMode = (value) => (TTS_AUTO_MODES.has(normalizeLowercaseStringOrEmpty(value)) ? normalizeLowercaseStringOrEmpty(value) : undefined);

/** `auto`, `on` or `off`; other words are an error. @param {unknown} mode @returns {string | undefined} */
export function normalizeApplyTextNormalization(mode) {
  const word = normalizeLowercaseStringOrEmpty(mode);
  if (word && !['auto', 'on', 'off'].includes(word)) throw new Error('applyTextNormalization must be one of: auto, on, off');
  return word || undefined;
}
/** A language of two letters; anything else is an error. @param {unknown} code @returns {string | undefined} */
export function normalizeLanguageCode(code) {
  const word = normalizeLowercaseStringOrEmpty(code);
  if (word && !/^[a-z]{2}$/.test(word)) throw new Error('languageCode must be a 2-letter ISO 639-1 code (e.g. en, de, fr)');
  return word || undefined;
}
/** A seed of 32 bits; anything else is an error. @param {number | null} [seed] @returns {number | undefined} */
export function normalizeSeed(seed) {
  if (seed == null) return undefined;
  const whole = Math.floor(seed);
  if (!(whole >= 0 && whole <= 4_294_967_295)) throw new Error('seed must be between 0 and 4294967295');
  return whole;
}
/** Fails for a number outside of bounds. @param {number} value @param {number} min @param {number} max @param {string} label */
export function requireInRange(value, min, max, label) {
  if (!Number.isFinite(value) || value < min || value > max) throw new Error(`${label} must be between ${min} and ${max}`);
}
/** Removes a directory after a time in milliseconds. @param {string} tempDir @param {number} [delayMs] */
export const scheduleCleanup = (tempDir, delayMs = 300_000) => void setTimeout(() => rmSync(tempDir, { recursive: true, force: true }), delayMs).unref();
