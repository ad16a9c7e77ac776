// Where media may be read from.
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveAgentWorkspaceDir } from '../agents.js';
import { resolvePreferredOpenClawTmpDir, resolveStateDir, resolveUserPath } from '../paths.js';
import { isPathInside } from '../safe-files.js';

/** A local file that may not be read; `code` says why. */
export class LocalMediaAccessError extends Error {
  /** @param {string} code @param {string} message @param {ErrorOptions} [options] */
  constructor(code, message, options) {
    super(message, options);
    this.name = 'LocalMediaAccessError';
    this.code = code;
  }
}

/** The directories of a state directory that media come from. @param {string} stateDir @param {string} configDir @param {{ preferredTmpDir?: string }} [options] @returns {string[]} */
export function buildMediaLocalRoots(stateDir, configDir, { preferredTmpDir } = {}) {
  const state = path.resolve(stateDir);
  const own = ['media', 'canvas', 'workspace', 'sandboxes'].map((name) => path.join(state, name));
  return [...new Set([preferredTmpDir ?? resolvePreferredOpenClawTmpDir(), path.join(path.resolve(configDir), 'media'), ...own])];
}

/** The roots that hold for everyone. @returns {string[]} */
export const getDefaultMediaLocalRoots = () => buildMediaLocalRoots(resolveStateDir(), resolveStateDir());
export const getDefaultLocalRoots = getDefaultMediaLocalRoots;

/** The roots of an agent: everyone's and its workspace. @param {object} cfg @param {string} [agentId] @returns {string[]} */
export function getAgentScopedMediaLocalRoots(cfg, agentId) {
  const roots = getDefaultMediaLocalRoots();
  if (!agentId?.trim()) return roots;
  return [...new Set([...roots, path.resolve(resolveAgentWorkspaceDir(cfg, agentId.trim()))])];
}

/** The local path that a source means, if any. */
function localPath(source) {
  const text = source.trim();
  if (!text || /^(?:data:|https?:|media:|mxc:)/i.test(text)) return undefined;
  if (text.startsWith('file://')) return URL.canParse(text) && !new URL(text).host ? fileURLToPath(text) : undefined;
  if (text.startsWith('~')) return resolveUserPath(text);
  return path.isAbsolute(text) ? path.resolve(text) : undefined;
}

/** Roots and the directories of the files that are named. @param {string[]} roots @param {string[]} [sources] @returns {string[]} */
export function appendLocalMediaParentRoots(roots, sources = []) {
  const parents = sources.map(localPath).filter(Boolean).map((file) => path.dirname(file));
  return [...new Set([...roots.map((root) => path.resolve(root)), ...parents.filter((parent) => parent !== path.parse(parent).root)])];
}

const real = (file) => fs.realpath(file).catch(() => path.resolve(file));

/** Fails for a file that is outside the roots. @param {string} mediaPath @param {string[] | 'any'} [localRoots] @returns {Promise<void>} */
export async function assertLocalMediaAllowed(mediaPath, localRoots) {
  if (localRoots === 'any') return;
  const refuse = () => {
    throw new LocalMediaAccessError('path-not-allowed', `Local media path is not under an allowed directory: ${mediaPath}`);
  };
  if (/^(?:\\\\|\/\/)/.test(mediaPath)) throw new LocalMediaAccessError('network-path-not-allowed', `Local media path is a network path: ${mediaPath}`);
  const target = await real(mediaPath);
  for (const root of localRoots ?? getDefaultMediaLocalRoots()) {
    const base = await real(root);
    if (base === path.parse(base).root) {
      throw new LocalMediaAccessError('invalid-root', `Invalid localRoots entry (refuses filesystem root): ${root}. Pass a narrower directory.`);
    }
    if (isPathInside(base, target)) return;
  }
  refuse();
}

/** Roots as a list, `any`, or `undefined` when there are none. @param {string[] | 'any'} [roots] @returns {string[] | 'any' | undefined} */
export const resolveOutboundMediaLocalRoots = (roots) => (roots && roots.length > 0 ? roots : undefined);

