// What the doctor of a channel asks and mends in its section.
import fs from 'node:fs/promises';
import path from 'node:path';
import { normalizeLegacyDmAliases } from './dm-config.js';
import { asNullableRecord, isRecord } from './strings.js';

/**
 * @param {unknown} value
 * @returns {Record<string, unknown> | null}
 */
export const asObjectRecord = asNullableRecord;

/**
 * Where a channel and its accounts match people by changeable names.
 * @param {object} cfg
 * @param {string} provider
 * @returns {Array<{prefix: string, account: object, dangerousNameMatchingEnabled: boolean, dangerousFlagPath: string}>}
 */
export function collectProviderDangerousNameMatchingScopes(cfg, provider) {
  const section = asNullableRecord(asNullableRecord(cfg.channels)?.[provider]);
  if (!section) return [];
  const prefix = `channels.${provider}`;
  const flag = `${prefix}.dangerouslyAllowNameMatching`;
  const enabled = section.dangerouslyAllowNameMatching === true;
  const accounts = Object.entries(asNullableRecord(section.accounts) ?? {}).filter(([, account]) => isRecord(account));
  return [
    { prefix, account: section, dangerousNameMatchingEnabled: enabled, dangerousFlagPath: flag },
    ...accounts.map(([key, account]) => {
      const own = typeof account.dangerouslyAllowNameMatching === 'boolean';
      const at = `${prefix}.accounts.${key}`;
      return { prefix: at, account, dangerousNameMatchingEnabled: own ? account.dangerouslyAllowNameMatching : enabled, dangerousFlagPath: own ? `${at}.dangerouslyAllowNameMatching` : flag };
    }),
  ];
}

/**
 * Whether a plugin was installed from a path, and whether that is still there.
 * @param {{pluginId: string, install?: {source?: string, sourcePath?: string, installPath?: string} | null}} params
 * @returns {Promise<{kind: 'custom-path' | 'missing-path', pluginId: string, path: string} | null>}
 */
export async function detectPluginInstallPathIssue({ pluginId, install }) {
  if (install?.source !== 'path') return null;
  const candidates = [install.sourcePath, install.installPath].map((one) => (typeof one === 'string' ? one.trim() : '')).filter(Boolean);
  for (const candidate of candidates) {
    if (await fs.access(path.resolve(candidate)).then(() => true, () => false)) return { kind: 'custom-path', pluginId, path: candidate };
  }
  return candidates.length > 0 ? { kind: 'missing-path', pluginId, path: candidates[0] } : null;
}

/**
 * Such a finding in words, with the command that ends it.
 * @param {{issue: {kind: string, path: string}, pluginLabel: string, defaultInstallCommand: string, repoInstallCommand?: string, formatCommand?: (command: string) => string}} params
 * @returns {string[]}
 */
export function formatPluginInstallPathIssue({ issue, pluginLabel, defaultInstallCommand, repoInstallCommand, formatCommand = (command) => command }) {
  const missing = issue.kind !== 'custom-path';
  return [
    `${pluginLabel} is installed from a custom path${missing ? ' that no longer exists' : ''}: ${issue.path}`,
    ...(missing ? [] : [`Updates do not touch it.`]),
    `Reinstall with "${formatCommand(defaultInstallCommand)}"${missing ? '.' : ` to get the published ${pluginLabel} plugin again.`}`,
    ...(repoInstallCommand ? [`In a checkout of the repository: "${formatCommand(repoInstallCommand)}".`] : []),
  ];
}

const FLAT = { chunkMode: ['chunkMode'], blockStreaming: ['block', 'enabled'], draftChunk: ['preview', 'chunk'], blockStreamingCoalesce: ['block', 'coalesce'] };
const isScalar = (value) => ['boolean', 'string'].includes(typeof value);

/**
 * Whether a section has streaming settings in their old places.
 * @param {unknown} value
 * @param {{includePreviewChunk?: boolean, includeNativeTransport?: boolean}} [options]
 * @returns {boolean}
 */
export function hasLegacyStreamingAliases(value, options) {
  if (!isRecord(value)) return false;
  const old = ['streamMode', 'chunkMode', 'blockStreaming', 'blockStreamingCoalesce', ...(options?.includePreviewChunk ? ['draftChunk'] : []), ...(options?.includeNativeTransport ? ['nativeStreaming'] : [])];
  return isScalar(value.streaming) || old.some((key) => value[key] !== undefined);
}

/**
 * Whether any account fits.
 * @param {unknown} value the accounts
 * @param {(account: unknown) => boolean} match
 * @returns {boolean}
 */
