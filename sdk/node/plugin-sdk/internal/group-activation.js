// The `/activation` command of groups.
import { normalizeOptionalLowercaseString } from './strings.js';

/** `mention` or `always`. @param {string|null|undefined} raw @returns {'mention'|'always'|undefined} */
export function normalizeGroupActivation(raw) {
  const value = normalizeOptionalLowercaseString(raw);
  return value === 'mention' || value === 'always' ? value : undefined;
}

/** Reads `/activation` and `/activation: always`. @param {string|undefined} raw @returns {{hasCommand: boolean, mode?: 'mention'|'always'}} */
export function parseActivationCommand(raw) {
  const match = /^\/activation(?:\s*:\s*([a-z]+)?|\s+([a-z]+))?$/i.exec(raw?.trim() ?? '');
  return match ? { hasCommand: true, mode: normalizeGroupActivation(match[1] ?? match[2]) } : { hasCommand: false };
}
