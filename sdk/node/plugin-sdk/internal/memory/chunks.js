// Files of memory in pieces that an index takes.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { detectMime } from '../mime.js';
import { classifyMemoryMultimodalPath, multimodalLabel } from './multimodal.js';
import { statRegularFile } from '../safe-files.js';
import { isFileMissingError } from './read.js';

/** Letters of which one is about a token; four letters of others are. */
const DENSE = /[\u2E80-\u9FFF\uA000-\uA4FF\uAC00-\uD7AF\uF900-\uFAFF\u{20000}-\u{2FA1F}]/gu;
const CHARS_PER_TOKEN = 4;
const NONE = { enabled: false, modalities: [], maxFileBytes: 0 };

/** The SHA-256 of a text. @param {string} value @returns {string} */
export const hashText = (value) => createHash('sha256').update(value).digest('hex');
const hashBytes = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** The length of a text in letters that cost a quarter of a token each. */
function weight(text) {
  const dense = text.match(DENSE) ?? [];
  const doubled = dense.filter((letter) => letter.length > 1).length;
  return text.length - doubled + dense.length * (CHARS_PER_TOKEN - 1);
}

/** A line in pieces that fit. */
function pieces(line, maxChars, tokens) {
  if (line === '') return [''];
  const out = [];
  for (let at = 0; at < line.length; at += maxChars) {
    const part = line.slice(at, at + maxChars);
    if (weight(part) <= maxChars) {
      out.push(part);
      continue;
    }
    for (let from = 0; from < part.length; ) {
      let to = Math.min(from + Math.max(1, tokens), part.length);
      if (to < part.length && /[\uD800-\uDBFF]/.test(part[to - 1])) to++;
      out.push(part.slice(from, to));
      from = to;
    }
  }
  return out;
}

/** A text in pieces of so many tokens that overlap. @param {string} content @param {{ tokens: number, overlap: number }} chunking @returns {{ startLine: number, endLine: number, text: string, hash: string, embeddingInput: { text: string } }[]} */
export function chunkMarkdown(content, { tokens, overlap }) {
  const maxChars = Math.max(32, tokens * CHARS_PER_TOKEN);
  const kept = Math.max(0, overlap * CHARS_PER_TOKEN);
  const chunks = [];
  let [current, size] = [[], 0];
  const flush = () => {
    const text = current.map((row) => row.text).join('\n');
    chunks.push({ startLine: current[0].line, endLine: current.at(-1).line, text, hash: hashText(text), embeddingInput: { text } });
  };
  const carry = () => {
    let from = current.length;
    size = 0;
    while (kept > 0 && from > 0 && size < kept) size += weight(current[--from].text) + 1;
    current = current.slice(from);
  };
  content.split('\n').forEach((line, index) => {
    for (const text of pieces(line, maxChars, tokens)) {
      const length = weight(text) + 1;
      if (size + length > maxChars && current.length > 0) {
        flush();
        carry();
      }
      current.push({ text, line: index + 1 });
      size += length;
    }
  });
  if (current.length > 0) flush();
  return chunks;
}

/** Puts the lines of another text in place of those of this one. @param {object[]} chunks @param {number[]} [lineMap] */
export function remapChunkLines(chunks, lineMap) {
  for (const chunk of lineMap?.length ? chunks : []) {
    chunk.startLine = lineMap[chunk.startLine - 1] ?? chunk.startLine;
    chunk.endLine = lineMap[chunk.endLine - 1] ?? chunk.endLine;
  }
}

const readFile = (file) =>
  fs.promises.readFile(file).catch((error) => {
    if (isFileMissingError(error)) return null;
    throw error;
  });

/** What an index keeps of a file; `null` for one that is gone or not taken. @param {string} absPath @param {string} workspaceDir @param {object} [multimodal] @returns {Promise<object | null>} */
export async function buildFileEntry(absPath, workspaceDir, multimodal = NONE) {
  const found = await statRegularFile(absPath);
  if (found.missing) return null;
  const { mtimeMs, size } = found.stat;
  const file = path.relative(workspaceDir, absPath).replace(/\\/g, '/');
  const modality = classifyMemoryMultimodalPath(absPath, multimodal);
  if (modality && size > multimodal.maxFileBytes) return null;
  const bytes = await readFile(absPath);
  if (!bytes) return null;
  if (!modality) return { path: file, absPath, mtimeMs, size, hash: hashText(bytes.toString('utf8')), kind: 'markdown' };
  const mimeType = await detectMime({ buffer: bytes.subarray(0, 512), filePath: absPath });
  if (!mimeType?.startsWith(`${modality}/`)) return null;
  const [contentText, dataHash] = [multimodalLabel(modality, file), hashBytes(bytes)];
  return { path: file, absPath, mtimeMs, size, hash: hashText(JSON.stringify({ path: file, contentText, mimeType, dataHash })), dataHash, kind: 'multimodal', contentText, modality, mimeType };
}