/** What an outgoing message may read. @param {object} [params] */
export function resolveOutboundMediaAccess({ mediaAccess, mediaLocalRoots, mediaReadFile } = {}) {
  const given = resolveOutboundMediaLocalRoots(mediaAccess?.localRoots ?? mediaLocalRoots);
  const access = {
    localRoots: given === 'any' ? undefined : given,
    readFile: mediaAccess?.readFile ?? mediaReadFile,
    workspaceDir: mediaAccess?.workspaceDir,
  };
  const set = Object.entries(access).filter(([, value]) => value);
  return set.length > 0 ? Object.fromEntries(set) : undefined;
}

/** The options with which outgoing media are loaded. @param {object} [params] */
export function buildOutboundMediaLoadOptions(params = {}) {
  const roots = resolveOutboundMediaLocalRoots(params.mediaLocalRoots);
  const access = resolveOutboundMediaAccess({
    mediaAccess: params.mediaAccess,
    mediaLocalRoots: roots === 'any' ? undefined : roots,
    mediaReadFile: params.mediaReadFile,
  });
  const readFile = access?.readFile ?? params.mediaReadFile;
  const localRoots = access?.localRoots ?? roots;
  const workspaceDir = access?.workspaceDir ?? params.workspaceDir;
  if (readFile && !localRoots) {
    throw new Error('Host media read requires explicit localRoots. Pass mediaAccess.localRoots or opt in with localRoots: "any".');
  }
  const options = {};
  for (const key of ['maxBytes', 'trustExplicitProxyDns', 'optimizeImages']) if (params[key] !== undefined) options[key] = params[key];
  for (const key of ['fetchImpl', 'proxyUrl', 'requestInit']) if (params[key]) options[key] = params[key];
  return {
    ...options,
    ...(localRoots ? { localRoots } : {}),
    ...(readFile ? { readFile, hostReadCapability: true } : {}),
    ...(workspaceDir ? { workspaceDir } : {}),
  };
}

/** A path with slashes and no trailing one; `undefined` for what is not absolute. */
function absolutePosix(value) {
  const text = value.trim();
  if (!text || text.includes('\0')) return undefined;
  const normal = path.posix.normalize(text.replaceAll('\\', '/')).replace(/(.)\/$/, '$1');
  return (normal.startsWith('/') && normal !== '/') || /^[A-Za-z]:\/./.test(normal) ? normal : undefined;
}
const segments = (value) => value.split('/').filter(Boolean);

/** Whether a pattern of a root is valid: absolute, with `*` only for whole parts. @param {string} value @returns {boolean} */
export function isValidInboundPathRootPattern(value) {
  const normal = absolutePosix(value);
  return normal !== undefined && segments(normal).every((part) => part === '*' || !part.includes('*'));
}

/** Valid root patterns, each once. @param {unknown[]} [roots] @returns {string[]} */
export const normalizeInboundPathRoots = (roots = []) => [
  ...new Set((roots ?? []).filter((root) => typeof root === 'string' && isValidInboundPathRootPattern(root)).map(absolutePosix)),
];

/** All roots of several lists. @param {...unknown[]} lists @returns {string[]} */
export const mergeInboundPathRoots = (...lists) => [...new Set(lists.flatMap((roots) => normalizeInboundPathRoots(roots)))];

/** Whether a path is below one of the root patterns. @param {{ filePath: string, roots?: string[], fallbackRoots?: string[] }} params @returns {boolean} */
export function isInboundPathAllowed({ filePath, roots, fallbackRoots }) {
  const target = absolutePosix(filePath);
  if (!target) return false;
  const own = normalizeInboundPathRoots(roots);
  const parts = segments(target);
  return (own.length > 0 ? own : normalizeInboundPathRoots(fallbackRoots)).some((root) => {
    const wanted = segments(root);
    return parts.length >= wanted.length && wanted.every((part, index) => part === '*' || part === parts[index]);
  });
}