export const hasLegacyAccountStreamingAliases = (value, match) => isRecord(value) && Object.values(value).some((account) => match(account));

const nested = (record, key) => (isRecord(record[key]) ? { ...record[key] } : {});

/**
 * Moves streaming settings to `streaming`; what is there already stays.
 * @param {{entry: object, pathPrefix: string, changes: string[], resolvedMode: string, resolvedNativeTransport?: unknown, includePreviewChunk?: boolean, offModeLegacyNotice?: (pathPrefix: string) => string}} params
 * @returns {{entry: object, changed: boolean}}
 */
export function normalizeLegacyStreamingAliases(params) {
  const { entry, pathPrefix: prefix, changes, resolvedMode, resolvedNativeTransport: native } = params;
  const oldMode = entry.streamMode !== undefined;
  if (!hasLegacyStreamingAliases(entry, { includePreviewChunk: params.includePreviewChunk, includeNativeTransport: true })) return { entry, changed: false };
  const next = { ...entry };
  const streaming = nested(next, 'streaming');
  const parts = { block: nested(streaming, 'block'), preview: nested(streaming, 'preview') };
  let changed = oldMode;
  const said = (from, to) => {
    changed = true;
    changes.push(`Moved ${prefix}.${from} → ${prefix}.streaming.${to}.`);
  };
  if ((oldMode || isScalar(entry.streaming)) && streaming.mode === undefined) {
    streaming.mode = resolvedMode;
    said(oldMode ? 'streamMode' : `streaming (${typeof entry.streaming === 'boolean' ? 'boolean' : 'scalar'})`, `mode (${resolvedMode})`);
  }
  delete next.streamMode;
  for (const [key, where] of Object.entries(FLAT)) {
    const target = where.length === 1 ? streaming : parts[where[0]];
    const name = where.at(-1);
    if (next[key] === undefined || target[name] !== undefined || (key === 'draftChunk' && params.includePreviewChunk !== true)) continue;
    target[name] = next[key];
    delete next[key];
    said(key, where.join('.'));
  }
  if (native !== undefined && streaming.nativeTransport === undefined && (next.nativeStreaming !== undefined || typeof entry.streaming === 'boolean')) {
    streaming.nativeTransport = native;
    said(next.nativeStreaming !== undefined ? 'nativeStreaming' : 'streaming (boolean)', 'nativeTransport');
    delete next.nativeStreaming;
  }
  for (const [name, part] of Object.entries(parts)) if (Object.keys(part).length > 0) streaming[name] = part;
  next.streaming = streaming;
  if (oldMode && resolvedMode === 'off' && params.offModeLegacyNotice) changes.push(params.offModeLegacyNotice(prefix));
  return { entry: next, changed };
}

/**
 * Both moves for a section and its accounts.
 * @param {object} params `entry`, `pathPrefix`, `changes`, `resolveStreamingOptions(entry)`, `normalizeDm`, `rootDmPromoteAllowFrom`, `normalizeAccountDm`, `normalizeAccountExtra`
 * @returns {{entry: object, changed: boolean}}
 */
export function normalizeLegacyChannelAliases(params) {
  const { pathPrefix, changes, resolveStreamingOptions } = params;
  const mend = (entry, prefix, dm, promoteAllowFrom) => {
    const first = dm ? normalizeLegacyDmAliases({ entry, pathPrefix: prefix, changes, promoteAllowFrom }) : { entry, changed: false };
    const second = normalizeLegacyStreamingAliases({ entry: first.entry, pathPrefix: prefix, changes, ...resolveStreamingOptions(first.entry) });
    return { entry: second.entry, changed: first.changed || second.changed };
  };
  const section = mend(params.entry, pathPrefix, params.normalizeDm === true, params.rootDmPromoteAllowFrom);
  if (!isRecord(section.entry.accounts)) return section;
  const accounts = { ...section.entry.accounts };
  let changed = false;
  for (const [accountId, account] of Object.entries(accounts)) {
    if (!isRecord(account)) continue;
    const at = `${pathPrefix}.accounts.${accountId}`;
    const own = mend(account, at, params.normalizeAccountDm === true);
    const extra = params.normalizeAccountExtra?.({ account: own.entry, accountId, pathPrefix: at, changes });
    if (!own.changed && !extra?.changed) continue;
    accounts[accountId] = extra?.entry ?? own.entry;
    changed = true;
  }
  return changed ? { entry: { ...section.entry, accounts }, changed } : section;
}
