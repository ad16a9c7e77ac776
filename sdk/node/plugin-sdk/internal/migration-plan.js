// Plans that bring settings and files of another program here: their items, and patches of the configuration.
import { isRecord } from './strings.js';

/** Why an item without both ends fails. */
export const MIGRATION_REASON_MISSING_SOURCE_OR_TARGET = 'missing source or target';
/** Why an item is left alone when something is there already. */
export const MIGRATION_REASON_TARGET_EXISTS = 'target exists';

/**
 * @param {object} params the members of the item
 * @returns {object} planned unless it says otherwise
 */
export const createMigrationItem = (params) => ({ ...params, status: params.status ?? 'planned' });

const marked = (status) => (item, reason) => ({ ...item, status, reason });
/**
 * @param {object} item
 * @param {string} reason
 * @returns {object}
 */
export const markMigrationItemConflict = marked('conflict');
/**
 * @param {object} item
 * @param {string} reason
 * @returns {object}
 */
export const markMigrationItemError = marked('error');
/**
 * @param {object} item
 * @param {string} reason
 * @returns {object}
 */
export const markMigrationItemSkipped = marked('skipped');

/**
 * An item for people to do.
 * @param {{id: string, source?: string, message?: string, recommendation?: string}} params
 * @returns {object}
 */
export const createMigrationManualItem = ({ id, source, message, recommendation }) =>
  createMigrationItem({ id, kind: 'manual', action: 'manual', source, status: 'skipped', message, reason: recommendation });

/**
 * @param {object} item
 * @returns {object}
 */
export const applyMigrationManualItem = (item) => markMigrationItemSkipped(item, item.reason ?? 'manual follow-up required');

/**
 * An item that sets a part of the configuration.
 * @param {{id: string, source?: string, target: string, path: string[], value: unknown, message?: string, conflict?: boolean, reason?: string, details?: object}} params
 * @returns {object}
 */
export const createMigrationConfigPatchItem = ({ id, source, target, path, value, message, conflict, reason, details }) =>
  createMigrationItem({
    id, kind: 'config', action: 'merge', source, target, status: conflict ? 'conflict' : 'planned',
    reason: conflict ? (reason ?? MIGRATION_REASON_TARGET_EXISTS) : undefined, message, details: { ...details, path, value },
  });

/**
 * What an item sets, and where.
 * @param {object} item
 * @returns {{path: string[], value: unknown} | undefined}
 */
export function readMigrationConfigPatchDetails({ details }) {
  const path = details?.path;
  return Array.isArray(path) && path.every((part) => typeof part === 'string') ? { path, value: details.value } : undefined;
}

/**
 * @param {object} root
 * @param {readonly string[]} path
 * @returns {unknown}
 */
export const readMigrationConfigPath = (root, path) => path.reduce((value, key) => (isRecord(value) ? value[key] : undefined), root);

/**
 * One value over another; objects are put together.
 * @param {unknown} left
 * @param {unknown} right
 * @returns {unknown}
 */
export function mergeMigrationConfigValue(left, right) {
  if (!isRecord(left) || !isRecord(right)) return structuredClone(right);
  return { ...left, ...Object.fromEntries(Object.entries(right).map(([key, value]) => [key, mergeMigrationConfigValue(left[key], value)])) };
}

/**
 * Sets a part of a configuration.
 * @param {object} root
 * @param {readonly string[]} path
 * @param {unknown} value
 * @returns {void}
 */
export function writeMigrationConfigPath(root, path, value) {
  const leaf = path.at(-1);
  const owner = path.slice(0, -1).reduce((record, key) => (isRecord(record[key]) ? record[key] : (record[key] = {})), root);
  if (leaf) owner[leaf] = mergeMigrationConfigValue(owner[leaf], value);
}

/**
 * Whether something is there that a patch would change.
 * @param {object} config
 * @param {readonly string[]} path
 * @param {unknown} value
 * @returns {boolean}
 */
export function hasMigrationConfigPatchConflict(config, path, value) {
  const existing = readMigrationConfigPath(config, path);
  if (!isRecord(value)) return existing !== undefined;
  return isRecord(existing) && Object.keys(value).some((key) => existing[key] !== undefined);
}

class Conflict extends Error {}

/**
 * Carries out an item that sets a part of the configuration.
 * @param {{runtime?: object, overwrite?: boolean}} ctx
 * @param {object} item
 * @returns {Promise<object>} the item with its outcome
 */
export async function applyMigrationConfigPatchItem({ runtime, overwrite }, item) {
  const patch = readMigrationConfigPatchDetails(item);
  const config = runtime?.config;
  if (item.status !== 'planned') return item;
  if (!patch) return markMigrationItemError(item, 'missing config patch');
  if (!config?.current || !config.mutateConfigFile) return markMigrationItemError(item, 'config runtime unavailable');
  const check = (current) => {
    if (!overwrite && hasMigrationConfigPatchConflict(current, patch.path, patch.value)) throw new Conflict(MIGRATION_REASON_TARGET_EXISTS);
  };
  try {
    check(config.current());
    await config.mutateConfigFile({
      base: 'runtime',
      afterWrite: { mode: 'auto' },
      mutate(draft) {
        check(draft);
        writeMigrationConfigPath(draft, patch.path, patch.value);
      },
    });
    return { ...item, status: 'migrated' };
  } catch (error) {
    return error instanceof Conflict ? markMigrationItemConflict(item, error.message) : markMigrationItemError(item, error instanceof Error ? error.message : String(error));
  }
}

/**
 * How many items ended how.
 * @param {readonly object[]} items
 * @returns {{total: number, planned: number, migrated: number, skipped: number, conflicts: number, errors: number, sensitive: number}}
 */
export function summarizeMigrationItems(items) {
  const count = (status) => items.filter((item) => item.status === status).length;
  return {
    total: items.length, planned: count('planned'), migrated: count('migrated'), skipped: count('skipped'), conflicts: count('conflict'), errors: count('error'),
    sensitive: items.filter((item) => item.sensitive).length,
  };
}

const HIDDEN = '[redacted]';
const SECRET_KEY = /(?:api_?key|access_?token|auth_?token|refresh_?token|bot_?token|token|secret|password|passwd|authorization|credential|cookie|private_?key)s?$/;
const SECRET_TEXT = /\b(?:sk-[\w-]{8,}|gh[pousr]_\w{16,}|xox[abprs]-[\w-]{8,}|AIza[\w-]{20,}|Bearer\s+[\w.~+/=-]{8,})/g;
const isReference = (value) => isRecord(value) && value.source === 'env' && typeof value.id === 'string' && ['undefined', 'string'].includes(typeof value.provider);
const isSecretKey = (key) => SECRET_KEY.test(key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/[-\s]+/g, '_').toLowerCase());

function redact(value, above) {
  if (typeof value === 'string') return value.replace(SECRET_TEXT, HIDDEN);
  if (Array.isArray(value)) return value.map((item) => redact(item, above));
  if (!value || typeof value !== 'object') return value;
  if (above.has(value)) return HIDDEN;
  above.add(value);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, isSecretKey(key) && !isReference(item) ? HIDDEN : redact(item, above)]));
}

/**
 * A value without secrets; references to variables stay.
 * @param {unknown} value
 * @returns {unknown}
 */
export const redactMigrationValue = (value) => redact(value, new WeakSet());
/**
 * @param {object} item
 * @returns {object}
 */
export const redactMigrationItem = (item) => redactMigrationValue(item);
/**
 * @param {object} plan
 * @returns {object}
 */
export const redactMigrationPlan = (plan) => redactMigrationValue(plan);
