// Parts of memory's files as tools read them, and which files are memory.
import fs from 'node:fs/promises';
import path from 'node:path';
import { classifyMemoryMultimodalPath } from './multimodal.js';
import { isPathInside, statRegularFile } from '../safe-files.js';

export const DEFAULT_MEMORY_READ_LINES = 120;
export const DEFAULT_MEMORY_READ_MAX_CHARS = 12_000;
const NONE = { enabled: false, modalities: [], maxFileBytes: 0 };

/** Whether an error says that a file is not there. @param {unknown} error @returns {boolean} */
export const isFileMissingError = (error) => ['ENOENT', 'ENOTDIR', 'not-found'].includes(error?.code);

/** Further places of memory as full paths. @param {string} workspaceDir @param {string[]} [extraPaths] @returns {string[]} */
export const normalizeExtraMemoryPaths = (workspaceDir, extraPaths) => [...new Set((extraPaths ?? []).map((one) => one.trim()).filter(Boolean).map((one) => path.resolve(workspaceDir, one)))];

/** A file of earlier versions, and what repairs put aside. */
const auxiliary = (workspaceDir, file) => {
  const relative = path.relative(workspaceDir, file).split(path.sep).join('/');
  return relative === 'memory.md' || relative === '.openclaw-repair/root-memory' || relative.startsWith('.openclaw-repair/root-memory/');
};

async function walk(directory, allowed) {
  const entries = await fs.readdir(directory, { withFileTypes: true }).catch(() => []);
  const found = [];
  for (const entry of entries) {
    const file = path.join(directory, entry.name);
    if (entry.isDirectory() && entry.name !== '.openclaw-repair') found.push(...(await walk(file, allowed)));
    else if (entry.isFile() && allowed(file)) found.push(file);
  }
  return found;
}

/** The files of memory: `MEMORY.md`, `memory/`, and further places. Links are not followed. @param {string} workspaceDir @param {string[]} [extraPaths] @param {object} [multimodal] @returns {Promise<string[]>} */
export async function listMemoryFiles(workspaceDir, extraPaths, multimodal = NONE) {
  const isMemory = (file) => !auxiliary(workspaceDir, file) && (file.endsWith('.md') || classifyMemoryMultimodalPath(file, multimodal) !== null);
  const main = (await fs.readdir(workspaceDir, { withFileTypes: true }).catch(() => [])).filter((entry) => entry.name === 'MEMORY.md' && entry.isFile());
  const found = main.map((entry) => path.join(workspaceDir, entry.name));
  for (const place of [path.join(workspaceDir, 'memory'), ...normalizeExtraMemoryPaths(workspaceDir, extraPaths)]) {
    const stat = auxiliary(workspaceDir, place) ? null : await fs.lstat(place).catch(() => null);
    if (stat?.isDirectory()) found.push(...(await walk(place, isMemory)));
    else if (stat?.isFile() && isMemory(place)) found.push(place);
  }
  const seen = new Set();
  const keyed = await Promise.all(found.map(async (file) => [file, await fs.realpath(file).catch(() => file)]));
  return keyed.filter(([, real]) => !seen.has(real) && seen.add(real)).map(([file]) => file);
}

function fit(lines, maxChars) {
  let included = lines.length;
  while (included > 1 && lines.slice(0, included).join('\n').length > maxChars) included--;
  const text = lines.slice(0, included).join('\n');
  return { text: text.slice(0, maxChars), included, cut: text.length > maxChars };
}

/** Lines of a file within a number of characters, and where to go on. @param {object} params */
export function buildMemoryReadResultFromSlice({ selectedLines, relPath, startLine, moreSourceLinesRemain = false, maxChars = DEFAULT_MEMORY_READ_MAX_CHARS, suggestReadFallback }) {
  const from = Math.max(1, startLine);
  const { text, included, cut } = fit(selectedLines, Math.max(1, maxChars));
  const left = included < selectedLines.length;
  const nextFrom = !cut && (moreSourceLinesRemain || left) ? from + included : undefined;
  const truncated = cut || left || moreSourceLinesRemain;
  const notice = nextFrom === undefined ? '[More content available. Requested excerpt exceeded the default maxChars budget.' : `[More content available. Use from=${nextFrom} to continue.`;
  const fallback = cut && suggestReadFallback ? ' If you need the full raw line, use read on the source file.' : '';
  return {
    text: truncated && text ? `${text}\n\n${notice}${fallback}]` : text, path: relPath, from, lines: included,
    ...(truncated ? { truncated: true } : {}), ...(nextFrom === undefined ? {} : { nextFrom }),
  };
}
/** Some lines of a file's content. @param {object} params */
export function buildMemoryReadResult({ content, relPath, from, lines, defaultLines, maxChars, suggestReadFallback }) {
  const all = content.split('\n');
  const startLine = Math.max(1, from ?? 1);
  const selectedLines = all.slice(startLine - 1, startLine - 1 + Math.max(1, lines ?? defaultLines ?? DEFAULT_MEMORY_READ_LINES));
  return buildMemoryReadResultFromSlice({ selectedLines, relPath, startLine, moreSourceLinesRemain: startLine - 1 + selectedLines.length < all.length, maxChars: maxChars ?? undefined, suggestReadFallback });
}

const isMemoryPath = (relative) => relative === 'MEMORY.md' || relative.toLowerCase() === 'dreams.md' || relative.startsWith('memory/');

/** Whether a file is in a further place, without a link on the way. */
async function inExtra(place, file) {
  const stat = await fs.lstat(place).catch(() => null);
  if (stat?.isFile()) return file === place;
  if (!stat?.isDirectory() || !isPathInside(place, file)) return false;
  const own = await fs.lstat(file).catch(() => null);
  if (own?.isSymbolicLink()) return false;
  const directory = await fs.realpath(path.dirname(file)).catch(() => path.dirname(file));
  return directory === path.join(await fs.realpath(place), path.relative(place, path.dirname(file)));
}

/** Some lines of a file of memory; other files are refused. @param {{ workspaceDir: string, relPath: string, extraPaths?: string[], from?: number, lines?: number, defaultLines?: number, maxChars?: number }} params */
export async function readMemoryFile({ workspaceDir, relPath: raw, extraPaths, ...rest }) {
  const refuse = () => {
    throw new Error('path required');
  };
  const file = raw.trim() ? path.resolve(workspaceDir, raw.trim()) : refuse();
  const relPath = path.relative(workspaceDir, file).replace(/\\/g, '/');
  const own = relPath !== '' && !relPath.startsWith('..') && isMemoryPath(relPath);
  const extra = own ? [] : await Promise.all(normalizeExtraMemoryPaths(workspaceDir, extraPaths).map((place) => inExtra(place, file)));
  if ((!own && !extra.includes(true)) || !file.endsWith('.md')) refuse();
  if (own) {
    const real = await fs.realpath(path.dirname(file)).catch(() => undefined);
    if (real && !isPathInside(await fs.realpath(workspaceDir), real)) refuse();
  }
  if ((await statRegularFile(file)).missing) return { text: '', path: relPath };
  return buildMemoryReadResult({ content: await fs.readFile(file, 'utf8'), relPath, ...rest, suggestReadFallback: own });
}
