// Blocks of Markdown that a program keeps in somebody's file, and the journal of what memory did.
import fs from 'node:fs/promises';
import path from 'node:path';
import { escapeRegExp } from '../strings.js';

/** The text with a line end. @param {string} content @returns {string} */
export const withTrailingNewline = (content) => (content.endsWith('\n') ? content : `${content}\n`);

/** Puts a block where it is now, else at the end. Further copies of it go. @param {{ original: string, body: string, startMarker: string, endMarker: string, heading?: string }} params @returns {string} */
export function replaceManagedMarkdownBlock({ original, body, startMarker, endMarker, heading }) {
  const block = `${heading ? `${heading}\n` : ''}${startMarker}\n${body}\n${endMarker}`;
  const before = heading ? `${escapeRegExp(heading)}(?:[ \\t]*(?:\\r\\n|\\n|\\r))+[ \\t]*` : '';
  const found = [...original.matchAll(new RegExp(`${before}${escapeRegExp(startMarker)}[\\s\\S]*?${escapeRegExp(endMarker)}`, 'g'))];
  if (found.length === 0) return original.trim() ? `${original.trimEnd()}\n\n${block}\n` : `${block}\n`;
  let out = original.slice(0, found[0].index) + block;
  let end = found[0].index + found[0][0].length;
  for (const match of found.slice(1)) {
    const between = original.slice(end, match.index);
    if (/[^\t \r\n]/.test(between)) out += between;
    end = match.index + match[0].length;
  }
  return out + original.slice(end);
}

export const MEMORY_HOST_EVENT_LOG_RELATIVE_PATH = path.join('memory', '.dreams', 'events.jsonl');
/** The journal of a workspace. @param {string} workspaceDir @returns {string} */
export const resolveMemoryHostEventLogPath = (workspaceDir) => path.join(workspaceDir, MEMORY_HOST_EVENT_LOG_RELATIVE_PATH);

/** Writes an event; a journal behind a link is refused. @param {string} workspaceDir @param {object} event @returns {Promise<void>} */
export async function appendMemoryHostEvent(workspaceDir, event) {
  const file = resolveMemoryHostEventLogPath(workspaceDir);
  await fs.mkdir(path.dirname(file), { recursive: true });
  for (const place of [path.join(workspaceDir, 'memory'), path.dirname(file), file]) {
    const stat = await fs.lstat(place).catch(() => null);
    if (stat?.isSymbolicLink()) throw new Error(`\`${place}\` is a link; the journal of memory is not written through links`);
  }
  await fs.appendFile(file, `${JSON.stringify(event)}\n`);
}

const last = (events, limit) => (Number.isFinite(limit) ? events.slice(Math.min(0, -Math.floor(limit)) || events.length) : events);

/** The events, also those that only say why nothing was done, or the last of them. @param {{ workspaceDir: string, limit?: number }} params @returns {Promise<object[]>} */
export async function readMemoryHostEventRecords({ workspaceDir, limit }) {
  const text = await fs.readFile(resolveMemoryHostEventLogPath(workspaceDir), 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const events = text.split('\n').filter((line) => line.trim()).flatMap((line) => {
    try {
      return [JSON.parse(line)];
    } catch {
      return [];
    }
  });
  return last(events, limit);
}

/** The events, or the last of them. @param {{ workspaceDir: string, limit?: number }} params @returns {Promise<object[]>} */
export const readMemoryHostEvents = async ({ workspaceDir, limit }) => last((await readMemoryHostEventRecords({ workspaceDir })).filter((event) => event?.type !== 'memory.recall.skipped'), limit);
