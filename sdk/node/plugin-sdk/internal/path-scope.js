// Paths that people name, resolved below one directory.
import fs from 'node:fs';
import path from 'node:path';
import { isPathInside } from './safe-files.js';

const failed = (label) => ({ ok: false, error: `Invalid path: must stay within ${label}` });

/**
 * A path below a directory.
 * @param {{rootDir: string, requestedPath: string, scopeLabel: string, defaultFileName?: string}} params
 * @returns {{ok: true, path: string} | {ok: false, error: string}}
 */
export function resolvePathWithinRoot({ rootDir, requestedPath, scopeLabel, defaultFileName }) {
  const text = requestedPath.trim();
  if (!text && !defaultFileName) return { ok: false, error: 'path is required' };
  const [root, file] = [path.resolve(rootDir), path.resolve(rootDir, text || defaultFileName)];
  if (file === root || file.includes('\0') || !isPathInside(root, file)) return failed(scopeLabel);
  return { ok: true, path: file };
}

/** All paths, or the first failure. */
function each(params, one) {
  const paths = [];
  for (const requestedPath of params.requestedPaths) {
    const result = one({ ...params, requestedPath });
    if (!result.ok) return result;
    paths.push(result.path);
  }
  return { ok: true, paths };
}

/**
 * Several paths below a directory.
 * @param {{rootDir: string, requestedPaths: string[], scopeLabel: string}} params
 * @returns {{ok: true, paths: string[]} | {ok: false, error: string}}
 */
export const resolvePathsWithinRoot = (params) => each(params, resolvePathWithinRoot);

/** A file that is there, in the real directory, and no link. */
function existing(params, strict) {
  const named = resolvePathWithinRoot(params);
  if (!named.ok) return named;
  const stat = fs.lstatSync(named.path, { throwIfNoEntry: false });
  if (!stat) return strict ? { ok: false, error: `Invalid path: file not found in ${params.scopeLabel}` } : named;
  const real = fs.realpathSync(named.path);
  const inside = isPathInside(fs.realpathSync(params.rootDir), real);
  if (!inside) return failed(params.scopeLabel);
  if (stat.isSymbolicLink() || !stat.isFile()) return { ok: false, error: `Invalid path: must be a regular file within ${params.scopeLabel}` };
  return { ok: true, path: real };
}

/**
 * Files below a directory; those that are not there are only resolved.
 * @param {{rootDir: string, requestedPaths: string[], scopeLabel: string}} params
 * @returns {Promise<{ok: true, paths: string[]} | {ok: false, error: string}>}
 */
export const resolveExistingPathsWithinRoot = async (params) => each(params, (one) => existing(one, false));

/**
 * The same; all must be there.
 * @param {{rootDir: string, requestedPaths: string[], scopeLabel: string}} params
 * @returns {Promise<{ok: true, paths: string[]} | {ok: false, error: string}>}
 */
export const resolveStrictExistingPathsWithinRoot = async (params) => each(params, (one) => existing(one, true));

/**
 * A path that may be written to: its directory is really below the root, and it is no link.
 * @param {{rootDir: string, requestedPath: string, scopeLabel: string, defaultFileName?: string}} params
 * @returns {Promise<{ok: true, path: string} | {ok: false, error: string}>}
 */
export async function resolveWritablePathWithinRoot(params) {
  const named = resolvePathWithinRoot(params);
  if (!named.ok) return named;
  try {
    const parent = fs.realpathSync(path.dirname(named.path));
    const stat = fs.lstatSync(named.path, { throwIfNoEntry: false });
    const fits = isPathInside(fs.realpathSync(params.rootDir), parent) && !stat?.isSymbolicLink() && (!stat || (stat.isFile() && stat.nlink <= 1));
    return fits ? named : failed(params.scopeLabel);
  } catch {
    return failed(params.scopeLabel);
  }
}

/**
 * All of these for one directory.
 * @param {string} rootDir
 * @param {{label: string}} options
 * @returns {object} `resolve`, `resolveAll`, `existing`, `files`, `writable`, `ensureDir`
 */
export function pathScope(rootDir, { label }) {
  const base = { rootDir, scopeLabel: label };
  return {
    rootDir, label,
    resolve: (requestedPath, options) => resolvePathWithinRoot({ ...base, requestedPath, defaultFileName: options?.defaultName }),
    resolveAll: (requestedPaths) => resolvePathsWithinRoot({ ...base, requestedPaths }),
    existing: (requestedPaths) => resolveExistingPathsWithinRoot({ ...base, requestedPaths }),
    files: (requestedPaths) => resolveStrictExistingPathsWithinRoot({ ...base, requestedPaths }),
    writable: (requestedPath, options) => resolveWritablePathWithinRoot({ ...base, requestedPath, defaultFileName: options?.defaultName }),
    async ensureDir(requestedPath, options) {
      const named = resolvePathWithinRoot({ ...base, requestedPath, defaultFileName: options?.defaultName });
      if (!named.ok) return named;
      let nearest = named.path;
      while (!fs.existsSync(nearest)) nearest = path.dirname(nearest);
      if (!isPathInside(fs.realpathSync(rootDir), fs.realpathSync(nearest))) return failed(label);
      fs.mkdirSync(named.path, { recursive: true, mode: options?.mode });
      return fs.lstatSync(named.path).isDirectory() ? named : failed(label);
    },
  };
}

/**
 * Whether a policy opens private networks.
 * @param {object} [policy]
 * @returns {boolean}
 */
export const isPrivateNetworkAllowedByPolicy = (policy) => policy?.dangerouslyAllowPrivateNetwork === true || policy?.allowPrivateNetwork === true;
