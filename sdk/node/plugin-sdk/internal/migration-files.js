// Files of a migration: copied, kept in the report's archive, and the report itself.
import fs from 'node:fs/promises';
import path from 'node:path';
import { MIGRATION_REASON_MISSING_SOURCE_OR_TARGET as NO_ENDS, MIGRATION_REASON_TARGET_EXISTS as TAKEN, markMigrationItemConflict, markMigrationItemError, redactMigrationPlan } from './migration-plan.js';
import { pathExists } from './safe-files.js';

const failed = (item, error) =>
  ['EEXIST', 'ERR_FS_CP_EEXIST'].includes(error?.code) ? markMigrationItemConflict(item, TAKEN) : markMigrationItemError(item, error instanceof Error ? error.message : String(error));

/** A name in a directory that is not taken: `a.txt`, `a-2.txt`, ... */
async function freePath(directory, relative) {
  const { dir, name, ext } = path.parse(relative);
  for (let number = 1; ; number++) {
    const candidate = path.join(directory, dir, number === 1 ? `${name}${ext}` : `${name}-${number}${ext}`);
    if (!(await pathExists(candidate))) return candidate;
  }
}

/** Where a file stands in the archive: never above it. */
function archiveName(item) {
  const wanted = item.details?.archiveRelativePath;
  const parts = (typeof wanted === 'string' && wanted.trim() ? wanted : path.basename(item.source)).split(/[\\/]+/).filter((part) => part && part !== '.' && part !== '..');
  return parts.join(path.sep) || 'item';
}

/**
 * Copies an item's file or directory.
 * @param {object} item
 * @param {string} reportDir where what is replaced is kept
 * @param {{overwrite?: boolean}} [options]
 * @returns {Promise<object>} the item with its outcome
 */
export async function copyMigrationFileItem(item, reportDir, { overwrite = false } = {}) {
  const { source, target } = item;
  if (!source || !target) return markMigrationItemError(item, NO_ENDS);
  try {
    const present = await pathExists(target);
    if (present && !overwrite) return markMigrationItemConflict(item, TAKEN);
    let backupPath;
    if (present) {
      backupPath = await freePath(path.join(reportDir, 'item-backups'), path.basename(target));
      await fs.mkdir(path.dirname(backupPath), { recursive: true });
      await fs.cp(target, backupPath, { recursive: true, force: false, errorOnExist: true, verbatimSymlinks: true });
    }
    await fs.mkdir(path.dirname(target), { recursive: true });
    await fs.cp(source, target, { recursive: true, force: overwrite, errorOnExist: !overwrite });
    return { ...item, status: 'migrated', details: { ...item.details, ...(backupPath ? { backupPath } : {}) } };
  } catch (error) {
    return failed(item, error);
  }
}

/**
 * Keeps an item's file or directory beside the report.
 * @param {object} item
 * @param {string} reportDir
 * @returns {Promise<object>} the item with its outcome
 */
export async function archiveMigrationItem(item, reportDir) {
  if (!item.source) return markMigrationItemError(item, NO_ENDS);
  try {
    if ((await fs.lstat(item.source)).isSymbolicLink()) return markMigrationItemError(item, 'archive source is a symlink');
    const archiveRelativePath = archiveName(item);
    const archivePath = await freePath(path.join(reportDir, 'archive'), archiveRelativePath);
    await fs.mkdir(path.dirname(archivePath), { recursive: true });
    await fs.cp(item.source, archivePath, { recursive: true, force: false, errorOnExist: true, verbatimSymlinks: true });
    return { ...item, status: 'migrated', target: archivePath, details: { ...item.details, archivePath, archiveRelativePath } };
  } catch (error) {
    return failed(item, error);
  }
}

/**
 * Writes `report.json` and `summary.md`, without secrets.
 * @param {object} result of a migration
 * @param {{title?: string}} [options]
 * @returns {Promise<void>}
 */
export async function writeMigrationReport(result, { title = 'Migration Report' } = {}) {
  if (!result.reportDir) return;
  const { summary } = result;
  const head = [`# ${title}`, '', `Source: ${result.source}`, result.target && `Target: ${result.target}`, result.backupPath && `Backup: ${result.backupPath}`, ''];
  const counts = [`Migrated: ${summary.migrated}`, `Skipped: ${summary.skipped}`, `Conflicts: ${summary.conflicts}`, `Errors: ${summary.errors}`, ''];
  const items = result.items.map(({ status, id, reason }) => `- ${status}: ${id}${reason ? ` (${reason})` : ''}`);
  await fs.mkdir(result.reportDir, { recursive: true });
  await fs.writeFile(path.join(result.reportDir, 'report.json'), `${JSON.stringify(redactMigrationPlan(result), null, 2)}\n`);
  await fs.writeFile(path.join(result.reportDir, 'summary.md'), `${[...head, ...counts, ...items].filter((line) => typeof line === 'string').join('\n')}\n`);
}

/**
 * A runtime whose configuration is read once and kept up with its own changes.
 * @param {object | undefined} runtime
 * @param {object} fallbackConfig
 * @returns {object | undefined}
 */
export function withCachedMigrationConfigRuntime(runtime, fallbackConfig) {
  const config = runtime?.config;
  if (!config?.current || !config.mutateConfigFile) return runtime;
  let kept;
  const keep = (result) => {
    kept = structuredClone(result.nextConfig);
    return result;
  };
  const current = () => (kept ??= structuredClone(config.current() ?? fallbackConfig));
  const mutateConfigFile = async (params) => keep(await config.mutateConfigFile(params));
  const replaceConfigFile = config.replaceConfigFile ? { replaceConfigFile: async (params) => keep(await config.replaceConfigFile(params)) } : {};
  return { ...runtime, config: { ...config, current, mutateConfigFile, ...replaceConfigFile } };
}
