// Images and sound in memory.
import { normalizeLowercaseStringOrEmpty } from '../strings.js';

const KINDS = {
  image: { label: 'Image file', extensions: ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.heic', '.heif'] },
  audio: { label: 'Audio file', extensions: ['.mp3', '.wav', '.ogg', '.opus', '.m4a', '.aac', '.flac'] },
};

/** The extensions of a kind. @param {'image' | 'audio'} modality @returns {string[]} */
export const getMemoryMultimodalExtensions = (modality) => KINDS[modality].extensions;
/** Whether any kind is taken. @param {{ enabled: boolean, modalities: string[] }} settings @returns {boolean} */
export const isMemoryMultimodalEnabled = (settings) => settings.enabled && settings.modalities.length > 0;
/** Settings in canonical form. @param {{ enabled?: boolean, modalities?: string[], maxFileBytes?: number }} raw */
export function normalizeMemoryMultimodalSettings({ enabled, modalities, maxFileBytes }) {
  const all = modalities === undefined || modalities.includes('all');
  const chosen = all ? Object.keys(KINDS) : [...new Set(modalities.filter((kind) => Object.hasOwn(KINDS, kind)))];
  const limit = typeof maxFileBytes === 'number' && Number.isFinite(maxFileBytes) ? Math.max(1, Math.floor(maxFileBytes)) : 10 * 1024 * 1024;
  return { enabled: enabled === true, modalities: enabled === true ? chosen : [], maxFileBytes: limit };
}
/** The kind of a file that memory takes, or `null`. @param {string} filePath @param {object} settings @returns {string | null} */
export const classifyMemoryMultimodalPath = (filePath, settings) =>
  (isMemoryMultimodalEnabled(settings) && settings.modalities.find((kind) => KINDS[kind].extensions.some((end) => normalizeLowercaseStringOrEmpty(filePath).endsWith(end)))) || null;
/** The text under which such a file is found. @param {string} modality @param {string} file @returns {string} */
export const multimodalLabel = (modality, file) => `${KINDS[modality].label}: ${file}`;
/** Letters of an extension in both cases, as a pattern of files. @param {string} extension @returns {string} */
export function buildCaseInsensitiveExtensionGlob(extension) {
  const letters = [...normalizeLowercaseStringOrEmpty(extension).replace(/^\./, '')];
  return letters.length > 0 ? `*.${letters.map((letter) => `[${letter.toLowerCase()}${letter.toUpperCase()}]`).join('')}` : '*';
}
