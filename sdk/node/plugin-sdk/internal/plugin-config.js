// A plugin's own part of the configuration.
import { isRecord } from './strings.js';

/**
 * The settings of a plugin.
 * @param {object | undefined} config
 * @param {string} pluginId
 * @returns {Record<string, unknown> | undefined}
 */
export function resolvePluginConfigObject(config, pluginId) {
  const entries = isRecord(config?.plugins) ? config.plugins.entries : undefined;
  const entry = isRecord(entries) ? entries[pluginId] : undefined;
  return isRecord(entry) && isRecord(entry.config) ? entry.config : undefined;
}

/**
 * The settings as they are now, or those of the start when nothing can be asked.
 * @param {(() => object | undefined) | undefined} runtimeConfigLoader
 * @param {string} pluginId
 * @param {Record<string, unknown>} [startupPluginConfig]
 * @returns {Record<string, unknown> | undefined}
 */
export const resolveLivePluginConfigObject = (runtimeConfigLoader, pluginId, startupPluginConfig) =>
  typeof runtimeConfigLoader === 'function' ? resolvePluginConfigObject(runtimeConfigLoader(), pluginId) : startupPluginConfig;

/**
 * The places of an issue that can be shown: names and numbers.
 * @param {readonly unknown[]} path
 * @returns {Array<string | number>}
 */
export const normalizePluginConfigIssuePath = (path) => path.filter((part) => ['string', 'number'].includes(typeof part));

/**
 * One issue of a schema check in words.
 * @param {{code?: string, keys?: string[], path: unknown[], message: string} | undefined} issue
 * @param {{invalidConfigMessage?: string, unknownKeyMessage?: (key: string) => string, rootInvalidTypeMessage?: string}} [options]
 * @returns {string}
 */
export function formatPluginConfigIssue(issue, options) {
  if (!issue) return options?.invalidConfigMessage ?? 'invalid config';
  if (issue.code === 'unrecognized_keys' && issue.keys.length > 0) return options?.unknownKeyMessage?.(issue.keys[0]) ?? `unknown config key: ${issue.keys[0]}`;
  if (issue.code === 'invalid_type' && issue.path.length === 0) return options?.rootInvalidTypeMessage ?? 'expected config object';
  return issue.message;
}

/**
 * All issues, with their places.
 * @param {readonly object[]} issues
 * @param {object} [options] of `formatPluginConfigIssue`
 * @returns {Array<{path: Array<string | number>, message: string}>}
 */
export const mapPluginConfigIssues = (issues, options) =>
  issues.map((issue) => ({ path: normalizePluginConfigIssuePath(issue.path), message: formatPluginConfigIssue(issue, options) }));

/**
 * Parses a value; `null` for one that does not fit.
 * @param {{safeParse: (value: unknown) => {success: boolean, data?: unknown}}} schema
 * @param {unknown} value
 * @returns {unknown}
 */
export function safeParseWithSchema(schema, value) {
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : null;
}

/**
 * The same for JSON.
 * @param {{safeParse: (value: unknown) => {success: boolean, data?: unknown}}} schema
 * @param {string} raw
 * @returns {unknown}
 */
export function safeParseJsonWithSchema(schema, raw) {
  try {
    return safeParseWithSchema(schema, JSON.parse(raw));
  } catch {
    return null;
  }
}