/** How many bytes a text has. @param {string} text @returns {number} */
export const estimateUtf8Bytes = (text) => Buffer.byteLength(text ?? '', 'utf8');
/** How many bytes an input with several parts has. @param {object} input @returns {number} */
export const estimateStructuredEmbeddingInputBytes = ({ text, parts }) =>
  parts?.length ? parts.reduce((sum, part) => sum + (part.type === 'text' ? estimateUtf8Bytes(part.text) : estimateUtf8Bytes(part.mimeType) + estimateUtf8Bytes(part.data)), 0) : estimateUtf8Bytes(text);
/** Whether an input has more than text. @param {object} [input] @returns {boolean} */
export const hasNonTextEmbeddingParts = (input) => Boolean(input?.parts?.some((part) => part.type === 'inline-data'));

/** The one piece of an image or of sound; `null` when the file changed. @param {object} entry @returns {Promise<{ chunk: object, structuredInputBytes: number } | null>} */
export async function buildMultimodalChunkForIndexing(entry) {
  if (entry.kind !== 'multimodal' || !entry.contentText || !entry.mimeType) return null;
  const found = await statRegularFile(entry.absPath);
  const bytes = !found.missing && found.stat.size === entry.size ? await readFile(entry.absPath) : null;
  if (!bytes || (entry.dataHash && entry.dataHash !== hashBytes(bytes))) return null;
  const embeddingInput = { text: entry.contentText, parts: [{ type: 'text', text: entry.contentText }, { type: 'inline-data', mimeType: entry.mimeType, data: bytes.toString('base64') }] };
  return { chunk: { startLine: 1, endLine: 1, text: entry.contentText, hash: entry.hash, embeddingInput }, structuredInputBytes: estimateStructuredEmbeddingInputBytes(embeddingInput) };
}

/** A text in parts of at most so many bytes; letters stay whole. */
function byBytes(text, most) {
  const parts = [];
  let [part, size] = ['', 0];
  for (const letter of text) {
    const length = Buffer.byteLength(letter);
    if (size + length > most && part) {
      parts.push(part);
      [part, size] = ['', 0];
    }
    part += letter;
    size += length;
  }
  return part ? [...parts, part] : parts;
}
/** Pieces that a provider takes: too long ones in parts. @param {{ id: string, maxInputTokens?: number }} provider @param {object[]} chunks @param {number} [hardMax] @returns {object[]} */
export function enforceEmbeddingMaxInputTokens(provider, chunks, hardMax) {
  const own = typeof provider.maxInputTokens === 'number' ? provider.maxInputTokens : provider.id === 'local' ? 2048 : 8192;
  const most = typeof hardMax === 'number' && hardMax > 0 ? Math.min(own, hardMax) : own;
  return chunks.flatMap((chunk) => {
    if (hasNonTextEmbeddingParts(chunk.embeddingInput) || estimateUtf8Bytes(chunk.text) <= most || most <= 0) return [chunk];
    return byBytes(chunk.text, most).map((text) => ({ startLine: chunk.startLine, endLine: chunk.endLine, text, hash: hashText(text), embeddingInput: { text } }));
  });
}

/** How alike two vectors are. @param {number[]} a @param {number[]} b @returns {number} */
export function cosineSimilarity(a, b) {
  let [dot, left, right] = [0, 0, 0];
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    dot += a[i] * b[i];
    left += a[i] * a[i];
    right += b[i] * b[i];
  }
  return left === 0 || right === 0 ? 0 : dot / (Math.sqrt(left) * Math.sqrt(right));
}
/** A vector as JSON; anything else is an empty one. @param {string} raw @returns {number[]} */
export function parseEmbedding(raw) {
  try {
    const value = JSON.parse(raw);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
/** A vector of length one, without what is no number. @param {number[]} vector @returns {number[]} */
export function sanitizeAndNormalizeEmbedding(vector) {
  const clean = vector.map((value) => (Number.isFinite(value) ? value : 0));
  const length = Math.sqrt(clean.reduce((sum, value) => sum + value * value, 0));
  return length < 1e-10 ? clean : clean.map((value) => value / length);
}
/** Makes a directory; its path. @param {string} dir @returns {string} */
export function ensureDirectory(dir) {
  try {
    fs.mkdirSync(dir, { recursive: true });
  } catch {
    // Whoever writes there will be told.
  }
  return dir;
}
